"""The pod of a job: started, watched, found again by the next try, and never left behind while it may work."""

from __future__ import annotations

import logging
import os
from functools import cached_property
from typing import Any, NoReturn

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk.exceptions import AirflowException
from kubernetes.client import models as k8s
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from airflow_plugin.jobs.merge_job import PodJob, PodPlace
from airflow_plugin.operators.pod_failure import in_words
from airflow_plugin.operators.pod_manager import JobPodManager
from airflow_plugin.operators.pod_reading import CONTAINER
from airflow_plugin.operators.pod_request import pod_arguments
from airflow_plugin.operators.pod_state import has_ended
from airflow_plugin.operators.pod_trigger import JobPodTrigger
from airflow_plugin.operators.task_log import EscapingLog

EVICTED = "Evicted"  # it has done nothing to its end, and says nothing more

log = logging.getLogger(__name__)


class JobPod(KubernetesPodOperator):
    """KubernetesPodOperator for our jobs; subclasses read what a job has printed."""

    template_fields = ()  # a row's strings never reach a template engine

    def __init__(self, *, job: PodJob, place: PodPlace, **kwargs: Any) -> None:
        super().__init__(**pod_arguments(job, place), **kwargs)
        self.job = job
        self.left = False
        self._supervisor = os.getppid()

    @property
    def log(self) -> Any:
        """Where the provider reports events and the states of containers."""
        return EscapingLog(super().log)

    def build_pod_request_obj(self, context: Any = None, **kwargs: Any) -> k8s.V1Pod:
        """Build the pod, without a variable for each Service of its namespace: no argument of the provider says so."""
        pod: k8s.V1Pod = super().build_pod_request_obj(context, **kwargs)
        pod.spec.enable_service_links = False
        return pod

    def get_or_create_pod(self, pod_request_obj: k8s.V1Pod, context: Any) -> k8s.V1Pod:
        """Return the pod that an earlier try has left, also one that has ended and was not read yet; or create one."""
        found = self.find_pod(pod_request_obj.metadata.namespace, context=context)
        if found is not None and has_ended(found) and found.status.reason != EVICTED:
            return found
        return super().get_or_create_pod(pod_request_obj, context)

    def leave(self) -> None:
        """Leave the pod running when this process ends: the process that runs the task next finds it."""
        self._killed = self.left = True

    def cleanup(self, *args: Any, **kwargs: Any) -> None:
        """Mark and delete the pod, unless the worker that this process belongs to is gone: then it is another's."""
        if os.getppid() == self._supervisor:
            super().cleanup(*args, **kwargs)

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
            return not has_ended(self.hook.get_pod(name, namespace))
        except (ApiException, HTTPError):
            return False

    def await_pod_completion(self, pod: k8s.V1Pod) -> None:  # type: ignore[override]  # theirs is decorated
        """Follow the log; where it is not to be had, wait for the container's end all the same."""
        try:
            super().await_pod_completion(pod)
        except (ApiException, HTTPError) as error:
            log.warning("%s: the log of its pod cannot be followed (%s)", self.job, in_words(error))
            self.pod_manager.await_container_completion(pod, CONTAINER)

    def process_pod_deletion(self, pod: k8s.V1Pod | None, *, reraise: bool = True) -> bool:
        """Delete what still runs or may start, under any setting: the next try starts a pod of its own."""
        try:
            # What is known of it may be from before its start.
            now = pod if pod is None or has_ended(pod) else self.pod_manager.read_pod(pod)
            if now is None or has_ended(now):
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
    def pod_manager(self) -> JobPodManager:
        """The manager that watches the pod."""
        return JobPodManager(kube_client=self.client, callbacks=self.callbacks)
