"""Reads a source by the hashes of its rows. The source computes every hash; the merge store only compares numbers.

PostgreSQL hashes records. Another server hashes the lines of COPY that it writes of its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Protocol

from psycopg2 import sql
from psycopg2.extensions import STRINGARRAY

from merge_jobs.database.copy_pipe import copy_through
from merge_jobs.sources import HashingSource, SourceColumn
from merge_jobs.sources.postgres.source import PostgresSource
from merge_jobs.sql import composed
from merge_jobs.stores.postgres.progress import Pieces, read_counted_by_server
from merge_jobs.stores.postgres.tables import DatasetTables, DescribedTable
from merge_jobs.strategies.bulk_copy import check_columns, is_exact_in_binary, warn_of_conversions
from merge_jobs.strategies.strategy import Doubt, Reading

HASHES_AT_ONCE = 100_000
# Types of which two values that are equal are the same, so that their own hash will do.
EXACT = frozenset(
    [
        *("smallint", "integer", "bigint", "oid", "boolean", "uuid", "bytea", "date"),
        *("timestamp without time zone", "timestamp with time zone"),
    ]
)
TEXTS = frozenset(["text", "character varying"])
# Types that PostgreSQL casts to text by their output functions. That is faster than to write a record of them.
WRITTEN = frozenset(["numeric", "real", "double precision", "json", "jsonb", "interval"])


def hashed_columns(columns: Iterable[tuple[str, str]]) -> sql.Composable:
    """Return the expressions for a row's hash, for columns given as (name, type as format_type() writes it).

    Two rows that differ give different values, equal rows the same. If equal values of a type may differ, as 1.0
    and 1.00 do, its output function writes them: a cast to text may lose something, as the cast of character does.
    """
    alone: list[sql.Composable] = []
    written: list[sql.Composable] = []
    for name, kind in columns:
        base = kind.partition("(")[0]
        if base in TEXTS:  # other collations may take two texts for one
            alone.append(sql.SQL('{} COLLATE pg_catalog."C"').format(sql.Identifier(name)))
        elif base in EXACT:
            alone.append(sql.Identifier(name))
        elif base in WRITTEN:
            alone.append(sql.SQL('{}::pg_catalog.text COLLATE pg_catalog."C"').format(sql.Identifier(name)))
        else:
            written.append(sql.Identifier(name))
    if written:
        alone.append(sql.SQL('ROW({})::pg_catalog.text COLLATE pg_catalog."C"').format(sql.SQL(", ").join(written)))
    return sql.SQL(", ").join(alone)


def _key_hash(key: Iterable[tuple[str, str]], same_encoding: bool) -> sql.Composable | None:
    """Return a hash of a key with the same types on both sides, or None for types of which the text may differ."""
    columns = list(key)
    alike = EXACT | TEXTS if same_encoding else EXACT
    if not all(kind.partition("(")[0] in alike for _, kind in columns):
        return None
    return sql.SQL("pg_catalog.hash_record(ROW({}))").format(hashed_columns(columns))


def _same_encoding(tables: DatasetTables, source: PostgresSource) -> bool:
    return source.encoding == tables.store.session.info.parameter_status("server_encoding")


class RowHashes(Protocol):
    """Copies hashes and rows of a dataset of the source into tables of the merge store."""

    @property
    def tables(self) -> DatasetTables:
        """The dataset's tables."""

    def copy_hashes(self) -> int:
        """Fill ds_hashes with the hash and the key of every row; return the number of rows. Raises Doubt."""

    def copy_rows_and_hashes(self, loaded: sql.Identifier) -> int:
        """Fill a new, empty table with all rows and their hashes, in one pass; return the number of rows.

        The table gets a column for the hashes, which the caller drops.
        """

    def copy_rows_of_new_hashes(self, changed: int) -> int:
        """Fill the staging table with the rows of the staged hashes; return their number.

        It is less than `changed` if a row has changed since it was hashed, and more if two rows have the same
        hash.
        """

    def snapshot_may_not_cover(self) -> bool:
        """Return whether the dataset reads anything that the source's snapshot may not cover."""


