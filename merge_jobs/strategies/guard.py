"""When a row map is valid: which facts must be unchanged, because a change gives values without a new row version.

Facts are compared as they are; positions may move forward, never back. Any doubt is a reason for a full batch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql

from config_schema.model import Dataset
from merge_jobs.database.together import Lookup, Rows, in_step
from merge_jobs.sources import HashingSource, Source
from merge_jobs.sources.postgres.source import PostgresSource
from merge_jobs.sql import Query

NO_SERVER: tuple[Any, ...] = (*[None] * 6, 0, 0, 8192, 0)  # for one that does not tell of itself
# How key-hash diff hashes a row. It is raised when that changes, so that hashes of both ways are never compared.
HASHING = 2
WRAP = 1 << 32  # row versions carry 32 bits of a transaction's number

# What is said when a fact is not what it was, in the order in which they are looked at.
FACTS = {
    "system": "the source is another server",
    "server_version": "the source has another version",
    "database": "the source's database is another one",
    "timeline": "the source was promoted or restored",
    "started": "the source was restarted",
    "stats_reset": "the source has crashed, or its statistics were reset",
    "model": "the model of the table has changed",
    "leaves": "the table is another one, or its partitions have changed",
    "files": "the table was rewritten",
    "columns": "the table's columns were changed",
    "types": "a type of the table was changed",
}
OF_LEAVES = frozenset(["leaves", "files", "columns"])  # facts that differ where partitions have come or gone
POSITIONS = {
    "wal": "the source's log is behind where it was",
    "transaction": "the source's transactions are behind where they were",
}


@dataclass(frozen=True)
class Leaf:
    """A table that contains rows: the dataset's own, or a partition of it."""

    oid: int
    table: sql.Identifier
    blocks: int


@dataclass(frozen=True)
class TableState:
    """The state of a dataset's table in the source's snapshot.

    `facts` can be written as JSON. `no_versions` and `no_keys` say why row versions, or keys, cannot be mapped.
    `next_transaction` has 64 bits.
    """

    facts: Mapping[str, Any]
    leaves: tuple[Leaf, ...] = ()
    next_transaction: int = 0
    no_versions: str | None = None
    no_keys: str | None = None


