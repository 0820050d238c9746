"""A run of a DAG as a task of ours asks for it."""

from __future__ import annotations

from typing import Any

from airflow.sdk.exceptions import DagRunTriggerException


def run_of(dag_id: str, run_id: str, conf: dict[str, Any]) -> DagRunTriggerException:
    """Return an exception by which a task triggers a run, at once and without waiting.

    If a run of that id exists, none is created.
    """
    return DagRunTriggerException(
        trigger_dag_id=dag_id,
        dag_run_id=run_id,
        conf=conf,
        logical_date=None,
        reset_dag_run=False,
        skip_when_already_exists=True,
        wait_for_completion=False,
        allowed_states=[],
        failed_states=[],
        poke_interval=60,
        deferrable=False,
    )
