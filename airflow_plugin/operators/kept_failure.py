"""Why a task failed, kept beside its run: the pages show it, and only the log has it otherwise.

A job writes its own failures into the control database. This is for what no job can write: an image that cannot be
pulled, a pod that was killed, a control database that is down. It goes into Airflow's metadata and, for a merge, where
a job's own failures are, so that a stream whose jobs never start is known to fail.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowException

from airflow_plugin.airflow_versions import AirflowFailException, AirflowSkipException, TaskDeferred
from airflow_plugin.settings import merge_store_dsn
from config_schema.errors import StreamFactoryError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_plugin.jobs.merge_job import MergeJob

FAILURE_KEY = "failure"  # of the XCom; Airflow removes it when the task is tried again
LONGEST = 4000  # characters

log = logging.getLogger(__name__)


@contextmanager
def failure_kept(context: Context, job: MergeJob | None = None) -> Iterator[None]:
    """Keep the text of an error that fails the task as its XCom `failure`, and let it rise.

    Of a merge it is the result of the run as well, unless the job has left one.
    """
    try:
        yield
    except (AirflowSkipException, TaskDeferred):
        raise
    except Exception as error:
        # The text of other errors may hold anything: the log has them.
        text = str(error) if isinstance(error, AirflowException) else f"unforeseen {type(error).__name__}: see the log"
        _keep(context, text[:LONGEST])
        if job is not None:
            _record(job, context["run_id"], text[:LONGEST], retryable=not isinstance(error, AirflowFailException))
        raise


def _keep(context: Context, text: str) -> None:
    try:
        context["ti"].xcom_push(key=FAILURE_KEY, value=text)
    except Exception as failed:  # the task's own error is the one that counts
        log.warning("why the task failed stands in this log only: %s", type(failed).__name__)


def _record(job: MergeJob, run_id: str, text: str, *, retryable: bool) -> None:
    from airflow_plugin.control.batch_table import BatchTables
    from airflow_plugin.control.session import control_session
    from config_schema.result import MergeResult, ResultCode

    failed = MergeResult(ResultCode.ERROR, run_id, job.platform_name, job.stream_key, error=text, retryable=retryable)
    try:
        dsn, where = merge_store_dsn(job.platform_name)
        with control_session(dsn, where, job.platform_name, job.schema) as session:
            BatchTables(session).record_failure(failed)
    except StreamFactoryError as error:
        log.warning("%s: the failure of run %s could not be recorded: %s", job, run_id, error)
