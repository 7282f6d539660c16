"""The files of a check: what is named, what is in a folder, what a cloud assembly deploys."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from hardened_ec2.policy.judging.validation_report import Acknowledgement, read_acknowledgements
from hardened_ec2.policy.read.cloud_assembly import (
    MANIFEST,
    deployed_files,
    load_deployed,
    read_artifacts,
)
from hardened_ec2.policy.read.template import Template, UnreadableTemplate

SUFFIXES: Final = frozenset({".json", ".yaml", ".yml", ".template"})
"""The files of a folder that may be templates."""

# One of these stands in every file that was meant as a template, even in one that is broken.
_SIGNS = (b"AWSTemplateFormatVersion", b"AWS::")
_SIGN_BYTES = 2**20


class _Origin(Enum):
    """Where a file comes from, and so whether it has to be a template."""

    NAMED = "given on its own: it has to be a template"
    DEPLOYED = "of a cloud assembly: a template, or a stack without resources"
    FOUND = "in a folder: it may be anything"


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
    followed once; a file there that is not a template is passed over, a broken template is not. A
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
        for file, origin in _files(path, unreadable, acknowledged):
            real = os.path.realpath(file)
            if real in seen:
                continue
            seen.add(real)
            try:
                load = load_deployed if origin is _Origin.DEPLOYED else Template.load
                template = load(file)
            except UnreadableTemplate as error:
                if origin is not _Origin.FOUND or _was_meant(file):
                    unreadable.append(error)
            else:
                templates += [] if template is None else [template]
    return Collection(
        templates=tuple(templates), unreadable=tuple(unreadable), acknowledged=tuple(acknowledged)
    )


def _files(
    path: Path, unreadable: list[UnreadableTemplate], acknowledged: list[Acknowledgement]
) -> Iterator[tuple[Path, _Origin]]:
    """Yield the files of a path, each with where it comes from."""
    if not path.is_dir():
        yield path, _Origin.NAMED
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
        if MANIFEST in names and (artifacts := read_artifacts(here)) is not None:
            inner.clear()
            found = True
            acknowledged.extend(read_acknowledgements(here))
            for file in deployed_files(here, artifacts):
                if isinstance(file, UnreadableTemplate):
                    unreadable.append(file)
                else:
                    yield file, _Origin.DEPLOYED
            continue
        for name in sorted(names):
            if Path(name).suffix.lower() in SUFFIXES:
                found = True
                yield here / name, _Origin.FOUND
    if not found:
        unreadable.append(UnreadableTemplate(str(path), "the folder contains no template"))


def _refused(error: OSError) -> UnreadableTemplate:
    return UnreadableTemplate(str(error.filename), f"it cannot be read: {error.strerror}")


def _was_meant(file: Path) -> bool:
    """Whether a file that is not a template was meant to be one."""
    try:
        with file.open("rb") as opened:
            head = opened.read(_SIGN_BYTES)
    except OSError:
        return True  # it may be one
    return any(sign in head for sign in _SIGNS)
