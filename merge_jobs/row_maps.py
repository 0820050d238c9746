"""Row maps: what the merge store knows of the source's rows. A table for each dataset, and a line on each of them.

A map changes in the transaction that changes the merge table, so that it is always the map of what is merged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from psycopg2 import sql
from psycopg2.extras import Json

from merge_jobs.batches import Staged
from merge_jobs.tables import DatasetTables, ownership


class MapKind(Enum):
    """What a map tells rows apart by; the value is the strategy that reads it."""

    VERSIONS = "version_diff"
    KEY_HASHES = "key_hash_diff"


@dataclass(frozen=True)
class RowMap:
    """The line on a dataset's map: `batch_id` is the batch that it was made or changed by.

    `full_at` is when all rows were last compared; `distrusted` why row versions are not to be mapped.
    """

    kind: MapKind | None
    guard: Mapping[str, Any]
    batch_id: int
    full_at: datetime | None
    distrusted: str | None


def find(tables: DatasetTables) -> RowMap | None:
    row = tables.run("row_map.find", _line(tables)).fetchone()
    if row is None:
        return None
    kind, guard, batch_id, full_at, distrusted = row
    return RowMap(None if kind is None else MapKind(kind), guard or {}, batch_id or 0, full_at, distrusted)


def forget(tables: DatasetTables) -> None:
    """The map is no longer to be used: the next batch is full. The caller commits."""
    tables.run("row_map.forget", _line(tables))


def distrust(tables: DatasetTables, reason: str | None) -> None:
    """Row versions are not to be mapped any more; None: they are again. The caller commits."""
    tables.run("row_map.distrust", {**_line(tables), "reason": reason})


def create_map(tables: DatasetTables, kind: MapKind) -> None:
    """A new, empty map, in the place of the one that was there."""
    tables.run("row_map.drop_map")
    tables.run(f"{kind.value}.create_map")
    tables.run("row_map.comment_map", comment=_comment(tables))


def create_staged_map(tables: DatasetTables, kind: MapKind) -> None:
    """A new, empty table for what is to change in the map."""
    drop_staged_map(tables)
    tables.run(f"{kind.value}.create_staged_map")
    tables.run("row_map.comment_staged_map", comment=_comment(tables))


def create_map_to_come(tables: DatasetTables, kind: MapKind) -> None:
    """A new, empty map in the place of the staged one, to become the map itself. Logged, as it is not copied again."""
    drop_staged_map(tables)
    tables.run(f"{kind.value}.create_map", map=tables.store.table(tables.staged_map_name))
    tables.run("row_map.comment_staged_map", comment=_comment(tables))


def drop_staged_map(tables: DatasetTables) -> None:
    tables.run("row_map.drop_staged_map")


def replace(tables: DatasetTables, staged: Staged) -> None:
    """Make the map to come the map. The caller commits."""
    tables.run("row_map.drop_map")
    if staged.map_kind is not None:
        tables.run("row_map.rename_staged_map", map_name=sql.Identifier(tables.map_name))
        finish(tables, MapKind(staged.map_kind))


def finish(tables: DatasetTables, kind: MapKind) -> None:
    """What a map that has been filled needs."""
    for step in ("index_map", "analyze_map") if kind is MapKind.VERSIONS else ("analyze_map",):
        tables.run(f"{kind.value}.{step}")


def save(tables: DatasetTables, staged: Staged, batch_id: int, *, full: bool) -> None:
    """Write down what the map is now. The caller commits."""
    values = {"kind": staged.map_kind, "guard": Json(staged.guard), "batch_id": batch_id, "full": full}
    tables.run("row_map.save", {**_line(tables), **values})


def _line(tables: DatasetTables) -> dict[str, Any]:
    return {"key": tables.store.stream.key, "dataset": tables.name}


def _comment(tables: DatasetTables) -> sql.Composable:
    return sql.Literal(json.dumps(ownership(tables, "map")))
