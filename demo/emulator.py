"""The local AWS emulator: moto's server on loopback, corrected by `moto_fidelity`.

    with run_emulator(log=Path("emulator.log")) as endpoint:
        boto3.client("ec2", endpoint_url=endpoint, ...)

The server is a process of its own that keeps its state in memory, so each start is an empty
account. It cannot outlive its parent: it also ends when the pipe from the parent closes.
"""

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.isolation import NO_ENDPOINT, ROOT, isolate

_LOOPBACK = "127.0.0.1"
_START_SECONDS = 60.0
_STOP_SECONDS = 5.0


class EmulatorNotStartedError(Exception):
    """The emulator did not start; the message says why and what to do."""


@contextmanager
def run_emulator(log: Path, port: int = 0) -> Iterator[str]:
    """Run the emulator while the block runs.

    Args:
        log: The server's log, for requests and errors.
        port: A port of loopback; 0 takes a free one.

    Yields:
        The address to give to clients as their endpoint. It names ``localhost``, because moto
        does not recognise a bucket's address that starts with digits.

    Raises:
        EmulatorNotStartedError: If the port is taken, or the server does not answer.
    """
    # The parent binds and the server inherits: no other process can take the port in between.
    with _listen(port) as listener, log.open("wb") as output:
        endpoint = f"http://localhost:{listener.getsockname()[1]}"
        server = subprocess.Popen(  # noqa: S603 (this module, in this interpreter)
            [sys.executable, "-m", "demo.emulator", str(listener.fileno())],
            cwd=ROOT,
            env=_server_environment(log.parent),
            pass_fds=[listener.fileno()],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C in a terminal is for the parent, which then stops the server.
            start_new_session=True,
        )
    try:
        _wait_until_healthy(server, endpoint, log)
        yield endpoint
    finally:
        _stop(server)


def serve(listener_fd: int) -> None:
    """Serve on an inherited socket until the parent closes standard input.

    Args:
        listener_fd: File descriptor of a listening socket on loopback.
    """
    # moto takes a second to import: only the server's own process needs it.
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server  # noqa: PLC0415

    from demo.moto_fidelity import apply_patches  # noqa: PLC0415

    apply_patches()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    make_server(
        _LOOPBACK,
        socket.socket(fileno=os.dup(listener_fd)).getsockname()[1],
        DomainDispatcherApplication(create_backend_app),
        threaded=True,
        request_handler=MotoRequestHandler,
        fd=listener_fd,
    ).serve_forever()


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((_LOOPBACK, port), backlog=128)
    except (OSError, OverflowError) as error:
        raise EmulatorNotStartedError(
            f"The emulator cannot listen on port {port} of {_LOOPBACK} ({error}): "
            "stop the program that listens there, or leave EMULATOR_PORT unset to take a free port"
        ) from None


def _server_environment(home: Path) -> dict[str, str]:
    return {
        # The server must not reach AWS either.
        **isolate(os.environ, home, NO_ENDPOINT),
        # Roles may name AWS's own policies.
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    }


def _wait_until_healthy(server: "subprocess.Popen[bytes]", endpoint: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while server.poll() is None and time.monotonic() < deadline:
        try:
            # The socket listens already, so this waits for the server's first answer.
            with direct.open(f"{endpoint}/moto-api/data.json", timeout=1):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.05)
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-10:]
    failure = "ended" if server.poll() is not None else f"gave no answer in {_START_SECONDS:.0f} s"
    raise EmulatorNotStartedError("\n".join([f"The emulator {failure}. Its last output:", *said]))


def _stop(server: "subprocess.Popen[bytes]") -> None:
    server.terminate()
    try:
        server.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    finally:
        if server.stdin:
            server.stdin.close()


def _end_with_parent() -> None:
    """Read standard input to its end, which comes when the parent ends."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
