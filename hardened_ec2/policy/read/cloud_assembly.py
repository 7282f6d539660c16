"""A cloud assembly, the folder that ``cdk synth`` writes: which templates it deploys.

The folder can also hold templates that an earlier synth left behind. Its manifest names the stacks
and stages of this one, and the list of assets beside each stack names its nested stacks.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from hardened_ec2.policy.read.template import NoResources, Template, UnreadableTemplate

MANIFEST: Final = "manifest.json"
"""The file that makes a folder a cloud assembly."""

_STACK = "aws:cloudformation:stack"
_STAGE = "cdk:cloud-assembly"
_TEMPLATE_SUFFIX = ".template.json"
_NESTED_SUFFIX = ".nested.template.json"
_ASSETS_SUFFIX = ".assets.json"


def read_artifacts(folder: Path) -> dict[str, Any] | None:
    """Return the artifacts of a cloud assembly.

    Args:
        folder: Any folder.

    Returns:
        The artifacts of its manifest, by name; none when the folder is not a cloud assembly.

    Source: AWS CDK, "Cloud assembly" (manifest.json).

    Example:
        >>> sorted(read_artifacts(Path("cdk.out")))
        ['Web']
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    artifacts = manifest.get("artifacts") if isinstance(manifest, dict) else None
    return artifacts if isinstance(artifacts, dict) and "version" in manifest else None


def deployed_files(folder: Path, artifacts: dict[str, Any]) -> Iterator[Path | UnreadableTemplate]:
    """Yield the template of every stack of a cloud assembly, those in stages included.

    Args:
        folder: The cloud assembly.
        artifacts: What `read_artifacts` returns for it.

    Yields:
        Each template, followed by those of its nested stacks; a stage that cannot be followed as
        the reason.

    Example:
        >>> folder = Path("cdk.out")
        >>> [file.name for file in deployed_files(folder, read_artifacts(folder))]
        ['Web.template.json']
    """
    for name, artifact in sorted(artifacts.items()):
        properties = artifact.get("properties") if isinstance(artifact, dict) else None
        if not isinstance(properties, dict):
            continue
        kind = artifact.get("type")
        if kind == _STACK and isinstance(file := properties.get("templateFile"), str):
            yield from with_nested(folder / file)
        elif kind == _STAGE and isinstance(inner := properties.get("directoryName"), str):
            stage = folder / inner
            below = read_artifacts(stage)
            if below is None or stage.resolve() == folder.resolve():
                reason = f"the stage {name} has no manifest: run cdk synth again"
                yield UnreadableTemplate(str(stage), reason)
            else:
                yield from deployed_files(stage, below)


def with_nested(template: Path) -> Iterator[Path]:
    """Yield a stack's template and those of its nested stacks, at every depth.

    Args:
        template: The template of a stack that is not nested itself.

    Yields:
        The files: nested stacks are assets of the stack.

    Example:
        >>> [file.name for file in with_nested(Path("cdk.out/Web.template.json"))]
        ['Web.template.json']
    """
    yield template
    folder = template.parent
    assets = folder / f"{template.name.removesuffix(_TEMPLATE_SUFFIX)}{_ASSETS_SUFFIX}"
    try:
        listed = json.loads(assets.read_bytes())["files"].values()
        sources = [asset["source"].get("path", "") for asset in listed]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # The legacy synthesizer writes no list of assets: any nested template here may be one.
        yield from sorted(folder.glob(f"*{_NESTED_SUFFIX}"))
        return
    for source in sorted(source for source in sources if isinstance(source, str)):
        if source.endswith(_NESTED_SUFFIX):
            yield folder / source


def load_deployed(file: Path) -> Template | None:
    """Load a template of a cloud assembly.

    Args:
        file: The template.

    Returns:
        The template; none for a stack without resources, which CloudFormation is never given.

    Raises:
        UnreadableTemplate: See `Template.load`.

    Example:
        >>> load_deployed(Path("cdk.out/Web.template.json")).name
        'cdk.out/Web.template.json'
    """
    try:
        return Template.load(file)
    except NoResources:
        return None