def row_hashes(reading: Reading, made: DescribedTable) -> RowHashes:
    """Return the reader of a source by hashes. `made` is a table with the model's columns.

    Raises SourceMismatch if the source lacks one.
    """
    if isinstance(reading.source, HashingSource):
        tables, source = reading.tables, reading.source
        columns = source.columns(tables.dataset)
        check_columns(tables, source, columns)
        warn_of_conversions(tables, columns, made)
        return LineHashes(tables, source, made)
    return RecordHashes.of(reading, made)


@dataclass(frozen=True)
class LineHashes:
    """Row hashes of a server that hashes the lines that it writes of its rows; see RowHashes."""

    tables: DatasetTables
    source: HashingSource
    made: DescribedTable

    def copy_hashes(self) -> int:
        """Fill ds_hashes with the hash and the key of every row; return the number of rows.

        Raises Doubt if the server has no hash of a row.
        """
        unhashed = 0

        def out(writer: BinaryIO) -> int:
            nonlocal unhashed
            rows, unhashed = self.source.copy_hashes(self.tables.dataset, writer)
            return rows

        read_counted_by_server(self.tables, None, "rows hashed")
        rows = self._copy(out, "key_hash_diff.copy_hashes")
        if unhashed:
            raise Doubt(f"{unhashed} rows have no hash, as values in them are long or may not fit")
        return rows

    def copy_rows_and_hashes(self, loaded: sql.Identifier) -> int:
        """Fill a new, empty table with all rows and their hashes, in one pass; return the number of rows."""
        self.tables.run("key_hash_diff.add_hashes", loaded=loaded)
        read_counted_by_server(self.tables, None)
        dataset, types = self.tables.dataset, self.made.columns
        return self._copy(
            lambda writer: self.source.copy_rows_and_hashes(dataset, types, writer),
            "key_hash_diff.copy_with_hashes",
            loaded=loaded,
        )

    def copy_rows_of_new_hashes(self, changed: int) -> int:
        """Fill the staging table with the rows of the staged hashes; return their number."""
        copied, progress = 0, Pieces(self.tables, "new rows", changed)
        dataset, types = self.tables.dataset, self.made.columns
        for wanted in self._staged_hashes():
            out = partial(self.source.copy_rows_of, dataset, types, wanted)
            copied += self._copy(out, "dataset.copy_to_staging")
            progress.did(copied - progress.done)
        return copied

    def snapshot_may_not_cover(self) -> bool:
        """Return whether the dataset reads anything that the source's snapshot may not cover."""
        return self.source.snapshot_may_not_cover(self.tables.dataset)

    def _staged_hashes(self) -> Iterator[list[tuple[int, str | None]]]:
        """Yield the staged hashes with the first column of their keys, in pieces."""
        first = sql.SQL("{}::text").format(sql.Identifier(self.tables.dataset.primary_key[0]))
        with self.tables.store.session.cursor("new_hashes", withhold=True) as pieces:
            pieces.itersize = 1
            of_pieces = {"piece": sql.Literal(HASHES_AT_ONCE), "key_hash": first}
            pieces.execute(self.tables.composed("key_hash_diff.new_hashes", **of_pieces))
            for _, hashes, keys in pieces:
                yield list(zip(map(int, STRINGARRAY(hashes, pieces)), STRINGARRAY(keys, pieces), strict=True))

    def _copy(self, out: Callable[[BinaryIO], int], into: str, **of_into: sql.Composable) -> int:
        statement = self.tables.composed(into, format=sql.SQL("text"), **of_into)
        return copy_through(out, self.source.cancel, self.tables.name, self.tables.store.session, statement)


