"""Asks for a person's approval where a batch was refused for what it would delete: by a run of the operations DAG."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_plugin.jobs.merge_job import MergeJob
from airflow_plugin.jobs.operations import Action, Operation
from airflow_plugin.operators.triggered_run import trigger_from_task
from config_schema import names

if TYPE_CHECKING:
    from config_schema.result import RefusedDelete

ASKED_BY = "the merge task"

log = logging.getLogger(__name__)


def ask_for_approval(job: MergeJob, refused: RefusedDelete) -> None:
    """Start a run of the platform's operations DAG that asks for it, once a day for each batch. Raises nothing.

    The pages and the command line offer the approval in any case.
    """
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
