"""Running documents of AWS's as their agents do: components of Image Builder, command documents.

The agents themselves are not there. What they do with a document is little, and is done here as
their documentation says: one script a step, its exit code the outcome of the step.
"""

import subprocess
from dataclasses import dataclass
from typing import Any

from hardened_ec2.host import CONTROLS, HostHardening
from tests.host.machine import Machine

SCRIPT = "/var/lib/amazon/ssm/_script.sh"


_SOME = ("host-firewall", "sysctl-kernel")


def some_of_strict(**options: Any) -> HostHardening:  # noqa: ANN401 - the hardening's own
    """Return the core and some of strict: what is enough to see, and takes seconds."""
    rest = [each.name for each in CONTROLS if not each.core and each.name not in _SOME]
    return HostHardening(**{"profile": "strict", "without": rest, **options})


class PatientMachine(Machine):
    """A machine whose commands are whole boots and whole documents, which take their time."""

    def run(
        self, *argv: str, uid: int = 0, stdin: str = "", timeout: float = 60
    ) -> "subprocess.CompletedProcess[str]":
        return super().run(*argv, uid=uid, stdin=stdin, timeout=max(timeout, 900))


@dataclass(frozen=True, kw_only=True)
class StepRun:
    """How one step of a document ended.

    Args:
        name: Its name.
        exit_code: Its exit code.
        output: What it printed.
    """

    name: str
    exit_code: int
    output: str


def run_phase(host: Machine, component: dict[str, Any], phase: str) -> list[StepRun]:
    """Run a phase of an Image Builder component, up to the first step that fails.

    Source: EC2 Image Builder User Guide, "ExecuteBash" (the commands as one script for bash),
        "onFailure: Abort".
    """
    (found,) = (each for each in component["phases"] if each["name"] == phase)
    runs: list[StepRun] = []
    for step in found["steps"]:
        assert step["action"] == "ExecuteBash"
        assert step["onFailure"] == "Abort"
        runs.append(_run(host, "bash", step["name"], step["inputs"]["commands"]))
        if runs[-1].exit_code:
            break
    return runs


def run_document(host: Machine, document: dict[str, Any], **parameters: str) -> list[StepRun]:
    """Run a command document; a step that fails does not keep the next ones from being run.

    Source: AWS Systems Manager User Guide, "aws:runShellScript"; SSM document syntax, "parameters".
    """
    values = {name: each["default"] for name, each in document["parameters"].items()}
    for name, value in parameters.items():
        assert value in document["parameters"][name]["allowedValues"]
        values[name] = value
    runs = []
    for step in document["mainSteps"]:
        assert step["action"] == "aws:runShellScript"
        lines = step["inputs"]["runCommand"]
        for name, value in values.items():
            lines = [line.replace(f"{{{{ {name} }}}}", value) for line in lines]
        runs.append(_run(host, "sh", step["name"], lines))
    return runs


def compliant(runs: list[StepRun]) -> bool:
    """Tell what State Manager makes of a run: compliant if the whole document succeeded."""
    return not any(run.exit_code for run in runs)


def _run(host: Machine, shell: str, name: str, lines: list[str]) -> StepRun:
    host.write(SCRIPT, "\n".join(lines) + "\n", 0o700)
    # The agents' environment is next to nothing.
    done = host.run("env", "-i", "PATH=/usr/bin:/bin", shell, SCRIPT)
    return StepRun(name=name, exit_code=done.returncode, output=done.stdout + done.stderr)


def stand_in_for_systemd(host: Machine) -> None:
    """Supply what a booted machine has, and these namespaces have not."""
    # journald makes it when it starts; the kernel of a container may have no such key.
    host.sh("mkdir -p /var/log/journal/0123456789abcdef0123456789abcdef")
    if not host.path("/proc/sys/kernel/sysrq").exists():
        host.write("/proc/sys/kernel/sysrq", "438\n")
