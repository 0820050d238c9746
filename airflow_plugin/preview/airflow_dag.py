"""The real DAG of a plan, and the pod that its merge task would request. Needs Airflow, which takes seconds to load."""

from __future__ import annotations

from importlib.metadata import version
from types import SimpleNamespace
from typing import Any, cast

from airflow_plugin.factory import build
from airflow_plugin.jobs.merge_job import MERGE_TASK
from airflow_plugin.operators.pod import PodMergeOperator
from airflow_plugin.preview.built import RUN_ID, Built, ShownTask
from airflow_plugin.rows.plan import DagPlan
from config_schema.result import TOKEN_VARIABLE

TOKEN = "<new for each try>"
SUFFIX = "-<random>"


def built_by_airflow(plan: DagPlan) -> Built:
    """Return the tasks as Airflow has them, upstream first, and the pod. Raises StreamFactoryError."""
    dag = build.dag(plan)
    in_order = cast(Any, dag).topological_sort()  # has no types
    tasks = [ShownTask(task.task_id, task.task_type, tuple(sorted(task.downstream_task_ids))) for task in in_order]
    merge = dag.get_task(MERGE_TASK)
    pod = _pod(merge, dag.dag_id) if isinstance(merge, PodMergeOperator) else None
    return Built(f"Airflow {version('apache-airflow')}", tuple(tasks), pod)


def _pod(task: PodMergeOperator, dag_id: str) -> dict[str, Any]:
    """Return the request that the task would send, with words in place of what differs per try."""
    from kubernetes.client import ApiClient

    worker = task.worker()
    worker.random_name_suffix = False
    worker.prepare(RUN_ID)
    ti = SimpleNamespace(dag_id=dag_id, task_id=task.task_id, try_number=1, map_index=-1)
    context = cast(Any, {"ti": ti, "run_id": RUN_ID, "dag": task.dag})
    pod: dict[str, Any] = ApiClient().sanitize_for_serialization(worker.build_pod_request_obj(context, dry_run=True))
    pod["metadata"]["name"] += SUFFIX
    for container in pod["spec"]["containers"]:
        for variable in container.get("env", []):
            if variable["name"] == TOKEN_VARIABLE:
                variable["value"] = TOKEN
    return pod
