"""The command: the same bytes as the library's, and one line for whatever is wrong."""

import base64
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hardened_ec2.cli import COMMANDS
from hardened_ec2.host import HostHardening

SCRIPT = "#!/bin/bash\necho 'ünïcödé'\n"


def run(
    *arguments: str, cwd: Path | None = None, columns: int | None = None
) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-c", "from hardened_ec2.cli import main; main()", *arguments],
        capture_output=True,
        check=False,
        cwd=cwd,
        env=os.environ
        | {"PYTHONPATH": f"{Path(__file__).parents[2]}:{os.environ.get('PYTHONPATH', '')}"}
        | ({} if columns is None else {"COLUMNS": str(columns)}),
    )


def user_data(*arguments: str) -> bytes:
    done = run("user-data", *arguments)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def test_the_defaults_are_the_library_s() -> None:
    assert user_data() == HostHardening().render().encode()


def test_every_option_is_the_library_s() -> None:
    told = user_data(
        *("--profile", "strict", "--admin-user", "alice", "--admin-user", "bob"),
        *("--imds-user", "app", "--imds-container", "docker0", "--open-port", "443/tcp"),
        *("--without", "sudo-pty", "--without", "host-firewall"),
        *("--allow-tcp-forwarding", "local", "--x11-forwarding", "--no-ipv6"),
        *("--no-automatic-updates", "--no-audit", "--banner", "Don't."),
    )
    wanted = HostHardening(
        profile="strict",
        admin_users=["alice", "bob"],
        imds_users=["app"],
        imds_containers=["docker0"],
        open_ports=["443/tcp"],
        without=["sudo-pty", "host-firewall"],
        allow_tcp_forwarding="local",
        x11_forwarding=True,
        ipv6=False,
        automatic_updates=False,
        audit=False,
        banner="Don't.",
    )
    assert told == wanted.render().encode()
    assert told != HostHardening(profile="strict").render().encode()


def test_gzip_and_base64_are_what_a_template_carries() -> None:
    wanted = HostHardening(profile="strict").compress()
    assert user_data("--profile", "strict", "--format", "gzip") == wanted
    assert user_data("--profile", "strict", "--format", "base64") == base64.b64encode(wanted)


def test_what_is_too_large_as_text_fits_as_gzip(tmp_path: Path) -> None:
    (tmp_path / "setup.sh").write_text("#!/bin/sh\n" + "x" * 4_000)
    options = ("user-data", "--profile", "strict", "--commands", "setup.sh")
    done = run(*options, cwd=tmp_path)
    assert done.returncode == 2
    assert b"EC2 accepts 16,384: write --format gzip, build the commands" in done.stderr
    assert run(*options, "--format", "gzip", cwd=tmp_path).returncode == 0


def test_gzip_is_not_written_to_a_terminal() -> None:
    terminal, end = os.openpty()
    command = "from hardened_ec2.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", command, "user-data", "--format", "gzip"],
        stdout=end,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(end)
    os.close(terminal)
    assert done.returncode == 2
    assert b"--format gzip cannot be written to a terminal: write --output FILE" in done.stderr


def test_groups_in_place_of_users() -> None:
    wanted = HostHardening(admin_groups=["wheel"], audit=True)
    assert user_data("--admin-group", "wheel", "--audit") == wanted.render().encode()


def test_own_commands_are_carried(tmp_path: Path) -> None:
    (tmp_path / "setup.sh").write_bytes(SCRIPT.encode())
    told = user_data("--commands", str(tmp_path / "setup.sh"))
    assert told == HostHardening().render(SCRIPT).encode()


def test_a_file_gets_the_same_bytes_and_nothing_is_printed(tmp_path: Path) -> None:
    target = tmp_path / "user-data"
    assert user_data("--output", str(target)) == b""
    assert target.read_bytes() == HostHardening().render().encode()
    assert [path.name for path in tmp_path.iterdir()] == ["user-data"]


def test_a_file_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "user-data"
    target.write_text("old")
    target.chmod(0o640)
    user_data("--output", str(target))
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert target.read_bytes() == HostHardening().render().encode()


