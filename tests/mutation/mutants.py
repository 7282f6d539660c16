"""Mutants: one small fault each, put into a source that is otherwise as it was.

What is mutated: function bodies and module constants. What is not: docstrings, annotations, the
texts of rules (documentation is compared with them elsewhere), the classes of ``isinstance``, and
f-strings, which are the words of messages.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any, Final

_COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_OPERATORS: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_NAMES: Final = {"any": "all", "all": "any", "min": "max", "max": "min"}
_METHODS: Final = {"startswith": "endswith", "endswith": "startswith"}
_UNTOUCHED: Final = frozenset({"Control", "isinstance", "rule"})
_PROSE: Final = frozenset({"_FIX", "_WHY"})

Change = Callable[[ast.AST], None]


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One fault.

    Args:
        file: The source, relative to the repository.
        line: Where the fault is.
        column: Where in the line, from 1.
        what: What it changes.
        statement: First and last line of the statement it is in.
        function: The outermost function it is in; empty for a module constant.
        path: Where the fault is in the tree of the source.
        change: Makes the fault there.
    """

    file: str
    line: int
    column: int
    what: str
    statement: tuple[int, int]
    function: str
    path: "_Path"
    change: "Change"

    @property
    def name(self) -> str:
        """What tells it from every other one."""
        return f"{self.file}:{self.line}:{self.column} {self.what}"

    def tree(self) -> ast.Module:
        """Return the source with the fault; of a constant, only the statement that makes it."""
        source = ast.parse(Path(self.file).read_text("utf-8"))
        self.change(_at(source, self.path))
        if not self.function:
            source.body = [source.body[self.path[0][1] or 0]]
        return ast.fix_missing_locations(source)

    def code(self) -> CodeType:
        """Return what the source with the fault compiles to."""
        return compile(self.tree(), str(Path(self.file).resolve()), "exec")


def mutants(file: str) -> Iterator[Mutant]:
    """Make every mutant of a source.

    Args:
        file: The source, relative to the repository.

    Yields:
        The mutants, from the top.
    """
    source = ast.parse(Path(file).read_text("utf-8"))
    for path, name in _places(source):
        node = _at(source, path)
        for what, change in _changes(node):
            yield Mutant(
                file=file,
                line=node.lineno,  # type: ignore[attr-defined]
                column=node.col_offset + 1,  # type: ignore[attr-defined]
                what=what,
                statement=_statement(source, path),
                function=name,
                path=path,
                change=change,
            )


_Path = tuple[tuple[str, int | None], ...]


def _at(tree: ast.AST, path: _Path) -> ast.AST:
    node = tree
    for field, index in path:
        inner = getattr(node, field)
        node = inner if index is None else inner[index]
    return node


def _statement(tree: ast.AST, path: _Path) -> tuple[int, int]:
    """Return the lines of the innermost statement; of its head alone where it holds others."""
    node, found = tree, (0, 0)
    for field, index in path:
        inner = getattr(node, field)
        node = inner if index is None else inner[index]
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if body else node.end_lineno or node.lineno
            found = (node.lineno, max(last, node.lineno))
    return found


