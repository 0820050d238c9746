"""Brings a view or function to its definition: kept, replaced, or created again. Pure.

What others have built on it is never dropped: columns that must stay for it are NULL, or the plan says what prevents
the change.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from psycopg2 import sql

from config_schema.errors import StreamFactoryError
from merge_jobs.errors import NotOurs, StillUsed
from merge_jobs.sql import composed
from merge_jobs.views.catalog import CatalogView, Server
from merge_jobs.views.definitions import Definition, FunctionDefinition, comment
from merge_jobs.views.grants import Object, ServerChange, right_changes

Text = Callable[[sql.Composable], str]
Step = ServerChange | StreamFactoryError | str  # a str is worth a note, and nothing to do


def view_steps(
    schema: str, view: Definition, existing: CatalogView | None, usable: Collection[str], server: Server, text: Text
) -> Iterator[Step]:
    """Yield the steps for a view. The caller creates the schema."""
    on = Object("TABLE", view.name, schema)
    roles = view.roles.intersection(usable)
    if existing is None:
        yield _made("create", schema, view, list(view.columns), {}, text)
        yield from right_changes(on, roles, (), server)
        return
    if existing.mark is None:
        yield NotOurs(f"view {view.name} in {schema}")
        return
    there = dict(existing.columns)
    retyped = [name for name, kind in there.items() if view.columns.get(name, kind) != kind]
    gone = {name: kind for name, kind in there.items() if name not in view.columns}
    if retyped or (gone and not existing.users):
        if existing.users:
            yield _in_use(f"view {view.name} in {schema}", f"the type of {', '.join(retyped)} is to change", existing)
            yield from right_changes(on, roles, existing.rights, server)
            return
        drop = composed("views.drop_view", {"view": sql.Identifier(schema, view.name)}, {})
        made = _made("create", schema, view, list(view.columns), {}, text)
        yield ServerChange(f"make view {view.name} again ({view.about})", (drop, *made.statements))
        yield from right_changes(on, roles, existing.rights, server, made_anew=True)
        return
    if gone:
        yield f"view {view.name} in {schema} keeps {', '.join(gone)}, as NULL: {_users(existing)} is built on it"
    order = [*there, *(name for name in view.columns if name not in there)]
    if existing.mark != _marked(view, order, gone, text):
        yield _made("replace", schema, view, order, gone, text)
    yield from right_changes(on, roles, existing.rights, server)


def function_steps(
    schema: str,
    function: FunctionDefinition,
    existing: CatalogView | None,
    usable: Collection[str],
    server: Server,
    text: Text,
) -> Iterator[Step]:
    """Yield the steps for a function. The caller creates the views that it reads."""
    on = Object("FUNCTION", function.name, schema)
    roles = function.roles.intersection(usable)
    marked = function.marked(text(function.query))
    made = composed(
        "views.create_function",
        {
            "function": sql.Identifier(schema, function.name),
            "returned": function.returned,
            "query": sql.Literal(text(function.query)),
            "comment": comment(marked),
        },
        {},
    )
    if existing is None:
        yield ServerChange(f"create function {function.name} ({function.about})", (made,))
        yield from right_changes(on, roles, (), server)
    elif existing.mark is None:
        yield NotOurs(f"function {function.name} in {schema}")
    elif existing.mark.get("returned") == marked["returned"]:
        if existing.mark != marked:
            yield ServerChange(f"replace function {function.name} ({function.about})", (made,))
        yield from right_changes(on, roles, existing.rights, server)
    elif existing.users:
        yield _in_use(f"function {function.name} in {schema}", "its columns are to change", existing)
        yield from right_changes(on, roles, existing.rights, server)
    else:
        yield ServerChange(f"make function {function.name} again ({function.about})", (_dropped(on), made))
        yield from right_changes(on, roles, existing.rights, server, made_anew=True)


def rename(schema: str, kind: str, existing: CatalogView, name: str) -> ServerChange:
    """Return the step that gives a view or function of ours another name: its rights and its users stay."""
    parts = {"object": Object(kind, existing.name, schema).identifier, "name": sql.Identifier(name)}
    what = f"rename {'view' if kind == 'TABLE' else 'function'} {existing.name} to {name}"
    return ServerChange(what, (composed("views.rename", parts, {}),))


def departure(schema: str, kind: str, existing: CatalogView, server: Server) -> Iterator[Step]:
    """Yield the steps for an object of ours that has left the model: dropped, or closed if others depend on it."""
    on = Object(kind, existing.name, schema)
    what = f"{'view' if kind == 'TABLE' else 'function'} {existing.name}"
    if existing.users:
        yield from right_changes(on, (), existing.rights, server)
        yield _in_use(f"{what} in {schema}", "it is to go", existing)
    else:
        yield ServerChange(f"drop {what}", (_dropped(on),))


def _dropped(on: Object) -> sql.Composed:
    name = sql.Identifier(on.schema or "", on.name)
    if on.kind == "TABLE":
        return composed("views.drop_view", {"view": name}, {})
    return composed("views.drop_function", {"function": name}, {})


def _marked(view: Definition, order: Sequence[str], left: Mapping[str, str], text: Text) -> dict[str, object]:
    types = [(name, {**view.columns, **left}[name]) for name in order]
    return view.marked(f"{text(view.query(order, left))} {types}")


def _made(
    verb: str, schema: str, view: Definition, order: Sequence[str], left: Mapping[str, str], text: Text
) -> ServerChange:
    parts = {
        "view": sql.Identifier(schema, view.name),
        "query": view.query(order, left),
        "hides_rows": sql.SQL("true" if view.hides_rows else "false"),
        "comment": comment(_marked(view, order, left, text)),
    }
    name = "views.create_view" if verb == "create" else "views.replace_view"
    return ServerChange(f"{verb} view {view.name} ({view.about})", (composed(name, parts, {}),))


def _in_use(where: str, what: str, existing: CatalogView) -> StillUsed:
    todo = "Drop that, or let its owner do it, and reconcile again; it was left as it is"
    return StillUsed(where, f"{what}, and {_users(existing)} is built on it", todo)


def _users(existing: CatalogView) -> str:
    return ", ".join(existing.users)
