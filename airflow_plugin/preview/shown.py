"""A candidate's DAG as data: its plan, its next times, and, if Airflow is installed, what Airflow makes of it."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from croniter import croniter

from airflow_plugin.jobs.merge_job import (
    CHECK_TASK,
    MERGE_TASK,
    RESCHEDULE_TASK,
    WAIT_TASK,
)
from airflow_plugin.preview.built import RUN_ID, Built, ShownTask, built_by_airflow
from airflow_plugin.preview.candidates import Candidate
from airflow_plugin.rows.evaluation import plan_of
from airflow_plugin.rows.last_good import Row
from airflow_plugin.rows.plan import DagPlan
from config_schema.cron import NOT_CRON, PRESETS

AIRFLOW = ("airflow", "kubernetes")  # packages that the base install lacks


@dataclass(frozen=True)
class ShownDag:
    """All that `dagfactory streams preview` says about one DAG."""

    candidate: Candidate
    plan: DagPlan
    built: Built
    next_times: tuple[datetime, ...]

    def command(self) -> list[str]:
        """Return the job's command line; in a pod the image's own program takes it."""
        own = [] if self.plan.pod else list(self.plan.command or (sys.executable, "-m", "merge_jobs"))
        return [*own, *self.plan.job.run_arguments(RUN_ID)]

    def to_dict(self) -> dict[str, Any]:
        """Return the DAG as --json shows it."""
        return {
            "dag_id": self.plan.dag_id,
            "stream_key": self.candidate.stream_key,
            "platform": self.candidate.settings.original_platform_name,
            "origin": self.candidate.origin,
            "settings": self.candidate.settings_origin,
            "built_by": self.built.by,
            "tasks": [asdict(task) for task in self.built.tasks],
            "next_times": [time.isoformat() for time in self.next_times],
            "command": self.command(),
            "pod": self.built.pod,
            "plan": asdict(self.plan),
        }


def shown_dag(candidate: Candidate, now: datetime, *, with_airflow: bool = True) -> ShownDag:
    """Return a candidate's DAG. Raises ProblemsFound with every reason to quarantine the row."""
    plan = plan_of(candidate.stream_key, Row("active", candidate.config_json), candidate.settings, candidate.origin)
    built = _built(plan) if with_airflow else Built("the plan, without Airflow", _planned_tasks(), None)
    return ShownDag(candidate, plan, built, tuple(next_times(plan.schedule, plan.timezone, now)))


def _built(plan: DagPlan) -> Built:
    try:
        return built_by_airflow(plan)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in AIRFLOW:
            raise
        return Built(f"the plan alone: the package {error.name} is not installed", _planned_tasks(), None)


def _planned_tasks() -> tuple[ShownTask, ...]:
    return (
        ShownTask(MERGE_TASK, "", (CHECK_TASK,)),
        ShownTask(CHECK_TASK, "", (RESCHEDULE_TASK, WAIT_TASK)),
        ShownTask(RESCHEDULE_TASK, "", ()),
        ShownTask(WAIT_TASK, "", ()),
    )


def next_times(schedule: str | None, timezone: str, after: datetime, count: int = 3) -> list[datetime]:
    """Return the next times of a valid cron expression, in its time zone; none for another schedule."""
    if schedule is None or schedule in NOT_CRON:
        return []
    zone, times = ZoneInfo(timezone), [after]
    for _ in range(count):
        times.append(_next(PRESETS.get(schedule, schedule), zone, times[-1]))
    return [time.astimezone(zone) for time in times[1:]]


def _next(cron: str, zone: ZoneInfo, after: datetime) -> datetime:
    wall = after.astimezone(zone).replace(tzinfo=None)
    found = croniter(cron, start_time=wall)
    coming: datetime = found.get_next(datetime)
    if found.expanded[1] == ["*"]:  # every hour: when clocks go back, also in the hour that comes twice
        return after + (coming - wall)
    # A time that comes twice, or not at all: the later of what it can mean.
    return max(coming.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
