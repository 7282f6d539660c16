"""The command `hardened-ec2 check`: exit codes, files, one line for what is wrong, no CDK."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hardened_ec2.policy.report.rule_table import rule_table
from hardened_ec2.policy.rules import RULES

ROOT = Path(__file__).parents[2]
OPEN = """\
Resources:
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: open
      SecurityGroupIngress: [{IpProtocol: "-1", CidrIpv6: "::/0"}]
"""
SOUND = "Resources: {Topic: {Type: AWS::SNS::Topic}}"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("open.yaml").write_text(OPEN)
    Path("sound.yaml").write_text(SOUND)


def run(*arguments: str, stdout: int = subprocess.PIPE) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "hardened_ec2.cli", *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"},
    )


@pytest.mark.parametrize(
    ("paths", "code"),
    [(["sound.yaml"], 0), (["open.yaml"], 1), (["."], 1), (["open.yaml", "none.yaml"], 2)],
)
def test_the_exit_code(paths: list[str], code: int) -> None:
    done = run("check", *paths)
    assert done.returncode == code
    assert done.stderr == ""


def test_json_goes_to_a_file_whole(tmp_path: Path) -> None:
    assert run("check", "open.yaml", "--format", "json", "--output", "out.json").returncode == 1
    assert json.loads(Path("out.json").read_text())["summary"]["errors"] > 0
    assert {path.name for path in tmp_path.iterdir()} == {"open.yaml", "sound.yaml", "out.json"}


def test_html_is_a_page_of_its_own() -> None:
    assert run("check", ".", "--format", "html", "--output", "out.html").returncode == 1
    page = Path("out.html").read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "HardenedEc2-AdminPortOpenToWorld" in page


def test_html_without_its_library_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "jinja2.py").write_text("raise ModuleNotFoundError('none', name='jinja2')")
    done = subprocess.run(
        [sys.executable, "-m", "hardened_ec2.cli", "check", "sound.yaml", "--format", "html"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}"},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "hardened-ec2: --format html needs jinja2: pip install 'hardened-ec2[cli]'\n"
    )


def test_a_baseline_is_written_filled_in_and_heeded() -> None:
    assert run("check", "open.yaml", "--write-baseline", "base.json").returncode == 1
    refused = run("check", "open.yaml", "--baseline", "base.json")
    assert refused.returncode == 2
    assert "accepted without a reason" in refused.stderr
    text = Path("base.json").read_text().replace('"reason": ""', '"reason": "A honeypot."')
    Path("base.json").write_text(text)
    assert run("check", "open.yaml", "--baseline", "base.json").returncode == 0
    stale = run("check", "sound.yaml", "--baseline", "base.json")
    assert stale.returncode == 0
    assert "is accepted, but no longer found: remove it from the baseline" in stale.stderr


def test_thresholds_come_from_a_file() -> None:
    ingress = '[{IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: "203.0.113.0/28"}]'
    Path("office.yaml").write_text(OPEN.replace('[{IpProtocol: "-1", CidrIpv6: "::/0"}]', ingress))
    Path("wide.toml").write_text("whitelist_width = 16\n")
    Path("narrow.toml").write_text("whitelist_width = 15\n")
    assert run("check", "office.yaml", "--config", "wide.toml").returncode == 0
    assert run("check", "office.yaml", "--config", "narrow.toml").returncode == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "xml"], "--format is 'xml': write one of text, json, sarif"),
        (["--config", "none.toml"], "--config none.toml: No such file or directory"),
        (["--config", "open.yaml"], "--config open.yaml is not TOML"),
        (["--baseline", "none.json"], "--baseline none.json: No such file or directory"),
        (["--baseline", "sound.yaml"], "--baseline sound.yaml is not JSON"),
        (["--output", "/nowhere/out"], "--output /nowhere/out: No such file or directory"),
        (
            ["--write-baseline", "/nowhere/out"],
            "--write-baseline /nowhere/out: No such file or directory",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments: list[str], message: str) -> None:
    done = run("check", "sound.yaml", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("hardened-ec2: ")
    assert message in line


BAD = {
    "empty": b"",
    "truncated": b'{"Resources": {"A": {"Type": "AWS::EC2::Instance"',
    "binary": bytes(range(256)) * 64,
    "UTF-16": "Resources: {}".encode("utf-16"),
    "tabs": b"Resources:\n\tA: 1\n",
    "levels": b"[" * 10_000,
    "levels of YAML": b"Resources: " + b"[" * 10_000,
    "list": b"Resources: [1]",
    "large": b"# " + b"x" * 50_000_000,
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_input_is_one_line_and_never_a_traceback(bad: str) -> None:
    Path("bad.yaml").write_bytes(BAD[bad])
    done = run("check", "bad.yaml", "sound.yaml")
    assert done.returncode == 2
    assert done.stderr == ""
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("UNREADABLE"))
    assert line.startswith("UNREADABLE bad.yaml: it ") or "Resources is a list" in line
    assert "1 template, 0 errors" in done.stdout


@pytest.mark.parametrize("form", ["text", "html"])
def test_neither_the_cdk_nor_node_is_loaded(form: str) -> None:
    script = (
        "import sys\nfrom hardened_ec2.cli import main\n"
        f"sys.argv = ['x', 'check', 'sound.yaml', '--format', '{form}']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print('\\n', [name for name in sys.modules if name.split('.')[0] in "
        "('aws_cdk', 'jsii', 'constructs', 'cdk_nag')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.splitlines()[-1].strip() == "[]"


def test_the_rules_are_printed_in_every_form() -> None:
    text = run("rules").stdout
    assert all(rule.id in text and rule.fix in text for rule in RULES)
    listed = json.loads(run("rules", "--format", "json").stdout)
    assert [each["id"] for each in listed] == [rule.id for rule in RULES]
    assert run("rules", "--format", "markdown").stdout == rule_table()


def test_rules_in_an_unknown_form_are_refused() -> None:
    done = run("rules", "--format", "sarif")
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        "hardened-ec2: --format is 'sarif': write one of text, json, markdown\n",
    )


@pytest.mark.parametrize("arguments", [("rules",), ("check", "sound.yaml"), ("user-data",)])
def test_a_reader_that_has_gone_is_one_line(arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = run(*arguments, stdout=writer)
    os.close(writer)
    assert done.returncode == 2
    assert done.stderr == "hardened-ec2: standard output: Broken pipe\n"


def test_the_documentation_of_the_rules_is_what_they_say() -> None:
    assert (ROOT / "docs/RULES.md").read_text("utf-8") == rule_table(), "write: make docs"
