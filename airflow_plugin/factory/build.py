"""DagPlan to Airflow DAG. Nothing here may differ from one parse to the next: a difference is a new DAG version."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import Any

from airflow.sdk.bases.operator import BaseOperator
from airflow.sdk.definitions.asset import Asset, AssetAny, AssetUriRef, BaseAsset
from airflow.sdk.definitions.dag import DAG
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from airflow_plugin.airflow_versions import AsyncCallback
from airflow_plugin.jobs.merge_job import (
    CHECK_TASK,
    MERGE_TASK,
    RESCHEDULE_TASK,
    WAIT_TASK,
)
from airflow_plugin.operators.assets import stream_alias
from airflow_plugin.operators.notifier import tell_late
from airflow_plugin.operators.pod import PodMergeOperator
from airflow_plugin.operators.process import ProcessMergeOperator
from airflow_plugin.operators.routing import CheckResult, RescheduleImmediately, WaitForTrigger
from airflow_plugin.operators.schedule import RETRY_DELAY, START, timetable
from airflow_plugin.rows.plan import DagPlan
from config_schema import names


def dag(plan: DagPlan) -> DAG:
    """Return the ingestion DAG of a plan."""
    built = DAG(
        dag_id=plan.dag_id,
        schedule=any_asset(plan.schedule_assets) or timetable(plan.schedule, plan.timezone),
        start_date=START,
        catchup=False,
        max_active_runs=2 if plan.hands_over else 1,
        is_paused_upon_creation=False,
        tags=list(plan.tags),
        doc_md=plan.doc,
        default_args={"owner": plan.owner} if plan.owner else {},
        deadline=_deadline(plan),
        **_of_settings(),
    )
    check = CheckResult(task_id=CHECK_TASK, dag=built)
    again = RescheduleImmediately(
        task_id=RESCHEDULE_TASK, stream_key=plan.job.stream_key, max_chain=plan.max_chain, dag=built
    )
    _merge_task(plan, built) >> check >> [again, WaitForTrigger(task_id=WAIT_TASK, dag=built)]
    return built


@cache
def _of_settings() -> dict[str, Any]:
    """Return what a DAG has of Airflow's settings, which it would read for each DAG: a twelfth of the time to build."""
    any_dag = DAG("any", schedule=None)
    known = ("max_active_tasks", "max_consecutive_failed_dag_runs", "disable_bundle_versioning")
    return {name: getattr(any_dag, name) for name in known if hasattr(any_dag, name)}


def _merge_task(plan: DagPlan, built: DAG) -> BaseOperator:
    given: dict[str, Any] = {
        "pool": plan.pool,
        "priority_weight": plan.priority,
        "max_active_tis_per_dag": 1 if plan.hands_over else None,
    }
    arguments: dict[str, Any] = {
        "task_id": MERGE_TASK,
        "dag": built,
        "job": plan.job,
        "retries": plan.retries,
        "retry_delay": RETRY_DELAY,
        "execution_timeout": timedelta(seconds=plan.execution_timeout) if plan.execution_timeout else None,
        "weight_rule": "absolute",
        "outlets": [stream_alias(plan.job.platform, plan.job.stream_key)],
        **{key: value for key, value in given.items() if value is not None},
    }
    if plan.pod is not None:
        return PodMergeOperator(place=plan.pod, **arguments)
    return ProcessMergeOperator(command=plan.command, **arguments)


def _deadline(plan: DagPlan) -> DeadlineAlert | None:
    """Return the alert for a run that has not succeeded a given time after it was queued; None without one."""
    if plan.deadline is None or plan.notifier is None:
        return None
    alert = {
        "stream": str(plan.job),
        "seconds": plan.deadline,
        "connection": plan.notifier.connection,
        "channel": plan.notifier.channel,
    }
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(seconds=plan.deadline),
        callback=AsyncCallback(tell_late, kwargs=alert),
    )


def any_asset(uris: tuple[str, ...]) -> BaseAsset | None:
    """Return an expression for an event on any of the assets.

    Assets of streams are named in full, so that Airflow shows what started a run. Of others only the URI is known,
    not the name that their owners gave them.
    """
    own = f"{names.ASSET_SCHEME}://"
    assets = [Asset(uri) if uri.startswith(own) else AssetUriRef(uri) for uri in uris]
    return AssetAny(*assets) if assets else None
