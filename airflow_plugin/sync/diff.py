"""The difference between the wanted streams and the rows of a stream table. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from airflow_plugin.control.stream_table import HandChange, StreamRow
from config_schema.stream import StreamConfig

MOST_LEVELS = 64  # of lists and objects in a config; a row of ours has three


class SyncAction(Enum):
    """What a sync does to a row."""

    CREATE = "create"
    UPDATE = "update"
    REVIVE = "revive"  # a retired stream that the model wants again
    RETIRE = "retire"  # a stream that left the model; its row stays
    DRIFT = "drift"  # changed by hand since the last sync: left as it is, and reported
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class FieldChange:
    """One key of config_json; None: not set."""

    key: str
    before: Any
    after: Any


@dataclass(frozen=True)
class StreamChange:
    """The change of one row: its status and config afterwards, and the keys that differ.

    For a row with drift: its status and config as the model wants them. `by_hand` says who changed the row.
    """

    kind: SyncAction
    stream_key: str
    status: str
    config_json: str
    fields: tuple[FieldChange, ...] = ()
    by_hand: HandChange | None = None


def stream_changes(
    wanted: Mapping[str, StreamConfig],
    rows: Iterable[StreamRow],
    by_hand: Mapping[str, HandChange],
    *,
    overwrite_drift: bool = False,
) -> tuple[StreamChange, ...]:
    """Return the changes by stream_key. `rows` are all rows; unwanted retired ones are left out.

    A row that was changed `by_hand` is drift if the model differs from it, unless drift is overwritten.
    """
    present = {row.stream_key: row for row in rows}
    changes = [_wanted_change(config, present.get(key)) for key, config in wanted.items()]
    changes += [
        StreamChange(SyncAction.RETIRE, row.stream_key, "retired", row.config_json)
        for key, row in present.items()
        if key not in wanted and row.status != "retired" and not _is_shadow(row)
    ]
    marked = (_marked(change, by_hand.get(change.stream_key), overwrite_drift) for change in changes)
    return tuple(sorted(marked, key=lambda change: change.stream_key))


def _is_shadow(row: StreamRow) -> bool:
    """Return whether a row is a trial's, which is not in the model and must not be retired."""
    return parsed(row.config_json).get("shadow") is True


def _marked(change: StreamChange, by_hand: HandChange | None, overwrite_drift: bool) -> StreamChange:
    if by_hand is None:
        return change
    if change.kind is SyncAction.UNCHANGED or overwrite_drift:
        return replace(change, by_hand=by_hand)
    return replace(change, kind=SyncAction.DRIFT, by_hand=by_hand)


def _wanted_change(config: StreamConfig, row: StreamRow | None) -> StreamChange:
    text = config.to_json()
    if row is not None and row.config_json == text and row.status != "retired":
        return StreamChange(SyncAction.UNCHANGED, config.stream_key, row.status, text)  # nearly all, most of the time
    after = config.to_dict()
    if row is None:
        return StreamChange(SyncAction.CREATE, config.stream_key, "active", text, field_changes({}, after))
    differing = field_changes(parsed(row.config_json), after)
    if row.status == "retired":
        return StreamChange(SyncAction.REVIVE, config.stream_key, "active", text, differing)
    # What an operator has paused stays paused.
    if differing:
        return StreamChange(SyncAction.UPDATE, config.stream_key, row.status, text, differing)
    return StreamChange(SyncAction.UNCHANGED, config.stream_key, row.status, row.config_json)


def field_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    """Return the keys with different values, those of `after` first."""
    keys = [*after, *(key for key in before if key not in after)]
    return tuple(
        FieldChange(key, before.get(key), after.get(key)) for key in keys if _text(before, key) != _text(after, key)
    )


def _text(values: Mapping[str, Any], key: str) -> str | None:
    # As text, because to Python 1, 1.0 and True are equal, and in a config they are not.
    return json.dumps(values[key], sort_keys=True) if key in values else None


def parsed(config_json: str) -> dict[str, Any]:
    """Return the keys of a row; empty if it is not a JSON object, or nested too deep."""
    try:
        data = json.loads(config_json)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) and not is_too_deep(data) else {}


def is_too_deep(data: Any, levels: int = MOST_LEVELS) -> bool:
    """Return whether lists and objects are nested deeper than a config may be."""
    if not isinstance(data, dict | list):
        return False
    inside = data.values() if isinstance(data, dict) else data
    return not levels or any(is_too_deep(one, levels - 1) for one in inside)