def broken(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Return why a map of row versions made under the facts `before` is not valid `now`; None if it is."""
    for fact, reason in FACTS.items():
        if before.get(fact) != now.get(fact) and not (fact in OF_LEAVES and _other_leaves_only(before, now)):
            return reason
    for position, reason in POSITIONS.items():
        if before[position] > now[position]:
            return reason
    return None


def _other_leaves_only(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Return whether tables with rows have come or gone, and those that stayed are as they were.

    All rows of one that has come are new, as the map has none of it, and those of one that has gone are gone.
    """
    were, are = _leaves_of(before), _leaves_of(now)
    stayed = were.keys() & are.keys()
    return were.keys() != are.keys() and bool(stayed) and all(were[leaf] == are[leaf] for leaf in stayed)


def _leaves_of(facts: Mapping[str, Any]) -> dict[int, tuple[Any, Any]]:
    """Return the file and the columns of each table with rows; none if the facts are of an older job."""
    columns = facts.get("leaf_columns")
    return {} if columns is None else dict(zip(facts["leaves"], zip(facts["files"], columns, strict=True), strict=True))


def meaning_changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Return why a map of hashes made under the facts `before` is useless `now`; None if it is not.

    Hashes are valid wherever the rows are stored.
    """
    facts = {fact: FACTS[fact] for fact in ("model", "columns")} | {"hashing": "rows are hashed in another way"}
    return next((reason for fact, reason in facts.items() if before.get(fact) != now.get(fact)), None)


# Of a source that a cursor reads: another server, or one that was restored, may have other rows before the cursor.
CURSOR_FACTS = ("system", "database", "timeline", "model", "leaves", "columns")


def cursor_facts(dataset: Dataset, now: TableState | None) -> dict[str, Any]:
    """Return the facts under which rows that a cursor has passed need not be read again."""
    known = {"model": _fingerprint(dataset)} if now is None else dict(now.facts)
    if len(known.get("leaves", ())) > 1:  # partitions come and go
        known = {fact: value for fact, value in known.items() if fact not in ("leaves", "columns")}
    return {fact: known[fact] for fact in CURSOR_FACTS if known.get(fact)}


def cursor_broken(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Return why rows that a cursor has passed under the facts `before` must be read again; None if they need not."""
    return next((FACTS[fact] for fact in CURSOR_FACTS if before.get(fact) != now.get(fact)), None)


@dataclass(frozen=True)
class TableLook:
    """What the catalogue says about a dataset's table: its leaves, its columns and types, and whether they fit."""

    leaves: Rows
    columns: tuple[Any, ...]
    types: tuple[Any, ...]
    array_key: bool


def look(source: Source, dataset: Dataset) -> TableState | None:
    """Return the state of the dataset's table, from the source's snapshot; None if the source cannot tell."""
    if isinstance(source, PostgresSource):
        return _look_at_postgres(source, dataset)
    return hashed_state(source, dataset) if isinstance(source, HashingSource) else None


def hashed_state(source: HashingSource, dataset: Dataset) -> TableState | None:
    """Return the state of a dataset in a source without row versions; None if a cursor finds its changes."""
    if dataset.cursor is not None:
        return None
    found = source.hashing(dataset)
    facts = {"model": _fingerprint(dataset), **found.facts}
    return TableState(facts, no_versions=found.no_versions, no_keys=found.no_hashes)


def _look_at_postgres(source: PostgresSource, dataset: Dataset) -> TableState:
    (server,) = in_step([looking_at_server()], source.together)
    (table,) = in_step([looking_at_table(source, dataset)], source.together)
    return table_state(dataset, server, table)


def looking_at_server() -> Lookup[tuple[Any, ...] | None]:
    """Look at the state of the source's server; None if the job's user may not."""
    (((is_readable,),),) = yield [Query("guard.server_is_readable")]
    if not is_readable:
        return None
    ((server,),) = yield [Query("guard.server")]
    return server


def looking_at_table(source: PostgresSource, dataset: Dataset) -> Lookup[TableLook]:
    """Look at the dataset's table, and at its columns, which the source remembers as long as the snapshot stands."""
    (leaves,) = yield [Query("guard.leaves", source.named(dataset))]
    oids = [oid for oid, *_ in leaves]
    columns = {"leaves": oids, "columns": [column.name for column in dataset.columns]}
    (of_columns,), (of_types,), ((array_key,),), every = yield [
        Query("guard.columns", columns),
        Query("guard.types", columns),
        Query("guard.key_types", {"leaves": oids, "key": list(dataset.primary_key)}),
        Query("postgres_source.columns", source.named(dataset)),
    ]
    source.know_columns(dataset, every)
    return TableLook(leaves, of_columns, of_types, array_key)


def table_state(dataset: Dataset, server: tuple[Any, ...] | None, table: TableLook) -> TableState:
    """Return the state of a dataset's table from what the looks have found."""
    *facts, wal, transaction, block_size, age = server or NO_SERVER
    found, oids = table.leaves, [oid for oid, *_ in table.leaves]
    (of_columns, virtual, by_leaf), (of_types, unstable), array_key = table.columns, table.types, table.array_key
    names = ("system", "timeline", "started", "stats_reset", "server_version", "database")
    state_facts = {
        "model": _fingerprint(dataset),
        "hashing": HASHING,
        **dict(zip(names, facts, strict=True)),
        "leaves": oids,
        "files": [filenode for *_, filenode, _, _, _ in found],
        "columns": of_columns,
        "leaf_columns": [(by_leaf or {}).get(str(oid)) for oid in oids],
        "types": of_types,
        "wal": wal,
        "transaction": transaction,
    }
    leaves = tuple(
        Leaf(oid, sql.Identifier(schema, name), -(-size // block_size)) for oid, schema, name, *_, size in found
    )
    no_keys = "its key has an array or a composite type" if array_key else None
    unfit = next(filter(None, map(_unfit, found)), None)
    if unfit is None and server is None:
        unfit = "the job's user may not ask for the server's state"
    if unfit is None and virtual:
        unfit = "it has virtual generated columns"
    if unfit is None and unstable:
        unfit = "it has columns of type money, or of types that name objects"
    return TableState(state_facts, leaves, next_transaction(transaction, age), unfit, no_keys)


def next_transaction(at_least: int, age_of_third: int) -> int:
    """Return the 64-bit number of the transaction that age() counts from, at least `at_least`.

    `age_of_third` is age('3'), which gives its lower 32 bits.
    """
    return at_least + (age_of_third + 3 - at_least) % WRAP


def _fingerprint(dataset: Dataset) -> str:
    """Return a hash of what a dataset's rows are in the merge table."""
    state_facts: list[Any] = [list(dataset.primary_key), [[c.name, c.type] for c in dataset.columns]]
    if dataset.keeps_deleted:
        state_facts.append(dataset.on_delete.value)
    if dataset.cursor is not None and dataset.cursor.deleted_at is not None:
        state_facts.append({"deleted_at": dataset.cursor.deleted_at})
    if dataset.valid_from is not None:
        state_facts.append({"valid_from": dataset.valid_from})
    return hashlib.sha256(json.dumps(state_facts).encode()).hexdigest()


def _unfit(leaf: tuple[Any, ...]) -> str | None:
    _, _, name, kind, method, _, may_read, row_security, _ = leaf
    if kind != "r":
        return f"{name} is no plain table"
    if method != "heap":
        return f"{name} is stored by {method}"
    if not may_read:
        return f"the job's user may not read {name} itself"
    if row_security:
        return f"{name} has row security"
    return None
