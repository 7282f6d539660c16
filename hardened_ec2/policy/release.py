"""Which version of the policy speaks."""

from importlib.metadata import PackageNotFoundError, version


def release() -> str:
    """Return the version of hardened-ec2; "0" in a checkout that was never installed.

    Example:
        >>> release()
        '0.1.0'
    """
    try:
        return version("hardened-ec2")
    except PackageNotFoundError:
        return "0"
