"""Files that are no templates, given to the real command: one line each, and it ends."""

import base64
import gzip
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOUND = b'{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'
GROUP = "Resources: {Group: {Type: AWS::EC2::SecurityGroup, Properties: %s}}"
LEVELS = 10_000
CPU_SECONDS = 30
MEMORY = 2**30

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
BAD = {
    "empty.json": b"",
    "blank.yaml": b" \n\n\t\n",
    "comment.yaml": b"# nothing else\n",
    "truncated.json": SOUND[:-2],
    "truncated.yaml": b"Resources: {Topic: {Type: 'AWS::SNS",
    "binary.json": bytes(range(256)) * 64,
    "nul.json": SOUND + b"\x00",
    "utf-16.yaml": "Resources: {}".encode("utf-16"),
    "latin-1.yaml": "Resources: {} # é".encode("latin-1"),
    "surrogate.yaml": b"Resources: \xed\xa0\x80",
    "tabs.yaml": b"Resources:\n\tA: 1\n",
    "bomb.yaml": (BOMB + GROUP % "*i").encode(),
    "itself.yaml": (GROUP % "&a [*a]").encode(),
    "levels.json": b'{"Resources": ' + b'{"A": ' * LEVELS + b"1" + b"}" * LEVELS + b"}",
    "unclosed-levels.json": b"[" * LEVELS,
    "levels.yaml": b"Resources: " + b"[" * LEVELS + b"]" * LEVELS,
    "block-levels.yaml": "".join(f"{' ' * depth}a:\n" for depth in range(1000)).encode(),
    "levels-of-tags.yaml": b"Resources: " + b"!Sub " * 2 + b"[!Sub " * LEVELS,
    "large.yaml": b"# " + b"x" * 50_000_000,
    "large.json": b"[" + b"1," * 25_000_000 + b"1]",
    "list.json": b"[]",
    "text.yaml": b"Resources",
    "resources-list.json": b'{"Resources": []}',
    "resources-null.yaml": b"Resources:\n",
    "resource-text.yaml": b"Resources: {A: text}",
    "no-type.json": b'{"Resources": {"A": {"Properties": {}}}}',
    "properties-list.json": b'{"Resources": {"A": {"Type": "T", "Properties": []}}}',
    "parameters-list.json": b'{"Parameters": [], ' + SOUND[1:],
    "twice.json": b'{"Resources": {}, ' + SOUND[1:],
    "twice.yaml": (GROUP % "{A: 1, A: 2}").encode(),
    "two-documents.yaml": b"Resources: {}\n---\nResources: {}\n",
    "nan.json": b'{"Resources": {"A": NaN}}',
    "digits.json": b'{"Resources": ' + b"9" * LEVELS + b"}",
    "tag.yaml": (GROUP % "!!python/object/apply:os.system [id]").encode(),
    "key.yaml": b"? [a, b]\n: 1\nResources: {}\n",
}


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def check(*paths: str, form: str = "text") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "hardened_ec2.cli", "check", "--format", form, *paths],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limited,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"},
    )


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_each_file_that_is_no_template_is_one_line_and_the_rest_is_judged() -> None:
    for name, content in BAD.items():
        Path(name).write_bytes(content)
    Path("sound.json").write_bytes(SOUND)
    # What is no file at all, or none that ends.
    Path("loop.json").symlink_to("loop.json")
    Path("there.json").symlink_to("back.json")
    Path("back.json").symlink_to("there.json")
    Path("dangling.json").symlink_to("nowhere.json")
    Path("memory.json").symlink_to("/proc/self/mem")  # may be opened, but not read
    Path("zeros.json").symlink_to("/dev/zero")
    os.mkfifo("pipe.json")
    odd = ["loop.json", "there.json", "dangling.json", "memory.json", "zeros.json", "pipe.json"]
    done = check(*BAD, *odd, "missing.json", "sound.json")
    assert (done.returncode, done.stderr) == (2, "")
    lines = [line for line in done.stdout.splitlines() if line.startswith("UNREADABLE ")]
    said = {line.split()[1].rstrip(":"): line for line in lines}
    assert list(said) == [*BAD, *odd, "missing.json"]
    assert len(lines) == len(said)
    for line in lines:
        assert len(line) < 200
        assert "Error" not in line
        assert "Traceback" not in line
    assert "1 template, 0 errors" in done.stdout


def test_links_in_a_circle_between_folders_end() -> None:
    Path("a/b").mkdir(parents=True)
    Path("a/b/up").symlink_to("../..", target_is_directory=True)
    Path("a/self").symlink_to(".", target_is_directory=True)
    Path("a/b/sound.json").write_bytes(SOUND)
    done = check("a", form="json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["summary"]["templates"] == 1


def test_a_folder_of_links_to_nowhere_is_unusable() -> None:
    Path("links").mkdir()
    Path("links/loop.json").symlink_to("loop.json")
    done = check("links", form="json")
    assert done.returncode == 2
    (unreadable,) = json.loads(done.stdout)["unreadable"]
    assert unreadable["template"] == "links/loop.json"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_unusable() -> None:
    Path("secret.json").write_bytes(SOUND)
    Path("secret.json").chmod(0)
    Path("closed").mkdir()
    Path("closed").chmod(0)
    done = check("secret.json", "closed")
    Path("closed").chmod(0o700)
    assert done.returncode == 2
    assert done.stdout.count("Permission denied") == 2


ENDLESS = [
    "PASSWORD=hunter2\n",
    'password="',
    "password=a[",
    "-eyJa1a1a1a1a1",
    "sk-T3BlbkFJ-",
    "mysql",
    "echo a|",
    "chpasswd:",
    "chpasswd:\n\t\t\t",
    "//a/:_authToken=",
    "curl -kkkkkkkk",
    "chmod oooooooo",
    "systemctl stop ",
    "apt remove ",
    "iex ",
    "SELINUX=0\n",
]
"""What a careless pattern tries anew from each place in it, to the end of the text."""


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_user_data_that_are_made_to_be_slow_end(part: int) -> None:
    resources = {
        f"Server{number}": {
            "Type": "AWS::EC2::Instance",
            "Properties": {
                "UserData": base64.b64encode(
                    gzip.compress((text * (2**20 // len(text))).encode(), mtime=0)
                ).decode()
            },
        }
        for number, text in enumerate(ENDLESS[part::4])
    }
    Path("slow.json").write_text(json.dumps({"Resources": resources}))
    done = check("slow.json", form="json")
    assert (done.returncode in (0, 1), done.stderr) == (True, "")
    assert json.loads(done.stdout)["summary"]["templates"] == 1
