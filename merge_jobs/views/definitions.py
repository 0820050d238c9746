"""The SQL of each view and function: its columns, and the expression for each of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql

from config_schema import names
from config_schema.model import DELETED_COLUMN, VALID_COLUMNS, VERSION_COLUMNS
from config_schema.sql.object_comments import parsed_comment
from merge_jobs.sql import composed
from merge_jobs.stores.postgres.begins import MARK, begins
from merge_jobs.views.catalog import CatalogTable
from merge_jobs.views.desired import (
    Served,
    ViewKind,
    WantedWorkspace,
    mark,
)

COMMA = sql.SQL(", ")
TIME = "timestamp with time zone"
VERSION_TYPES = dict(zip(VERSION_COLUMNS, ("integer", "integer", TIME, TIME), strict=True))
OF_VERSIONS = {
    "ds_batch_in": sql.SQL("m.ds_batch_in"),
    "ds_batch_out": sql.SQL("m.ds_batch_out"),
    "ds_valid_from": sql.SQL("i.source_snapshot_time AS ds_valid_from"),
    "ds_valid_to": sql.SQL("o.source_snapshot_time AS ds_valid_to"),
}
FRESHNESS = {
    **dict.fromkeys(("dataset_group", "platform", "datastore", "dataset"), "text"),
    "last_batch": "integer",
    "last_batch_at": TIME,
    "fresh_at": TIME,
    "age": "interval",
    "latency": "interval",
    "met": "boolean",
    "view_name": "text",  # last, as a view that stands can only get columns at its end
}
BATCHES = {"stream": "text", "batch_id": "integer", "snapshot_time": TIME, "committed_at": TIME}


@dataclass(frozen=True)
class Definition:
    """A view as it should be: `query` writes it with its columns in an order, and NULL for columns that have left.

    A view that `hides_rows` of the tables it reads is a security barrier: otherwise a function of the reader would
    be called with the hidden rows too. A view that shows all rows needs none, and is faster without.
    """

    name: str
    about: str  # for people
    mark: dict[str, Any]
    columns: dict[str, str]
    roles: frozenset[str]
    reads: tuple[int, ...]  # the tables, by oid
    query: Callable[[Sequence[str], Mapping[str, str]], sql.Composed]
    hides_rows: bool = True

    def marked(self, text: str) -> dict[str, Any]:
        """Return the mark, with a digest of the view's definition."""
        barrier = ("security_barrier",) if self.hides_rows else ()
        return {**self.mark, "definition": _digest(text, self.reads, *barrier)}


@dataclass(frozen=True)
class FunctionDefinition:
    """The as-of function as it should be."""

    name: str
    about: str
    mark: dict[str, Any]
    columns: dict[str, str]
    roles: frozenset[str]
    query: sql.Composed

    def marked(self, text: str) -> dict[str, Any]:
        """Return the mark, with digests of body and columns: other columns need a new function."""
        return {**self.mark, "definition": _digest(text), "returned": _digest(self.columns)}

    @property
    def returned(self) -> sql.Composed:
        """The columns that the function returns, with their types."""
        return COMMA.join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in self.columns.items()
        )


def comment(marked: Mapping[str, Any]) -> sql.Composable:
    """Return a mark as the text of a comment."""
    return sql.Literal(json.dumps(dict(marked)))


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class MergeTables:
    """A platform's tables, as the consumers' database can read them."""

    schema: str
    found: Mapping[str, CatalogTable]

    def table(self, name: str) -> sql.Identifier:
        """Return a table of the merge store's schema."""
        return sql.Identifier(self.schema, name)

    def oids(self, *tables: str) -> tuple[int, ...]:
        """Return the oids of these tables."""
        return tuple(self.found[name].oid for name in tables)


def view_of(served: Served, kind: ViewKind, tables: MergeTables) -> Definition:
    """Return the live or the full view of a dataset whose merge table exists."""
    metrics = names.batch_metrics_table(served.platform_name)
    there = tables.found[served.merge_table].columns
    columns = {column.name: there[column.name] for column in served.dataset.columns if column.name in there}
    if served.dataset.keeps_deleted and DELETED_COLUMN in there:
        columns[DELETED_COLUMN] = there[DELETED_COLUMN]
    if kind is ViewKind.FULL:
        columns |= VERSION_TYPES
    of_column = valid_times_of(served, tables.found[served.merge_table])

    def query(order: Sequence[str], left: Mapping[str, str]) -> sql.Composed:
        types = {**columns, **left}
        hidden = served.masked | left.keys()
        written = {name: of_column.get(name) or _column(name, types[name], hidden) for name in order}
        merge = tables.table(served.merge_table)
        if kind is ViewKind.LIVE:
            name = "views.open" if served.forensic else "views.live"
            return composed(name, {"columns": COMMA.join(written.values()), "merge": merge}, {})
        still_valid = written
        if not of_column:
            still_valid = {**written, "ds_valid_to": _column("ds_valid_to", TIME, {"ds_valid_to"})}
        parts = {
            "open_columns": COMMA.join(still_valid.values()),
            "closed_columns": COMMA.join(written.values()),
            "merge": merge,
            "metrics": tables.table(metrics),
            "stream": sql.Literal(served.stream),
        }
        return composed("views.full", parts, {})

    reads = tables.oids(served.merge_table, *([metrics] if kind is ViewKind.FULL else []))
    about = f"{kind.value} rows of {served}"
    hides_rows = served.forensic or kind is not ViewKind.LIVE
    return Definition(
        served.name(kind), about, served.mark(kind), columns, frozenset([served.role]), reads, query, hides_rows
    )


