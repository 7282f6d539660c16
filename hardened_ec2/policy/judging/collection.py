"""The files of a check: what is named, what is in a folder, what a cloud assembly deploys."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hardened_ec2.policy.judging.validation_report import Acknowledgement, read_acknowledgements
from hardened_ec2.policy.read.template import Template, UnreadableTemplate

SUFFIXES: Final = frozenset({".json", ".yaml", ".yml", ".template"})
"""The files of a folder that may be templates."""

_MANIFEST = "manifest.json"
_STACK = "aws:cloudformation:stack"
_ASSEMBLY = "cdk:cloud-assembly"
_NESTED_SUFFIX = ".nested.template.json"
# What a file of a folder has in it if it was meant as a template, though it cannot be read.
_SIGNS = (b"AWSTemplateFormatVersion", b"AWS::")
_SIGN_BYTES = 2**20


@dataclass(frozen=True, kw_only=True)
class Collection:
    """What was found.

    Args:
        templates: The templates, by the order of the paths.
        unreadable: What could not be read, and why.
        acknowledged: What the apps behind the cloud assemblies acknowledged. Default: nothing.
    """

    templates: tuple[Template, ...]
    unreadable: tuple[UnreadableTemplate, ...]
    acknowledged: tuple[Acknowledgement, ...] = ()


def collect(paths: Sequence[Path]) -> Collection:
    """Read the templates that paths name.

    A file that is named has to be a template. A folder is searched with all folders in it, links
    followed once; what is no template there is passed over, but a template that is broken is not. A
    cloud assembly (``cdk.out``) gives the templates of its stacks, stages and nested stacks, and
    nothing that an earlier synth left behind; with them comes what its app acknowledged.

    Args:
        paths: Files and folders.

    Returns:
        The templates, each file once, and what is unreadable. Never an exception.

    Source: AWS CDK, "Cloud assembly" (manifest.json).

    Example:
        >>> [template.name for template in collect([Path("cdk.out")]).templates]
        ['cdk.out/Web.template.json']
    """
    seen: set[str] = set()
    unreadable: list[UnreadableTemplate] = []
    acknowledged: list[Acknowledgement] = []
    templates = []
    for path in paths:
        for file, wanted in _files(path, unreadable, acknowledged):
            real = os.path.realpath(file)
            if real in seen:
                continue
            seen.add(real)
            try:
                templates.append(Template.load(file))
            except UnreadableTemplate as error:
                if wanted or _was_meant(file):
                    unreadable.append(error)
    return Collection(
        templates=tuple(templates), unreadable=tuple(unreadable), acknowledged=tuple(acknowledged)
    )


def _files(
    path: Path, unreadable: list[UnreadableTemplate], acknowledged: list[Acknowledgement]
) -> Iterator[tuple[Path, bool]]:
    """Yield the files of a path, each with whether it has to be a template."""
    if not path.is_dir():
        yield path, True
        return
    visited: set[str] = set()
    found = False
    for folder, inner, names in os.walk(
        path, followlinks=True, onerror=lambda error: unreadable.append(_refused(error))
    ):
        real = os.path.realpath(folder)
        if real in visited:
            inner.clear()
            continue
        visited.add(real)
        inner.sort()
        here = Path(folder)
        if _MANIFEST in names and (artifacts := _artifacts(here)) is not None:
            inner.clear()
            found = True
            acknowledged.extend(read_acknowledgements(here))
            for file in _assembly(here, artifacts, unreadable):
                yield file, True
            continue
        for name in sorted(names):
            if Path(name).suffix.lower() in SUFFIXES:
                found = True
                yield here / name, False
    if not found:
        unreadable.append(UnreadableTemplate(str(path), "the folder holds no template"))


def _refused(error: OSError) -> UnreadableTemplate:
    return UnreadableTemplate(str(error.filename), f"it cannot be read: {error.strerror}")


def _artifacts(folder: Path) -> dict[str, Any] | None:
    """Return the artifacts of a cloud assembly; none where the folder is none."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    artifacts = manifest.get("artifacts") if isinstance(manifest, dict) else None
    return artifacts if isinstance(artifacts, dict) and "version" in manifest else None


def _assembly(
    folder: Path, artifacts: dict[str, Any], unreadable: list[UnreadableTemplate]
) -> Iterator[Path]:
    for name, artifact in sorted(artifacts.items()):
        properties = artifact.get("properties") if isinstance(artifact, dict) else None
        if not isinstance(properties, dict):
            continue
        kind = artifact.get("type")
        if kind == _STACK and isinstance(file := properties.get("templateFile"), str):
            if _is_empty_stack(folder / file):
                continue
            yield folder / file
            yield from _nested(folder, file)
        elif kind == _ASSEMBLY and isinstance(inner := properties.get("directoryName"), str):
            below = _artifacts(folder / inner)
            if below is None or (folder / inner).resolve() == folder.resolve():
                reason = f"the stage {name} has no manifest: run cdk synth again"
                unreadable.append(UnreadableTemplate(str(folder / inner), reason))
            else:
                yield from _assembly(folder / inner, below, unreadable)


def _is_empty_stack(path: Path) -> bool:
    """Tell whether a stack has no resources: CloudFormation is never given its template."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and not document.get("Resources", {})


def _nested(folder: Path, template: str) -> Iterator[Path]:
    """Yield the templates of a stack's nested stacks: they are assets of the stack."""
    try:
        listed = json.loads(
            (folder / f"{template.removesuffix('.template.json')}.assets.json").read_bytes()
        )["files"].values()
        sources = [asset["source"].get("path", "") for asset in listed]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # Without a list of assets (the legacy synthesizer writes none) the folder is searched.
        yield from sorted(folder.glob(f"*{_NESTED_SUFFIX}"))
        return
    for source in sorted(source for source in sources if isinstance(source, str)):
        if source.endswith(_NESTED_SUFFIX):
            yield folder / source


def _was_meant(file: Path) -> bool:
    """Tell whether a file that is no template was meant to be one."""
    try:
        with file.open("rb") as opened:
            head = opened.read(_SIGN_BYTES)
    except OSError:
        return True  # nobody knows what is in it
    return any(sign in head for sign in _SIGNS)
