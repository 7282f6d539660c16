"""The controls as data: complete, consistent, and each one with a step of the payload."""

import dataclasses
import doctest
import re
import subprocess
from importlib import resources
from types import ModuleType

import pytest

import hardened_ec2.host.controls.all
import hardened_ec2.host.controls.types
from hardened_ec2.host.controls.all import CONTROLS, Check, Control, control

PAYLOAD = "".join(
    file.read_text()
    for file in (resources.files("hardened_ec2.host") / "payload").iterdir()
    if file.name.endswith(".sh")
)
CHECKS = [(made.name, check) for made in CONTROLS for check in made.verify]
SHELL_BUILTINS = {"time", "umask", "test", "exec", "trap", "wait", "kill"}

CORE = {"imds-lock", "install", "imds-units", "user-data-files", "sshd"}
STRICT_ONLY = {
    "host-firewall",
    "imds-sessions",
    "idle-shells",
    "password-rules",
    "audit-rules",
}
BOTH = {
    "sshd-moduli",
    "login-banner",
    "sysctl-network",
    "sysctl-kernel",
    "unneeded-listeners",
    "kernel-modules",
    "mount-options",
    "core-dumps",
    "sudo-pty",
    "login-umask",
    "password-ageing",
    "cron-permissions",
    "persistent-journal",
    "time-source",
    "security-updates",
}


def test_who_gets_what() -> None:
    profiles = {made.name: set(made.profiles) for made in CONTROLS}
    assert profiles == {
        **{name: {"core", "baseline", "strict"} for name in CORE},
        **{name: {"baseline", "strict"} for name in BOTH},
        **{name: {"strict"} for name in STRICT_ONLY},
    }


def test_the_core_is_what_cannot_be_switched_off_and_comes_first() -> None:
    assert {made.name for made in CONTROLS if made.core} == CORE
    assert [made.core for made in CONTROLS] == sorted((m.core for m in CONTROLS), reverse=True)
    assert CONTROLS[0].name == "imds-lock"


def test_names_and_steps_are_each_there_once() -> None:
    names = [made.name for made in CONTROLS]
    steps = [made.step for made in CONTROLS]
    assert len({*names}) == len(names)
    assert len({*steps}) == len(steps)


@pytest.mark.parametrize("made", CONTROLS, ids=lambda made: made.name)
def test_every_control_is_complete(made: Control) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", made.name)
    assert made.title
    assert not made.title.endswith(".")
    assert made.why.endswith(".")
    assert made.references
    assert all(made.references)
    assert made.profiles <= {"core", "baseline", "strict"}
    for profile in made.profiles:
        assert [check for check in made.verify if check.profile in (None, profile)], profile


@pytest.mark.parametrize("made", CONTROLS, ids=lambda made: made.name)
def test_every_step_is_one_function_of_the_payload(made: Control) -> None:
    assert len(re.findall(rf"^{made.step}\(\) \{{$", PAYLOAD, re.MULTILINE)) == 1
    assert made.step not in SHELL_BUILTINS
    if not made.core:
        assert made.step == made.name.replace("-", "_")


def test_no_function_of_the_payload_hides_another_one() -> None:
    names = re.findall(r"^(\w+)\(\) \{$", PAYLOAD, re.MULTILINE)
    # A host gives one signal at most, so the files that give one share a name.
    names.remove("send_signal")
    assert len({*names}) == len(names), sorted(names)


def test_a_check_for_a_profile_is_for_one_that_has_the_control() -> None:
    for made in CONTROLS:
        assert {check.profile for check in made.verify} - {None} <= made.profiles


def test_checks_are_commands_that_a_shell_understands() -> None:
    def understood(script: str) -> bool:
        done = subprocess.run(["sh", "-nc", script], capture_output=True, check=False)
        return done.returncode == 0

    wrong = [c.command for _, c in CHECKS for s in (c.command, c.when) if not understood(s)]
    assert wrong == []
    # Control: the shell does say when it does not understand.
    assert not understood("if true")


def test_no_check_is_said_twice() -> None:
    asked = [(name, check.command, check.profile, check.when) for name, check in CHECKS]
    assert len({*asked}) == len(asked)


def test_what_is_expected_is_something_that_can_be_printed() -> None:
    for _, check in CHECKS:
        assert check.expected
        assert check.expected == check.expected.strip()


def test_a_control_is_found_by_its_name() -> None:
    for made in CONTROLS:
        assert control(made.name) is made


@pytest.mark.parametrize("name", ["", "sysctl", "Sshd", "sshd ", "imds_lock"])
def test_an_unknown_name_is_refused_with_all_that_there_are(name: str) -> None:
    with pytest.raises(ValueError, match="is not a host control: write one of") as refusal:
        control(name)
    assert repr(name) in str(refusal.value)
    for made in CONTROLS:
        assert made.name in str(refusal.value)


def test_controls_are_frozen_and_keyword_only() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        CONTROLS[0].core = False  # type: ignore[misc]
    with pytest.raises(TypeError):
        Check("id", "0")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "module", [hardened_ec2.host.controls.types, hardened_ec2.host.controls.all]
)
def test_examples(module: ModuleType) -> None:
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0
