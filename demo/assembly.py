"""Cloud assembly of the reference app, synthesized by the CLI and reused until a source changes."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.cdk_cli import CdkCli
from demo.isolation import ROOT

KEPT = ROOT / "build" / "synth"
"""Folder of finished assemblies, each named by the digest of its sources."""

_KEEP = 4
_SOURCES = (
    *("app.py", "cdk.json", "cdk.context.json", "stacks", "hardened_ec2"),
    *("requirements-dev.txt", "package-lock.json"),
)


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """A finished assembly.

    Args:
        folder: Where it is.
        reused: Whether an earlier run synthesized it from the same sources.
    """

    folder: Path
    reused: bool

    def templates(self) -> dict[str, Mapping[str, Any]]:
        """The template of each stack, by the stack's name."""
        manifest = json.loads((self.folder / "manifest.json").read_text(encoding="utf-8"))
        return {
            artifact.get("properties", {}).get("stackName", name): json.loads(
                (self.folder / artifact["properties"]["templateFile"]).read_text(encoding="utf-8")
            )
            for name, artifact in manifest["artifacts"].items()
            if artifact["type"] == "aws:cloudformation:stack"
        }


def synthesize(cli: CdkCli, context: Mapping[str, str], kept: Path = KEPT) -> Assembly:
    """Synthesize the reference app, or reuse the assembly of an earlier run from the same sources.

    The CLI runs without credentials, so an assembly depends only on files of this repository, the
    locked packages and the context, and their digest identifies it. Only an assembly that passed
    every policy pack is kept.

    Args:
        cli: The CLI.
        context: Context values.
        kept: Where finished assemblies are.

    Returns:
        The assembly.

    Raises:
        CdkCliError: If the app failed or a pack refused it.
    """
    folder = kept / _digest(context)
    if folder.is_dir():
        folder.touch()
        return Assembly(folder=folder, reused=True)
    fresh = cli.folder / "cdk.out"
    cli.synth(fresh, context)
    kept.mkdir(parents=True, exist_ok=True)
    # Renamed when complete, so that an interruption leaves no partial assembly.
    if not folder.is_dir():
        fresh.rename(folder)
    for old in sorted(kept.iterdir(), key=lambda each: each.stat().st_mtime)[:-_KEEP]:
        shutil.rmtree(old, ignore_errors=True)
    return Assembly(folder=folder, reused=False)


def _digest(context: Mapping[str, str]) -> str:
    state = hashlib.sha256(json.dumps(dict(context), sort_keys=True).encode())
    for file in _files():
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        state.update(f"\0{file.relative_to(ROOT)}\0{content}".encode())
    return state.hexdigest()[:32]


def _files() -> Iterator[Path]:
    for name in _SOURCES:
        source = ROOT / name
        if source.is_file():
            yield source
        yield from sorted(
            file for file in source.rglob("*") if file.is_file() and "__pycache__" not in file.parts
        )
