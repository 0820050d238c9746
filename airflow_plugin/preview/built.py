"""The result of building a plan: the tasks, and by Airflow also the pod that the merge task would request."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from airflow_plugin.jobs.merge_job import MERGE_TASK
from config_schema.result import TOKEN_VARIABLE

if TYPE_CHECKING:
    from airflow_plugin.operators.pod import PodMergeOperator
    from airflow_plugin.rows.plan import DagPlan

# Words in place of what differs per run and per try.
RUN_ID = "<run id>"
TOKEN = "<new for each try>"
SUFFIX = "-<random>"


@dataclass(frozen=True)
class ShownTask:
    """A task and those that may follow it; `operator` is empty if only the plan is known."""

    task_id: str
    operator: str
    downstream: tuple[str, ...]


@dataclass(frozen=True)
class Built:
    """The result of building a plan, and `by` what; `pod` is the manifest for Kubernetes, None if it is unknown."""

    by: str
    tasks: tuple[ShownTask, ...]
    pod: dict[str, Any] | None


def built_by_airflow(plan: DagPlan) -> Built:
    """Return the tasks as Airflow has them, upstream first, and the pod that the merge task would request.

    Raises ModuleNotFoundError if Airflow or its Kubernetes provider is not installed, StreamFactoryError for a plan
    that gives no DAG.
    """
    # Airflow takes seconds to load, and the base install lacks it.
    from airflow_plugin.factory import build
    from airflow_plugin.operators.pod import PodMergeOperator

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