def _places(source: ast.Module) -> Iterator[tuple[_Path, str]]:
    for number, statement in enumerate(source.body):
        start: _Path = (("body", number),)
        if isinstance(statement, ast.FunctionDef):
            yield from _inside(statement, start, statement.name)
        elif isinstance(statement, ast.ClassDef):
            for index, member in enumerate(statement.body):
                if isinstance(member, ast.FunctionDef):
                    name = f"{statement.name}.{member.name}"
                    yield from _inside(member, (*start, ("body", index)), name)
        elif isinstance(statement, ast.AnnAssign | ast.Assign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if any(isinstance(each, ast.Name) and each.id in _PROSE for each in targets):
                continue
            yield from _below(statement.value, (*start, ("value", None)), "")


def _inside(function: ast.FunctionDef, path: _Path, name: str) -> Iterator[tuple[_Path, str]]:
    for index, statement in enumerate(function.body):
        if not (index == 0 and _is_docstring(statement)):
            yield from _below(statement, (*path, ("body", index)), name)


def _below(node: ast.AST, path: _Path, name: str) -> Iterator[tuple[_Path, str]]:
    if isinstance(node, ast.JoinedStr):
        return
    if isinstance(node, ast.Call) and _called(node) in _UNTOUCHED:
        if _called(node) == "isinstance":
            yield from _below(node.args[0], (*path, ("args", 0)), name)
        return
    yield path, name
    for field, inner in ast.iter_fields(node):
        if field in ("annotation", "returns", "ctx"):
            continue
        if isinstance(inner, ast.AST):
            yield from _below(inner, (*path, (field, None)), name)
        elif isinstance(inner, list):
            for index, each in enumerate(inner):
                if isinstance(each, ast.AST):
                    yield from _below(each, (*path, (field, index)), name)


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _changes(node: ast.AST) -> Iterator[tuple[str, Change]]:
    made = _OF_A_KIND.get(type(node))
    if made is not None:
        yield from made(node)


def _comparison(node: ast.Compare) -> Iterator[tuple[str, Change]]:
    other = _COMPARISONS[type(node.ops[0])]
    yield f"{_named(node.ops[0])} becomes {_named(other())}", lambda n: _set_op(n, other())


def _both_or_either(node: ast.BoolOp) -> Iterator[tuple[str, Change]]:
    swapped = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield f"{_named(node.op)} becomes {_named(swapped)}", lambda n: setattr(n, "op", swapped)


def _operation(node: ast.BinOp | ast.AugAssign) -> Iterator[tuple[str, Change]]:
    if type(node.op) in _OPERATORS:
        turned = _OPERATORS[type(node.op)]()
        yield f"{_named(node.op)} becomes {_named(turned)}", lambda n: setattr(n, "op", turned)


def _not(node: ast.UnaryOp) -> Iterator[tuple[str, Change]]:
    if isinstance(node.op, ast.Not):
        yield "not is left out", _doubled


def _constant(node: ast.Constant) -> Iterator[tuple[str, Change]]:
    value = node.value
    if isinstance(value, bool):
        yield f"{value} becomes {not value}", lambda n: setattr(n, "value", not value)
    elif isinstance(value, int):
        yield f"{value} becomes {value + 1}", lambda n: setattr(n, "value", value + 1)
    elif isinstance(value, str) and value:
        yield f"{value!r:.40} becomes another text", lambda n: setattr(n, "value", f"XX{value}XX")


def _name(node: ast.Name) -> Iterator[tuple[str, Change]]:
    if node.id in _NAMES:
        other = _NAMES[node.id]
        yield f"{node.id} becomes {other}", lambda n: setattr(n, "id", other)


def _attribute(node: ast.Attribute) -> Iterator[tuple[str, Change]]:
    if node.attr in _METHODS:
        other = _METHODS[node.attr]
        yield f"{node.attr} becomes {other}", lambda n: setattr(n, "attr", other)


def _condition(_: ast.AST) -> Iterator[tuple[str, Change]]:
    yield "the condition is negated", _negate


def _return(node: ast.Return) -> Iterator[tuple[str, Change]]:
    if node.value is not None and not (
        isinstance(node.value, ast.Constant) and node.value.value is None
    ):
        yield "nothing is returned", lambda n: setattr(n, "value", ast.Constant(None))


def _expression(node: ast.Expr) -> Iterator[tuple[str, Change]]:
    if isinstance(node.value, ast.Yield | ast.YieldFrom):
        yield "nothing is yielded", _silence
    elif isinstance(node.value, ast.Call):
        yield "it is not called", lambda n: setattr(n, "value", ast.Constant(None))


def _jump(node: ast.Continue | ast.Break) -> Iterator[tuple[str, Change]]:
    other = ast.Break if isinstance(node, ast.Continue) else ast.Continue
    yield f"it is {_named(other())}", lambda n: setattr(n, "__class__", other)


_OF_A_KIND: Final[dict[type[ast.AST], Callable[[Any], Iterator[tuple[str, Change]]]]] = {
    ast.Compare: _comparison,
    ast.BoolOp: _both_or_either,
    ast.BinOp: _operation,
    ast.AugAssign: _operation,
    ast.UnaryOp: _not,
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.If: _condition,
    ast.While: _condition,
    ast.IfExp: _condition,
    ast.Return: _return,
    ast.Expr: _expression,
    ast.Continue: _jump,
    ast.Break: _jump,
}


def _named(operator: ast.AST) -> str:
    return type(operator).__name__


def _set_op(node: ast.AST, operator: ast.cmpop) -> None:
    assert isinstance(node, ast.Compare)
    node.ops[0] = operator


def _doubled(node: ast.AST) -> None:
    """Turn ``not x`` into ``not not x``."""
    assert isinstance(node, ast.UnaryOp)
    node.operand = ast.UnaryOp(op=ast.Not(), operand=node.operand)


def _negate(node: ast.AST) -> None:
    assert isinstance(node, ast.If | ast.While | ast.IfExp)
    node.test = ast.UnaryOp(op=ast.Not(), operand=node.test)


def _silence(node: ast.AST) -> None:
    # Not `pass`: without a yield the function would be no generator, which nothing survives.
    assert isinstance(node, ast.Expr)
    node.value = ast.YieldFrom(value=ast.Tuple(elts=[], ctx=ast.Load()))
