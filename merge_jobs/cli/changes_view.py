"""What a batch changed: what `merge-job changes` prints, as lines or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from config_schema.model import Milestoning
from config_schema.printable import printable
from merge_jobs.admin.changes import BatchChanges
from merge_jobs.cli.diff_view import value_text
from merge_jobs.errors import StoreMismatch
from merge_jobs.stores.postgres.changes import Change, ChangedKey, DatasetChanges, Values
from merge_jobs.stream import Stream

HIDDEN = "(hidden)"


def change_lines(stream: Stream, found: BatchChanges | None, *, is_whole: bool) -> Iterator[str]:
    """Yield a line for the batch, and lines for each dataset; `is_whole` says that these are all of the stream."""
    if found is None:
        yield f"{stream}: no batch is committed yet"
        return
    yield f"{stream} batch {found.batch_id} of {found.source_snapshot_time.isoformat()}, run {printable(found.run_id)}"
    for name, one in sorted(found.datasets.items()):
        if isinstance(one, DatasetChanges):
            yield f"  {name}: {_numbers(one.counts)}"
            yield from _dataset_lines(one)
    if is_whole and found.counted != found.recorded:
        why = "versions of it are gone since, or are of a dataset that the stream no longer has"
        if stream.platform.milestoning is Milestoning.LIVE:
            why = "with earlier batches of its run, or with other datasets"
        yield f"  the batch has counted {_numbers(found.recorded)}: {why}"


def _numbers(counts: Mapping[Change, int]) -> str:
    return ", ".join(f"{number} {change.value}" for change, number in counts.items())


def _dataset_lines(one: DatasetChanges) -> Iterator[str]:
    if one.columns:
        yield f"    updated in {', '.join(f'{printable(name)}: {number}' for name, number in one.columns.items())}"
    for key in one.keys:
        named = "" if key.key is None else f" {' '.join(_equals(name, value) for name, value in key.key.items())}"
        yield f"    {key.change.value}{named or f' {HIDDEN}'}{_values(key)}"


def _values(key: ChangedKey) -> str:
    own = key.key or {}
    shown = [_changed(name, values, key.change) for name, values in key.values.items() if name not in own]
    shown += [f"{printable(name)} {HIDDEN}" for name in key.hidden]
    return f": {', '.join(shown)}" if shown else ""


def _changed(name: str, values: Values, change: Change) -> str:
    match change:
        case Change.INSERTED:
            return _equals(name, values.new)
        case Change.DELETED:
            return _equals(name, values.old)
    return f"{printable(name)} {_text(values.old)} -> {_text(values.new)}"


def _equals(name: str, value: str | None) -> str:
    return f"{printable(name)}={_text(value)}"


def _text(value: str | None) -> str:
    if value is None:
        return "NULL"
    return '"NULL"' if value == "NULL" else value_text(value)


def as_json(stream: Stream, found: BatchChanges | None) -> dict[str, Any]:
    """Return JSON-ready data; values are texts."""
    of = {"platform": stream.platform.name, "stream_key": stream.key}
    if found is None:
        return {**of, "batch_id": None, "datasets": {}}
    return {
        **of,
        "batch_id": found.batch_id,
        "run_id": found.run_id,
        "source_snapshot_time": found.source_snapshot_time.isoformat(),
        "committed_at": found.committed_at.isoformat(),
        "recorded": _counts(found.recorded),
        "datasets": {name: _dataset_as_json(one) for name, one in sorted(found.datasets.items())},
    }


def _counts(counts: Mapping[Change, int]) -> dict[str, int]:
    return {change.value: number for change, number in counts.items()}


def _dataset_as_json(one: DatasetChanges | StoreMismatch) -> dict[str, Any]:
    if isinstance(one, StoreMismatch):
        return {"failed": str(one)}
    return {**one.as_dict(), "failed": None}
