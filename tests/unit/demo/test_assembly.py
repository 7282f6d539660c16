import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from demo import assembly
from demo.assembly import Assembly, synthesize
from demo.cdk_cli import CdkCli, CdkCliError


class CountingCli(CdkCli):
    """Writes what the CLI would, without the CLI."""

    def synth(self, output: Path, context: Mapping[str, str], *, app_folder: Path = Path()) -> None:
        output.mkdir()
        (output / "manifest.json").write_text(json.dumps([dict(context), str(app_folder)]))


class RefusingCli(CdkCli):
    """Ends as the CLI does when a pack refuses the app."""

    def synth(self, output: Path, context: Mapping[str, str], *, app_folder: Path = Path()) -> None:
        output.mkdir()
        raise CdkCliError(f"refused: {context} in {app_folder}")


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "root"
    (root / "stacks").mkdir(parents=True)
    (root / "app.py").write_text("app")
    (root / "stacks" / "server.py").write_text("server")
    monkeypatch.setattr(assembly, "ROOT", root)
    return root


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


def cli(tmp_path: Path, name: str, kind: type[CdkCli] = CountingCli) -> CdkCli:
    folder = tmp_path / name
    folder.mkdir()
    return kind(folder)


@pytest.mark.usefixtures("sources")
def test_unchanged_sources_are_synthesized_once(tmp_path: Path, kept: Path) -> None:
    first = synthesize(cli(tmp_path, "1"), {"a": "b"}, kept)
    second = synthesize(cli(tmp_path, "2"), {"a": "b"}, kept)

    assert (first.reused, second.reused) == (False, True)
    assert first.folder == second.folder


@pytest.mark.parametrize(
    "change",
    ["app.py", "stacks/server.py", "stacks/new.py", "hardened_ec2/host/x.sh", "cdk.context.json"],
)
def test_a_changed_source_is_synthesized_anew(
    tmp_path: Path, kept: Path, sources: Path, change: str
) -> None:
    synthesize(cli(tmp_path, "1"), {}, kept)

    (sources / change).parent.mkdir(parents=True, exist_ok=True)
    (sources / change).write_text("changed")

    assert not synthesize(cli(tmp_path, "2"), {}, kept).reused


@pytest.mark.usefixtures("sources")
def test_another_context_is_synthesized_anew(tmp_path: Path, kept: Path) -> None:
    synthesize(cli(tmp_path, "1"), {"a": "b"}, kept)

    assert not synthesize(cli(tmp_path, "2"), {"a": "c"}, kept).reused


@pytest.mark.usefixtures("sources")
def test_a_refused_app_is_not_kept(tmp_path: Path, kept: Path) -> None:
    with pytest.raises(CdkCliError, match="refused"):
        synthesize(cli(tmp_path, "1", RefusingCli), {}, kept)

    assert not synthesize(cli(tmp_path, "2"), {}, kept).reused


@pytest.mark.usefixtures("sources")
def test_old_assemblies_do_not_pile_up(tmp_path: Path, kept: Path) -> None:
    for number in range(10):
        synthesize(cli(tmp_path, f"{number}"), {"number": f"{number}"}, kept)

    assert len(list(kept.iterdir())) == 4


def test_templates_are_found_by_stack_name(tmp_path: Path) -> None:
    stack = {"type": "aws:cloudformation:stack"}
    artifacts = {
        "Plain": {**stack, "properties": {"templateFile": "plain.json"}},
        "Named": {**stack, "properties": {"templateFile": "n.json", "stackName": "other-name"}},
        "Plain.assets": {"type": "cdk:asset-manifest"},
    }
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    (tmp_path / "plain.json").write_text('{"Resources": {"A": {}}}')
    (tmp_path / "n.json").write_text('{"Resources": {"B": {}}}')

    templates = Assembly(folder=tmp_path, reused=False).templates()

    assert templates == {"Plain": {"Resources": {"A": {}}}, "other-name": {"Resources": {"B": {}}}}