@dataclass(frozen=True)
class RecordHashes:
    """Row hashes of PostgreSQL, which hashes records; see RowHashes.

    `key_hash` is a hash of the key that both servers compute alike, None if there is none. It only saves the source
    from hashing rows that are not needed: a row that it left out by mistake is noticed like any other missing row.
    """

    tables: DatasetTables
    source: PostgresSource
    hashed: sql.Composable
    selected: sql.Composable
    key_hash: sql.Composable | None
    binary_keys: bool
    binary_rows: bool

    @staticmethod
    def of(reading: Reading, made: DescribedTable) -> RecordHashes:
        """Return the reader of a source by hashes. `made` is a table with the model's columns.

        Raises SourceMismatch if the source lacks one.
        """
        tables, source = reading.tables, reading.source
        assert isinstance(source, PostgresSource)
        columns: Mapping[str, SourceColumn] = source.columns(tables.dataset)
        check_columns(tables, source, columns)
        warn_of_conversions(tables, columns, made)
        names = [column.name for column in tables.dataset.columns]
        hashed = hashed_columns((name, columns[name].type) for name in names)
        keys = is_exact_in_binary(tables, columns, made, tables.dataset.primary_key)
        rows = is_exact_in_binary(tables, columns, made, names)
        key_types = [(name, columns[name].type) for name in tables.dataset.primary_key]
        key_hash = _key_hash(key_types, _same_encoding(tables, source)) if keys else None
        selected = source.selected(tables.dataset, made.columns)
        return RecordHashes(tables, source, hashed, selected, key_hash, keys, keys and rows)

    def copy_hashes(self) -> int:
        """Fill ds_hashes with the hash and the key of every row; return the number of rows."""
        read_counted_by_server(self.tables, self._estimated, "rows hashed")
        return self._copy("hashes", {"key": self._key}, self.binary_keys, "key_hash_diff.copy_hashes")

    def copy_rows_and_hashes(self, loaded: sql.Identifier) -> int:
        """Fill a new, empty table with all rows and their hashes, in one pass; return the number of rows.

        The table gets a column for the hashes, which the caller drops.
        """
        self.tables.run("key_hash_diff.add_hashes", loaded=loaded)
        read_counted_by_server(self.tables, self._estimated)
        into = "key_hash_diff.copy_with_hashes"
        return self._copy("rows_and_hashes", {"selected": self.selected}, self.binary_rows, into, loaded=loaded)

    def copy_rows_of_new_hashes(self, changed: int) -> int:
        """Fill the staging table with the rows of the staged hashes; return their number.

        It is less than `changed` if a row has changed since it was hashed, and more if two rows have the same
        hash.
        """
        copied, progress = 0, Pieces(self.tables, "new rows", changed)
        with self.tables.store.session.cursor("new_hashes", withhold=True) as pieces:
            pieces.itersize = 1
            key_hash = self.key_hash or sql.SQL("NULL::integer")
            of_pieces = {"piece": sql.Literal(HASHES_AT_ONCE), "key_hash": key_hash}
            pieces.execute(self.tables.composed("key_hash_diff.new_hashes", **of_pieces))
            for _, hashes, key_hashes in pieces:
                keys_wanted: sql.Composable = sql.SQL("true")
                if self.key_hash is not None:
                    keys_wanted = sql.SQL("{} OPERATOR(pg_catalog.=) ANY({}::integer[])").format(
                        self.key_hash, sql.Literal(key_hashes)
                    )
                wanted = {"hashes": sql.Literal(hashes), "keys_wanted": keys_wanted, "selected": self.selected}
                copied += self._copy("rows", wanted, self.binary_rows, "dataset.copy_to_staging")
                progress.did(copied - progress.done)
        return copied

    def snapshot_may_not_cover(self) -> bool:
        """Return whether the dataset reads anything that the source's snapshot may not cover."""
        ((may_change,),) = self.source.rows(
            "key_hash_diff.may_change_meanwhile", self.source.named(self.tables.dataset)
        )
        return bool(may_change)

    def _copy(
        self, what: str, parts: Mapping[str, sql.Composable], binary: bool, into: str, **of_into: sql.Composable
    ) -> int:
        form = sql.SQL("binary" if binary else "text")
        every = {**parts, "table": self.source.table(self.tables.dataset), "columns": self._columns}
        copy_out = composed(f"key_hash_diff.{what}", {**every, "hashed": self.hashed, "format": form}, {})
        return copy_through(
            lambda writer: self.source.copy_query(copy_out, writer),
            self.source.cancel,
            self.tables.name,
            self.tables.store.session,
            self.tables.composed(into, format=form, **of_into),
        )

    @property
    def _estimated(self) -> int | None:
        return self.source.estimated_rows(self.tables.dataset)

    @property
    def _columns(self) -> sql.Composable:
        return sql.SQL(", ").join(sql.Identifier(column.name) for column in self.tables.dataset.columns)

    @property
    def _key(self) -> sql.Composable:
        return sql.SQL(", ").join(map(sql.Identifier, self.tables.dataset.primary_key))
