# ruff: noqa: S607 - the guest's own tools, wherever its PATH finds them
"""Runs in the guest as root: where a secret can be read, by whom.

Reads a JSON object: "secret", "users" (name to uid) of those who search beside root, and "since",
the time when the server first heard of the secret. Prints one: for each searcher the files, of the
whole file system, that hold the secret and that they can read, with "journal" for the journal.

A file that has not changed since then cannot hold the secret and is not opened: the kernel sets
the time of a change (ctime), nobody can set it back.
"""

import json
import os
import stat
import subprocess
import sys
import zlib
from pathlib import Path

# What the kernel makes up as it is read; processes' own memory is root's alone.
_UNREAL = ("/proc", "/sys", "/dev/pts")
_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b\x08"


def packed(data: bytes, secret: bytes) -> bool:
    """Whether something in gzip, anywhere in these bytes, holds the secret: user data may be."""
    at = data.find(_GZIP)
    while at >= 0:
        try:
            if secret in zlib.decompressobj(wbits=31).decompress(data[at:], _CHUNK):
                return True
        except zlib.error:
            pass  # just three bytes that look so
        at = data.find(_GZIP, at + 1)
    return False


def holds(path: Path, secret: bytes, since: float = 0) -> bool:
    """Whether a file that this process can read holds the secret."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_ctime < since:
            return False
        with path.open("rb") as file:
            kept = b""
            while chunk := file.read(_CHUNK):
                if secret in kept + chunk or packed(chunk, secret):
                    return True
                kept = chunk[-len(secret) :]
    except OSError:
        return False
    return False


def in_processes(secret: bytes) -> list[str]:
    """Return what the kernel tells of other processes: their arguments and environments."""
    return [
        f"/proc/{process.name}/{name}"
        for process in Path("/proc").iterdir()
        if process.name.isdigit() and int(process.name) != os.getpid()
        for name in ("cmdline", "environ")
        if holds(process / name, secret)
    ]


def search(secret: bytes, since: float) -> list[str]:
    """Return everything that holds the secret, seen as whoever this process is."""
    found = in_processes(secret)
    for folder, folders, files in os.walk("/"):
        folders[:] = [
            each
            for each in folders
            if os.path.join(folder, each) not in _UNREAL  # noqa: PTH118 - a million times
        ]
        found += [str(path) for name in files if holds(path := Path(folder, name), secret, since)]
    journal = subprocess.run(
        ["journalctl", "--quiet", "--no-pager", "--all"], capture_output=True, check=False
    )
    return [*found, "journal"] if secret in journal.stdout else found


def search_as(uid: int, secret: bytes, since: float) -> tuple[int, int]:
    """Begin a search as somebody, in a process of their own; return it and where it answers."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        os.close(reader)
        if uid:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        with os.fdopen(writer, "w") as answer:
            json.dump(search(secret, since), answer)
        os._exit(0)
    os.close(writer)
    return child, reader


def main() -> None:
    """Search as everybody who was asked for, root first and the others beside."""
    wanted = json.load(sys.stdin)
    searches = {
        name: search_as(uid, wanted["secret"].encode(), wanted["since"])
        for name, uid in {"root": 0, **wanted["users"]}.items()
    }
    found = {}
    for name, (child, reader) in searches.items():
        with os.fdopen(reader) as answer:
            found[name] = json.load(answer)
        os.waitpid(child, 0)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
