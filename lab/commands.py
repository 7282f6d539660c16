# ruff: noqa: S603, S607 - the one place that starts programs: argument lists, no shell
"""Starting programs: argument lists only, each ended when this process ends."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_STARTED = time.monotonic()
_TIMED_OUT = 124

_guard = threading.Lock()
_children: "set[subprocess.Popen[str]]" = set()
_aborted = threading.Event()


class LabError(Exception):
    """The lab itself failed, which says nothing about what is being proven."""


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


_listeners: list[Callable[[str], object]] = [_say]


def listen(say: Callable[[str], object]) -> None:
    """Have progress told to somebody else than stderr: a test runner keeps that for failures."""
    _listeners[:] = [say]


def progress(text: str) -> None:
    """Tell the person who waits what happens now, and how long it has been."""
    elapsed = int(time.monotonic() - _STARTED)
    for say in _listeners:
        say(f"[{elapsed // 60:2}:{elapsed % 60:02}] {text}")


def run(
    *argv: str, stdin: str | None = None, timeout: float = 120
) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end, whatever its exit code.

    Args:
        argv: The program and its arguments.
        stdin: What it reads. Default: nothing.
        timeout: Seconds that it may take.

    Returns:
        Exit code and output. A program that took too long has the exit code 124, as with
        timeout(1), so that a hanging client is a result and not an accident.
    """
    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    with _running(process):
        try:
            stdout, stderr = process.communicate(stdin or "", timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
            stderr += f"no end after {timeout} s"
            return subprocess.CompletedProcess(argv, _TIMED_OUT, stdout, stderr)
        finally:
            process.kill()
    return subprocess.CompletedProcess(argv, process.returncode, stdout, stderr)


def abort() -> None:
    """End every program that `run` waits for, and start none any more: all work fails soon."""
    with _guard:
        _aborted.set()
        for process in _children:
            process.kill()


@contextmanager
def _running(process: "subprocess.Popen[str]") -> Iterator[None]:
    with _guard:
        _children.add(process)
    try:
        if _aborted.is_set():
            process.kill()
            raise LabError("stopped before its end")
        yield
    finally:
        with _guard:
            _children.discard(process)


def must(*argv: str, stdin: str | None = None, timeout: float = 120) -> str:
    """Run a program that must succeed.

    Returns:
        What it printed.

    Raises:
        LabError: If it did not, with what it said.
    """
    done = run(*argv, stdin=stdin, timeout=timeout)
    if done.returncode:
        raise LabError(
            f"exit code {done.returncode} from {' '.join(argv)}:\n{done.stdout}{done.stderr}"
        )
    return done.stdout


@contextmanager
def background(
    argv: Sequence[str], log: Path, *, stop_seconds: float = 10
) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a program beside this one, until the block ends.

    The kernel ends it too when this process dies without a chance to clean up.

    Args:
        argv: The program and its arguments.
        log: Where its output goes.
        stop_seconds: How long it may take to end by itself.
    """
    with log.open("ab") as output:
        process = start(argv, output)
    try:
        yield process
    finally:
        stop(process, stop_seconds)


def start(argv: Sequence[str], output: "IO[bytes]") -> "subprocess.Popen[bytes]":
    """Start a program, which does not outlive the thread that calls this."""
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *argv],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )


def stop(process: "subprocess.Popen[bytes]", seconds: float = 10) -> None:
    """End a program: asked first, then made to."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
