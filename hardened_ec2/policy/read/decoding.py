"""The text of a template, JSON or YAML, as plain objects, and the line of each value.

YAML is read event by event, with libyaml where it is installed: an alias bomb, ten thousand levels
of nesting or an endless text ends at a limit, never in a crash. JSON is decoded by the standard
library, which is several times faster; its lines are looked up only for findings.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from hardened_ec2.policy.read.json_marks import json_marks
from hardened_ec2.policy.read.marks import Marks

MAX_DEPTH: Final = 200
"""Levels of lists and objects. Templates as people write them stay below twenty."""

MAX_NODES: Final = 2_000_000
"""Values in one text; what an alias repeats counts each time."""

_LONGEST_NUMBER: Final = 64

_BYTE_ORDER_MARK = "\ufeff"

_SHORT_WITHOUT_FN = {"!Ref": "Ref", "!Condition": "Condition"}
_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("bool", "float", "int", "map", "null", "seq", "str")
)
_MERGE = "<<"


class UndecodableText(ValueError):  # noqa: N818 - it names the fault, as `ValueError`s here do
    """A text that is neither JSON nor YAML as CloudFormation reads it. Its message says where.

    Example:
        >>> try:
        ...     decode('{"Web": 1, "Web": 2}')
        ... except UndecodableText as error:
        ...     print(error)
        the key Web appears twice in one object at line 1
    """


def decode(text: str) -> Any:  # noqa: ANN401 - whatever the text holds
    """Decode a text, with the short forms of intrinsic functions written out.

    Args:
        text: JSON if its first character is "{" and it is JSON; YAML otherwise.

    Returns:
        Plain dicts, lists, strings, numbers, Booleans and none.

    Raises:
        UndecodableText: If the text is neither, is nested too deeply, or has too many values.

    Source: RFC 8259 (JSON); YAML 1.1, as CloudFormation reads it; AWS CloudFormation User Guide,
        "Intrinsic function reference".

    Example:
        >>> decode("Id: !Sub '${AWS::StackName}-web'")
        {'Id': {'Fn::Sub': '${AWS::StackName}-web'}}
    """
    text = text.removeprefix(_BYTE_ORDER_MARK)
    if text.lstrip()[:1] in ("{", "["):
        return _json(text)
    return _yaml(text)[0]


def marks(text: str) -> Marks | None:
    r"""Return the line of every value in a text.

    Args:
        text: A text that `decode` accepted.

    Returns:
        The marks of the whole text; none when `decode` would refuse it.

    Example:
        >>> marks("Resources:\n  Web:\n    Type: AWS::EC2::VPC").line_of(("Resources", "Web"))
        2
    """
    text = text.removeprefix(_BYTE_ORDER_MARK)
    if text.lstrip()[:1] in ("{", "["):
        try:
            json.loads(text)
        except ValueError:
            pass  # a flow collection: YAML that begins as JSON does
        else:
            return json_marks(text)
    try:
        return _yaml(text)[1]
    except UndecodableText:
        return None


def _json(text: str) -> Any:  # noqa: ANN401 - whatever the text holds
    try:
        document = json.loads(
            text, parse_constant=_refused_constant, object_pairs_hook=_without_duplicates
        )
    except _DuplicateKey as error:
        raise UndecodableText(_where_twice(text, error.args[0])) from None
    except json.JSONDecodeError as error:
        try:
            return _yaml(text)[0]  # a flow collection: YAML that begins as JSON does
        except UndecodableText:
            where = f"line {error.lineno} column {error.colno}"
            raise UndecodableText(f"it is not JSON: {error.msg} at {where}") from None
    except RecursionError:
        raise UndecodableText("it is nested too deeply") from None
    except ValueError as error:
        # NaN and the like, and numbers of thousands of digits.
        raise UndecodableText(f"it is not JSON: {error}") from None
    _refuse_depth(document)
    return document


class _DuplicateKey(Exception):  # noqa: N818 - never leaves this module
    pass


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Of two equal keys one reader takes the first and another the last: one of them hides.
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _DuplicateKey(next(key for key, n in Counter(k for k, _ in pairs).items() if n > 1))
    return made


def _where_twice(text: str, key: str) -> str:
    try:
        _yaml(text)  # which counts lines, and refuses the same
    except UndecodableText as error:
        if "appears twice" in str(error):
            return str(error)
    return f"the key {key} appears twice in one object"


def _refuse_depth(document: Any) -> None:  # noqa: ANN401 - whatever the text holds
    # Asked for every value of a template: comparing types is faster than isinstance.
    level = [document] if type(document) is dict or type(document) is list else []
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return
    raise UndecodableText(f"it is nested too deeply: more than {MAX_DEPTH} levels")


def _refused_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON value")


def _yaml(text: str) -> tuple[Any, Marks]:
    # JSON templates are judged without PyYAML.
    try:
        import yaml  # noqa: PLC0415
    except ImportError:
        raise UndecodableText(
            "it is not JSON, and YAML needs PyYAML: pip install 'hardened-ec2[cli]'"
        ) from None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Composer(yaml, yaml.parse(text, Loader=loader)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" at line {mark.line + 1} column {mark.column + 1}" if mark else ""
        problem = error.problem or error.context or "it cannot be parsed"
        raise UndecodableText(f"it is not YAML: {problem}{where}") from None
    except yaml.YAMLError as error:
        raise UndecodableText(f"it is not YAML: {' '.join(str(error).split())}") from None


@dataclass(slots=True)
class _Open:
    """A list or an object that is being read."""

    tag: str | None
    anchor: str | None
    line: int
    value: Any
    inside: dict[str, Marks]
    key: str | None = None
    merges: bool = False
    merged: list[Any] = field(default_factory=list)
    size: int = 1


class _Composer:
    """Makes objects of YAML's events, without recursion."""

    def __init__(self, yaml: Any, events: Iterator[Any]) -> None:  # noqa: ANN401 - the module
        self._yaml = yaml
        self._events = events
        self._resolver = yaml.resolver.Resolver()
        self._constructor = yaml.constructor.SafeConstructor()
        self._plain_starts = frozenset(
            first for first in yaml.SafeLoader.yaml_implicit_resolvers if first
        )
        self._anchors: dict[str, tuple[Any, Marks, int]] = {}
        self._nodes = 0

    def document(self) -> tuple[Any, Marks]:
        """Return the only document and its marks."""
        yaml = self._yaml
        stack: list[_Open] = []
        result: tuple[Any, Marks] | None = None
        for event in self._events:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                line = event.start_mark.line + 1
                value = self._tagged(event.tag, self._scalar(event), line)
                node = (value, Marks(line), 1)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self._refuse_depth(stack, event)
                empty: Any = {} if kind is yaml.MappingStartEvent else []
                line = event.start_mark.line + 1
                stack.append(_Open(event.tag, event.anchor, line, empty, {}))
                continue
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                node = self._closed(stack.pop())
            elif kind is yaml.AliasEvent:
                node = self._alias(event)
            elif kind is yaml.DocumentStartEvent and result is not None:
                raise UndecodableText(
                    f"it contains a second document at line {event.start_mark.line + 1}: "
                    "CloudFormation takes one"
                )
            else:
                continue
            if kind is yaml.ScalarEvent and event.anchor:
                self._anchors[event.anchor] = node
            self._count(node[2] if kind is yaml.AliasEvent else 1)
            if stack:
                self._put(stack[-1], node, event)
            else:
                result = node[0], node[1]
        if result is None:
            raise UndecodableText("it is empty")
        return result

    def _put(self, parent: _Open, node: tuple[Any, Marks, int], event: Any) -> None:  # noqa: ANN401 - an event
        value, where, size = node
        parent.size += size
        if isinstance(parent.value, list):
            parent.inside[str(len(parent.value))] = where
            parent.value.append(value)
            return
        line = event.start_mark.line + 1
        if parent.key is None:
            if isinstance(value, dict | list):
                raise UndecodableText(f"a key is not text at line {line}")
            parent.key = value if isinstance(value, str) else _spelled(value, event)
            # In quotes it is a key as any other.
            parent.merges = parent.key == _MERGE and event.implicit[0]
            if parent.key in parent.value and not parent.merges:
                raise UndecodableText(
                    f"the key {parent.key} appears twice in one object at line {line}"
                )
            # A finding about a property points at the line of its name.
            parent.inside[parent.key] = where
            return
        if parent.merges:
            parent.merged += value if isinstance(value, list) else [value]
            parent.inside.pop(_MERGE, None)
        else:
            parent.value[parent.key] = value
            parent.inside[parent.key] = Marks(parent.inside[parent.key].line, where.inside)
        parent.key = None

    def _closed(self, done: _Open) -> tuple[Any, Marks, int]:
        for merged in done.merged:
            if not isinstance(merged, dict):
                raise UndecodableText(
                    f"<< merges what is not an object, in the object at line {done.line}"
                )
            for key, value in merged.items():
                done.value.setdefault(key, value)
        value = self._tagged(done.tag, done.value, done.line)
        inside = done.inside
        if value is not done.value:
            inside = {next(iter(value)): Marks(done.line, inside)}
        node = (value, Marks(done.line, inside), done.size)
        if done.anchor:
            self._anchors[done.anchor] = node
        return node

    def _alias(self, event: Any) -> tuple[Any, Marks, int]:  # noqa: ANN401 - an event
        found = self._anchors.get(event.anchor)
        if found is None:
            line = event.start_mark.line + 1
            raise UndecodableText(
                f"it is not YAML: the alias *{event.anchor} at line {line} refers to no "
                "anchor that ends before it"
            )
        return found

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise UndecodableText(f"it has more than {MAX_NODES:,} values, aliases followed")

    def _refuse_depth(self, stack: list[_Open], event: Any) -> None:  # noqa: ANN401 - an event
        if len(stack) >= MAX_DEPTH:
            raise UndecodableText(
                f"it is nested too deeply: more than {MAX_DEPTH} levels at line "
                f"{event.start_mark.line + 1}"
            )

    def _scalar(self, event: Any) -> Any:  # noqa: ANN401 - an event; text, number, Boolean or none
        text: str = event.value
        plain, _ = event.implicit
        if not plain or event.tag is not None:
            return text
        if text and text[0] not in self._plain_starts:
            return text
        tag = self._resolver.resolve(self._yaml.ScalarNode, text, (True, False))
        kind = tag.rpartition(":")[2]
        # A date stays as it is written: CloudFormation takes it for text.
        if kind not in ("bool", "float", "int", "null"):
            return text
        if len(text) > _LONGEST_NUMBER:
            return text  # a number in base 60 takes time by the square of its length
        try:
            node = self._yaml.ScalarNode(tag, text)
            return getattr(self._constructor, f"construct_yaml_{kind}")(node)
        except (ValueError, OverflowError):
            return text

    def _tagged(self, tag: str | None, value: Any, line: int) -> Any:  # noqa: ANN401 - any value
        if tag is None or tag == "!" or tag in _PLAIN_TAGS:
            return value
        if not (tag.startswith("!") and tag[1:].isalnum()):
            raise UndecodableText(f"the tag {tag} at line {line} is not one of CloudFormation's")
        name = _SHORT_WITHOUT_FN.get(tag, f"Fn::{tag[1:]}")
        if name == "Fn::GetAtt" and isinstance(value, str):
            resource, dot, attribute = value.partition(".")
            if not dot:
                raise UndecodableText(
                    f"!GetAtt {value!r} at line {line} names no attribute: write !GetAtt "
                    f"{value}.Attribute"
                )
            value = [resource, attribute]
        return {name: value}


def _spelled(value: Any, event: Any) -> str:  # noqa: ANN401 - a scalar and its event
    """Return a key as it is written: CloudFormation's keys are texts, as in JSON."""
    return str(getattr(event, "value", value))
