"""The DAGs that a platform has beside those of its streams: made of its settings alone, so they are always there."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk.definitions.dag import DAG

from airflow_plugin.factory.build import START, timetable
from airflow_plugin.operators.health import CHECK_STREAMS, CheckStreams
from airflow_plugin.settings import PlatformSettings
from config_schema import names

EVERY_FIVE_MINUTES = "*/5 * * * *"
AHEAD_OF_MERGES = 10_000  # which may be waiting for slots by the thousand
CHECK_LIMIT = timedelta(minutes=4)


def platform_dags(settings: PlatformSettings) -> dict[str, DAG]:
    """By DAG id."""
    return {dag.dag_id: dag for dag in (_health(settings),)}


def _health(settings: PlatformSettings) -> DAG:
    platform = settings.original_platform_name
    dag = DAG(
        dag_id=names.health_dag_id(settings.platform_name),
        schedule=timetable(EVERY_FIVE_MINUTES, "UTC"),
        start_date=START,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        tags=[platform, "health"],
        doc_md=f"Fails where streams of platform `{platform}` need a hand: rows set aside or gone, data that is late.",
    )
    CheckStreams(
        task_id=CHECK_STREAMS,
        platform=platform,
        retries=1,  # for a worker that died; what is wrong with streams fails the task for good
        retry_delay=timedelta(seconds=10),
        execution_timeout=CHECK_LIMIT,
        priority_weight=AHEAD_OF_MERGES,
        weight_rule="absolute",
        dag=dag,
    )
    return dag
