"""Every message for people that the code makes: what is wrong and what to do; `<name>` is what a run fills in."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tests.docs.source_tree import Function, Scope, Sources, called
from tests.docs.wording import Place, arguments, has_words, parameters, texts

ROOT_ERROR = "StreamFactoryError"
GROUP_ERROR = "ProblemsFound"  # only holds Problems, which are found themselves
AIRFLOW_ERRORS = ("AirflowException", "AirflowFailException", "AirflowSkipException")
AREA_METHODS = ("error", "warning")  # of doctor's areas
# The arguments of what makes a message; the last name of a tuple stands for a call's function.
FIELDS = {
    "Problem": ("file", "path", "what", "todo"),
    "ConnectFailure": ("sign", "what", "todo", "retryable"),
    "Incompatible": ("where", "what"),
    "BadParameter": ("what",),
    **dict.fromkeys(AIRFLOW_ERRORS, ("what",)),
}
DEEPEST = 3  # functions that hand on what they were given


@dataclass(frozen=True, order=True)
class Message:
    """A message as it can be read from the code. `retry` is empty where no retry can help."""

    module: str
    what: str
    todo: str
    where: str
    retry: str


@dataclass(frozen=True)
class Making:
    """An expression that makes a message, and its parts by name."""

    parts: dict[str, ast.expr]
    place: Place
    kind: str


def messages(known: Sources) -> list[Message]:
    """All messages, in the order of modules and texts."""
    errors = error_classes(known)
    found: set[Message] = set()
    for module in known.modules:
        for node, scope in module.walked():
            parts = _parts(node, scope, errors)
            if parts is not None:
                making = Making(parts, Place(scope, getattr(node, "lineno", 0)), _kind(node))
                for one in _by_callers(making, known, DEEPEST):
                    found |= set(_messages(one, known, errors))
    return sorted(found)


def error_classes(known: Sources) -> dict[str, bool]:
    """The error tree's classes, by name, and whether a retry can help."""
    classes = [node for module in known.modules for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
    found = {ROOT_ERROR: False}
    while True:
        more = {
            one.name: _retryable(one, found)
            for one in classes
            if one.name not in found and any(isinstance(base, ast.Name) and base.id in found for base in one.bases)
        }
        if not more:
            return found
        found |= more


def _retryable(one: ast.ClassDef, found: dict[str, bool]) -> bool:
    for statement in one.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="retryable")], value=ast.Constant(value=value)):
                return bool(value)
    return any(isinstance(base, ast.Name) and found.get(base.id, False) for base in one.bases)


def _parts(node: ast.AST, scope: Scope, errors: dict[str, bool]) -> dict[str, ast.expr] | None:
    """The parts of a message that a node makes; None if it makes none."""
    if isinstance(node, ast.Call):
        name = called(node)
        if ast.unparse(node.func) == "super().__init__" and len(node.args) == 3 and scope.owner in errors:
            return _given(node, ("where", "what", "todo"))
        if name in errors and name != GROUP_ERROR:
            return _given(node, ("where", "what", "todo"))
        if name in AREA_METHODS and _of_area(node.func):
            return _given(node, ("what", "todo"))
        if name in FIELDS:
            return _given(node, FIELDS[name])
    if isinstance(node, ast.Tuple) and len(node.elts) == 3 and _is_finding(node, scope.function):
        return dict(zip(("path", "what", "todo"), node.elts, strict=True))
    return None


def _given(call: ast.Call, fields: tuple[str, ...]) -> dict[str, ast.expr] | None:
    if any(isinstance(one, ast.Starred) for one in call.args):
        return None  # a finding, which is found where it is made
    parts = dict(zip(fields, call.args, strict=False)) | {one.arg: one.value for one in call.keywords if one.arg}
    return parts if "what" in parts else None


def _of_area(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "area"


def _is_finding(node: ast.Tuple, function: Function | None) -> bool:
    if function is None or function.returns is None or "Finding" not in ast.unparse(function.returns):
        return False
    return any(isinstance(one, ast.Yield | ast.Return) and one.value is node for one in ast.walk(function))


def _kind(node: ast.AST) -> str:
    return called(node) if isinstance(node, ast.Call) else ""


def _by_callers(making: Making, known: Sources, depth: int) -> Iterator[Making]:
    """Where a part is a parameter, the message once for each call that gives it."""
    function = making.place.scope.function
    names = {one.id for part in making.parts.values() for one in ast.walk(part) if isinstance(one, ast.Name)}
    open_ones = [name for name in parameters(function) if name in names - making.place.given.keys()] if function else []
    wanted = {"what", "todo", "why", "said", "reason", "advice", "wrong", "text", "shown"}.intersection(open_ones)
    if function is None or not wanted or depth == 0:
        yield making
        return
    calls = [
        (call, scope)
        for call, scope in known.calls[function.name]
        if function.name[:1] != "_" or scope.module is making.place.scope.module
    ]
    if not calls:
        yield making
    for call, scope in calls:
        there = Place(scope, call.lineno)
        given = arguments(call, function, there)
        for outer in _by_callers(Making(_values(given), there, making.kind), known, depth - 1):
            seen_from = {name: (value, outer.place) for name, (value, _) in given.items()}
            yield Making(making.parts, Place(making.place.scope, making.place.line, seen_from), making.kind)


def _values(given: dict[str, tuple[ast.expr, Place]]) -> dict[str, ast.expr]:
    return {name: value for name, (value, _) in given.items()}


def _messages(making: Making, known: Sources, errors: dict[str, bool]) -> Iterator[Message]:
    parts = {name: texts(part, making.place, known) for name, part in making.parts.items()}
    whats, todos = parts["what"], parts.get("todo", [""])
    todos = todos if len(whats) == len(todos) else [" / ".join(todos)] * len(whats)
    where = " / ".join(": ".join(filter(None, one)) for one in zip(*_places(parts), strict=False))
    for what, todo in zip(whats, todos, strict=True):
        if has_words(what) or has_words(todo):
            retry = _retry(making, parts, errors)
            yield Message(making.place.scope.module.path, what.strip(), todo, where, retry)


def _places(parts: dict[str, list[str]]) -> list[list[str]]:
    return [parts.get(name, [""])[:1] for name in ("file", "where", "path")]


def _retry(making: Making, parts: dict[str, list[str]], errors: dict[str, bool]) -> str:
    if "retryable" in parts:
        said = set(parts["retryable"])
        return {frozenset(["True"]): "yes", frozenset(["False"]): ""}.get(frozenset(said), "by its cause")
    if making.kind == "AirflowException":
        return "yes"
    return "yes" if errors.get(making.kind, False) else ""
