"""How a task triggers a run: as what it does last, or while it goes on."""

from __future__ import annotations

from typing import Any

from airflow_plugin.airflow_versions import DagRunTriggerException

IS_THERE = "DAGRUN_ALREADY_EXISTS"  # Airflow's word


def trigger_at_end(dag_id: str, run_id: str, conf: dict[str, Any]) -> DagRunTriggerException:
    """Return an exception with which a task triggers a run, at once and without waiting.

    If a run with that id exists, none is created.
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


def trigger_from_task(dag_id: str, run_id: str, conf: dict[str, Any]) -> None:
    """Trigger a run from a task that goes on, or that fails. If a run with that id exists, none is created.

    Raises whatever Airflow raises: it does the same for a task that raises DagRunTriggerException, but in ways that
    are not public.
    """
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import ErrorResponse, TriggerDagRun

    message = TriggerDagRun(dag_id=dag_id, run_id=run_id, conf=conf, logical_date=None)
    answer = task_runner.SUPERVISOR_COMMS.send(message)
    if isinstance(answer, ErrorResponse) and answer.error.value != IS_THERE:
        raise RuntimeError(f"Airflow answers {answer.error.value}")
