"""Runs in the child process of loading.py: loads a DAG file with Airflow, and writes its DAGs as JSON.

It runs as a file of its own, with an empty environment; it imports only Airflow and what the file imports.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

MODULE = "static_file"


def main(path: str, mark: str) -> None:
    """Print the file's DAGs as JSON after the mark."""
    with contextlib.redirect_stdout(sys.stderr):
        dags = [_dag(dag) for dag in _loaded(path)]
    sys.stdout.write(f"\n{mark}{json.dumps(dags)}\n")


def _loaded(path: str) -> list[Any]:
    """Return the DAGs that a DAG processor would find: in the module's names, and after `with` blocks."""
    from airflow.sdk.definitions.dag import DAG

    sys.path.append(str(Path(path).parent))  # as Airflow has its dags folder
    spec = importlib.util.spec_from_file_location(MODULE, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[MODULE] = module
    context = _dag_context()
    if context is not None:
        context.current_autoregister_module_name = MODULE
    spec.loader.exec_module(module)
    named = [one for one in vars(module).values() if isinstance(one, DAG)]
    without_name = () if context is None else (dag for dag, _ in context.autoregistered_dags)
    found = {dag.dag_id: dag for dag in (*named, *without_name)}
    return list(found.values())


def _dag_context() -> Any:
    """Return what records the DAGs of `with` blocks; None if this non-public name is gone: then DAGs need names."""
    try:
        from airflow.sdk.definitions._internal.contextmanager import DagContext
    except ImportError:
        return None
    return DagContext


def _dag(dag: Any) -> dict[str, Any]:
    return {
        "dag_id": dag.dag_id,
        "schedule": _schedule(dag.schedule),
        "timezone": str(getattr(dag.timezone, "name", dag.timezone)),
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "tags": sorted(dag.tags),
        "tasks": [_task(task) for task in dag.tasks],
    }


def _schedule(schedule: Any) -> dict[str, Any]:
    """Return one of: cron (a text, or None) with its zone, seconds, other."""
    if schedule is None or isinstance(schedule, str):
        return {"cron": schedule}
    if hasattr(schedule, "total_seconds"):
        return {"seconds": schedule.total_seconds()}
    cron = getattr(schedule, "expression", getattr(schedule, "_expression", None))
    if isinstance(cron, str):
        zone = getattr(schedule, "timezone", getattr(schedule, "_timezone", "UTC"))
        return {"cron": cron, "zone": str(getattr(zone, "name", zone))}
    return {"other": type(schedule).__name__}


def _task(task: Any) -> dict[str, Any]:
    timeout = task.execution_timeout
    return {
        "task_id": task.task_id,
        "operator": task.task_type,
        "downstream": sorted(task.downstream_task_ids),
        "retries": task.retries,
        "owner": task.owner,
        "pool": task.pool,
        "priority": task.priority_weight,
        "execution_timeout": None if timeout is None else round(timeout.total_seconds()),
        "pod": _pod(task) if task.task_type.endswith("PodOperator") else None,
    }


def _pod(task: Any) -> dict[str, Any]:
    """Return what the task requests, in the shape of a manifest; the operator itself would ask a cluster."""
    from kubernetes.client import ApiClient

    secrets = [one for one in task.secrets or () if one.deploy_type == "env" and one.key]
    container = {
        "image": task.image,
        "imagePullPolicy": task.image_pull_policy,
        "command": task.cmds,
        "args": task.arguments,
        "env": [*(task.env_vars or ()), *(one.to_env_secret() for one in secrets)],
        "envFrom": task.env_from,
        "resources": task.container_resources,
        "volumeMounts": task.volume_mounts,
    }
    spec = {
        "containers": [container],
        "volumes": task.volumes,
        "nodeSelector": task.node_selector,
        "tolerations": task.tolerations,
        "serviceAccountName": task.service_account_name,
        "imagePullSecrets": task.image_pull_secrets,
    }
    action = str(getattr(task.on_finish_action, "value", task.on_finish_action))
    request = {
        "metadata": {"namespace": task.namespace},
        "spec": spec,
        "keep_failed": action != "delete_pod",
        "deferrable": task.deferrable,
    }
    sanitized: dict[str, Any] = ApiClient().sanitize_for_serialization(request)
    return sanitized


if __name__ == "__main__":
    main(*sys.argv[1:])
