import re
from pathlib import Path

import pytest

from demo import environment
from demo.environment import ROOT, EnvironmentNotMadeError, digest, is_ready, make

LOCK_FILES = (
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-uv.txt",
    "requirements-checkov.txt",
)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_say", lambda _text: None)


def test_a_finished_environment_is_made_once(tmp_path: Path) -> None:
    built: list[Path] = []

    def build(folder: Path) -> None:
        folder.mkdir()
        built.append(folder)

    for _ in range(2):
        make(tmp_path / "env", "a", build)

    assert built == [tmp_path / "env"]


def test_a_changed_lock_file_brings_it_up_to_date_in_place(tmp_path: Path) -> None:
    folder = tmp_path / "env"
    make(folder, "a", lambda made: made.mkdir())
    (folder / "installed").touch()

    make(folder, "b", lambda made: (made / "more").touch())

    assert is_ready(folder, "b")
    assert (folder / "installed").exists()


@pytest.mark.parametrize("end", [EnvironmentNotMadeError("no network"), KeyboardInterrupt()])
@pytest.mark.parametrize("earlier", [False, True], ids=["first time", "update"])
def test_a_half_made_environment_is_made_anew(
    tmp_path: Path, end: BaseException, *, earlier: bool
) -> None:
    folder = tmp_path / "env"
    if earlier:
        make(folder, "a", lambda made: made.mkdir())

    def break_off(made: Path) -> None:
        made.mkdir(exist_ok=True)
        (made / "half").touch()
        raise end

    with pytest.raises(type(end)):
        make(folder, "b", break_off)
    assert not is_ready(folder, "a")
    assert not is_ready(folder, "b")

    make(folder, "b", lambda made: made.mkdir())

    assert is_ready(folder, "b")
    assert not (folder / "half").exists()


def test_the_digest_follows_every_lock_file(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("a==1")
    second.write_text("b==1")
    before = digest(first, second)

    second.write_text("b==2")

    assert digest(first, second) != before


def test_the_digest_follows_the_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_file = tmp_path / "lock"
    lock_file.touch()
    before = digest(lock_file)

    monkeypatch.setattr("sys.version", "3.99.0")

    assert digest(lock_file) != before


@pytest.mark.parametrize("name", [*LOCK_FILES, "package-lock.json"])
def test_lock_files_name_no_registry(name: str) -> None:
    assert "://" not in (ROOT / name).read_text()


@pytest.mark.parametrize("name", LOCK_FILES)
def test_every_locked_requirement_has_hashes(name: str) -> None:
    requirements = re.split(r"\n(?=[a-z])", (ROOT / name).read_text())[1:]

    assert requirements
    assert [each for each in requirements if "--hash=sha256:" not in each] == []
