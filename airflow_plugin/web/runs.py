"""What Airflow's metadata database says of the DAGs of streams and of their runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.elements import ColumnElement

from airflow_plugin.operators.kept_failure import FAILURE_KEY

JUDGED_RUNS = 25
FRESH_SECONDS = 1.5
ENDED = ("success", "failed")


_lock = threading.Lock()
_known: dict[tuple[str, ...], tuple[float, Mapping[str, DagFacts]]] = {}


class DagRunRow(NamedTuple):
    """A run of a DAG; `seconds` until its end, or none yet."""

    dag_id: str
    run_id: str
    state: str
    start: datetime | None
    end: datetime | None
    run_type: str = ""

    @property
    def seconds(self) -> float | None:
        """How long the run took; None while it runs."""
        return max(0.0, (self.end - self.start).total_seconds()) if self.start and self.end else None


class DagFacts(NamedTuple):
    """A DAG as Airflow has it; `last_run` is the one that was made last.

    `failed_runs` is how many have failed since the last one that succeeded.
    """

    dag_id: str
    is_paused: bool
    is_stale: bool
    next_run: datetime | None
    last_run: DagRunRow | None
    file: str | None = None  # that it was last parsed from
    failed_runs: int = 0


def dags_of(platforms: Iterable[str]) -> Mapping[str, DagFacts]:
    """Return all DAGs of platforms, from one query at most seconds ago."""
    asked = tuple(platforms)
    with _lock:
        read_at, found = _known.get(asked, (-FRESH_SECONDS, {}))
        if time.monotonic() - read_at > FRESH_SECONDS:
            starts = _like_of(asked)
            with create_session(scoped=False) as session:
                found = _dags(session, lambda column: _starts(column, starts))
            _known[asked] = (time.monotonic(), found)
        return found


def dag_of(dag_id: str) -> DagFacts | None:
    """Return one of them, as it is now."""
    with create_session(scoped=False) as session:
        return _dags(session, lambda column: column == dag_id).get(dag_id)


def owner_of(dag_id: str) -> str | None:
    """Return the file that has a DAG id in Airflow now; None where there is no such DAG, or it has gone."""
    dag = dag_of(dag_id)
    return None if dag is None or dag.is_stale else dag.file


def forget_dags() -> None:
    """Read them again for the next request: this one has started a run."""
    with _lock:
        _known.clear()


def _dags(session: Session, wanted: Callable[[Any], ColumnElement[bool]]) -> dict[str, DagFacts]:
    newest = (
        select(DagRun.dag_id, func.max(DagRun.id).label("id"))
        .where(wanted(DagRun.dag_id))
        .group_by(DagRun.dag_id)
        .subquery()
    )
    query = (
        select(
            DagModel.dag_id,
            DagModel.is_paused,
            DagModel.is_stale,
            DagModel.next_dagrun_create_after,
            DagModel.fileloc,
            DagRun.run_id,
            DagRun.state,
            DagRun.start_date,
            DagRun.end_date,
            DagRun.run_type,
        )
        .outerjoin(newest, newest.c.dag_id == DagModel.dag_id)
        .outerjoin(DagRun, DagRun.id == newest.c.id)
        .where(wanted(DagModel.dag_id))
    )
    found = {}
    for dag_id, is_paused, is_stale, next_run, file, *run in session.execute(query):
        last_run = None if run[0] is None else DagRunRow(dag_id, *run)
        found[dag_id] = DagFacts(dag_id, is_paused, is_stale, next_run, last_run, file)
    troubled = [one.dag_id for one in found.values() if one.last_run and one.last_run.state != "success"]
    for dag_id, count in _failed_runs(session, troubled):
        found[dag_id] = found[dag_id]._replace(failed_runs=count)
    return found


def _failed_runs(session: Session, dag_ids: Collection[str]) -> Iterable[Any]:
    """Return how many runs of each DAG have failed since its last success; DAGs without any are left out."""
    success = aliased(DagRun)
    last = (
        select(func.max(success.id)).where(success.dag_id == DagRun.dag_id, success.state == "success")
    ).scalar_subquery()
    return session.execute(
        select(DagRun.dag_id, func.count())
        .where(DagRun.dag_id.in_(list(dag_ids)), DagRun.state == "failed", DagRun.id > func.coalesce(last, 0))
        .group_by(DagRun.dag_id)
    )


def success_rates(session: Session, dag_ids: Collection[str]) -> dict[str, float]:
    """Return the share of each DAG's last ended runs that succeeded; DAGs without ended runs are left out."""
    number = func.row_number().over(partition_by=DagRun.dag_id, order_by=DagRun.id.desc()).label("number")
    ended = (
        select(DagRun.dag_id, DagRun.state.label("state"), number)
        .where(DagRun.dag_id.in_(list(dag_ids)), DagRun.state.in_(ENDED))
        .subquery()
    )
    good = func.avg(case((ended.c.state == "success", 1.0), else_=0.0))
    query = select(ended.c.dag_id, good).where(ended.c.number <= JUDGED_RUNS).group_by(ended.c.dag_id)
    return {dag_id: float(rate) for dag_id, rate in session.execute(query)}