def as_of_function(served: Served, tables: MergeTables) -> FunctionDefinition:
    """Return the function that shows a dataset as it was at a time.

    It reads the full view and the view of batches, so that its caller needs rights on these only.
    """
    schema = names.workspace_schema(served.workspace.name)
    columns = dict(view_of(served, ViewKind.LIVE, tables).columns)
    keeps_deleted = served.dataset.keeps_deleted and columns.pop(DELETED_COLUMN, None) is not None
    batches = sql.Identifier(schema, names.batches_view(served.platform_name))
    batch = composed("views.batch_at", {"batches": batches, "stream": sql.Literal(served.stream)}, {})
    parts = {
        "columns": COMMA.join(map(sql.Identifier, columns)),
        "full": sql.Identifier(schema, served.name(ViewKind.FULL)),
        "batch": batch,
        "and_in_source_at": _in_source_at(batch) if keeps_deleted else sql.SQL(""),
    }
    mark_of = served.mark(ViewKind.ASOF)
    if valid_times_of(served, tables.found[served.merge_table]):
        query = composed("views.asof_valid_time", {"columns": parts["columns"], "full": parts["full"]}, {})
    else:
        query = composed("views.asof", parts, {})
    return FunctionDefinition(
        served.name(ViewKind.ASOF), f"as-of function of {served}", mark_of, columns, frozenset([served.role]), query
    )


def valid_times_of(served: Served, table: CatalogTable) -> dict[str, sql.Composable]:
    """Return what a version's times are where a column of the source says them; empty where batches do.

    So they do until a batch has given all versions their times, and for a workspace that may not see the column.
    """
    column = served.dataset.valid_from
    is_kept = column is not None and parsed_comment(table.comment).get(MARK) == column
    if not served.forensic or not is_kept or column in served.masked:
        return {}
    valid_from, valid_to = VALID_COLUMNS
    return {
        valid_from: sql.SQL("{} AS {}").format(begins(served.dataset, "m"), sql.Identifier(valid_from)),
        valid_to: sql.Identifier("m", valid_to),
    }


def _in_source_at(batch: sql.Composable) -> sql.Composable:
    """Return the condition that the source had not lost a row yet."""
    return sql.SQL(" AND ({0} IS NULL OR {0} OPERATOR(pg_catalog.>) ({1}))").format(sql.SQL(DELETED_COLUMN), batch)


def batches_view(workspace: WantedWorkspace, platform: str, tables: MergeTables) -> Definition:
    """Return the view of committed batches, for the streams of a platform that the workspace reads."""
    streams = workspace.streams()[platform]
    short = names.platform_name(platform)
    metrics = names.batch_metrics_table(short)
    parts = {
        "metrics": tables.table(metrics),
        "streams": COMMA.join(map(sql.Literal, sorted(streams))),
    }
    of = {**mark("view", workspace.ecosystem, workspace.name, platform), "is": ViewKind.BATCHES.value}
    return _fixed(
        names.batches_view(short),
        f"batches of {platform}",
        of,
        BATCHES,
        frozenset(role for roles in streams.values() for role in roles),
        tables.oids(metrics),
        composed("views.batches", parts, {}),
    )


def freshness_view(
    workspace: WantedWorkspace,
    served: Sequence[Served],
    platforms: Mapping[str, MergeTables],
    name_of: Callable[[Served], str],
) -> Definition:
    """Return the view of the freshness of each dataset of which the platform has batch tables.

    `name_of` is the name of the view of its current rows.
    """
    legs = [_freshness(one, platforms[one.platform.name], name_of(one)) for one in served]
    of = {**mark("view", workspace.ecosystem, workspace.name), "is": ViewKind.FRESHNESS.value}
    query = sql.SQL("\nUNION ALL\n").join(legs)
    reads = [
        platforms[one.platform.name].oids(
            names.batch_counter_table(one.platform_name), names.batch_metrics_table(one.platform_name)
        )
        for one in served
    ]
    oids = tuple(oid for of_one in reads for oid in of_one)
    return _fixed(names.freshness_view(), "freshness", of, FRESHNESS, frozenset(workspace.roles), oids, query)


def _freshness(served: Served, tables: MergeTables, view: str) -> sql.Composed:
    parts: dict[str, sql.Composable] = {
        "group": sql.Literal(served.group.name),
        "platform": sql.Literal(served.platform.name),
        "store": sql.Literal(served.store.name),
        "dataset": sql.Literal(served.dataset.name),
        "stream": sql.Literal(served.stream),
        "view": sql.Literal(view),
        "latency": sql.Literal(served.group.latency_seconds),
        "counter": tables.table(names.batch_counter_table(served.platform_name)),
        "metrics": tables.table(names.batch_metrics_table(served.platform_name)),
    }
    return composed("views.freshness", parts, {})


def _fixed(
    name: str,
    about: str,
    of: dict[str, Any],
    columns: dict[str, str],
    roles: frozenset[str],
    reads: tuple[int, ...],
    query: sql.Composed,
) -> Definition:
    return Definition(name, about, of, columns, roles, reads, lambda order, left: query)


def _column(name: str, kind: str, hidden: frozenset[str] | set[str]) -> sql.Composable:
    if name in hidden:
        # The type is as the catalogue writes it, never a text of the model's.
        return sql.SQL("NULL::{} AS {}").format(sql.SQL(kind), sql.Identifier(name))
    return OF_VERSIONS.get(name) or sql.Identifier("m", name)
