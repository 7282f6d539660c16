"""The docstrings of hardened_ec2 as they are written: found without importing a module."""

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from inspect import cleandoc
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "hardened_ec2"

_CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
_NEED_NO_CDK: tuple[str, ...] = next(
    tuple(contract["source_modules"])
    for contract in _CONTRACTS["contracts"]
    if contract["type"] == "forbidden"
)

_SECTION = re.compile(r"^(Examples?\b.*:) *\n((?:\n| .*\n)*)", re.MULTILINE)


@dataclass(frozen=True)
class Docstring:
    """What stands below a module, class, function or attribute."""

    module: str
    name: str
    text: str

    @property
    def code(self) -> str:
        """Its `Example::` blocks, which tests/synth/test_examples.py runs."""
        return "".join(dedent(body) for heading, body in self._sections if heading == "Example::")

    @property
    def has_prompt(self) -> bool:
        """Whether it has an example at Python's prompt, which doctest runs."""
        return ">>> " in self.text

    @property
    def is_no_code(self) -> bool:
        """Whether it has an example that is neither: nothing could run it."""
        return "```" in self.text or any(
            not body.strip() or (heading == "Example::") == (">>> " in body)
            for heading, body in self._sections
        )

    @property
    def _sections(self) -> list[tuple[str, str]]:
        return _SECTION.findall(f"{self.text}\n")


@cache
def docstrings() -> tuple[Docstring, ...]:
    """Read every docstring of the package, those of attributes too."""
    found: list[Docstring] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        module = module_name(path)
        found += (
            Docstring(module, name, text)
            for name, text in _below(ast.parse(path.read_bytes()), module)
        )
    return tuple(found)


def module_name(path: Path) -> str:
    """Return the name of the module in a file of the package."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def needs_cdk(module: str) -> bool:
    """Whether importing a module may import the CDK, which starts a node process."""
    return not any(f"{module}.".startswith(f"{each}.") for each in _NEED_NO_CDK)


def _below(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
    """Yield the string statements in a module, class or function: docstrings are no others."""
    attribute = ""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield name + attribute, cleandoc(text)
            case (
                ast.Assign(targets=[ast.Name(id=target)])
                | ast.AnnAssign(target=ast.Name(id=target))
            ):
                attribute = f".{target}"
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                attribute = ""
                yield from _below(child, f"{name}.{child.name}")
            case ast.If() | ast.Try() | ast.With():
                yield from _below(child, name)
