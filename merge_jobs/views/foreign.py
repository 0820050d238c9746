"""A merge store in another database: a server, its login, and a foreign table for each table that views read.

Consumers have no rights on any of it: views are read with the rights of their owner, and only the owner has a login
there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.model import Platform
from config_schema.tls import LEAST_LIBPQ, Tls, ca_file
from merge_jobs.database.connections import ConnectionInfo, connect
from merge_jobs.database_errors import database_failed
from merge_jobs.errors import NotOurs, RightMissing, TypeOfAnother
from merge_jobs.sql import composed, execute
from merge_jobs.views.catalog import CatalogTable, read_tables, rows
from merge_jobs.views.definitions import COMMA, MergeTables, comment
from merge_jobs.views.desired import read_mark
from merge_jobs.views.detach import detached_views
from merge_jobs.views.grants import ServerChange

LOCK_SECONDS = 10
OPTIONS = {"connect_timeout": "10", "fetch_size": "10000", "updatable": "false"}
HIDDEN = sql.SQL("'...'")


@dataclass(frozen=True)
class MergeStoreElsewhere:
    """A platform's merge store, and how the consumers' database connects to it."""

    ecosystem: str
    platform: Platform
    place: ConnectionInfo

    @property
    def server(self) -> str:
        """The name of the foreign server."""
        return names.foreign_server(names.platform_name(self.platform.name))

    def options(self, version: int, reached: Mapping[str, str]) -> dict[str, str]:
        """Return the foreign server's options; `reached` are the parameters by which we connected ourselves."""
        place = self.place
        there = {"host": place.host, "port": str(place.port), "dbname": place.database, **OPTIONS}
        return there | self._tls_options(version, reached)

    def _tls_options(self, version: int, reached: Mapping[str, str]) -> dict[str, str]:
        mode, ca = self.place.tls, self.place.tls_ca
        if mode is None:
            # The second attempt is in TLS: the server wants the password in clear text.
            if reached.get("sslmode") == Tls.REQUIRE.value and "PGSSLMODE" not in os.environ:
                return {"sslmode": Tls.REQUIRE.value}
            return {"require_auth": "!password"} if version >= LEAST_LIBPQ else {}
        if not mode.verifies:
            return {"sslmode": mode.value}
        # Files are looked for on the machine of the consumers' database.
        system = {"sslrootcert": "system"} if version >= LEAST_LIBPQ else {}
        return {"sslmode": mode.value, **(system if ca is None else {"sslrootcert": ca_file(ca)})}

    def mark(self, kind: str) -> dict[str, Any]:
        """Return the mark of an object of this merge store."""
        return {"kind": f"consumers' {kind}", "ecosystem": self.ecosystem, "platform": self.platform.name}

    def tables(self, wanted: Collection[str]) -> tuple[dict[str, CatalogTable], Mapping[str, str]]:
        """Return the tables in the merge store, and the session's libpq parameters. Raises StreamFactoryError."""
        where = f"merge store {self.place}"
        with closing(connect(self.place, names.views_session(self.ecosystem), where, LOCK_SECONDS)) as session:
            try:
                return read_tables(session, self.place.schema, wanted), session.info.dsn_parameters
            except psycopg2.Error as error:
                raise database_failed(error, where) from error


def update_foreign_tables(
    session: Connection, store: MergeStoreElsewhere, wanted: Collection[str]
) -> Iterator[ServerChange | MergeTables]:
    """Create what is missing, in the caller's transaction; yield each change, at the end the tables for views.

    Raises StreamFactoryError.
    """
    problem = _problem(session, store)
    if problem is not None:
        raise problem
    remote, reached = store.tables(wanted)
    options = store.options(session.server_version, reached)
    changes = [*_server_changes(session, store, options), *_schema_changes(session, store)]
    for change in changes:
        _do(session, change)
        yield change
    _check_types(session, {kind for table in remote.values() for kind in table.columns.values()})
    existing = read_tables(session, store.server, remote)
    for name, table in remote.items():
        yield from _table_changes(session, store, table, existing.get(name))
    oids = read_tables(session, store.server, remote)
    yield MergeTables(
        store.server, {name: CatalogTable(name, oids[name].oid, of.columns, of.comment) for name, of in remote.items()}
    )


def _problem(session: Connection, store: MergeStoreElsewhere) -> StreamFactoryError | None:
    there, usable, superuser = _rows(session, "wrapper")[0]
    where = f"the database of {store.platform.name}'s consumers"
    if not there and not superuser:
        todo = "Let a superuser CREATE EXTENSION postgres_fdw, and GRANT USAGE ON FOREIGN DATA WRAPPER to our user"
        return RightMissing(where, "it has no extension postgres_fdw, which only a superuser can make", todo)
    if there and not usable:
        todo = "Let a superuser GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw to our user"
        return RightMissing(where, "our user may not use postgres_fdw", todo)
    found = _rows(session, "server", {"server": store.server})
    schemas: dict[str, str | None] = dict(rows(session, "schemas", {"schemas": [store.server], "ours": ""}))
    parts_found = [("server", text) for text, *_ in found] + [("schema", text) for text in schemas.values()]
    for kind, text in parts_found:
        if read_mark(text, "merge store", store.ecosystem) is None:
            return NotOurs(f"{kind} {store.server}")
    return None


