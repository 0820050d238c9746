"""Reads the objects of a workspace's schema from the catalogue of a consumers' database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from merge_jobs.sql import execute
from merge_jobs.views.desired import mark_pattern, read_mark

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Right:
    """What a role may do with an object; `role` is None for PUBLIC."""

    role: str | None
    privilege: str
    may_grant: bool = False


@dataclass(frozen=True)
class CatalogView:
    """A view, a function, or another object of the name; `mark` is None if it is not ours."""

    name: str
    mark: Mapping[str, Any] | None
    columns: tuple[tuple[str, str], ...] = ()  # of a view: names and types
    users: tuple[str, ...] = ()  # what of others is built on it
    rights: tuple[Right, ...] = ()


@dataclass(frozen=True)
class CatalogTable:
    """A table that views read, and the types of its columns."""

    name: str
    oid: int  # a view goes on reading a table that was renamed
    columns: dict[str, str]
    comment: str | None


@dataclass(frozen=True)
class ExistingWorkspace:
    """A workspace's schema as it is."""

    schema_exists: bool = False
    schema_mark: Mapping[str, Any] | None = None
    schema_rights: tuple[Right, ...] = ()
    views: Mapping[str, CatalogView] = field(default_factory=dict)
    functions: Mapping[str, CatalogView] = field(default_factory=dict)
    others: frozenset[str] = frozenset()  # tables and such in the schema, which are not ours


@dataclass(frozen=True)
class Server:
    """What is outside of the schema: roles with their marks, and our user's rights."""

    roles: Mapping[str, Mapping[str, Any] | None]
    user: str
    database: str
    may_create_roles: bool
    may_grant_connect: bool
    without_connect: frozenset[str]
    with_connect: frozenset[str]  # by a grant to themselves
    open_to_all: bool


def rows(session: Connection, name: str, values: Mapping[str, Any] | None = None, **parts: sql.Composable) -> Rows:
    """Return the rows of the statement `views.name`."""
    with session.cursor() as cursor:
        execute(cursor, f"views.{name}", parts, values or {})
        return cursor.fetchall()


def existing_workspaces(session: Connection, ecosystem: str) -> dict[str, str]:
    """Return the schema of each workspace that has one of ours."""
    found = rows(session, "schemas", {"schemas": [], "ours": mark_pattern("schema", ecosystem)})
    marks = ((schema, read_mark(comment, "schema", ecosystem)) for schema, comment in found)
    return {mark["workspace"]: schema for schema, mark in marks if mark is not None}


def read_tables(session: Connection, schema: str, wanted: Collection[str]) -> dict[str, CatalogTable]:
    """Return those of the tables that exist."""
    found: dict[str, CatalogTable] = {}
    for name, oid, column, kind, comment in rows(session, "tables", {"schema": schema, "tables": list(wanted)}):
        found.setdefault(name, CatalogTable(name, oid, {}, comment)).columns[column] = kind
    return found


def read_workspace(session: Connection, schema: str, ecosystem: str) -> ExistingWorkspace:
    """Return everything in the schema, ours or not."""
    named = {"schema": schema}
    comments: dict[str, str | None] = dict(rows(session, "schemas", {"schemas": [schema], "ours": ""}))
    rights: dict[tuple[str, str], list[Right]] = defaultdict(list)
    for kind, name, role, privilege, may_grant in rows(session, "rights", named):
        rights[kind, name].append(Right(role, privilege, may_grant))
    views: dict[str, CatalogView] = {}
    others = set()
    for name, is_view, comment, columns, users in rows(session, "relations", named):
        known = read_mark(comment, "view", ecosystem) if is_view else None
        if known is None:
            others.add(name)
        shape = tuple((column, kind) for column, kind in columns or ())
        views[name] = CatalogView(name, known, shape, tuple(users), tuple(rights["TABLE", name]))
    functions: dict[str, CatalogView] = {}
    for name, takes_a_time, comment, users in rows(session, "functions", named):
        known = read_mark(comment, "view", ecosystem)
        if known is None:
            others.add(name)
        if takes_a_time:
            functions[name] = CatalogView(name, known, (), tuple(users), tuple(rights["FUNCTION", name]))
    return ExistingWorkspace(
        schema in comments,
        read_mark(comments.get(schema), "schema", ecosystem),
        tuple(rights["SCHEMA", schema]),
        views,
        functions,
        frozenset(others),
    )


def read_server(session: Connection, ecosystem: str, roles: Collection[str]) -> Server:
    """Return the roles of these names, and all roles of ours."""
    found = rows(session, "roles", {"roles": list(roles), "ours": mark_pattern("reader", ecosystem)})
    marks = {role: read_mark(comment, "reader", ecosystem) for role, comment in found}
    values = {"roles": list(roles)}
    user, database, creates, grants, without, granted, open_to_all = rows(session, "may", values)[0]
    connecting = frozenset(without), frozenset(granted)
    return Server(marks, user, database, bool(creates), bool(grants), *connecting, bool(open_to_all))