def _like_of(platforms: Iterable[str]) -> list[str]:
    return [f"{platform}\\_\\_%" for platform in platforms]


def _starts(column: Any, starts: list[str]) -> ColumnElement[bool]:
    # By hand, as an underscore stands for anything otherwise.
    return or_(False, *(column.like(start, escape="\\") for start in starts))


class RunQuery(NamedTuple):
    """Which runs: of whole `platforms`, or else of these DAGs; of those `named` or with a run id with `text` in it."""

    platforms: list[str]
    dag_ids: list[str]
    named: list[str]
    text: str
    state: str
    sort: str
    limit: int
    offset: int


def runs_matching(session: Session, asked: RunQuery) -> tuple[int, list[DagRunRow]]:
    """Return how many there are, and a page of them."""
    of_platforms = _starts(DagRun.dag_id, _like_of(asked.platforms))
    wanted: list[ColumnElement[bool]] = [of_platforms if asked.platforms else DagRun.dag_id.in_(asked.dag_ids)]
    if asked.text:
        wanted.append(or_(DagRun.dag_id.in_(asked.named), DagRun.run_id.icontains(asked.text, autoescape=True)))
    if asked.state:
        wanted.append(DagRun.state == asked.state)
    total = session.scalar(select(func.count()).select_from(DagRun).where(*wanted)) or 0
    page = _runs().where(*wanted).order_by(*_order(asked.sort))
    return total, [DagRunRow(*row) for row in session.execute(page.limit(asked.limit).offset(asked.offset))]


def _order(sort: str) -> list[Any]:
    """Return the order of runs: by due time there is an index; by duration, runs that have one come first."""
    if sort.endswith("start"):
        return [DagRun.run_after.desc() if sort.startswith("-") else DagRun.run_after.asc()]
    seconds = DagRun.end_date - DagRun.start_date
    return [seconds.is_(None), seconds.desc() if sort.startswith("-") else seconds.asc(), DagRun.id.desc()]


def run_of(session: Session, dag_id: str, run_id: str) -> DagRunRow | None:
    """Return a run; None if Airflow does not have it."""
    row = session.execute(_runs().where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)).first()
    return None if row is None else DagRunRow(*row)


def failures_of(session: Session, runs: Collection[DagRunRow]) -> dict[tuple[str, str], str]:
    """Return, by DAG id and run id, why a task of these runs failed at its last try, where the task has kept it."""
    query = select(XComModel.dag_id, XComModel.run_id, XComModel.value).where(
        XComModel.key == FAILURE_KEY,
        XComModel.dag_id.in_({run.dag_id for run in runs}),
        XComModel.run_id.in_({run.run_id for run in runs}),
    )
    return {(dag_id, run_id): value for dag_id, run_id, value in session.execute(query) if isinstance(value, str)}


def dag_ids_of(session: Session, platforms: Iterable[str]) -> set[str]:
    """Return the ids of all DAGs of platforms' streams, also of those that no longer exist."""
    starts = _like_of(platforms)
    return set(session.scalars(select(DagModel.dag_id).where(_starts(DagModel.dag_id, starts))))


def _runs() -> Any:
    return select(DagRun.dag_id, DagRun.run_id, DagRun.state, DagRun.start_date, DagRun.end_date, DagRun.run_type)
