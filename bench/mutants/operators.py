"""Source text -> its mutants, each with one small mistake that a person could make.

| operator | before | after |
|---|---|---|
| condition | `if a:` `while a:` `x if a else y` | `if not (a):` |
| operand | `a and b` | `a`, `b` |
| comparison | `a < b` `a == b` `a in b` `a is b` | `a <= b` `a != b` `a not in b` `a is not b` |
| constant | `True` | `False` (so a consistent read becomes an eventually consistent one) |
| arithmetic | `a + b` `min(a, b)` | `a - b` `max(a, b)` |
| statement | a call, `x += 1`, `raise`, `continue`, `break`, `return` | left out |
| order | two requests, or turns of the loop, in a row | the second one first |
| expression | `a AND b` inside a DynamoDB expression | `a OR b` |

Nothing is mutated outside of functions, in log lines, in metrics and in `strict=` of zip: a test
of these would only repeat them.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
}
_EXPRESSIONS = [
    (" AND ", " OR "),
    (" OR ", " AND "),
    ("attribute_not_exists", "attribute_exists"),
    (" < :", " <= :"),
    (" <= :", " < :"),
    (" = :was", " <> :was"),
]
_EXPRESSION = re.compile(r"attribute_(not_)?exists| :\w+")
_DESCRIBES = re.compile(
    r"_?logger\.|_?metrics\.|.*\b_?(log|count|counts|add_metric|warning|info)\b\("
)
_SIMPLE = (ast.Expr, ast.Assign, ast.AugAssign)
# Methods that ask or tell a table, a queue or a portal: a function may be killed in between.
_REACHES_OUT = re.compile(
    r"_?(put|update|delete|send|publish|save|store|write|read|load|get_item|batch|transact|query|"
    r"change_message|receive|acquire|release|set_aside|hide|hand_back|note|take|dead_letter)"
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed source text; `line` is the first changed line, with its old and new code."""

    path: str
    line: int
    function: str
    old: str
    new: str
    text: str

    @property
    def change(self) -> str:
        """Return the function with the old and the new code, on one line."""
        return f"{self.function}: {_flat(self.old)} -> {_flat(self.new)}"

    def __str__(self) -> str:
        """Return the mutant with its place, on one line."""
        return f"{self.path}:{self.line} {self.change}"


def mutants(path: str, text: str) -> list[Mutant]:
    """Return every mutant of a module; `path` names it in reports."""
    return list(_Mutator(path, text).mutants())


