"""The version of hardened-ec2 that reports name."""


def release() -> str:
    """Return the version of hardened-ec2; "0" in a checkout that was never installed."""
    # Loaded on use: it takes a tenth of the start-up, and text reports do not need it.
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version("hardened-ec2")
    except PackageNotFoundError:
        return "0"
