"""Where the commands write: all of it or nothing, and one line for what is wrong."""

import os
import sys
from pathlib import Path
from typing import NoReturn


def refuse(message: str) -> NoReturn:
    """Say in one line what is wrong, and end with exit code 2."""
    sys.stderr.write(f"hardened-ec2: {' '.join(message.split())}\n")
    raise SystemExit(2)


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: beside the target, then renamed."""
    # Only who writes a file needs it.
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
    """Return the umask, which can be read only by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def write_out(content: bytes) -> None:
    """Write to standard output, byte for byte."""
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
