"""`python -m demo` as a person runs it, with what goes wrong for people."""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from demo.assembly import Assembly
from demo.isolation import ROOT
from tests.deploy.conftest import WHITELIST

MARK = "HARDENED_EC2_TEST_RUN"


class Run:
    """A run of the demo whose processes can be told from all others."""

    def __init__(self, **environment: str) -> None:
        self.mark = uuid.uuid4().hex
        self._environment = {"SSH_WHITELIST": WHITELIST, **environment, MARK: self.mark}

    def start(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "demo"],
            cwd=ROOT,
            env={**os.environ, **self._environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self) -> tuple[int, str]:
        with self.start() as process:
            output, _ = process.communicate(timeout=180)
        return process.returncode, output

    def processes(self) -> list[int]:
        """The processes of this run that are alive: they inherit its mark."""
        alive = []
        for environ in Path("/proc").glob("[0-9]*/environ"):
            try:
                if f"{MARK}={self.mark}".encode() in environ.read_bytes():
                    alive.append(int(environ.parent.name))
            except OSError:  # ended meanwhile
                continue
        return alive


def scratch_folders() -> set[Path]:
    return set((ROOT / "build").glob("try-*"))


@pytest.fixture
def caught() -> Iterator[socket.socket]:
    """A listener in the place of AWS: whoever still uses the caller's settings comes here."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        yield listener


def callers_settings(home: Path, caught: socket.socket) -> dict[str, str]:
    """An environment with accounts in it, all of which lead to the listener."""
    address = f"http://127.0.0.1:{caught.getsockname()[1]}"
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text(f"[default]\nregion=eu-west-1\nendpoint_url={address}\n")
    (home / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id=real\naws_secret_access_key=real\n"
    )
    (home / ".cdk.json").write_text('{"profile": "production", "toolkitStackName": "Real"}')
    return {
        "HOME": str(home),
        "AWS_CONFIG_FILE": str(home / ".aws" / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / ".aws" / "credentials"),
        "AWS_ACCESS_KEY_ID": "real",
        "AWS_SECRET_ACCESS_KEY": "real",
        "AWS_ENDPOINT_URL": address,
        "AWS_ENDPOINT_URL_EC2": address,
        "AWS_ENDPOINT_URL_STS": address,
        "HTTP_PROXY": address,
        "HTTPS_PROXY": address,
        "CDK_DEFAULT_ACCOUNT": "111111111111",
    }


def was_called(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


@pytest.mark.usefixtures("assembly")
def test_every_lock_holds_and_no_account_of_the_callers_is_used(
    tmp_path: Path, caught: socket.socket
) -> None:
    before = scratch_folders()
    run = Run(**callers_settings(tmp_path, caught))

    code, output = run.finish()

    assert code == 0, output
    assert "All 34 locks hold" in output
    assert "HardenedEc2Bastion" in output
    assert not was_called(caught)
    assert run.processes() == []
    assert scratch_folders() <= before


def test_the_listener_would_notice(
    tmp_path: Path, caught: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in callers_settings(tmp_path, caught).items():
        monkeypatch.setenv(name, value)

    with pytest.raises(BotoCoreError):
        boto3.Session().client(
            "ec2", config=Config(read_timeout=1, retries={"total_max_attempts": 1})
        ).describe_vpcs()

    assert was_called(caught)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_synth_leaves_nothing(number: signal.Signals) -> None:
    before = scratch_folders()
    # A whitelist that nobody used before: its synth is not kept from an earlier run.
    run = Run(SSH_WHITELIST=f"2001:db8::{uuid.uuid4().hex[:4]}")

    with run.start() as process:
        wait_for_processes(process, run, "app.py")
        process.send_signal(number)
        output, _ = process.communicate(timeout=30)

    assert process.returncode == 130
    assert output.endswith("Interrupted: nothing is left running, and no partial result is kept.\n")
    assert "Traceback" not in output
    assert run.processes() == []
    assert scratch_folders() <= before


@pytest.mark.usefixtures("assembly")
def test_an_interrupted_deploy_leaves_nothing() -> None:
    before = scratch_folders()
    run = Run()

    with run.start() as process:
        wait_for_processes(process, run, "demo.emulator", "bootstrap")
        process.send_signal(signal.SIGINT)
        # The impatient press twice.
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "Traceback" not in output
    assert run.processes() == []
    assert scratch_folders() <= before


def wait_for_processes(process: "subprocess.Popen[str]", run: Run, *words: str) -> None:
    """Wait until each word is in the command line of a process of the run."""
    while process.poll() is None:
        lines = b"\n".join(command_line(process) for process in run.processes())
        if all(word.encode() in lines for word in words):
            return
        time.sleep(0.02)
    pytest.fail(f"the run ended before it came to {words}: {process.communicate()[0]}")


def command_line(process: int) -> bytes:
    try:
        return (Path("/proc") / f"{process}" / "cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.usefixtures("assembly")
def test_a_port_in_use_is_one_clear_message() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = Run(EMULATOR_PORT=str(port))

        code, output = run.finish()

    assert code == 1
    assert f"cannot listen on port {port}" in output
    assert "Traceback" not in output
    assert run.processes() == []


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"SSH_WHITELIST": "203.0.113.7/24"}, "SSH_WHITELIST: '203.0.113.7/24' has host bits set"),
        ({"SSH_WHITELIST": "here"}, "SSH_WHITELIST: 'here' is not an IP address or CIDR block"),
        ({"EMULATOR_PORT": "http"}, "EMULATOR_PORT is 'http': write a port from 1 to 65535"),
        ({"EMULATOR_PORT": "65536"}, "EMULATOR_PORT is '65536': write a port from 1 to 65535"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_starts(
    environment: dict[str, str], message: str
) -> None:
    code, output = Run(**environment).finish()

    assert code == 2
    assert message in output
    assert "Traceback" not in output


def test_a_whitelist_that_the_app_refuses_ends_in_its_message() -> None:
    code, output = Run(SSH_WHITELIST="0.0.0.0/0").finish()

    assert code == 1
    assert "0.0.0.0/0" in output
    assert "Traceback" not in output


def test_the_kept_assembly_was_judged(assembly: Assembly) -> None:
    assert (assembly.folder / "validation-report.json").is_file()
