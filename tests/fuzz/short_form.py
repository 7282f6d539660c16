"""A template as YAML with the short forms of intrinsic functions, as people write it."""

from typing import Any

import yaml


class _ShortForm(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes ``{"Fn::Sub": …}`` as ``!Sub …``; no aliases, which the other forms have not."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature of PyYAML
        return True


def _tag(data: dict[str, Any]) -> str | None:
    if len(data) != 1:
        return None
    (key,) = data
    if key in ("Ref", "Condition"):
        return f"!{key}"
    name = key.removeprefix("Fn::") if isinstance(key, str) else ""
    return f"!{name}" if key == f"Fn::{name}" and name.isascii() and name.isalnum() else None


def _mapping(dumper: _ShortForm, data: dict[str, Any]) -> Any:  # noqa: ANN401 - a node
    tag = _tag(data)
    if tag is not None:
        (inner,) = data.values()
        if tag == "!GetAtt" and _is_dotted(inner):
            return dumper.represent_scalar(tag, ".".join(inner))
        if isinstance(inner, dict) and _tag(inner) is None:
            return dumper.represent_mapping(tag, inner)
        if isinstance(inner, list):
            return dumper.represent_sequence(tag, inner)
        if isinstance(inner, str) and tag != "!GetAtt":
            return dumper.represent_scalar(tag, inner, style='"')
    return dumper.represent_mapping("tag:yaml.org,2002:map", data)


def _is_dotted(inner: object) -> bool:
    return (
        isinstance(inner, list)
        and len(inner) == 2
        and all(isinstance(each, str) and each for each in inner)
        and "." not in inner[0]
    )


_ShortForm.add_representer(dict, _mapping)


def short_form(template: dict[str, Any]) -> str:
    """Write a template as YAML with short forms.

    Args:
        template: The decoded template.

    Returns:
        Its text. It decodes to the same, but for ``!GetAtt``, which is a list.
    """
    text: str = yaml.dump(
        template, Dumper=_ShortForm, sort_keys=False, allow_unicode=True, width=10**6
    )
    return text
