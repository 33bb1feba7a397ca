"""Which AWS operations a function of the template can come to, read from the code alone.

A reference to a name counts as a call of every function of that name in the modules that the
handler imports, an attribute of anything but a module as a call of every method of that name: more
may be found than is done, never less.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from botocore import xform_name
from botocore.loaders import Loader

SOURCE = Path(__file__).parents[1] / "src"
SERVICES = ("dynamodb", "events", "sns", "sqs", "ssm")
# Rights that go by another name than the operation's.
ACTIONS = {
    "dynamodb:TransactWriteItems": (),  # judged by its parts, below
    "sns:PublishBatch": ("sns:Publish",),
    "sqs:ChangeMessageVisibilityBatch": ("sqs:ChangeMessageVisibility",),
    "sqs:SendMessageBatch": ("sqs:SendMessage",),
}
ROW = re.compile("[a-z]+#$")
PARTS = {  # of a transaction
    "Put": "dynamodb:PutItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}


@dataclass
class Node:
    """A function, method, or what a module does when it is loaded."""

    module: str
    names: set[str] = field(default_factory=set)  # of methods with a dot before them
    operations: set[tuple[str, str]] = field(default_factory=set)  # with where it stands
    parts: set[str] = field(default_factory=set)
    rows: set[str] = field(default_factory=set)  # of the State table, by what their keys begin with

    @property
    def file(self) -> str:
        """Where it stands, below src/relay."""
        return f"{self.module.removeprefix('relay.').replace('.', '/')}.py"


@cache
def operations() -> dict[str, str]:
    """Return each boto3 method's operation, as `service:Operation`."""
    loader, found = Loader(), {}
    for service in SERVICES:
        version = loader.determine_latest_version(service, "service-2")
        for name in loader.load_service_model(service, "service-2", version)["operations"]:
            found.setdefault(xform_name(name), f"{service}:{name}")
    return found


def path_of(module: str) -> Path | None:
    """Return a module's file, None where it is none of ours."""
    path = SOURCE / module.replace(".", "/")
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def imports(module: str) -> frozenset[str]:
    """Return the modules of ours that a module imports."""
    found = {module.rpartition(".")[0]} if "." in module else set()
    path = path_of(module)
    assert path
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return frozenset(name for name in found if name.startswith("relay") and path_of(name))


def closure(module: str) -> set[str]:
    """Return a module and all of ours that are loaded with it."""
    found, waiting = {module}, [module]
    while waiting:
        new = imports(waiting.pop()) - found
        found |= new
        waiting += new
    return found


@cache
def nodes(module: str) -> dict[str, list[Node]]:
    """Return a module's nodes by name; `""` is what runs when it is loaded."""
    path = path_of(module)
    assert path
    found: dict[str, list[Node]] = {}

    tree = ast.parse(path.read_text("utf-8"))
    aliases = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if path_of(f"{node.module}.{alias.name}")
    }

    def visit(body: Iterator[ast.AST], node: Node, owner: str) -> None:
        for child in body:
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                inner = Node(module)
                found.setdefault(f".{child.name}" if owner else child.name, []).append(inner)
                if owner and child.name.startswith("__"):
                    found.setdefault(owner, []).append(inner)
                visit(ast.iter_child_nodes(child), inner, "")
            elif isinstance(child, ast.ClassDef):
                visit(ast.iter_child_nodes(child), node, child.name)
            else:
                _note(child, node, aliases)
                visit(ast.iter_child_nodes(child), node, owner)

    top = found.setdefault("", [Node(module)])[0]
    visit(ast.iter_child_nodes(tree), top, "")
    return found


def _note(child: ast.AST, node: Node, aliases: set[str]) -> None:
    match child:
        case ast.Call(func=ast.Attribute(attr=name)) if name in operations():
            node.operations.add((operations()[name], node.file))
        # Handed to a function that calls it.
        case ast.Attribute(attr=name, value=ast.Attribute(attr="_client")) if name in operations():
            node.operations.add((operations()[name], node.file))
        case ast.Attribute(attr=name, value=ast.Name(id=owner)) if owner in aliases:
            node.names.add(name)
        case ast.Attribute(attr=name):
            node.names.add(f".{name}")
        case ast.Name(id=name):
            node.names.add(name)
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]) if ROW.match(text):
            node.rows.add(text)
        case ast.Constant(value=str(text)) if text in PARTS:
            node.parts.add(PARTS[text])


def reached(handler: str) -> list[Node]:
    """Return the nodes that a handler (`relay.forward.handler`) can come to."""
    module, _, name = handler.rpartition(".")
    modules = closure(module)
    found: list[Node] = []
    waiting = [nodes(one)[""][0] for one in modules] + nodes(module).get(name, [])
    while waiting:
        node = waiting.pop()
        if node in found:
            continue
        found.append(node)
        for referred in node.names:
            for one in modules:
                waiting += nodes(one).get(referred, [])
    return found


def rows(handler: str) -> set[str]:
    """Return what the keys of the State table begin with that a handler can make."""
    return {row for node in reached(handler) for row in node.rows}


def calls(handler: str) -> dict[str, set[str]]:
    """Return the rights that a handler needs by the operations that it calls: {action: {file}}."""
    found: dict[str, set[str]] = {}
    all_reached = reached(handler)
    for operation, here in {one for node in all_reached for one in node.operations}:
        for action in ACTIONS.get(operation, (operation,)):
            found.setdefault(action, set()).add(here)
        if operation == "dynamodb:TransactWriteItems":
            for node in all_reached:
                for action in node.parts:
                    found.setdefault(action, set()).add(node.file)
    return found
