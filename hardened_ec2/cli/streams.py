"""Input and output of the commands: files written whole or not at all, errors in one line."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

_Read = TypeVar("_Read")


def refuse(message: str) -> NoReturn:
    """Print one line to standard error and exit with code 2."""
    sys.stderr.write(f"hardened-ec2: {' '.join(message.split())}\n")
    raise SystemExit(2)


def read(option: str, reader: Callable[[Path], _Read], path: Path) -> _Read:
    """Read the file of an option.

    Args:
        option: The option, such as ``--config``.
        reader: The function that reads the file.
        path: The file.

    Raises:
        ValueError: If the file cannot be read or used; the message names the option.
    """
    try:
        return reader(path)
    except OSError as error:
        raise ValueError(f"{option} {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{option} {path} is not UTF-8 text: {error.reason} at byte {error.start}; save it as "
            "UTF-8"
        ) from None
    except ValueError as error:
        raise ValueError(f"{option} {error}") from None


def write(content: bytes, path: Path | None = None, option: str = "--output") -> None:
    """Write to a file or to standard output.

    Args:
        content: The bytes.
        path: The file. Default: standard output.
        option: The option that names the file. Default: ``--output``.

    Raises:
        ValueError: If it cannot be written; the message names the option.
    """
    try:
        if path is None:
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        else:
            _write_whole(path, content)
    except OSError as error:
        where = "standard output" if path is None else f"{option} {path}"
        raise ValueError(f"{where}: {error.strerror}") from None


def _write_whole(path: Path, content: bytes) -> None:
    """Write a temporary file beside the target, and rename it."""
    # Loaded on use: most runs write no file.
    import tempfile  # noqa: PLC0415

    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    """Return the umask; the only way to read it is to set it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
