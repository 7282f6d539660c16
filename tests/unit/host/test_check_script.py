"""The script that checks a server: made of the controls, and honest about what it sees."""

import subprocess
from shlex import quote
from typing import get_args

import pytest

from hardened_ec2.host import CONTROLS, Check, HostHardening, Profile
from hardened_ec2.host.check_script import check_script
from lab.probes.control_checks import questions


def run(script: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["sh"], input=script, capture_output=True, text=True, check=False)


def calls(hardening: HostHardening) -> list[str]:
    return [line for line in check_script(hardening).split("\n") if line.startswith("check ")]


def asking(*checks: Check) -> str:
    """Return the script with other questions in it."""
    script = check_script(HostHardening())
    head, _, rest = script.partition("\ncheck ")
    end = rest[rest.rindex('\necho "HARDENING-CHECKS') :]
    each = (" ".join(quote(w) for w in ("x", c.command, c.expected, c.when) if w) for c in checks)
    return f"{head}\n" + "".join(f"check {line}\n" for line in each) + end


@pytest.mark.parametrize("profile", get_args(Profile))
def test_it_asks_what_the_controls_document_and_the_proof_asks(profile: Profile) -> None:
    asked = questions(profile)
    script = check_script(HostHardening(profile=profile))
    assert len(calls(HostHardening(profile=profile))) == len(asked) > 30
    for question in asked:
        assert f"check {question.control} {quote(question.check.command)} " in script


def test_a_control_that_is_left_out_is_not_asked_for() -> None:
    left_out = calls(HostHardening(without=["sudo-pty"]))
    assert not any(line.startswith("check sudo-pty ") for line in left_out)
    assert any(line.startswith("check sudo-pty ") for line in calls(HostHardening()))


def test_what_an_option_asks_otherwise_is_not_asked_for() -> None:
    assert not any("x11forwarding" in line for line in calls(HostHardening(x11_forwarding=True)))
    declared = calls(HostHardening(open_ports=["111/tcp"]))
    assert not any("rpcbind" in line for line in declared)
    assert any("5355" in line for line in declared)
    plain = "\n".join(calls(HostHardening()))
    assert "x11forwarding" in plain
    assert "rpcbind" in plain


HOLDS = [
    Check(command="echo yes", expected="yes"),
    Check(command="printf '  yes\\n\\n'", expected="yes"),
    Check(command="printf 'a b\\nc'", expected="a b\nc"),
    Check(command="echo ignored >&2; echo yes", expected="yes"),
    Check(command="exit 3", expected="never", when="false"),
    Check(command="cat; echo yes", expected="yes"),
    Check(command="echo \"it's\" '$HOME'", expected="it's $HOME"),
]
FAILS = [
    Check(command="echo yes", expected="no"),
    Check(command="echo yes; echo more", expected="yes"),
    Check(command="exit 0", expected="yes"),
    Check(command="echo 'y  es'", expected="y es"),
    Check(command="no-such-command", expected="yes"),
    Check(command="echo '*'", expected="yes", when="true"),
]


@pytest.mark.parametrize("check", HOLDS, ids=lambda check: check.command)
def test_what_holds_passes(check: Check) -> None:
    done = run(asking(check))
    assert done.returncode == 0, done.stdout
    asked = 0 if check.when else 1
    assert done.stdout == f"HARDENING-CHECKS asked={asked} failed=0\n"


@pytest.mark.parametrize("check", FAILS, ids=lambda check: check.command)
def test_what_does_not_hold_fails_and_says_what(check: Check) -> None:
    done = run(asking(HOLDS[0], check, HOLDS[0]))
    assert done.returncode == 1
    *missed, last = done.stdout.splitlines()
    assert last == "HARDENING-CHECKS asked=3 failed=1"
    assert missed[0].startswith(f'NOT IN FORCE x: "{check.command}" prints "')
    assert missed[-1].endswith(f' and not "{check.expected}"')


def test_every_control_can_be_asked_for() -> None:
    names = {line.split()[1] for p in get_args(Profile) for line in calls(HostHardening(profile=p))}
    assert names == {control.name for control in CONTROLS}
