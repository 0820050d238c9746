"""Many streams paused, resumed or retired at once: each is judged by itself, and those that can change are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from airflow_plugin.control.stream_table import RowChange
from airflow_plugin.rows.evaluation import row_place
from airflow_plugin.streams.changing import (
    STATUS_CHANGES,
    StatusRefused,
    dag_id_problems,
    frequent_changes,
    problems_of_change,
)
from airflow_plugin.streams.opening import PlatformStreams
from config_schema.errors import ProblemsFound, StreamFactoryError, UnknownName


@dataclass(frozen=True)
class ChangedTogether:
    """What was written, and why others were refused, by stream_key; streams in neither were as asked for already."""

    written: tuple[RowChange, ...]
    refused: Mapping[str, StreamFactoryError]


def change_together(
    table: PlatformStreams, stream_keys: Sequence[str], word: str, changed_by: str, reason: str | None = None
) -> ChangedTogether:
    """Write what `word` makes of each of the streams, in the open transaction; one that is refused stops no other."""
    wanted, refused = _wanted(table, stream_keys, word)
    refused |= _refusals(table, wanted)
    written = tuple(change for key, change in wanted.items() if key not in refused)
    table.write(written, changed_by=changed_by, reason=reason)
    return ChangedTogether(written, refused)


def _wanted(
    table: PlatformStreams, stream_keys: Sequence[str], word: str
) -> tuple[dict[str, RowChange], dict[str, StreamFactoryError]]:
    """Return the changes of the streams whose status allows one, and the others that are not as wanted already."""
    allowed, after = STATUS_CHANGES[word]
    rows = {row.stream_key: row for row in table.select(stream_keys, retired=True)}
    wanted: dict[str, RowChange] = {}
    refused: dict[str, StreamFactoryError] = {}
    for key in stream_keys:
        row = rows.get(key)
        if row is None:
            refused[key] = UnknownName(table.name, "stream", key, ())
        elif row.status in allowed:
            wanted[key] = RowChange(key, row.config_json, after, word)
        elif row.status != after:
            refused[key] = StatusRefused(row_place(table.settings.platform_name, key), row.status, after)
    return wanted, refused


def _refusals(table: PlatformStreams, wanted: Mapping[str, RowChange]) -> dict[str, StreamFactoryError]:
    """Return what stops the changes of single streams, as it would if each were asked for alone."""
    found = {key: list(problems_of_change(table, change)) for key, change in wanted.items()}
    keys = {row_place(table.settings.platform_name, key): key for key in wanted}
    for problem in dag_id_problems(table, list(wanted.values()), None):
        if problem.file in keys:
            found[keys[problem.file]].append(problem)
    active = [key for key, change in wanted.items() if change.status == "active"]
    refused: dict[str, StreamFactoryError] = dict(frequent_changes(table, active))
    return refused | {key: ProblemsFound(table.name, problems) for key, problems in found.items() if problems}