def _server_changes(
    session: Connection, store: MergeStoreElsewhere, wanted: Mapping[str, str]
) -> Iterator[ServerChange]:
    server = sql.Identifier(store.server)
    if not _rows(session, "wrapper")[0][0]:
        yield ServerChange("create extension postgres_fdw", (composed("foreign.create_extension", {}, {}),))
    found = _rows(session, "server", {"server": store.server})
    if not found:
        options = COMMA.join(_option("", key, value) for key, value in wanted.items())
        parts = {"server": server, "options": options, "comment": comment(store.mark("merge store"))}
        yield ServerChange(f"create server {store.server}", (composed("foreign.create_server", parts, {}),))
        yield _mapping("create", store)
        return
    _, existing, login, mapped = found[0]
    there = dict(one.split("=", 1) for one in existing or ())
    differing = {key: value for key, value in wanted.items() if there.get(key) != value}
    # A mode by hand stays where the model says nothing; what refuses a mode's password must not outlive it.
    over = sorted({"require_auth"} & there.keys() - wanted.keys())
    if differing or over:
        options = COMMA.join(
            [
                *(_option("SET " if key in there else "ADD ", key, of) for key, of in differing.items()),
                *(sql.SQL("DROP {}").format(sql.Identifier(key)) for key in over),
            ]
        )
        altering = composed("foreign.alter_server", {"server": server, "options": options}, {})
        yield ServerChange(f"change where server {store.server} is", (altering,))
    if not mapped:
        yield _mapping("create", store)
    elif sorted(login or ()) != sorted([f"user={store.place.user}", f"password={store.place.password}"]):
        yield _mapping("alter", store)


def _mapping(verb: str, store: MergeStoreElsewhere) -> ServerChange:
    name = "foreign.create_mapping" if verb == "create" else "foreign.alter_mapping"
    parts = {"server": sql.Identifier(store.server), "user": sql.Literal(store.place.user)}
    done = composed(name, {**parts, "password": sql.Literal(store.place.password)}, {})
    shown = composed(name, {**parts, "password": HIDDEN}, {})
    return ServerChange(f"{verb} our login on server {store.server}", (done,), (shown,))


def _schema_changes(session: Connection, store: MergeStoreElsewhere) -> Iterator[ServerChange]:
    if not rows(session, "schemas", {"schemas": [store.server], "ours": ""}):
        parts = {"schema": sql.Identifier(store.server), "comment": comment(store.mark("merge store"))}
        yield ServerChange(f"create schema {store.server}", (composed("views.create_schema", parts, {}),))


def _table_changes(
    session: Connection, store: MergeStoreElsewhere, remote: CatalogTable, existing: CatalogTable | None
) -> Iterator[ServerChange]:
    table = sql.Identifier(store.server, remote.name)
    if existing is None:
        parts = {
            "table": table,
            "definitions": COMMA.join(_column("{} {}", name, kind) for name, kind in remote.columns.items()),
            "server": sql.Identifier(store.server),
            "schema": sql.Literal(store.place.schema),
            "name": sql.Literal(remote.name),
            "comment": sql.Literal(json.dumps(store.mark("foreign table"))),
        }
        change = ServerChange(f"create foreign table {remote.name}", (composed("foreign.create_table", parts, {}),))
        _do(session, change)
        yield change
        return
    new = {name: kind for name, kind in remote.columns.items() if name not in existing.columns}
    retyped = {name: kind for name, kind in remote.columns.items() if existing.columns.get(name, kind) != kind}
    if new or retyped:
        alterations = [_column("ADD COLUMN {} {}", name, kind) for name, kind in new.items()]
        alterations += [_column("ALTER COLUMN {} TYPE {}", name, kind) for name, kind in retyped.items()]
        altering = composed("foreign.alter_table", {"table": table, "alterations": COMMA.join(alterations)}, {})
        change = ServerChange(
            f"change the columns {', '.join([*new, *retyped])} of foreign table {remote.name}", (altering,)
        )
        with detached_views(session, store.server, remote.name, retyped):
            _do(session, change)
        yield change


def _check_types(session: Connection, kinds: Collection[str]) -> None:
    """Raise TypeOfAnother for a type that somebody has made here whom the login has no reason to trust.

    A value becomes one of the type where a view is read: a domain's check is called by who reads it.
    """
    for kind in sorted(kinds):
        ((found,),) = _rows(session, "type", {"kind": kind})
        with session.cursor() as cursor:
            execute(cursor, "dataset.schemas_of_type", {}, {"type": found, "text": kind})
            judged = cursor.fetchone()
        if judged is not None and not judged[2]:
            raise TypeOfAnother("consumers' database", kind)


def _option(verb: str, key: str, value: str) -> sql.Composed:
    return sql.SQL("{}{} {}").format(sql.SQL(verb), sql.Identifier(key), sql.Literal(value))


def _column(form: str, name: str, kind: str) -> sql.Composed:
    # The type is as the merge store's catalogue writes it.
    return sql.SQL(form).format(sql.Identifier(name), sql.SQL(kind))


def _do(session: Connection, change: ServerChange) -> None:
    with session.cursor() as cursor:
        for statement in change.statements:
            cursor.execute(statement)


def _rows(session: Connection, name: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    with session.cursor() as cursor:
        execute(cursor, f"foreign.{name}", {}, values or {})
        return cursor.fetchall()
