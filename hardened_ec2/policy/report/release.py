"""Which version of the policy speaks."""


def release() -> str:
    """Return the version of hardened-ec2; "0" in a checkout that was never installed."""
    # A tenth of a check's start-up, for the formats that name it.
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version("hardened-ec2")
    except PackageNotFoundError:
        return "0"
