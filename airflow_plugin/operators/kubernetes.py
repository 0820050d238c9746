"""The merge job in a pod, and its result."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException
from kubernetes.client import models as k8s
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from airflow_plugin.airflow_versions import AirflowTaskTimeout
from airflow_plugin.jobs.merge_job import MergeJob, PodPlace
from airflow_plugin.operators.job_pod import JobPod
from airflow_plugin.operators.pod_failure import cause_of, in_words
from airflow_plugin.operators.pod_reading import PodReading
from airflow_plugin.operators.pod_request import RUN_LABEL
from airflow_plugin.operators.result_handling import committed_result, outcome, with_run_conf
from airflow_plugin.operators.worker_end import WorkerEnds
from config_schema import names
from config_schema.printable import printable
from config_schema.result import TOKEN_VARIABLE, MergeResult, ResultCode

if TYPE_CHECKING:
    from airflow.sdk import Context


log = logging.getLogger(__name__)


class KubernetesMergeOperator(JobPod):
    """Runs a merge job and returns its result; no XCom sidecar, no pods/exec."""

    job: MergeJob

    def __init__(self, *, job: MergeJob, place: PodPlace, **kwargs: Any) -> None:
        super().__init__(job=job, place=place, **kwargs)
        self.reading = PodReading("")
        self.job_result: MergeResult | None = None

    def merge(self, context: Context) -> dict[str, Any]:
        """Run the job to its end: `execute` for callers in another operator.

        Raises AirflowException if a retry can help, AirflowFailException if not, TaskDeferred in deferrable
        mode.
        """
        run_id = context["run_id"]
        self.job = with_run_conf(self.job, context)
        self.prepare(run_id)
        work = self.execute_async if self.deferrable else self.execute_sync
        return self._outcome(run_id, lambda: work(context))

    def prepare(self, run_id: str) -> None:
        """Set what belongs to this try in the pod: the run id and a new token."""
        token = secrets.token_hex(16)
        self._read_with(token)
        self.arguments = self.job.run_arguments(run_id)
        self.labels = {**self.labels, RUN_LABEL: names.label_value(run_id)}
        self.env_vars = [*self.env_vars, k8s.V1EnvVar(name=TOKEN_VARIABLE, value=token)]
        self.name = self._set_name(self.name)

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the merge job, and return the task's value."""
        return self.merge(context)

    def trigger_reentry(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Continue after the trigger, in a new process: the pod knows the token."""
        if not self.callbacks:
            self._read_with("")
        event.pop("stack_trace", None)  # its message says the same in a line
        if event["status"] == "error" and self.still_works(event["name"], event["namespace"]):
            return self.wait_here(context, str(event.get("message")))
        reentry = super().trigger_reentry
        return self._outcome(context["run_id"], lambda: reentry(context, event))

    def wait_here(self, context: Context, why: str) -> dict[str, Any]:
        """Continue in this worker after a wait in the triggerer that failed: find the pod again, and follow it."""
        log.warning(
            "%s: the triggerer cannot wait for its pod (%s). This task waits itself, in a worker's slot",
            self.job,
            printable(why),
        )
        self.deferrable, self.get_logs = False, True
        return self.merge(context)

    def _read_with(self, token: str) -> None:
        self.reading = PodReading(token, whole_log=self.deferrable)
        self.callbacks = [self.reading]  # type: ignore[list-item]  # typed for classes of static methods only

    def _outcome(self, run_id: str, work: Callable[[], object]) -> dict[str, Any]:
        failed: BaseException | None = None
        try:
            work()
        except (AirflowException, ApiException, HTTPError) as error:
            failed = cause_of(error)  # a failed pod, or one that could not be cleaned up: the result decides
        if isinstance(failed, AirflowTaskTimeout):
            raise failed
        if self.left:
            raise WorkerEnds  # again: something has taken it for an error of its own
        if self._killed:
            raise AirflowException(f"{self.job}: the task was ended from outside, and its pod with it")
        result = self.reading.result or committed_result(self.job, run_id)
        if result is not None and result.code is ResultCode.ERROR and self.reading.ended_by_node:
            result = replace(result, error=f"{result.error} ({self.reading.ended_by_node})")
        self.job_result = result
        if result is None and failed is not None and not self.reading.ended:
            raise AirflowException(f"{self.job}: {in_words(failed)}") from failed
        return outcome(self.job, result, self.reading.ended or "no word of its exit code")
