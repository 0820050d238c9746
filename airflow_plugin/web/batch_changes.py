"""What a batch changed, as a batch of a live stream or `merge-job changes --keep` has kept it with the batch's row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from airflow_plugin.control.job_model import JobModelTable
from airflow_plugin.control.session import ControlSession
from airflow_plugin.web import queries
from airflow_plugin.web.stream_schema import modelled_datasets
from airflow_plugin.web.streams import StreamFacts
from config_schema.model import Milestoning

COUNTS = ("inserted", "updated", "deleted")
LIVE = Milestoning.LIVE.value
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)  # of what another version has kept
NOT_KEPT = "the batch has kept nothing of what it changed, and a live table has no earlier rows"
KEEP_THEM = "Give the dataset keep_changes in the model; batches keep it from then on"


def dataset_changes(stream: StreamFacts, found: queries.BatchChangesRow) -> list[dict[str, Any]]:
    """Return the counts of each dataset, null where nobody knows them, and why nobody does, if that is known."""
    changes, unknown = _object(found.changes), _object(found.unknown)
    return [
        {"name": name, **_counts(changes.get(name)), **_why(stream, name in changes, unknown.get(name))}
        for name in sorted({*stream.datasets, *changes, *unknown})
    ]


def kept_values(stream: StreamFacts, found: queries.BatchChangesRow) -> dict[str, list[Any]]:
    """Return the keys that may be shown now, by dataset, as they were kept."""
    kept: Mapping[str, Any] = {}
    if stream.milestoning == LIVE:
        kept = {name: _object(of).get("keys") for name, of in _object(found.changes).items()}
    elif not _is_over(found.until, found.now):
        kept = _object(found.values)
    return {name: keys for name, keys in kept.items() if isinstance(keys, list) and keys}


def values_to_show(kept: Mapping[str, list[Any]], seen: Mapping[str, frozenset[str]]) -> Iterator[dict[str, Any]]:
    """Yield each dataset with its keys, with values of the columns that may be `seen` of it by now."""
    for name, keys in sorted(kept.items()):
        try:
            shown = [_key(one, seen.get(name, frozenset())) for one in keys]
        except UNREADABLE:
            continue
        yield {"name": name, "keys": shown}


def seen_columns(session: ControlSession, stream_key: str) -> dict[str, frozenset[str]]:
    """Return the columns whose values a view would show that masks PII, by dataset; empty if nobody knows the model.

    Raises MergeStoreError. A rollback may end the session's transaction.
    """
    datasets = modelled_datasets(JobModelTable(session).of_stream(stream_key)) or ()
    return {one.name: one.kept_columns for one in datasets}


def _counts(found: object) -> dict[str, Any]:
    nothing: dict[str, Any] = {**dict.fromkeys(COUNTS), "updated_columns": []}
    try:
        of = _object(found)
        found_rows = sorted(of["updated_columns"].items(), key=lambda one: (-int(one[1]), one[0]))  # the most first
        columns = [{"name": str(name), "rows": int(rows)} for name, rows in found_rows]
        return {**{kind: int(of[kind]) for kind in COUNTS}, "updated_columns": columns}
    except UNREADABLE:
        return nothing


def _why(stream: StreamFacts, is_known: bool, failed: object) -> dict[str, str | None]:
    if is_known:
        return {"why": None, "todo": None}
    if stream.milestoning == LIVE:
        return {"why": NOT_KEPT, "todo": KEEP_THEM}
    what, todo = (_object(failed).get(key) for key in ("what", "todo"))
    return {"why": what and str(what)[:1000], "todo": todo and str(todo)[:1000]}


def _key(kept: Mapping[str, Any], seen: frozenset[str]) -> dict[str, Any]:
    """Return a changed key; one with a column that may not be seen is null, like views that mask it."""
    key, values = kept["key"], dict(sorted(kept["values"].items()))  # jsonb has an order of its own
    shows_key = key is not None and seen.issuperset(key)
    return {
        "change": str(kept["change"]),
        "key": [{"column": name, "value": str(value)} for name, value in key.items()] if shows_key else None,
        "values": [
            {"column": name, "old": _text(of["old"]), "new": _text(of["new"])}
            for name, of in values.items()
            if name in seen
        ],
        "hidden": [*map(str, kept["hidden"]), *(name for name in values if name not in seen)],
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _object(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}


def _is_over(until: str | None, now: datetime) -> bool:
    try:
        return until is None or datetime.fromisoformat(until) <= now
    except (ValueError, TypeError):
        return True
