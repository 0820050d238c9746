"""The merge job in a pod: started, watched, found again by the next try, and never left behind while it may work."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.utils.pod_manager import PodManager, PodPhase
from airflow.sdk.exceptions import AirflowException, AirflowTaskTimeout
from kubernetes.client import models as k8s
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from airflow_plugin.operators.merge_job import MergeJob, PodPlace
from airflow_plugin.operators.outcome import committed_result, outcome
from airflow_plugin.operators.pod_failure import cause_of, in_words
from airflow_plugin.operators.pod_reading import CONTAINER, PodReading
from airflow_plugin.operators.pod_request import RUN_LABEL, pod_arguments
from config_schema import names
from config_schema.result import TOKEN_VARIABLE

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

CONNECT_SECONDS = 30.0
# A log stream that is silent for longer is opened anew: the provider's five minutes are how long a connection that is
# half open would hold up the task after its job has ended.
SILENCE_SECONDS = 30.0
END_POLL_SECONDS = 2.0


class KubernetesMergeOperator(KubernetesPodOperator):
    """KubernetesPodOperator that runs a merge job and returns its result; no XCom sidecar, no pods/exec."""

    template_fields = ()  # a row's strings never reach a template engine

    def __init__(self, *, job: MergeJob, place: PodPlace, **kwargs: Any) -> None:
        super().__init__(**pod_arguments(job, place), **kwargs)
        self.job = job
        self.reading = PodReading("")

    def merge(self, context: Context) -> dict[str, Any]:
        """Run the job to its end; `execute` for those who call it from another operator.

        Raises AirflowException if a retry can help, AirflowFailException if not, TaskDeferred in deferrable mode.
        """
        run_id = context["run_id"]
        self.prepare(run_id)
        work = self.execute_async if self.deferrable else self.execute_sync
        return self._outcome(run_id, lambda: work(context))

    def prepare(self, run_id: str) -> None:
        """Put what belongs to this try into the pod: the run id and a fresh token."""
        token = secrets.token_hex(16)
        self._read_with(token)
        self.arguments = self.job.run_arguments(run_id)
        self.labels = {**self.labels, RUN_LABEL: names.label_value(run_id)}
        self.env_vars = [*self.env_vars, k8s.V1EnvVar(name=TOKEN_VARIABLE, value=token)]
        self.name = self._set_name(self.name)

    def execute(self, context: Context) -> dict[str, Any]:
        return self.merge(context)

    def trigger_reentry(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Where the trigger comes back to, in a new process: the pod knows the token."""
        if not self.callbacks:
            self._read_with("")
        event.pop("stack_trace", None)  # its message says the same in a line
        reentry = super().trigger_reentry
        return self._outcome(context["run_id"], lambda: reentry(context, event))

    def on_kill(self) -> None:
        if self.pod is None:  # ended while the request was under way
            self.pod = self.pod_request_obj
        super().on_kill()

    def await_pod_completion(self, pod: k8s.V1Pod) -> None:  # type: ignore[override]  # theirs is decorated
        """Follow the log; where it is not to be had, wait for the container's end all the same."""
        try:
            super().await_pod_completion(pod)
        except (ApiException, HTTPError) as error:
            log.warning("%s: the log of its pod cannot be followed (%s)", self.job, in_words(error))
            self.pod_manager.await_container_completion(pod, CONTAINER, END_POLL_SECONDS)

    def process_pod_deletion(self, pod: k8s.V1Pod | None, *, reraise: bool = True) -> bool:
        """What still runs, or may start yet, is deleted under any setting: the next try starts a pod of its own."""
        try:
            # What is known of it may be from before its start.
            now = pod if pod is None or _is_over(pod) else self.pod_manager.read_pod(pod)
            if now is None or _is_over(now):
                deleted: bool = super().process_pod_deletion(now, reraise=True)
                return deleted
            log.info("%s: deleting pod %s, which is %s", self.job, now.metadata.name, now.status.phase)
            self.pod_manager.delete_pod(now)
        except (AirflowException, ApiException, HTTPError) as error:
            if reraise:
                raise
            log.warning("%s: its pod could not be deleted: %s", self.job, in_words(error))
            return False
        return True

    def patch_already_checked(self, pod: k8s.V1Pod, *, reraise: bool = True) -> None:
        try:
            super().patch_already_checked(pod, reraise=True)
        except (ApiException, HTTPError) as error:
            if reraise:
                raise
            log.warning("%s: its pod could not be marked as done with: %s", self.job, in_words(error))

    @cached_property
    def pod_manager(self) -> PodManager:
        return _PodManager(kube_client=self.client, callbacks=self.callbacks)

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
        if self._killed:
            raise AirflowException(f"{self.job}: the task was ended from outside, and its pod with it")
        result = self.reading.result or committed_result(self.job, run_id)
        if result is None and failed is not None and not self.reading.ended:
            raise AirflowException(f"{self.job}: {in_words(failed)}") from failed
        return outcome(self.job, result, self.reading.ended or "no word of its exit code")


class _PodManager(PodManager):
    """The provider's, that notices a log stream which is dead, and a pod that is there though no answer said so."""

    def read_pod_logs(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["_request_timeout"] = (CONNECT_SECONDS, SILENCE_SECONDS)
        return super().read_pod_logs(*args, **kwargs)

    def run_pod_async(self, pod: k8s.V1Pod, **kwargs: Any) -> k8s.V1Pod:
        body = self._client.api_client.sanitize_for_serialization(pod)
        try:
            return self._client.create_namespaced_pod(body=body, namespace=pod.metadata.namespace, **kwargs)
        except ApiException as error:
            if error.status != 409:
                raise
            return self.read_pod(pod)  # the name is random and ours: an earlier request was heard after all


def _is_over(pod: k8s.V1Pod) -> bool:
    return pod.status is not None and pod.status.phase in PodPhase.terminal_states
