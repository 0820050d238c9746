"""The merge task that runs its job in a pod, as the DAG contains it: light, unlike the operator that does the work.

Airflow's Kubernetes operator takes seconds to import and ten times as long to build as this task. A DAG file would pay
that in each parse and a worker in each task, so it is imported only where a merge runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.operator import BaseOperator

from airflow_plugin.airflow_versions import AirflowRescheduleException, TaskDeferralError
from airflow_plugin.jobs.merge_job import MergeJob, PodPlace
from airflow_plugin.operators.assets import announce
from airflow_plugin.operators.kept_failure import failure_kept
from airflow_plugin.operators.lineage import ReportsLineage
from airflow_plugin.operators.result_handling import skip_if_paused
from airflow_plugin.operators.routing import hand_over
from airflow_plugin.operators.run_metrics import send_run_metrics
from airflow_plugin.operators.worker_end import WorkerEnd

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_plugin.operators.kubernetes import KubernetesMergeOperator


class PodMergeOperator(ReportsLineage, BaseOperator):
    """Delegates to a KubernetesMergeOperator: execute, the return from the triggerer, and the kill."""

    ui_color = "#e3f0ff"

    def __init__(self, *, job: MergeJob, place: PodPlace, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job = job
        self.place = place
        self._worker: KubernetesMergeOperator | None = None
        self._worker_end = WorkerEnd()

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the merge job in a pod, and return the task's value."""
        skip_if_paused(self.job)
        return self._done(lambda: self.worker().merge(context), context)

    def trigger_reentry(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Continue after Airflow's pod trigger, in deferrable mode."""
        return self._done(lambda: self.worker().trigger_reentry(context, event), context)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Continue after a deferral; in this worker if the trigger failed."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralError as error:
            why = str(error)
        return self._done(lambda: self.worker().wait_here(context, why), context)

    def on_kill(self) -> None:
        """End the pod with the task; leave it to the next worker where only this one ends."""
        if self._worker is not None:
            self._worker_end.end(self._worker)

    def _done(self, work: Callable[[], dict[str, Any]], context: Context) -> dict[str, Any]:
        try:
            with self._worker_end.hands_over(context), failure_kept(context, self.job):
                value = work()
        except AirflowRescheduleException:
            raise
        except Exception:
            self._heard(context)
            raise
        self._heard(context)
        announce(self, self.job, value, context)
        hand_over(self, value, context)
        return value

    def _heard(self, context: Context) -> None:
        self.job_result = self.worker().job_result
        send_run_metrics(self.job, self.job_result, context)

    def worker(self) -> KubernetesMergeOperator:
        """Return the operator that does the work, created at first use."""
        if self._worker is None:
            from airflow_plugin.operators.kubernetes import KubernetesMergeOperator

            self._worker = KubernetesMergeOperator(
                task_id=self.task_id, job=self.job, place=self.place, execution_timeout=self.execution_timeout
            )
        return self._worker
