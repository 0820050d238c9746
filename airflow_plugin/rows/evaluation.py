"""Streams -> what is made of them: each by its row or, where that is broken or gone, by the row that was last good."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from airflow_plugin.rows.last_good import KnownStream, Row
from airflow_plugin.rows.plan import DagPlan, dag_plan
from airflow_plugin.settings import PlatformSettings
from config_schema import names
from config_schema.errors import Problem, ProblemsFound, StreamFactoryError, choose_from
from config_schema.stream import STATUSES, stream_config

Made = TypeVar("Made")


@dataclass(frozen=True)
class Quarantined:
    """What is wrong with a stream's row; `kept` says that its DAG goes on as the last good row has it."""

    problems: tuple[Problem, ...]
    kept: bool


@dataclass
class Evaluation(Generic[Made]):
    """What was made, by DAG id; the quarantined streams and all streams, by stream_key."""

    made: dict[str, Made] = field(default_factory=dict)
    quarantined: dict[str, Quarantined] = field(default_factory=dict)
    streams: dict[str, KnownStream] = field(default_factory=dict)


def evaluate_streams(
    streams: Iterable[KnownStream], settings: PlatformSettings, make: Callable[[DagPlan], Made]
) -> Evaluation[Made]:
    """Make something, a DAG or just its plan, of each stream. Whatever one stream does, the others come through."""
    result: Evaluation[Made] = Evaluation()
    # Of two streams with the same DAG id the one that had it keeps it.
    for stream in sorted(streams, key=lambda stream: (stream.good is None, stream.stream_key)):
        where = row_place(settings.platform_name, stream.stream_key)
        problems: tuple[Problem, ...] = (_gone(where),) if stream.row is None else ()
        good = None
        for row in dict.fromkeys((stream.row, stream.good)):
            if row is None:
                continue
            found = _made(stream.stream_key, row, settings, make, result.made, where)
            if not found:
                good = row
                break
            problems = problems or found
        if problems:
            result.quarantined[stream.stream_key] = Quarantined(problems, kept=good is not None)
        result.streams[stream.stream_key] = replace(stream, good=good or stream.good)
    return result


def row_place(platform: str, stream_key: str) -> str:
    """Return where a stream's problems are: `yellowlive_airflow_dsg[Store1]`."""
    return f"{names.stream_table(platform)}[{stream_key}]"


def _made(
    stream_key: str,
    row: Row,
    settings: PlatformSettings,
    make: Callable[[DagPlan], Made],
    made: dict[str, Made],
    where: str,
) -> tuple[Problem, ...]:
    """Add to `made` what comes of a row; or else say what is wrong with it."""
    try:
        plan = plan_of(stream_key, row, settings, where)
        if plan.dag_id in made:
            what = f"another stream has the DAG id {plan.dag_id} already"
            return (Problem(where, "stream_key", what, "Rename the store or the dataset"),)
        made[plan.dag_id] = make(plan)
    except ProblemsFound as error:
        return error.problems
    except StreamFactoryError as error:
        return (error.as_problem(where, error.where),)
    except Exception as error:  # whatever one row does to Airflow, the others load
        return (Problem(where, "", f"no DAG comes of it ({type(error).__name__}: {error})", "Correct the row"),)
    return ()


def plan_of(stream_key: str, row: Row, settings: PlatformSettings, where: str) -> DagPlan:
    """Return the plan of a row. Raises ProblemsFound with everything that is wrong with it."""
    config = stream_config(row.config_json, where)
    problems = []
    if config.stream_key != stream_key:
        what = f"{config.stream_key!r} is not the stream_key of this row"
        problems.append(Problem(where, "stream_key", what, f"Write {stream_key!r}"))
    if row.status not in STATUSES:
        todo = choose_from(row.status, STATUSES)
        problems.append(Problem(where, "status", f"the status {row.status!r} is not known", todo))
    if problems:
        raise ProblemsFound(where, problems)
    return dag_plan(config, settings, paused=row.status == "paused", where=where)


def _gone(where: str) -> Problem:
    todo = "Bring the row back (dagfactory sync), or forget the stream: dagfactory platform last-good --forget"
    return Problem(where, "", "the row is gone, though its stream was never retired", todo)
