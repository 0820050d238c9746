"""The DAGs that a platform has beside those of its streams: made of its settings alone, so they are always there."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.operator import BaseOperator
from airflow.sdk.definitions.asset import Asset
from airflow.sdk.definitions.dag import DAG

from airflow_plugin.jobs.platform_job import PlatformJob
from airflow_plugin.operators.notifier import NotifyFailure
from airflow_plugin.operators.platform_task import PlatformTask
from airflow_plugin.operators.schedule import RETRY_DELAY, START, timetable
from airflow_plugin.platform_dags.ask_a_person import AskAPerson
from airflow_plugin.platform_dags.check_streams import CHECK_STREAMS, CheckStreams
from airflow_plugin.platform_dags.collect_metrics import COLLECT_METRICS, CollectMetrics
from airflow_plugin.platform_dags.operations_tasks import (
    ASK_A_PERSON,
    CHECK_REQUEST,
    PERFORM,
    CheckRequest,
    Perform,
)
from airflow_plugin.rows import platform_jobs
from airflow_plugin.settings import PlatformSettings
from config_schema import names
from config_schema.cron import schedule_fault

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.bases.timetable import BaseTimetable  # its name from Airflow 3.2 on

HEALTH_DOC = "Fails where streams of platform `{}` need attention: rows quarantined or gone, data that is late."
OPERATIONS_DOC = """Does what people ask for, one after the other. Trigger it with a conf such as

    {{"action": "reset_batch", "stream_key": "Store1", "by": "your name"}}

Actions: `reset_batch`, `approve_delete`, `allow_deletes`, `trust`, `check_source`, `show_changes` and `purge` of a
stream of `{}`; `reconcile_views`, which also comes by itself when a merge has changed what consumers' views are made
of. A merge whose batch was refused for what it would delete asks for an approval here: see *Required actions*."""
INFRASTRUCTURE_DOC = """Brings platform `{}` to the model of its branch in git, with all that stands beside its streams.

A sync that is refused says why and leaves the old rows running. Rights are applied and metrics collected even then."""
EVERY_FIVE_MINUTES = "*/5 * * * *"
WAITING_REQUESTS = 1000  # runs of the operations DAG, most of which wait for a person
AHEAD_OF_MERGES = 10_000  # which may be waiting for slots by the thousand
CHECK_LIMIT = timedelta(minutes=4)
JOB_LIMIT = timedelta(hours=1)
ALL_DONE = "all_done"

log = logging.getLogger(__name__)


class AllDone(BaseOperator):
    """The end of a run in which everything was done. The scheduler itself marks it, no worker runs it."""

    ui_color = "#e8f7e4"
    inherits_from_empty_operator = True

    def execute(self, context: Context) -> None:
        """Do nothing."""


def platform_dags(settings: PlatformSettings) -> dict[str, DAG]:
    """Return the platform's DAGs by DAG id."""
    return {dag_id: make(settings) for dag_id, make in _makers(settings).items()}


def platform_dag(settings: PlatformSettings, dag_id: str) -> DAG | None:
    """Return the platform's DAG of this id, for a worker; None if the id is not one of the platform's own."""
    make = _makers(settings).get(dag_id)
    return None if make is None else make(settings)


def _makers(settings: PlatformSettings) -> dict[str, Callable[[PlatformSettings], DAG]]:
    platform = settings.platform_name
    found: dict[str, Callable[[PlatformSettings], DAG]] = {names.health_dag_id(platform): _health}
    if platform_jobs.has_jobs(settings):
        found[names.infrastructure_dag_id(platform)] = _infrastructure
        found[names.operations_dag_id(platform)] = _operations
    return found


def _dag(
    settings: PlatformSettings,
    dag_id: Callable[[str], str],
    word: str,
    doc: str,
    schedule: BaseTimetable | Asset | str | None,
    active_runs: int = 1,
) -> DAG:
    """Return a DAG with what all of them have."""
    platform = settings.original_platform_name
    return DAG(
        dag_id=dag_id(settings.platform_name),
        schedule=schedule,
        start_date=START,
        catchup=False,
        max_active_runs=active_runs,
        is_paused_upon_creation=False,
        tags=[platform, word],
        doc_md=doc.format(platform),
    )