class _Mutator:
    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._text = text
        self._tree = ast.parse(text)
        starts = [0]
        for line in text.splitlines(keepends=True):
            starts.append(starts[-1] + len(line.encode()))
        self._starts = starts
        self._bytes = text.encode()

    def mutants(self) -> Iterator[Mutant]:
        for function, name in _functions(self._tree, ""):
            body = [node for node in function.body if not _is_docstring(node)]
            skipped = _annotations(function)
            for statement in body:
                for node in _walk(statement):
                    if node not in skipped:
                        yield from self._of(node, name)
            yield from self._orders(function, name)

    def _of(self, node: ast.AST, name: str) -> Iterator[Mutant]:
        if isinstance(node, ast.stmt):
            yield from self._statement(node, name)
        yield from self._condition(node, name)
        yield from self._value(node, name)

    def _statement(self, node: ast.stmt, name: str) -> Iterator[Mutant]:
        match node:
            case ast.Expr(value=ast.Yield() | ast.YieldFrom()):
                pass
            case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break():
                yield self._mutant(node, "pass", name)
            case ast.Return(value=None):
                yield self._mutant(node, "pass", name)

    def _condition(self, node: ast.AST, name: str) -> Iterator[Mutant]:
        match node:
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
                if not isinstance(test, ast.Constant):
                    yield self._mutant(test, f"not ({self._code(test)})", name)
            case ast.comprehension(ifs=[test, *_]):
                yield self._mutant(test, "True", name)
            case ast.BoolOp(values=values, op=operator):
                word = " and " if isinstance(operator, ast.And) else " or "
                for left_out in values:
                    kept = [self._code(each) for each in values if each is not left_out]
                    yield self._mutant(node, f"({word.join(kept)})", name)
            case ast.Compare(left=left, ops=[operator], comparators=[right]):
                other = _COMPARISONS[type(operator)]
                yield self._mutant(node, f"{self._code(left)} {other} {self._code(right)}", name)

    def _value(self, node: ast.AST, name: str) -> Iterator[Mutant]:
        match node:
            case ast.Constant(value=bool() as value):
                yield self._mutant(node, str(not value), name)
            case ast.Constant(value=str() as value) if _EXPRESSION.search(value):
                for old, new in _EXPRESSIONS:
                    if old in self._code(node):
                        yield self._mutant(node, self._code(node).replace(old, new, 1), name)
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as operator, right=right):
                if not _is_text(node):
                    other = "-" if isinstance(operator, ast.Add) else "+"
                    new = f"{self._code(left)} {other} {self._code(right)}"
                    yield self._mutant(node, new, name)
            case ast.Call(func=ast.Name(id="min" | "max" as called)):
                yield self._mutant(node.func, "max" if called == "min" else "min", name)

    def _orders(self, function: ast.AST, name: str) -> Iterator[Mutant]:
        for node in ast.walk(function):
            body = getattr(node, "body", None)
            if not isinstance(body, list):
                continue
            for first, second in pairwise(body):
                if not (isinstance(first, _SIMPLE) and isinstance(second, _SIMPLE)):
                    continue
                if not (_reaches_out(first) and _reaches_out(second)):
                    continue
                both = self._code(first), self._code(second)
                if _uses(first, second):
                    continue
                if any(_DESCRIBES.match(code) for code in both):
                    continue
                start, end = self._at(first)[0], self._at(second)[1]
                between = self._bytes[self._at(first)[1] : self._at(second)[0]].decode()
                yield self._replace(start, end, both[1] + between + both[0], name)

    def _mutant(self, node: ast.AST, new: str, name: str) -> Mutant:
        return self._replace(*self._at(node), new, name)

    def _replace(self, start: int, end: int, new: str, name: str) -> Mutant:
        old = self._bytes[start:end].decode()
        text = (self._bytes[:start] + new.encode() + self._bytes[end:]).decode()
        line = self._bytes[:start].count(b"\n") + 1
        return Mutant(self._path, line, name, old, new, text)

    def _at(self, node: ast.AST) -> tuple[int, int]:
        """Return a node's range in bytes, without the parentheses around it."""
        assert isinstance(node, (ast.expr, ast.stmt))  # noqa: S101
        assert node.end_lineno and node.end_col_offset is not None  # noqa: S101, PT018
        start = self._starts[node.lineno - 1] + node.col_offset
        return start, self._starts[node.end_lineno - 1] + node.end_col_offset

    def _code(self, node: ast.AST) -> str:
        start, end = self._at(node)
        code = self._bytes[start:end].decode()
        return f"({code})" if isinstance(node, (ast.BoolOp, ast.IfExp, ast.NamedExpr)) else code


def _functions(
    tree: ast.AST, prefix: str
) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, str]]:
    """Yield the functions and methods of a module; nested functions are parts of theirs."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node, prefix + node.name
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{prefix}{node.name}.")


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and its children, except those of log lines, metrics and error messages."""
    if isinstance(node, ast.Expr) and _DESCRIBES.match(ast.unparse(node)):
        return
    yield node
    if isinstance(node, (ast.Raise, ast.JoinedStr)) or _is_strict(node):
        return
    for child in ast.iter_child_nodes(node):
        yield from _walk(child)


def _is_strict(node: ast.AST) -> bool:
    return isinstance(node, ast.keyword) and node.arg == "strict"


def _annotations(function: ast.AST) -> set[ast.AST]:
    found: set[ast.AST] = set()
    for node in ast.walk(function):
        annotation = getattr(node, "annotation", None) or getattr(node, "returns", None)
        if annotation is not None:
            found |= set(ast.walk(annotation))
    return found


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _is_text(node: ast.BinOp) -> bool:
    """Return whether a sum joins texts or lists: nobody subtracts those by mistake."""
    kinds = (ast.JoinedStr, ast.List, ast.ListComp, ast.Tuple, ast.Dict)
    sides = (node.left, node.right)
    return any(
        isinstance(side, kinds) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in sides
    )


def _reaches_out(statement: ast.stmt) -> bool:
    return any(
        isinstance(node, ast.Await)
        or (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and _REACHES_OUT.match(node.func.attr) is not None
        )
        for node in ast.walk(statement)
    )


def _uses(first: ast.stmt, second: ast.stmt) -> bool:
    """Return whether the second statement reads a name that the first one sets."""
    names = {
        node.id
        for node in ast.walk(first)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return any(isinstance(node, ast.Name) and node.id in names for node in ast.walk(second))


def _flat(code: str) -> str:
    return " ".join(code.split())
