"""The tasks after the merge: the next run at once, or waiting for a trigger; and how a task triggers a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.operator import BaseOperator

from airflow_plugin.airflow_versions import (
    AirflowFailException,
    AirflowSkipException,
    BaseBranchOperator,
    DagRunTriggerException,
)
from airflow_plugin.jobs.merge_job import MERGE_TASK, RESCHEDULE_TASK, WAIT_TASK
from config_schema import names

if TYPE_CHECKING:
    from airflow.sdk import Context

CHAIN = "chain"  # in a run's conf: how many runs in a row triggered themselves before it


class CheckResult(BaseBranchOperator):
    """Routes by the result code of the merge task: KEEP_WORKING or DONE; ERROR fails the merge task itself."""

    ui_color = "#fff6d8"

    def choose_branch(self, context: Context) -> str:
        """Return the task that follows the merge's result."""
        from config_schema.result import ResultCode  # a parse loads as few modules as it can

        code = _result(context)["code"]
        if code not in (ResultCode.DONE, ResultCode.KEEP_WORKING):
            raise AirflowFailException(f"{MERGE_TASK} returned the code {code!r}, which is none of 0 and 1")
        return RESCHEDULE_TASK if code == ResultCode.KEEP_WORKING else WAIT_TASK


class RescheduleImmediately(BaseOperator):
    """Triggers its own DAG with a run id that is used once per batch; skipped if a run is queued already."""

    ui_color = "#ffe3cf"

    def __init__(self, *, stream_key: str, max_chain: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stream_key = stream_key
        self.max_chain = max_chain

    def execute(self, context: Context) -> None:
        """Trigger the next run, unless one is queued or the chain is too long."""
        link = _chain(context["dag_run"].conf) + 1
        if link > self.max_chain:
            raise AirflowSkipException(
                f"{self.stream_key} triggered itself {self.max_chain} times in a row (max_chain): "
                "its schedule takes over"
            )
        ti = context["ti"]
        if ti.get_dr_count(dag_id=ti.dag_id, states=["queued"]):
            raise AirflowSkipException(f"A run of {ti.dag_id} is queued already: it goes on with the work")
        run_id = names.self_trigger_run_id(self.stream_key, _result(context)["batch_id"])
        raise run_of(ti.dag_id, run_id, {CHAIN: link})


class WaitForTrigger(BaseOperator):
    """The end of a run with nothing more to do. The scheduler itself marks it; no worker runs it."""

    ui_color = "#e8f7e4"
    inherits_from_empty_operator = True

    def execute(self, context: Context) -> None:
        """Do nothing: the next run comes by schedule or by hand."""


def _result(context: Context) -> dict[str, Any]:
    result = context["ti"].xcom_pull(task_ids=MERGE_TASK)
    if not isinstance(result, dict):
        raise AirflowFailException(f"{MERGE_TASK} left no result in this run: clear it, so that it runs again")
    return result


def _chain(conf: Any) -> int:
    """Return how many runs came before this one. A conf may be written by hand, so it may contain anything."""
    link = conf.get(CHAIN) if isinstance(conf, dict) else None
    return link if isinstance(link, int) and not isinstance(link, bool) and link > 0 else 0


def run_of(dag_id: str, run_id: str, conf: dict[str, Any]) -> DagRunTriggerException:
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
