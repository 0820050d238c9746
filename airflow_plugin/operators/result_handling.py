"""How the merge task ends, by its job's result: with a return value, failed for good, or with a retry."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, assert_never

from airflow.sdk.exceptions import AirflowException

from airflow_plugin.airflow_versions import AirflowFailException, AirflowSkipException
from airflow_plugin.jobs.merge_job import MergeJob
from airflow_plugin.operators.triggered_run import ask_for_approval
from airflow_plugin.settings import merge_store_dsn
from config_schema.errors import ProblemsFound, StreamFactoryError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from config_schema.result import MergeResult

log = logging.getLogger(__name__)


def with_run_conf(job: MergeJob, context: Context) -> MergeJob:
    """Return the job with the run's conf. Raises AirflowFailException for an invalid conf."""
    from airflow_plugin.jobs.operations import flags_of_run  # a parse loads as few modules as it can

    run = context.get("dag_run")
    try:
        flags = flags_of_run(run.conf if run is not None else None)
    except ProblemsFound as error:
        raise AirflowFailException(f"{job}: {'; '.join(map(str, error.problems))}") from None
    return replace(job, arguments=(*job.arguments, *flags)) if flags else job


def skip_if_paused(job: MergeJob) -> None:
    """Raise AirflowSkipException for a paused row."""
    if job.paused:
        raise AirflowSkipException(f"{job} is paused: set its row's status to active to ingest again")


def committed_result(job: MergeJob, run_id: str) -> MergeResult | None:
    """Return the result in the job's batch row, the last place to look; None if it is missing or unreadable."""
    from airflow_plugin.control.batch_table import BatchTables
    from airflow_plugin.control.session import control_session

    try:
        dsn, where = merge_store_dsn(job.platform_name)
        with control_session(dsn, where, job.platform_name, job.schema) as session:
            found = BatchTables(session).result_of_run(job.stream_key, run_id)
    except StreamFactoryError as error:
        log.warning("%s: the batch row of run %s could not be read: %s", job, run_id, error)
        return None
    if found is not None:
        log.info("%s: result of run %s taken from its batch row", job, run_id)
    return found


def outcome(job: MergeJob, result: MergeResult | None, ended: str) -> dict[str, Any]:
    """Return the merge task's value. Raises AirflowException if a retry can help, AirflowFailException if not.

    `ended` says how the job ended (`exit code 137`), for a job that left no result.
    """
    from config_schema.result import ResultCode  # a parse loads as few modules as it can

    if result is None:
        raise AirflowException(
            f"{job}: the merge job ended with {ended} and left no result. "
            "Its last lines are above; what it had committed stands, and the next try goes on from there"
        )
    match result.code:
        case ResultCode.DONE | ResultCode.KEEP_WORKING:
            log.info("%s: %s, %s", job, result.code.name, result.total)
            return result.to_dict()
        case ResultCode.ERROR:
            if result.refused_delete is not None:
                ask_for_approval(job, result.refused_delete)
            raise _failure(job, result)
    assert_never(result.code)


def _failure(job: MergeJob, result: MergeResult) -> AirflowException:
    said = result.error or "the merge job reports an error without a text"
    if result.retryable:
        return AirflowException(f"{job}: {said} (A retry can help)")
    return AirflowFailException(f"{job}: {said} (No retry can help: fix it, then clear this task)")
