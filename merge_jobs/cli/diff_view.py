"""How datasets differ from their source: what `merge-job diff` prints, as lines or JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from config_schema.printable import printable
from merge_jobs.admin.diff import DatasetDiff, Difference, DifferingKey, NeverLoaded, StreamDiff
from merge_jobs.stream import Stream

LONGEST_VALUE = 200  # of a column of a key, in a line
PLAIN = re.compile(r"[\w.:+-]+")
TITLES = {
    Difference.ONLY_IN_SOURCE: "only in the source",
    Difference.ONLY_IN_MERGE_TABLE: "only in the merge table",
    Difference.DIFFERENT: "different",
}


def diff_lines(stream: Stream, found: StreamDiff) -> Iterator[str]:
    """Yield a line for the stream, and lines for each dataset that was compared."""
    if found.taken is None:
        yield f"{stream}: nothing to compare"
        return
    taken = found.taken.isoformat()
    yield f"{stream}: batch {found.batch_id} compared with the source of {taken}; nothing was written"
    for name, one in sorted(found.datasets.items()):
        if isinstance(one, DatasetDiff):
            yield from _dataset_lines(name, one)


def _dataset_lines(name: str, one: DatasetDiff) -> Iterator[str]:
    unswept = one.counts[Difference.ONLY_IN_MERGE_TABLE] if one.reads_by_cursor else 0
    if one.is_equal and not unswept:
        yield f"  {name}: equal, {one.source_rows} rows"
    else:
        counts = ", ".join(f"{number} {TITLES[of]}" for of, number in one.counts.items())
        yield f"  {name}: {counts}; {one.source_rows} rows in the source, {one.merged_rows} in the merge table"
    if one.kept_away:
        yield f"    left out, as their keys are erased: {one.kept_away} of the source's rows"
    if unswept:
        yield f"    not a difference: {TITLES[Difference.ONLY_IN_MERGE_TABLE]}, as the cursor leaves deletes to a sweep"
    if altered := str(one.drift):
        yield f"    the next batch alters the merge table first: {altered}"
    for key in one.keys:
        columns = f": {', '.join(key.columns)}" if key.columns else ""
        yield f"    {TITLES[key.difference]}: {_key_text(key)}{columns}"
    more = sum(one.counts.values()) - len(one.keys)
    if more:
        yield f"    and {more} more key{'' if more == 1 else 's'}, see --limit"


def _key_text(key: DifferingKey) -> str:
    return " ".join(f"{printable(column)}={value_text(value)}" for column, value in key.key.items())


def value_text(value: str) -> str:
    """Return a value in one line; in quotes unless it is plain, so that nothing in it looks like another column."""
    shown = value if PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
    return printable(shown, LONGEST_VALUE)


def as_json(stream: Stream, found: StreamDiff) -> dict[str, Any]:
    """Return JSON-ready data; the values of keys are texts."""
    return {
        "platform": stream.platform.name,
        "stream_key": stream.key,
        "batch_id": found.batch_id,
        "source_snapshot_time": None if found.taken is None else found.taken.isoformat(),
        "equal": found.is_equal,
        "datasets": {name: _dataset_as_json(one) for name, one in sorted(found.datasets.items())},
    }


def _dataset_as_json(one: DatasetDiff | NeverLoaded) -> Mapping[str, Any]:
    if isinstance(one, NeverLoaded):
        return {"equal": False, "failed": str(one)}
    return {
        "equal": one.is_equal,
        "source_rows": one.source_rows,
        "kept_away": one.kept_away,
        "reads_by_cursor": one.reads_by_cursor,
        "merge_table_rows": one.merged_rows,
        **{of.value: number for of, number in one.counts.items()},
        "keys": [
            {"difference": key.difference.value, "key": dict(key.key), "columns": list(key.columns)} for key in one.keys
        ],
        "altered_first": str(one.drift) or None,
        "failed": None,
    }
