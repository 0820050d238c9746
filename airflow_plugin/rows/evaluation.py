"""Evaluates streams: each by its row or, if that is broken or gone, by the row that was last good."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from airflow_plugin.rows.last_good import KnownStream, Row
from airflow_plugin.rows.plan import DagPlan, dag_plan
from airflow_plugin.settings import PlatformSettings
from config_schema import names
from config_schema.errors import ProblemsFound, StreamFactoryError, choose_from
from config_schema.problem import Problem, Rule
from config_schema.stream import STATUSES, stream_config

ONE_STREAM_HAS_A_DAG_ID = Rule("DF2204", "No two streams have the same DAG id.")
DAG_CAN_BE_BUILT = Rule("DF2205", "Airflow can build a DAG of the row.")
KEY_OF_ROW = Rule("DF2206", "The config's `stream_key` is that of its row.")
STATUS_IS_KNOWN = Rule("DF2207", "A row's status is `active`, `paused` or `retired`.")
ROW_IS_THERE = Rule("DF2208", "The row of a stream stays in the table until the stream is retired.")

Made = TypeVar("Made")


@dataclass(frozen=True)
class Quarantined:
    """The problems of a stream's row; `kept` says that its DAG stays as the last good row has it."""

    problems: tuple[Problem, ...]
    kept: bool


@dataclass
class Evaluation(Generic[Made]):
    """The results by DAG id; the quarantined streams and all streams, by stream_key."""

    made: dict[str, Made] = field(default_factory=dict)
    quarantined: dict[str, Quarantined] = field(default_factory=dict)
    streams: dict[str, KnownStream] = field(default_factory=dict)


def evaluate_streams(
    streams: Iterable[KnownStream], settings: PlatformSettings, make: Callable[[DagPlan], Made]
) -> Evaluation[Made]:
    """Make something, a DAG or only its plan, of each stream. An error in one stream does not affect others."""
    result: Evaluation[Made] = Evaluation()
    # Of two streams with the same DAG id the one that had it keeps it.
    ordered = sorted(streams, key=lambda stream: (stream.good is None, stream.stream_key))
    # All plans first: they take half the time as long as Airflow's objects are not in the processor's caches.
    planned = [_planned(stream.stream_key, row, settings) if (row := stream.row) else None for stream in ordered]
    for stream, plan in zip(ordered, planned, strict=True):
        problems = _made(plan, make, result.made) if plan else (_gone(settings, stream.stream_key),)
        good = None if problems else stream.row
        if problems:
            if stream.good is not None and stream.good != stream.row:
                last_good = _planned(stream.stream_key, stream.good, settings)
                good = None if _made(last_good, make, result.made) else stream.good
            result.quarantined[stream.stream_key] = Quarantined(problems, kept=good is not None)
        same = good is None or good is stream.good
        result.streams[stream.stream_key] = stream if same else KnownStream(stream.stream_key, stream.row, good)
    return result


def row_place(platform: str, stream_key: str) -> str:
    """Return where a stream's problems are: `yellowlive_airflow_dsg[Store1]`."""
    return f"{names.stream_table(platform)}[{stream_key}]"


class _Planned(NamedTuple):
    """The plan of a row, or its problems; `where` names the row."""

    where: str
    plan: DagPlan | None
    problems: tuple[Problem, ...] = ()


def _planned(stream_key: str, row: Row, settings: PlatformSettings) -> _Planned:
    where = row_place(settings.platform_name, stream_key)
    try:
        return _Planned(where, plan_of(stream_key, row, settings, where))
    except Exception as error:
        return _Planned(where, None, _problems(error, where))


def _made(planned: _Planned, make: Callable[[DagPlan], Made], made: dict[str, Made]) -> tuple[Problem, ...]:
    """Add the result of a plan to `made`, or return the problems of its row."""
    where, plan, problems = planned
    if plan is None:
        return problems
    if plan.dag_id in made:
        what = f"another stream has the DAG id {plan.dag_id} already"
        return (ONE_STREAM_HAS_A_DAG_ID.problem(where, "stream_key", what, "Rename the store or the dataset"),)
    try:
        made[plan.dag_id] = make(plan)
    except Exception as error:
        return _problems(error, where)
    return ()


def _problems(error: Exception, where: str) -> tuple[Problem, ...]:
    """Return the problems for an error in a row: whatever one row does to Airflow, the others load."""
    if isinstance(error, ProblemsFound):
        return error.problems
    if isinstance(error, StreamFactoryError):
        return (error.as_problem(where, error.where),)
    what = f"no DAG can be built of it ({type(error).__name__}: {error})"
    return (DAG_CAN_BE_BUILT.problem(where, "", what, "Correct the row"),)


def plan_of(stream_key: str, row: Row, settings: PlatformSettings, where: str) -> DagPlan:
    """Return the plan of a row. Raises ProblemsFound with every problem in it."""
    config = stream_config(row.config_json, where)
    problems = []
    if config.stream_key != stream_key:
        what = f"{config.stream_key!r} is not the stream_key of this row"
        problems.append(KEY_OF_ROW.problem(where, "stream_key", what, f"Write {stream_key!r}"))
    if row.status not in STATUSES:
        todo = choose_from(row.status, STATUSES)
        problems.append(STATUS_IS_KNOWN.problem(where, "status", f"the status {row.status!r} is not known", todo))
    if problems:
        raise ProblemsFound(where, problems)
    return dag_plan(config, settings, paused=row.status == "paused", where=where)


def _gone(settings: PlatformSettings, stream_key: str) -> Problem:
    where = row_place(settings.platform_name, stream_key)
    todo = "Bring the row back (dagfactory sync), or forget the stream: dagfactory platform last-good --forget"
    return ROW_IS_THERE.problem(where, "", "the row is gone, though its stream was never retired", todo)
