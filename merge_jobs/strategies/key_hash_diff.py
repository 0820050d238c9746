"""Key-hash diff: read only rows whose hash is new, where the source has no row versions to tell them by."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

from psycopg2 import sql

from config_schema.result import Counts
from merge_jobs import row_maps
from merge_jobs.batches import Staged
from merge_jobs.copy_pipe import copy_through
from merge_jobs.progress import Pieces, progress_told
from merge_jobs.row_maps import MapKind
from merge_jobs.sources import SourceColumn
from merge_jobs.sources.postgres import PostgresSource
from merge_jobs.sql import composed
from merge_jobs.strategies.changes import merge_changes
from merge_jobs.strategies.read import check_columns, is_exact_in_binary
from merge_jobs.strategies.reading import Read, Reading
from merge_jobs.tables import DatasetTables, Described, create_staging

log = logging.getLogger(__name__)

KEYS_AT_ONCE = 100_000
# Types of which two values that are equal are the same, so that their own hash will do.
EXACT = frozenset(
    [
        *("smallint", "integer", "bigint", "oid", "boolean", "uuid", "bytea", "date"),
        *("timestamp without time zone", "timestamp with time zone"),
    ]
)
TEXTS = frozenset(["text", "character varying"])
# From this part of the rows on, one look for all of them costs less than one for each piece.
MANY = 0.2


class KeyHashDiff:
    resumable = True

    def stage(self, reading: Reading) -> Read:
        tables = reading.tables
        made = create_staging(tables)
        row_maps.create_staged_map(tables, MapKind.KEY_HASHES)
        source = _HashSource.of(reading, made)
        began = time.monotonic()
        tables.run("key_hash_diff.create_hashes")
        rows = source.copy_hashes("key_hash_diff.copy_hashes")
        tables.run("key_hash_diff.analyze_hashes")
        tables.run("key_hash_diff.stage_changes")
        standing, changed = tables.run("key_hash_diff.count_changes").fetchone() or (0, 0)
        seconds = time.monotonic() - began
        log.info("%s: %d of %d rows may have changed, seen in %.1f s", tables.where, changed, rows, seconds)
        tables.run("key_hash_diff.drop_look")
        return Read(rows, source.copy_rows(standing, standing > rows * MANY) if standing else 0)

    def apply(self, tables: DatasetTables, staged: Staged, batch_id: int, max_delete_fraction: float) -> Counts:
        return merge_changes(tables, staged, batch_id, max_delete_fraction, MapKind.KEY_HASHES)


def map_all(reading: Reading, made: Described, copy: str) -> None:
    """Map every row of the source, by the statement `copy`. `made` is a table that has the model's columns."""
    _HashSource.of(reading, made).copy_hashes(copy)


def _hashed(column: str, kind: str) -> sql.Composable:
    """What of a column goes into its row's hash. Text is the same for any type, and costs more than the value."""
    base = kind.partition("(")[0]
    if base in TEXTS:
        return sql.SQL('{} COLLATE "C"').format(sql.Identifier(column))  # others may take two texts for one
    if base in EXACT:
        return sql.Identifier(column)
    return sql.SQL('{}::text COLLATE "C"').format(sql.Identifier(column))


@dataclass(frozen=True)
class _HashSource:
    """Copies by the hashes of the source's rows into tables of the merge store."""

    tables: DatasetTables
    source: PostgresSource
    columns: Mapping[str, SourceColumn]
    binary_keys: bool
    binary_rows: bool

    @staticmethod
    def of(reading: Reading, made: Described) -> _HashSource:
        tables, source = reading.tables, reading.source
        assert isinstance(source, PostgresSource)
        columns = source.columns(tables.dataset)
        check_columns(tables, source, columns)
        keys = is_exact_in_binary(tables, columns, made, tables.dataset.primary_key)
        names = [column.name for column in tables.dataset.columns]
        return _HashSource(tables, source, columns, keys, keys and is_exact_in_binary(tables, columns, made, names))

    def copy_hashes(self, into: str) -> int:
        table = self.source.table(self.tables.dataset)
        hashed = sql.SQL(", ").join(
            _hashed(column.name, self.columns[column.name].type) for column in self.tables.dataset.columns
        )
        parts = {"table": table, "hashed": hashed, "key": self._key}
        with progress_told(self.tables, self.source.estimated_rows(self.tables.dataset), "rows hashed"):
            return self._copy("hashes", parts, into, self.binary_keys)

    def copy_rows(self, changed: int, by_one_look: bool) -> int:
        """Stage the rows that have a new hash; gives back the number of rows, which may be a few more."""
        tables, began = self.tables, time.monotonic()
        copied = self._copy_all() if by_one_look else self._copy_pieces(changed)
        seconds = time.monotonic() - began
        log.info("%s: copied %d rows in %.1f s", tables.where, copied, seconds)
        return copied

    def _copy_all(self) -> int:
        with progress_told(self.tables, self.source.estimated_rows(self.tables.dataset)):
            return self._copy_wanted(sql.SQL("true"))

    def _copy_pieces(self, changed: int) -> int:
        copied, told = 0, Pieces(self.tables.where, "new rows", changed)
        with self.tables.store.session.cursor("new_hashes") as pieces:
            pieces.itersize = 1
            pieces.execute(self.tables.composed("key_hash_diff.new_hashes", piece=sql.Literal(KEYS_AT_ONCE)))
            for _, hashes in pieces:
                wanted = sql.SQL("hashtextextended(ROW({})::text, 0) = ANY({}::bigint[])").format(
                    self._key, sql.Literal(hashes)
                )
                copied += self._copy_wanted(wanted)
                told.did(copied - told.done)
        return copied

    def _copy_wanted(self, wanted: sql.Composable) -> int:
        parts = {**self._rows, "wanted": wanted}
        return self._copy("rows", parts, "dataset.copy_to_staging", self.binary_rows)

    def _copy(self, what: str, parts: Mapping[str, sql.Composable], into: str, binary: bool) -> int:
        form = sql.SQL("binary" if binary else "text")
        copy_out = composed(f"key_hash_diff.{what}", {**parts, "format": form}, {})
        return copy_through(
            lambda writer: self.source.copy_query(copy_out, writer),
            self.source.cancel,
            self.tables.name,
            self.tables.store.session,
            self.tables.composed(into, format=form),
        )

    @property
    def _rows(self) -> dict[str, sql.Composable]:
        columns = (sql.Identifier(column.name) for column in self.tables.dataset.columns)
        return {"columns": sql.SQL(", ").join(columns), "table": self.source.table(self.tables.dataset)}

    @property
    def _key(self) -> sql.Composable:
        return sql.SQL(", ").join(map(sql.Identifier, self.tables.dataset.primary_key))
