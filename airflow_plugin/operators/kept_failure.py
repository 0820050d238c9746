"""Why a task failed, kept in Airflow's metadata beside its run: the pages show it, and only the log has it otherwise.

A job writes its own failures into the control database. This is for what no job can write: an image that cannot be
pulled, a pod that was killed, a control database that is down.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowException

from airflow_plugin.airflow_versions import AirflowSkipException, TaskDeferred

if TYPE_CHECKING:
    from airflow.sdk import Context

FAILURE_KEY = "failure"  # of the XCom; Airflow removes it when the task is tried again
LONGEST = 4000  # characters

log = logging.getLogger(__name__)


@contextmanager
def failure_kept(context: Context) -> Iterator[None]:
    """Keep the text of an error that fails the task as its XCom `failure`, and let it rise."""
    try:
        yield
    except (AirflowSkipException, TaskDeferred):
        raise
    except Exception as error:
        _keep(context, error)
        raise


def _keep(context: Context, error: Exception) -> None:
    # The text of other errors may hold anything: the log has them.
    text = str(error) if isinstance(error, AirflowException) else f"unforeseen {type(error).__name__}: see the log"
    try:
        context["ti"].xcom_push(key=FAILURE_KEY, value=text[:LONGEST])
    except Exception as failed:  # the task's own error is the one that counts
        log.warning("why the task failed stands in this log only: %s", type(failed).__name__)
