# ruff: noqa: S603, S607 - the one place that starts programs: argument lists, no shell
"""Running programs from argument lists; none outlives this process."""

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
    """A failure of the lab itself, which says nothing about the server under proof."""


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


_listeners: list[Callable[[str], object]] = [_say]


def listen(say: Callable[[str], object]) -> None:
    """Send progress messages elsewhere than to stderr, which pytest captures.

    Args:
        say: Called with each message.
    """
    _listeners[:] = [say]


def progress(text: str) -> None:
    """Report what the lab does now, with the time since its start.

    Args:
        text: The message.
    """
    elapsed = int(time.monotonic() - _STARTED)
    for say in _listeners:
        say(f"[{elapsed // 60:2}:{elapsed % 60:02}] {text}")


def run(
    *argv: str, stdin: str | None = None, timeout: float = 120
) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end, whatever its exit code.

    Args:
        argv: The program and its arguments.
        stdin: Its standard input. Default: empty.
        timeout: Seconds until it is killed. Default: 120.

    Returns:
        Exit code and output. A program that is killed has exit code 124, as with timeout(1): a
        client that hangs is a result, not an error of the lab.

    Raises:
        LabError: If `abort` was called.
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
            stderr += f"killed after {timeout} s"
            return subprocess.CompletedProcess(argv, _TIMED_OUT, stdout, stderr)
        finally:
            process.kill()
    return subprocess.CompletedProcess(argv, process.returncode, stdout, stderr)


def abort() -> None:
    """Kill every program that `run` waits for, and make later calls of `run` fail."""
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
            raise LabError("aborted")
        yield
    finally:
        with _guard:
            _children.discard(process)


def must(*argv: str, stdin: str | None = None, timeout: float = 120) -> str:
    """Run a program that must succeed, and return its output.

    Args:
        argv: The program and its arguments.
        stdin: Its standard input. Default: empty.
        timeout: Seconds until it is killed. Default: 120.

    Raises:
        LabError: If its exit code is not 0.
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
    """Run a program in the background until the block ends.

    The kernel kills it if this process dies first.

    Args:
        argv: The program and its arguments.
        log: The file that receives its output.
        stop_seconds: Seconds from SIGTERM to SIGKILL. Default: 10.
    """
    with log.open("ab") as output:
        process = start(argv, output)
    try:
        yield process
    finally:
        stop(process, stop_seconds)


def start(argv: Sequence[str], output: "IO[bytes]") -> "subprocess.Popen[bytes]":
    """Start a program that the kernel kills when the calling thread ends.

    Args:
        argv: The program and its arguments.
        output: The file that receives its output.
    """
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *argv],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )


def stop(process: "subprocess.Popen[bytes]", seconds: float = 10) -> None:
    """Stop a program by SIGTERM, then by SIGKILL.

    Args:
        process: The program.
        seconds: Seconds between the two. Default: 10.
    """
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
