"""The syntax trees of the product's packages, and where a function in them is called from."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("config_schema", "airflow_plugin", "merge_jobs")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Scope:
    """Where an expression stands: its module, and the functions around it, the outermost first."""

    module: Module
    functions: tuple[Function, ...] = ()
    owner: str = ""  # the class around them

    @property
    def function(self) -> Function | None:
        return self.functions[-1] if self.functions else None


@dataclass
class Module:
    """A module: its path in the repository, its tree, its own constants and functions by name."""

    path: str
    tree: ast.Module
    constants: dict[str, ast.expr] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)

    def walked(self) -> Iterator[tuple[ast.AST, Scope]]:
        """Every node with the scope it stands in, in the order of the text."""
        yield from _walked(self.tree, Scope(self))


@dataclass
class Sources:
    """All modules, and every call in them by the name of what is called."""

    modules: list[Module]
    calls: dict[str, list[tuple[ast.Call, Scope]]] = field(default_factory=lambda: defaultdict(list))


def sources(root: Path = ROOT, packages: tuple[str, ...] = PACKAGES) -> Sources:
    """Read once; `root` is the repository, or a folder of a test."""
    found = Sources([_module(root, path) for package in packages for path in sorted((root / package).rglob("*.py"))])
    for module in found.modules:
        for node, scope in module.walked():
            if isinstance(node, ast.Call) and (name := called(node)):
                found.calls[name].append((node, scope))
    return found


def called(call: ast.Call) -> str:
    """The last name of what is called: `f` of `f()`, `self.f()` and `module.f()`."""
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _module(root: Path, path: Path) -> Module:
    tree = ast.parse(path.read_text("utf-8"))
    module = Module(path.relative_to(root).as_posix(), tree)
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            module.constants[node.targets[0].id] = node.value
    for node in ast.walk(tree):
        if isinstance(node, Function):
            module.functions.setdefault(node.name, node)
    return module


def _walked(node: ast.AST, scope: Scope) -> Iterator[tuple[ast.AST, Scope]]:
    for child in ast.iter_child_nodes(node):
        yield child, scope
        if isinstance(child, Function):
            yield from _walked(child, Scope(scope.module, (*scope.functions, child), scope.owner))
        elif isinstance(child, ast.ClassDef):
            yield from _walked(child, Scope(scope.module, scope.functions, child.name))
        else:
            yield from _walked(child, scope)
