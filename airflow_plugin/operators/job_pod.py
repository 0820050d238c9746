"""The pod of a job: started, watched, found again by the next try, and never left behind while it may work."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import cached_property
from typing import Any, NoReturn

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.utils.pod_manager import PodManager, PodPhase
from airflow.sdk.exceptions import AirflowException
from kubernetes.client import models as k8s
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from airflow_plugin.jobs.merge_job import PodJob, PodPlace
from airflow_plugin.operators.pod_failure import LAUNCH, add_reason, in_words
from airflow_plugin.operators.pod_lines import BoundedAnswer
from airflow_plugin.operators.pod_reading import CONTAINER
from airflow_plugin.operators.pod_request import pod_arguments
from airflow_plugin.operators.pod_trigger import JobPodTrigger
from airflow_plugin.operators.task_log import EscapingLog, as_logged, level_of

log = logging.getLogger(__name__)

CONNECT_SECONDS = 30.0
# A log stream that is silent for longer is opened again: the provider's five minutes are how long a connection that is
# half open would hold up the task after its job has ended.
SILENCE_SECONDS = 30.0
END_POLL_SECONDS = 2.0


class JobPod(KubernetesPodOperator):
    """KubernetesPodOperator for our jobs; what a job has said is read by those who derive from it."""

    template_fields = ()  # a row's strings never reach a template engine

    def __init__(self, *, job: PodJob, place: PodPlace, **kwargs: Any) -> None:
        super().__init__(**pod_arguments(job, place), **kwargs)
        self.job = job

    @property
    def log(self) -> Any:
        """Where the provider reports events and the states of containers."""
        return EscapingLog(super().log)

    def build_pod_request_obj(self, context: Any = None, **kwargs: Any) -> k8s.V1Pod:
        """Build the pod, without a variable for each Service of its namespace: no argument of the provider says so."""
        pod: k8s.V1Pod = super().build_pod_request_obj(context, **kwargs)
        pod.spec.enable_service_links = False
        return pod

    def on_kill(self) -> None:
        """Delete the pod, even if its request was still under way."""
        if self.pod is None:  # ended while the request was under way
            self.pod = self.pod_request_obj
        super().on_kill()

    def defer(self, *, trigger: Any, **kwargs: Any) -> NoReturn:
        """Wait in the triggerer by our own trigger, made of what the provider has stored in its own."""
        _, arguments = trigger.serialize()
        if arguments["connection_extras"] is None and self.hook.is_in_cluster:
            # Without a connection the triggerer would look for a kubeconfig, and find none.
            arguments |= {"in_cluster": True, "connection_extras": {}}
        super().defer(trigger=JobPodTrigger(**arguments), **kwargs)

    def still_works(self, name: str, namespace: str) -> bool:
        """Return whether there is such a pod, and it has not ended."""
        try:
            return not _is_over(self.hook.get_pod(name, namespace))
        except (ApiException, HTTPError):
            return False

    def await_pod_completion(self, pod: k8s.V1Pod) -> None:  # type: ignore[override]  # theirs is decorated
        """Follow the log; where it is not to be had, wait for the container's end all the same."""
        try:
            super().await_pod_completion(pod)
        except (ApiException, HTTPError) as error:
            log.warning("%s: the log of its pod cannot be followed (%s)", self.job, in_words(error))
            self.pod_manager.await_container_completion(pod, CONTAINER, END_POLL_SECONDS)

    def process_pod_deletion(self, pod: k8s.V1Pod | None, *, reraise: bool = True) -> bool:
        """Delete what still runs or may start, under any setting: the next try starts a pod of its own."""
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
        """Mark the pod as done with; a failure is only logged unless `reraise`."""
        try:
            super().patch_already_checked(pod, reraise=True)
        except (ApiException, HTTPError) as error:
            if reraise:
                raise
            log.warning("%s: its pod could not be marked as done with: %s", self.job, in_words(error))

    @cached_property
    def pod_manager(self) -> PodManager:
        """The manager that watches the pod."""
        return _PodManager(kube_client=self.client, callbacks=self.callbacks)


class _PodManager(PodManager):
    """The provider's, that notices a log stream which is dead, and a pod that is there though no answer said so."""

    @property
    def log(self) -> Any:
        return EscapingLog(super().log)

    def read_pod_logs(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["_request_timeout"] = (CONNECT_SECONDS, SILENCE_SECONDS)
        consumer = super().read_pod_logs(*args, **kwargs)
        consumer.response = BoundedAnswer(consumer.response)
        return consumer

    def _log_message(
        self, message: str, container_name: str, container_name_log_prefix_enabled: bool, *args: Any, **kwargs: Any
    ) -> None:
        """Log each line of a container's message as one of its own, at its level; data can forge or hide none."""
        prefix = f"[{container_name}] " if container_name_log_prefix_enabled else ""
        for line in message.split("\n"):
            if shown := as_logged(line):
                self.log.log(level_of(line), "%s", prefix + shown)

    async def await_pod_start(self, pod: k8s.V1Pod, *args: Any, **kwargs: Any) -> None:
        """Wait for the start; a failure says what held it up."""
        try:
            await super().await_pod_start(pod, *args, **kwargs)
        except LAUNCH as error:
            with suppress(ApiException, HTTPError):  # else the error stands as it is
                add_reason(error, self.read_pod(pod))
            raise

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
