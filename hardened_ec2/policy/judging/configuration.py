"""Settings from a TOML file: the thresholds of the policy."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from hardened_ec2.policy.settings import Settings

_KNOWN = tuple(field.name for field in fields(Settings))


def read_settings(path: Path) -> Settings:
    """Read settings from a TOML file.

    Args:
        path: A file with any of the settings::

            whitelist_width = 16
            public_ports = [443]

            [administrative_ports]
            22 = "SSH"

    Returns:
        The settings; what the file omits has its default.

    Raises:
        ValueError: If the file is not TOML, or contains an unknown setting or a value that is not
            allowed.
        OSError: If it cannot be read.

    Source: TOML v1.0.0.

    Example:
        >>> read_settings(Path("hardened-ec2.toml")).whitelist_width
        16
    """
    # Loaded on use: most checks have no settings file.
    import tomllib  # noqa: PLC0415

    try:
        document = tomllib.loads(path.read_bytes().decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not TOML: {error}") from None
    unknown = sorted(document.keys() - set(_KNOWN))
    if unknown:
        raise ValueError(f"{path} sets {unknown[0]!r}: write one of {', '.join(_KNOWN)}")
    try:
        return Settings(**{name: _value(name, value) for name, value in document.items()})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _value(name: str, value: Any) -> Any:  # noqa: ANN401 - what TOML holds, what Settings takes
    if name == "public_ports":
        if not isinstance(value, list):
            raise ValueError(f"{name} is {value!r}: write a list of ports")
        return frozenset(value) if all(isinstance(each, int) for each in value) else tuple(value)
    if name == "administrative_ports":
        if not isinstance(value, dict):
            raise ValueError(f'{name} is {value!r}: write a table of port = "name"')
        # Keys in TOML are strings.
        return {int(port) if port.isdecimal() else port: label for port, label in value.items()}
    return value
