"""Templates that nobody wrote: sound and bad ones, changed a little at random places."""

import copy
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, Final

NAMES: Final = ("C", "P", "Vpc", "Group", "Server", "AWS::NoValue", "AWS::Region", "Missing")
FUNCTIONS: Final = (
    "Ref",
    "Condition",
    "Fn::And",
    "Fn::Base64",
    "Fn::Cidr",
    "Fn::Equals",
    "Fn::FindInMap",
    "Fn::ForEach",
    "Fn::GetAtt",
    "Fn::GetAZs",
    "Fn::If",
    "Fn::ImportValue",
    "Fn::Join",
    "Fn::Length",
    "Fn::Select",
    "Fn::Split",
    "Fn::Sub",
    "Fn::ToJsonString",
    "Fn::Transform",
)
SCALARS: Final = (
    None,
    True,
    False,
    0,
    -1,
    1,
    22,
    443,
    65535,
    65536,
    2**70,
    0.5,
    22.0,
    -0.0,
    "",
    " ",
    "-1",
    "22",
    "0x16",
    "true",
    "null",
    "1_000",
    "22:22",
    "2001-01-01",
    "tcp",
    "0.0.0.0/0",
    "::/0",
    "10.0.0.0/8",
    "203.0.113.7/32",
    "0.0.0.0/0 ",
    "${P}",
    "${AWS::Region}",
    "${!x}",
    "${a.b.c}",
    "{{resolve:secretsmanager:a:SecretString:b}}",
    "{{resolve:ssm:a",
    "optional",
    "required",
    "*",
    "*:*",
    "a: b # c",
    "- a",
    "!Ref x",
    "&a",
    "*a",
    "<<",
    "\u2028é\U0001f600",
    "'\"\\",
    "line\nline\n",
)


def mutated(template: dict[str, Any], random: Random) -> dict[str, Any]:
    """Change a copy of a template in one to six places.

    Args:
        template: The template; it stays as it is.
        random: Decides.

    Returns:
        What became of it; still an object, but perhaps no template any more.
    """
    changed: Any = copy.deepcopy(template)
    for _ in range(random.randint(1, 6)):
        places = list(_places(changed))
        where, key = random.choice(places)
        random.choice(_CHANGES)(where, key, random, places)
    return changed if isinstance(changed, dict) else template


def _places(node: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - decoded JSON, as everywhere here
    """Yield every place as the object or list it is in and the key or index there."""
    pending = [node]
    while pending:
        holder = pending.pop()
        for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
            yield holder, key
            if isinstance(holder[key], dict | list):
                pending.append(holder[key])


def _drop(where: Any, key: Any, _: Random, __: Sequence[tuple[Any, Any]]) -> None:  # noqa: ANN401
    if len(where) > 1:
        del where[key]


def _scalar(where: Any, key: Any, random: Random, _: Sequence[tuple[Any, Any]]) -> None:  # noqa: ANN401
    where[key] = random.choice(SCALARS)


def _elsewhere(
    where: Any,  # noqa: ANN401
    key: Any,  # noqa: ANN401
    random: Random,
    places: Sequence[tuple[Any, Any]],
) -> None:
    """Put there what stands somewhere else."""
    other, at = random.choice(places)
    try:
        where[key] = copy.deepcopy(other[at])
    except (KeyError, IndexError):
        return  # it was dropped since


def _twice(where: Any, key: Any, random: Random, _: Sequence[tuple[Any, Any]]) -> None:  # noqa: ANN401
    if isinstance(where, list):
        where.insert(random.randrange(len(where) + 1), copy.deepcopy(where[key]))
    else:
        where[f"{key}2"] = copy.deepcopy(where[key])


def _wrapped(where: Any, key: Any, random: Random, _: Sequence[tuple[Any, Any]]) -> None:  # noqa: ANN401
    inner, name = where[key], random.choice(NAMES)
    scalar = random.choice(SCALARS)
    where[key] = random.choice(
        (
            {"Fn::If": ["C", inner, {"Ref": "AWS::NoValue"}]},
            {"Fn::If": ["C", scalar, inner]},
            {"Fn::If": [name, inner]},
            {"Fn::Sub": inner},
            {"Fn::Sub": ["${a}", {"a": inner}]},
            {"Fn::Sub": f"${{{name}}}"},
            {"Fn::Join": ["", [inner, scalar]]},
            {"Fn::Join": [inner, [scalar]]},
            {"Fn::Split": [",", inner]},
            {"Fn::Select": [0, [inner]]},
            {"Fn::Select": [scalar, inner]},
            {"Fn::Base64": inner},
            {"Fn::GetAtt": [name, "GroupId"]},
            {"Fn::ImportValue": inner},
            {"Ref": name},
            {random.choice(FUNCTIONS): inner},
            {random.choice(FUNCTIONS): [inner, scalar, name]},
            [inner],
            {"Key": inner},
        )
    )


def _type(where: Any, key: Any, random: Random, _: Sequence[tuple[Any, Any]]) -> None:  # noqa: ANN401
    """Give a value another type and the same look."""
    value = where[key]
    if isinstance(value, dict):
        where[key] = [value] if random.random() < 1 / 2 else list(value.values())
    elif isinstance(value, list):
        where[key] = value[0] if value else {}
    elif isinstance(value, str):
        where[key] = int(value) if value.isascii() and value.isdigit() else [value]
    else:
        where[key] = str(value)


def _renamed(where: Any, key: Any, random: Random, _: Sequence[tuple[Any, Any]]) -> None:  # noqa: ANN401
    if isinstance(where, dict):
        name = random.choice((*NAMES, *FUNCTIONS, "Properties", "Type", "CidrIp", "<<", "1", "yes"))
        where[name] = where.pop(key)


_CHANGES: Final[tuple[Callable[..., None], ...]] = (
    _drop,
    _scalar,
    _scalar,
    _elsewhere,
    _elsewhere,
    _twice,
    _wrapped,
    _wrapped,
    _wrapped,
    _type,
    _renamed,
)
