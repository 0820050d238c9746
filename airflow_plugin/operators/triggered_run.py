"""How a task triggers a run: as what it does last, or while it goes on; and the run that asks for an approval."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_plugin.airflow_versions import DagRunTriggerException
from airflow_plugin.jobs.merge_job import MergeJob
from config_schema import names

if TYPE_CHECKING:
    from config_schema.result import RefusedDelete

IS_THERE = "DAGRUN_ALREADY_EXISTS"  # Airflow's word
ASKED_BY = "the merge task"

log = logging.getLogger(__name__)


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


def ask_for_approval(job: MergeJob, refused: RefusedDelete) -> None:
    """Trigger a run of the platform's operations DAG that asks a person, where a batch was refused for what it deletes.

    Once a day for each batch. Raises nothing: the pages and the command line offer the approval in any case.
    """
    from airflow_plugin.jobs.operations import Action, Operation  # a parse loads as few modules as it can

    dag_id = names.operations_dag_id(job.platform_name)
    try:
        asked = Operation(
            *(Action.ASK_DELETE, ASKED_BY, job.stream_key, refused.dataset), batch=refused.batch_id, rows=refused.rows
        )
        run_id = names.approval_run_id(job.stream_key, refused.batch_id, datetime.now(UTC))
        trigger_from_task(dag_id, run_id, asked.to_conf())
    except Exception as error:  # whatever it is, the refusal itself is the failure that counts
        log.warning("%s: no run of %s asks for an approval: %s", job, dag_id, error)
    else:
        log.warning("%s: %s. %s asks for an approval: see its required actions", job, refused, dag_id)
