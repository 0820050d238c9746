"""What follows a merge: the next run at once, or waiting for a trigger."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.sdk.bases.operator import BaseOperator

from airflow_plugin.airflow_versions import (
    AirflowFailException,
    AirflowSkipException,
    BaseBranchOperator,
)
from airflow_plugin.jobs.merge_job import MERGE_TASK, RESCHEDULE_TASK, WAIT_TASK
from airflow_plugin.operators.triggered_run import trigger_at_end, trigger_from_task
from config_schema import names

if TYPE_CHECKING:
    from airflow.sdk import Context

CHAIN = "chain"  # in a run's conf: how many runs in a row triggered themselves before it
HANDED_OVER = "handed_over"  # the merge task's XCom with the NextRun on which it has decided
WAITING = ["scheduled", "queued"]  # states of another run's merge task that goes on when this one has ended

log = logging.getLogger(__name__)


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


class NextRun(NamedTuple):
    """The run that goes on with the work: its id and its place in the chain; the `reason` where none is triggered."""

    run_id: str
    link: int
    reason: str | None


class RescheduleImmediately(BaseOperator):
    """Triggers its own DAG with a run id that is used once per batch; skipped if a run is waiting already.

    In a DAG that may have two runs at a time, the merge task has done that before it ended (`hand_over`).
    """

    ui_color = "#ffe3cf"

    def __init__(self, *, stream_key: str, max_chain: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stream_key = stream_key
        self.max_chain = max_chain

    def execute(self, context: Context) -> None:
        """Trigger the next run, unless there is one or the chain is too long."""
        ti = context["ti"]
        if handed_over := ti.xcom_pull(task_ids=MERGE_TASK, key=HANDED_OVER):
            next_run = NextRun(*handed_over)
        else:
            next_run = self.next_run(context, _result(context))
        if next_run.reason is not None:
            raise AirflowSkipException(next_run.reason)
        if not handed_over:
            raise trigger_at_end(ti.dag_id, next_run.run_id, {CHAIN: next_run.link})
        self.log.info("%s has triggered the run %s already", MERGE_TASK, next_run.run_id)

    def next_run(self, context: Context, result: Mapping[str, Any]) -> NextRun:
        """Decide which run goes on with the work after a result."""
        ti, link = context["ti"], _chain(context["dag_run"].conf) + 1
        run_id = names.self_trigger_run_id(self.stream_key, result["batch_id"], result.get("source_snapshot_time"))
        reason = None
        if link > self.max_chain:
            reason = (
                f"{self.stream_key} triggered itself {self.max_chain} times in a row (max_chain): "
                "its schedule takes over"
            )
        elif ti.get_dr_count(dag_id=ti.dag_id, states=["queued"]) or ti.get_ti_count(
            dag_id=ti.dag_id, task_ids=[MERGE_TASK], states=WAITING
        ):
            reason = f"A run of {ti.dag_id} is queued already: it goes on with the work"
        return NextRun(run_id, link, reason)


def hand_over(task: BaseOperator, result: Mapping[str, Any], context: Context) -> None:
    """Trigger the next run from the merge task, before it ends, where the DAG may have two runs and work is left.

    The next run's merge task then starts as soon as this one has ended, without waiting for the tasks after it. What is
    decided here stands: a run that waits now is at work when RescheduleImmediately looks. Raises nothing: where it
    cannot be done, that task does it.
    """
    from config_schema.result import ResultCode  # a parse loads as few modules as it can

    if result["code"] != ResultCode.KEEP_WORKING or task.max_active_tis_per_dag is None:
        return
    again, ti = task.dag.get_task(RESCHEDULE_TASK), context["ti"]
    assert isinstance(again, RescheduleImmediately)
    try:
        next_run = again.next_run(context, result)
        if next_run.reason is None:
            trigger_from_task(ti.dag_id, next_run.run_id, {CHAIN: next_run.link})
        ti.xcom_push(key=HANDED_OVER, value=list(next_run))
    except Exception as error:  # the merge is done, whatever this is
        log.warning("%s: the next run is not triggered yet, %s does it: %s", ti.dag_id, RESCHEDULE_TASK, error)


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
