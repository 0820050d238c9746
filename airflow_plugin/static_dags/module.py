"""The DAGs and tasks that a DAG file makes, by its syntax tree: its statements are followed, none is run."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow_plugin.static_dags.ast_values import (
    LONGEST,
    Decorated,
    FileScope,
    Imported,
    Made,
    Unread,
    forget,
    mark_unknown,
)
from airflow_plugin.static_dags.expressions import unpacked, value_of

MOST_ROUNDS = 1000  # of a loop
DAG_KINDS = ("DAG", "dag")


@dataclass(frozen=True)
class MadeDag:
    """A DAG, its tasks in the order in which they are made, and which may follow which."""

    dag: Made
    tasks: tuple[Made, ...]
    edges: tuple[tuple[Made, Made], ...]


@dataclass(frozen=True)
class FileRead:
    """What following a file gave: its DAGs, all calls that were followed, and its names at the end.

    `skipped` has the ids of syntax nodes that are known not to run. `uncalled` are functions under `@dag` that the
    file does not call, so that Airflow has no such DAGs.
    """

    dags: tuple[MadeDag, ...]
    uncalled: tuple[Decorated, ...]
    made: tuple[Made, ...]
    names: dict[str, Any]
    skipped: frozenset[int]


def file_read(tree: ast.Module) -> FileRead:
    """Follow a file."""
    scope = FileScope({"__name__": "unread"})
    _follow(tree.body, scope)
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    called = {function.id for function in calls if isinstance(function, ast.Name)}
    uncalled = tuple(one for one in scope.decorated if one.function.name not in called)
    dags = tuple(one for one in _dags(scope) if all(one.dag is not other.dag for other in uncalled))
    return FileRead(dags, uncalled, tuple(scope.made), scope.names, frozenset(scope.skipped))


def _dags(scope: FileScope) -> list[MadeDag]:
    """Return the DAGs of a file, in its order."""
    dags = [made for made in scope.made if made.kind in DAG_KINDS]
    found = []
    for dag in dags:
        tasks = tuple(made for made in scope.made if made.kwargs.get("dag") is dag and made is not dag)
        edges = tuple((one, other) for one, other in scope.edges if one in tasks and other in tasks)
        found.append(MadeDag(dag, tasks, edges))
    return found


def _follow(statements: Iterable[ast.stmt], scope: FileScope) -> None:
    for statement in statements:
        scope.steps.take()
        if isinstance(statement, ast.Import | ast.ImportFrom):
            _import(statement, scope)
        elif isinstance(statement, ast.Assign):
            value = value_of(statement.value, scope)
            for target in statement.targets:
                _assign(target, value, scope)
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            _assign(statement.target, value_of(statement.value, scope), scope)
        elif isinstance(statement, ast.AugAssign):
            _add(statement, scope)
        elif isinstance(statement, ast.Expr):
            value_of(statement.value, scope)
        elif isinstance(statement, ast.FunctionDef):
            _function(statement, scope)
        else:
            _follow_block(statement, scope)


def _follow_block(statement: ast.stmt, scope: FileScope) -> None:
    if isinstance(statement, ast.With):
        _with(statement, scope)
    elif isinstance(statement, ast.If):
        test = value_of(statement.test, scope)
        if isinstance(test, Unread):
            forget(statement, scope, test)
        else:
            scope.skipped.update(map(id, statement.orelse if test else statement.body))
            _follow(statement.body if test else statement.orelse, scope)
    elif isinstance(statement, ast.For):
        _for(statement, scope)
    elif isinstance(statement, ast.Try):  # an import that has moved; what is tried first is what is meant
        _follow([*statement.body, *statement.orelse, *statement.finalbody], scope)
    else:
        what = "what is set in such a statement is known only where the file runs"
        forget(statement, scope, Unread(statement.lineno, what))


def _import(statement: ast.Import | ast.ImportFrom, scope: FileScope) -> None:
    for alias in statement.names:
        if isinstance(statement, ast.ImportFrom):
            scope.names[alias.asname or alias.name] = Imported(f"{statement.module or ''}.{alias.name}")
        else:
            whole = alias.name if alias.asname else alias.name.partition(".")[0]
            scope.names[alias.asname or whole] = Imported(whole)


def _assign(target: ast.expr, value: Any, scope: FileScope) -> None:
    if isinstance(target, ast.Subscript):
        of, index = value_of(target.value, scope), value_of(target.slice, scope)
        if isinstance(of, dict) and isinstance(index, str | int):
            of[index] = value
        else:
            mark_unknown([of], Unread(target.lineno, "which part of it is set here cannot be read"))
        return
    try:
        scope.names.update(unpacked(target, value))
    except TypeError:
        unread = Unread(target.lineno, "the values here are not as many as the names")
        scope.names.update(unpacked(target, unread))


def _add(statement: ast.AugAssign, scope: FileScope) -> None:
    """Follow `+=`; a list grows in place, for all that hold it."""
    loaded = _loaded(statement.target)
    before = value_of(loaded, scope)
    if isinstance(before, list) and isinstance(statement.op, ast.Add):
        more = value_of(statement.value, scope)
        if isinstance(more, list | tuple) and len(before) <= LONGEST:
            before.extend(more)
        else:
            why = Unread(statement.lineno, "what is added here is no list that can be read")
            before.append(more if isinstance(more, Unread) else why)
        return
    sum_ = ast.copy_location(ast.BinOp(loaded, statement.op, statement.value), statement)
    _assign(statement.target, value_of(sum_, scope), scope)


def _function(statement: ast.FunctionDef, scope: FileScope) -> None:
    """Keep a function, to be read where it is called; one under `@dag(...)` is a DAG."""
    scope.names[statement.name] = statement
    for decorator in statement.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else ast.Call(decorator, [], [])
        dag = value_of(ast.copy_location(call, decorator), scope)
        if isinstance(dag, Made) and dag.kind == "dag":
            dag.kwargs.setdefault("dag_id", statement.name)
            scope.decorated.append(Decorated(statement, dag))
            inner = scope.inner({})
            inner.dags.append(dag)
            _follow(statement.body, inner)
            inner.dags.pop()


def _with(statement: ast.With, scope: FileScope) -> None:
    opened = 0
    for item in statement.items:
        value = value_of(item.context_expr, scope)
        if item.optional_vars is not None:
            _assign(item.optional_vars, value, scope)
        if isinstance(value, Made) and value.kind == "DAG":
            scope.dags.append(value)
            opened += 1
    _follow(statement.body, scope)
    del scope.dags[len(scope.dags) - opened :]


def _for(statement: ast.For, scope: FileScope) -> None:
    many = value_of(statement.iter, scope)
    leaves = any(isinstance(one, ast.Break | ast.Continue) for one in ast.walk(statement))
    if not isinstance(many, list | tuple) or len(many) > MOST_ROUNDS or leaves:
        unread = (
            many
            if isinstance(many, Unread)
            else Unread(statement.lineno, "the loop goes over no list, or leaves it early")
        )
        forget(statement, scope, unread)
        return
    if not many:
        scope.skipped.update(map(id, statement.body))
    for one in many:
        _assign(statement.target, one, scope)
        _follow(statement.body, scope)


def _loaded(target: ast.Name | ast.Attribute | ast.Subscript) -> ast.expr:
    """Return the left side of `+=`, as an expression to read."""
    loaded = ast.parse(ast.unparse(target), mode="eval").body
    return ast.copy_location(loaded, target)
