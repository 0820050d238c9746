"""Row maps: what the merge store knows of the source's rows. A table for each dataset, and a row that describes it.

A map changes in the transaction that changes the merge table, so it always describes what is merged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any

from psycopg2 import sql
from psycopg2.extras import Json

from config_schema import names
from merge_jobs.database.together import Lookup, Rows, in_step
from merge_jobs.sql import Query
from merge_jobs.stores.postgres.batches import Staged
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.tables import DatasetTables, ownership

# In the guard of a map that is behind: its kind, and the source's next transaction when it was made.
BEHIND, MADE_AT = "behind", "made_at"


class MapKind(Enum):
    """By what a map distinguishes rows; the value is the strategy that reads it."""

    VERSIONS = "version_diff"
    KEY_HASHES = "key_hash_diff"

    @property
    def words(self) -> str:
        """The name of the strategy for people."""
        return {MapKind.VERSIONS: "version diff", MapKind.KEY_HASHES: "key-hash diff"}[self]


@dataclass(frozen=True)
class RowMap:
    """The row that describes a dataset's map: `batch_id` is the batch that made or changed it.

    `kind` is None if there is no valid map: none was made, or its table is gone (`is_lost`). `full_at` is when all
    rows were last compared; `distrusted` says why strategies are off. It `is_behind` where batches have merged by a
    change feed since it was made: it is valid, and does not know keys that have come since.
    """

    kind: MapKind | None
    guard: Mapping[str, Any]
    batch_id: int
    full_at: datetime | None
    distrusted: Mapping[MapKind, str] = field(default_factory=dict)
    is_lost: bool = False
    is_behind: bool = False

    @property
    def rows(self) -> int | None:
        """The number of rows that the map must have; None for a map of an older job."""
        rows = self.guard.get("rows")
        return None if rows is None else int(rows)

    @property
    def made_at(self) -> int | None:
        """The source's next transaction when the map was made; None for one that has none."""
        return self.guard.get(MADE_AT) or self.guard.get("transaction")

    @property
    def kept_away(self) -> int:
        """The number of row versions that the map leaves out, as their keys are erased."""
        return int(self.guard.get("kept_away") or 0)


def find(tables: DatasetTables) -> RowMap | None:
    """Return the description of the dataset's map; None if there is none."""
    (found,) = in_step([finding(tables)], tables.store.together)
    return found


def finding(tables: DatasetTables) -> Lookup[RowMap | None]:
    """Look for the description of the dataset's map; see `find`."""
    place = {"schema": tables.store.place.schema, "usual": tables.usual_map_name}
    (rows,) = yield [tables.query("row_map.find", {**_line(tables), **place})]
    if not rows:
        return None
    kind, guard, batch_id, full_at, distrusted, stands = rows[0]
    full_at = None if full_at is None else datetime.fromisoformat(full_at)
    is_behind = BEHIND in (guard or {})
    kind = guard[BEHIND] if is_behind else ((guard or {}).get("map") or {}).get("kind", kind)
    is_lost = kind is not None and not stands
    usable = None if kind is None or is_lost else MapKind(kind)
    return RowMap(usable, guard or {}, batch_id or 0, full_at, read_distrusted(distrusted), is_lost, is_behind)


def behind(staged: Staged, rows: int, table: str, known: RowMap | None) -> Staged:
    """Return a dataset of a batch that has merged by a change feed, so that its map, in `table`, is behind.

    A job of an older version, which would take the map for one of all keys, sees none and reads all rows.
    """
    made_at = None if known is None else known.made_at
    facts = {**(staged.guard or {}), "rows": rows, BEHIND: staged.map_kind, MADE_AT: made_at, "map": {"table": table}}
    return replace(staged, map_kind=None, guard=facts)


def maps_in_use(store: MergeStore) -> Query:
    """Return the query for the maps of the stream's datasets; see `current_tables`."""
    table = store.table(names.row_maps_table(store.stream.platform_name))
    return Query("leftovers.maps_in_use", {"key": store.stream.key}, {"row_maps": table})


def current_tables(store: MergeStore, in_use: Rows) -> dict[str, str]:
    """Return the name of the row map of each dataset that has one, from the rows of `maps_in_use`."""
    platform, of = store.stream.platform_name, store.stream.store.name
    return {dataset: name or names.row_map_table(platform, of, dataset) for dataset, name in in_use}


def has_its_usual_name(store: MergeStore, dataset: str) -> None:
    """Record that the dataset's map has its usual name again, with the next statement. The caller commits."""
    table = store.table(names.row_maps_table(store.stream.platform_name))
    usual = names.row_map_table(store.stream.platform_name, store.stream.store.name, dataset)
    values = {"key": store.stream.key, "dataset": dataset, "usual": usual}
    store.later("leftovers.map_has_its_usual_name", values, row_maps=table)