def test_what_is_wrong_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "user-data"
    target.write_text("old")
    assert run("user-data", "--profile", "lax", "--output", str(target)).returncode == 2
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["user-data"]


WRONG = {
    "profile": (
        ["--profile", "lax"],
        "--profile is 'lax': 'core', 'baseline' or 'strict' is allowed; write --profile baseline",
    ),
    "control": (
        ["--without", "sudo"],
        "--without: 'sudo' is not a host control: write one of imds-",
    ),
    "core": (
        ["--without", "sshd"],
        "a core control, which cannot be left out: remove it from --without",
    ),
    "user": (
        ["--admin-user", "root"],
        "write the login that administrators use, --admin-user ec2-user",
    ),
    "port": (["--open-port", "443"], "tcp or udp; write --open-port 443/tcp"),
    "container": (
        ["--imds-container", "1x"],
        "write --imds-container docker0 or 172.17.0.0/16",
    ),
    "banner": (["--banner", "é"], "write --banner 'Authorized use only.'"),
    "both": (
        ["--admin-user", "a", "--admin-group", "b"],
        "--admin-user is ('a',) and --admin-group is ('b',)",
    ),
    "format": (["--format", "zip"], "--format is 'zip': write one of text, gzip, base64"),
    "missing": (["--commands", "/nowhere/setup.sh"], "--commands /nowhere/setup.sh: No such file"),
    "folder": (
        ["--output", "/nowhere/user-data"],
        "--output /nowhere/user-data: No such file or directory",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_said_in_one_line(wrong: str) -> None:
    arguments, message = WRONG[wrong]
    done = run("user-data", *arguments)
    assert done.returncode == 2
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("hardened-ec2: ")
    assert message in line


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (b"echo no interpreter\n", "write '#!/bin/bash' as the first line"),
        (b"#!/bin/sh\n\xff\n", "--commands setup.sh is not UTF-8 text"),
        (b"#!/bin/sh\n" + b"# x\n" * 5000, "bytes, EC2 accepts 16,384"),
    ],
)
def test_commands_that_no_server_would_run(tmp_path: Path, script: bytes, message: str) -> None:
    (tmp_path / "setup.sh").write_bytes(script)
    done = run("user-data", "--commands", "setup.sh", cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["user-dta"], b"invalid choice: 'user-dta'"),
        (["user-data", "--proflie", "strict"], b"unrecognized arguments: --proflie strict"),
        (["user-data", "--prof", "strict"], b"unrecognized arguments: --prof strict"),
        (["check"], b"the following arguments are required: PATH"),
    ],
)
def test_an_unknown_word_is_a_usage_error(arguments: list[str], message: bytes) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert b"Traceback" not in done.stderr


def test_without_a_word_it_tells_its_commands() -> None:
    told = run()
    assert told.stdout == run("--help").stdout
    assert told.returncode == 0
    assert all(what.encode() in told.stdout for what in COMMANDS.values())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_tells_its_options(command: str) -> None:
    told = run(command, "--help")
    assert told.returncode == 0
    assert b"--format FORMAT" in told.stdout
    assert b"Exit codes:" in told.stdout


@pytest.mark.parametrize("arguments", [[], *([command] for command in COMMANDS)])
def test_help_fits_a_terminal_of_80_columns(arguments: list[str]) -> None:
    lines = run(*arguments, "--help", columns=80).stdout.decode().splitlines()
    assert lines
    assert [line for line in lines if len(line) > 80] == []


def test_a_command_loads_only_what_it_needs() -> None:
    code = (
        "import sys; from hardened_ec2.cli import main;"
        "\ntry: main(['rules'])\nexcept SystemExit: pass\n"
        "print([m for m in sys.modules if m in ('hardened_ec2.host', 'hardened_ec2.cli.check')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_it_loads_no_cdk() -> None:
    code = (
        "import sys, hardened_ec2.cli;"
        "print([m for m in sys.modules if m.split('.')[0] in ('aws_cdk', 'jsii', 'cdk_nag')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