def _health(settings: PlatformSettings) -> DAG:
    platform = settings.original_platform_name
    dag = _dag(settings, names.health_dag_id, "health", HEALTH_DOC, timetable(EVERY_FIVE_MINUTES, "UTC"))
    notifier = platform_jobs.notifier(settings)
    CheckStreams(
        task_id=CHECK_STREAMS,
        platform=platform,
        on_failure_callback=NotifyFailure(f"{platform} health", notifier, once=True) if notifier else None,
        retries=1,  # for a worker that died; what is wrong with streams fails the task for good
        retry_delay=timedelta(seconds=10),
        execution_timeout=CHECK_LIMIT,
        priority_weight=AHEAD_OF_MERGES,
        weight_rule="absolute",
        dag=dag,
    )
    return dag


def _infrastructure(settings: PlatformSettings) -> DAG:
    platform = settings.original_platform_name
    dag = _dag(settings, names.infrastructure_dag_id, "infrastructure", INFRASTRUCTURE_DOC, _schedule(settings))
    retried: dict[str, Any] = {"retries": 1, "retry_delay": RETRY_DELAY, "dag": dag}

    # Each begins when the one before it has ended, whatever came of that: a stream that breaks one of them is one of
    # many. Only what is archived must be retired by the model of today.
    only_after = {platform_jobs.ARCHIVE: platform_jobs.SYNC}
    merge, tables, views, grants, archive = (
        PlatformTask(
            task_id=job.task,
            trigger_rule="all_done",
            only_after=only_after.get(job.task),
            **_of_job(settings, job),
            **retried,
        )
        for job in platform_jobs.infrastructure(settings)
    )
    collect = CollectMetrics(
        task_id=COLLECT_METRICS,
        platform=platform,
        trigger_rule="all_done",
        execution_timeout=CHECK_LIMIT,
        **retried,
    )
    merge >> tables >> views >> grants >> collect >> archive
    # Where anything failed the run has failed.
    AllDone(task_id=ALL_DONE, dag=dag).set_upstream([merge, tables, views, grants, collect, archive])
    return dag


def _schedule(settings: PlatformSettings) -> BaseTimetable | str | None:
    fault = schedule_fault(settings.infrastructure_schedule)
    if fault is not None:
        log.warning("%s: infrastructure_schedule: %s. It runs when triggered only", settings.platform_name, fault)
        return None
    return timetable(settings.infrastructure_schedule, "UTC")


def _operations(settings: PlatformSettings) -> DAG:
    platform = settings.original_platform_name
    shape = Asset(names.shape_asset(platform))
    dag = _dag(settings, names.operations_dag_id, "operations", OPERATIONS_DOC, shape, WAITING_REQUESTS)
    # Requests wait for each other, but for none that waits for a person.
    one: dict[str, Any] = {"max_active_tis_per_dag": 1, "dag": dag}
    check = CheckRequest(task_id=CHECK_REQUEST, platform=platform, **one)
    # Tried again it asks again: an answer may meet a worker that dies.
    ask = AskAPerson(task_id=ASK_A_PERSON, platform=platform, retries=1, retry_delay=RETRY_DELAY, dag=dag)
    perform = Perform(task_id=PERFORM, **_of_job(settings, platform_jobs.merge_job(settings, PERFORM)), **one)
    check >> ask >> perform
    return dag


def _of_job(settings: PlatformSettings, job: PlatformJob) -> dict[str, Any]:
    """Return what the tasks of all such jobs have."""
    notifier = platform_jobs.notifier(settings)
    return {
        "job": job,
        "place": platform_jobs.place(settings, job.task),
        "command": settings.merge_job_command,
        "execution_timeout": JOB_LIMIT,
        "on_failure_callback": NotifyFailure(str(job), notifier) if notifier else None,
        "priority_weight": AHEAD_OF_MERGES,
        "weight_rule": "absolute",
    }