def counting_staged(tables: DatasetTables) -> Lookup[int]:
    """Look for the number of rows in the table of the map's changes."""
    (((number,),),) = yield [tables.query("row_map.count_staged")]
    return int(number)


def looking_for_staged(tables: DatasetTables) -> Lookup[bool]:
    """Look whether anything is in the table of the map's changes."""
    (((is_staged,),),) = yield [tables.query("row_map.something_staged")]
    return bool(is_staged)


def forget(tables: DatasetTables) -> None:
    """Stop using the row map: the next batch is full. The caller commits."""
    tables.run("row_map.forget", _line(tables))


def forget_lost(of: Iterable[DatasetTables]) -> tuple[str, ...]:
    """Forget the maps of which the table is gone; return the names of these datasets. The caller commits."""
    lost = []
    for tables in of:
        known = find(tables)
        if known is not None and known.is_lost:
            forget(tables)
            lost.append(tables.name)
    return tuple(lost)


def distrust(tables: DatasetTables, kind: MapKind, reason: str) -> None:
    """Switch the strategy of such maps off until it is trusted again. The caller commits."""
    known = find(tables)
    of_others = {} if known is None else {k: why for k, why in known.distrusted.items() if k is not kind}
    tables.run("row_map.distrust", {**_line(tables), "reason": _written({**of_others, kind: reason})})


def trust(tables: DatasetTables) -> None:
    """Switch every strategy on again. The caller commits."""
    tables.run("row_map.distrust", {**_line(tables), "reason": None})


def read_distrusted(text: str | None) -> dict[MapKind, str]:
    """Return why strategies are off, from the column `distrusted`: a line each, version diff's without a name.

    A job that knows only version diff reads the column as the reason for that.
    """
    found: dict[MapKind, str] = {}
    for line in (text or "").splitlines():
        name, _, reason = line.partition(": ")
        hashes = name == MapKind.KEY_HASHES.value
        found[MapKind.KEY_HASHES if hashes else MapKind.VERSIONS] = reason if hashes else line
    return found


def _written(distrusted: Mapping[MapKind, str]) -> str:
    return "\n".join(
        reason if kind is MapKind.VERSIONS else f"{kind.value}: {reason}" for kind, reason in distrusted.items()
    )


def create_map(tables: DatasetTables, kind: MapKind) -> None:
    """Create an empty map."""
    tables.run(f"{kind.value}.create_map")
    tables.run("row_map.comment_map", comment=_comment(tables))


def create_staged_map(tables: DatasetTables, kind: MapKind) -> None:
    """Create an empty table for the changes of the map, in the message of the next statement."""
    tables.later(f"{kind.value}.create_staged_map")
    tables.later("row_map.comment_staged_map", comment=_comment(tables))


def create_staged_keys(tables: DatasetTables) -> None:
    """Create an empty table for keys that are gone, where there is no map; it has the name of a map's changes."""
    tables.run("cursor.create_gone")
    tables.run("row_map.comment_staged_map", comment=_comment(tables))


def create_map_to_come(tables: DatasetTables, kind: MapKind) -> None:
    """Create an empty map that will become the map itself. It is logged, because it is not copied again."""
    tables.run(f"{kind.value}.create_map", map=tables.store.table(tables.staged_map_name))
    tables.run("row_map.comment_staged_map", comment=_comment(tables))


def finish(tables: DatasetTables, kind: MapKind, table: str) -> None:
    """Index and analyze a map that has been filled: `table` is its name."""
    for step in ("index_map", "analyze_map") if kind is MapKind.VERSIONS else ("analyze_map",):
        tables.run(f"{kind.value}.{step}", map=tables.store.table(table))


def save(
    tables: DatasetTables, staged: Staged, batch_id: int, table: str, *, full: bool, with_next: bool = False
) -> None:
    """Record what the map is now, and that it is in `table`; `with_next` in the next statement's message.

    The caller commits.

    A job of an older version looks for a map under the usual name only. The kind of a map under another name is
    stored where such a job does not see it: the job finds no map, and reads all rows.
    """
    kind, guard = staged.map_kind, staged.guard
    if kind is not None and table != tables.usual_map_name:
        kind, guard = None, {**(guard or {}), "map": {"table": table, "kind": kind}}
    values = {"kind": kind, "guard": Json(guard), "batch_id": batch_id, "full": full}
    (tables.later if with_next else tables.run)("row_map.save", {**_line(tables), **values})


def _line(tables: DatasetTables) -> dict[str, Any]:
    return {"key": tables.store.stream.key, "dataset": tables.name}


def _comment(tables: DatasetTables) -> sql.Composable:
    return sql.Literal(json.dumps(ownership(tables, "map")))
