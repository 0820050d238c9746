"""Changes of rows by hand: each is checked as the factory would check it, before anything is written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from airflow_plugin.control.stream_table import (
    Page,
    RowChange,
    StreamRow,
    Version,
)
from airflow_plugin.health.dag_owners import Owner, clashes
from airflow_plugin.rows.evaluation import ONE_STREAM_HAS_A_DAG_ID, plan_of, row_place
from airflow_plugin.rows.last_good import Row
from airflow_plugin.streams.opening import PlatformStreams
from airflow_plugin.sync.diff import parsed
from config_schema import names
from config_schema.errors import ProblemsFound, StreamFactoryError, ValueWrong
from config_schema.problem import Problem

MOST_CHANGES = 100  # by hand of a stream, in ten minutes
MOST_BYTES = 32 << 20  # of text in its history, in a day
# The word for the history, what a row must be before, and what it is afterwards.
STATUS_CHANGES = {
    "pause": ({"active"}, "paused"),
    "resume": ({"paused"}, "active"),
    "retire": ({"active", "paused"}, "retired"),
}


class TooManyChanges(StreamFactoryError):
    """A stream is changed by hand so often, or with so much text, that its history would fill the merge store.

    Try again later, or change the model instead.
    """

    code = "DF3101"
    retryable = True


class StatusRefused(StreamFactoryError):
    """A stream cannot be paused, resumed or retired from its current status.

    See dagfactory streams history; a retired stream comes back by a rollback.
    """

    code = "DF3104"

    def __init__(self, where: str, status: str, wanted: str) -> None:
        self.status, self.wanted = status, wanted
        super().__init__(where, f"a stream that is {status} cannot be {wanted}", "See dagfactory streams history")


class ChangeMissing(StreamFactoryError):
    """A stream's history has no change with the given number.

    Choose one of those that dagfactory streams history shows.
    """

    code = "DF3105"

    def __init__(self, stream_key: str, number: int) -> None:
        self.stream_key, self.number = stream_key, number
        todo = f"See dagfactory streams history {stream_key}"
        super().__init__(stream_key, f"its history has no change {number}", todo)


class ChangedMeanwhile(StreamFactoryError):
    """Somebody else has changed a stream since it was read for editing.

    Look at it as it is now, and change that.
    """

    code = "DF3106"

    def __init__(self, stream_key: str) -> None:
        self.stream_key = stream_key
        super().__init__(stream_key, "it was changed while it was edited", "Look at it and edit it again")


def assigned(config_json: str, assignments: Sequence[str]) -> str:
    """Return the config with `key=value` set, the value as JSON, otherwise as text; `key=` removes the key.

    Raises ValueWrong for an assignment without `=`.
    """
    values = parsed(config_json)
    for assignment in assignments:
        key, sign, text = assignment.partition("=")
        if not sign or not key:
            raise ValueWrong("KEY=VALUE", assignment, "sets no key", "Write key=value, or key= to remove the key")
        if text == "":
            values.pop(key, None)
        else:
            values[key] = _value(text)
    return json.dumps(values, sort_keys=True, ensure_ascii=False)


def status_changes(table: PlatformStreams, stream_keys: Iterable[str], word: str) -> list[RowChange]:
    """Return the changes with which `pause`, `resume` or `retire` sets its status.

    Raises UnknownName for a stream that does not exist, StatusRefused if the status does not allow the change.
    """
    allowed, after = STATUS_CHANGES[word]
    changes = []
    for key in stream_keys:
        row = table.row(key)
        if row.status == after:
            continue
        if row.status not in allowed:
            raise StatusRefused(row_place(table.settings.platform_name, key), row.status, after)
        changes.append(RowChange(key, row.config_json, after, word))
    return changes


def to_version(table: PlatformStreams, stream_key: str, version_id: int) -> RowChange:
    """Return the change that restores a stream after the change with this number. Raises ChangeMissing."""
    version = version_of(table.history(stream_key, Page(only=[version_id])), stream_key, version_id)
    return RowChange(stream_key, version.after_config_json, version.after_status, "rollback")


def version_of(history: Sequence[Version], stream_key: str, version_id: int) -> Version:
    """Return the change with this number. Raises ChangeMissing if the history has none."""
    for version in history:
        if version.id == version_id:
            return version
    raise ChangeMissing(stream_key, version_id)


def problems_of(table: PlatformStreams, row: StreamRow) -> tuple[Problem, ...]:
    """Return the problems that the factory finds in a row."""
    return problems_of_change(table, RowChange(row.stream_key, row.config_json, row.status, "show"))


def apply(
    table: PlatformStreams,
    changes: Sequence[RowChange],
    changed_by: str,
    owner: Owner | None = None,
    reason: str | None = None,
    found: Iterable[Problem] = (),
) -> list[RowChange]:
    """Check and write, in the open transaction; return what was written, without rows that are so already.

    `found` are problems that are known already. `owner` returns the file that has a DAG id now; it is called for each
    row that gets a DAG. Raises ProblemsFound with every problem of any of them, and writes nothing then.
    """
    rows = table.rows()
    wanted = [change for change in changes if _differs(rows.get(change.stream_key), change)]
    problems = [problem for change in wanted for problem in problems_of_change(table, change)]
    problems += found
    problems += dag_id_problems(table, wanted, owner)
    if problems:
        raise ProblemsFound(table.name, problems)
    refuse_frequent_changes(table, [one.stream_key for one in wanted if one.status not in ("retired", "paused")])
    table.write(wanted, changed_by=changed_by, reason=reason)
    return wanted


def dag_id_problems(table: PlatformStreams, wanted: Sequence[RowChange], owner: Owner | None) -> list[Problem]:
    """Return what is wrong with the DAG ids that streams have after these changes: others have them already.

    Streams that have nothing to do with the changes are not named, whatever is wrong with them.
    """
    rows, platform = table.rows(), table.settings.platform_name
    statuses = {key: row.status for key, row in rows.items()} | {one.stream_key: one.status for one in wanted}
    changed = {names.dag_id(platform, one.stream_key) for one in wanted}
    concerned = {key: status for key, status in statuses.items() if names.dag_id(platform, key) in changed}
    problems = same_dag_problems(platform, concerned)
    if owner is not None:
        begin = [one.stream_key for one in wanted if _begins(rows.get(one.stream_key), one)]
        problems += [problem for _, problem in clashes(platform, begin, owner)]
    return problems


def refuse_frequent_changes(table: PlatformStreams, stream_keys: list[str]) -> None:
    """Raise TooManyChanges for a stream whose history grows too fast. Retiring and pausing are always allowed."""
    for _, error in frequent_changes(table, stream_keys):
        raise error


def frequent_changes(table: PlatformStreams, stream_keys: list[str]) -> Iterator[tuple[str, TooManyChanges]]:
    """Yield each of the streams whose history grows too fast, with the error that says so."""
    for key, changes, size in table.recent_changes(stream_keys) if stream_keys else ():
        where = row_place(table.settings.platform_name, key)
        if changes >= MOST_CHANGES:
            what = f"it was changed by hand {changes} times in the last ten minutes, and {MOST_CHANGES} are allowed"
            yield key, TooManyChanges(where, what, "Wait some minutes")
        elif size >= MOST_BYTES:
            what = f"its changes by hand of the last day take {size >> 20} MB, and {MOST_BYTES >> 20} are allowed"
            yield key, TooManyChanges(where, what, "Wait until tomorrow")


def same_dag_problems(platform: str, statuses: Mapping[str, str]) -> list[Problem]:
    """Return streams, by stream_key with their status, that would have the DAG of another."""
    owners: dict[str, str] = {}
    found = []
    for key in sorted(key for key, status in statuses.items() if status != "retired"):
        dag_id = names.dag_id(platform, key)
        if dag_id in owners:
            what = f"{owners[dag_id]!r} has the DAG id {dag_id} already"
            where = row_place(platform, key)
            found.append(ONE_STREAM_HAS_A_DAG_ID.problem(where, "stream_key", what, "Rename the store or the dataset"))
        owners.setdefault(dag_id, key)
    return found


def _differs(row: StreamRow | None, change: RowChange) -> bool:
    return row is None or (row.config_json, row.status) != (change.config_json, change.status)


def _begins(row: StreamRow | None, change: RowChange) -> bool:
    """Return whether a change gives a stream a DAG that it does not have yet."""
    return change.status != "retired" and (row is None or row.status == "retired")


def problems_of_change(table: PlatformStreams, change: RowChange) -> tuple[Problem, ...]:
    """Return what the factory would have against the row that a change makes, by itself."""
    if change.status == "retired":  # what is wrong with a config is no reason to keep its stream
        return ()
    where = row_place(table.settings.platform_name, change.stream_key)
    try:
        plan_of(change.stream_key, Row(change.status, change.config_json), table.settings, where)
    except ProblemsFound as error:
        return error.problems
    return ()


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
