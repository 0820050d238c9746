"""Watches the pod of a job: its start, its log to the last line, and its end."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from contextlib import suppress
from typing import Any

from airflow.providers.cncf.kubernetes.callbacks import ExecutionMode
from airflow.providers.cncf.kubernetes.utils.container import container_is_completed
from airflow.providers.cncf.kubernetes.utils.pod_manager import (
    PodLoggingStatus,
    PodManager,
    PodPhase,
)
from kubernetes.client import models as k8s
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError, ReadTimeoutError

from airflow_plugin.operators.pod_failure import LAUNCH, add_reason, in_words
from airflow_plugin.operators.pod_log import BoundedAnswer, LogPosition
from airflow_plugin.operators.pod_state import await_quick_start, pauses, with_phase
from airflow_plugin.operators.task_log import EscapingLog, as_logged, level_of

log = logging.getLogger(__name__)

CONNECT_SECONDS = 30.0
# A log stream that is silent for longer is opened again: the provider's five minutes are how long a connection that is
# half open would hold up the task after its job has ended.
SILENCE_SECONDS = 30.0


class JobPodManager(PodManager):
    """The provider's manager, but it polls more often if a change is near, and reads each line of the log once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._positions: defaultdict[tuple[str, str], LogPosition] = defaultdict(LogPosition)

    @property
    def log(self) -> Any:
        """Where the provider reports events and states."""
        return EscapingLog(super().log)

    def run_pod_async(self, pod: k8s.V1Pod, **kwargs: Any) -> k8s.V1Pod:
        """Create the pod; if the server's answer was lost, take the pod that exists under its name."""
        body = self._client.api_client.sanitize_for_serialization(pod)
        try:
            return self._client.create_namespaced_pod(body=body, namespace=pod.metadata.namespace, **kwargs)
        except ApiException as error:
            if error.status != 409:
                raise
            return self.read_pod(pod)  # the name is random and ours: an earlier request was heard after all

    def read_pod(self, pod: k8s.V1Pod) -> k8s.V1Pod:
        """Return the pod as it is now, in the phase that its container is in."""
        return with_phase(super().read_pod(pod))

    async def await_pod_start(self, pod: k8s.V1Pod, *args: Any, **kwargs: Any) -> None:
        """Wait for the start; a failure says what held it up."""

        async def look() -> k8s.V1Pod:
            return self.read_pod(pod)

        try:
            await await_quick_start(look)
            await super().await_pod_start(pod, *args, **kwargs)
        except LAUNCH as error:
            with suppress(ApiException, HTTPError):  # else the error stands as it is
                add_reason(error, self.read_pod(pod))
            raise

    def read_pod_logs(self, *args: Any, **kwargs: Any) -> Any:
        """Open a stream of the log, with a time limit, and with lines cut where they are too long for the worker."""
        kwargs["_request_timeout"] = (CONNECT_SECONDS, SILENCE_SECONDS)
        consumer = super().read_pod_logs(*args, **kwargs)
        consumer.response = BoundedAnswer(consumer.response)
        return consumer

    def fetch_container_logs(
        self, pod: k8s.V1Pod, container_name: str, *, follow: bool = False, **kwargs: Any
    ) -> PodLoggingStatus:
        """Show the log, with `follow` until the container ends; after a broken stream, go on behind the last line."""
        for pause in pauses():
            broken = self._read_on(pod, container_name, follow=follow)
            running = self.container_is_running(pod, container_name=container_name)
            if broken is not None and not running:
                broken = self._read_on(pod, container_name, follow=False)
            if isinstance(broken, HTTPError) and not isinstance(broken, ReadTimeoutError):
                log.warning("The log of pod %s broke off: %s", pod.metadata.name, in_words(broken))
            if not (running and follow):
                break
            time.sleep(pause)
        return PodLoggingStatus(running=running, last_log_time=None)

    def _read_on(self, pod: k8s.V1Pod, container_name: str, *, follow: bool) -> Exception | None:
        """Read what the log has behind the last line read; return why that ended too early, if it did."""
        position = self._positions[pod.metadata.name, container_name]
        try:
            stream = self.read_pod_logs(
                pod, container_name, timestamps=True, since_seconds=position.next_stream(), follow=follow
            )
            for raw in stream:
                text = position.take(raw.decode("utf-8", errors="backslashreplace").rstrip("\n"))
                if text is not None:
                    self._show(pod, container_name, text)
        except HTTPError as error:
            return error
        return None

    def _show(self, pod: k8s.V1Pod, container_name: str, text: str) -> None:
        """Log a line at its level, as one line, and hand it on; data can forge or hide none."""
        for callback in self._callbacks:
            callback.progress_callback(
                line=text,
                client=self._client,
                mode=ExecutionMode.SYNC,
                container_name=container_name,
                timestamp=None,
                pod=pod,
            )
        if shown := as_logged(text):
            self.log.log(level_of(text), "%s", shown)

    def await_container_completion(self, pod: k8s.V1Pod, container_name: str, polling_time: float = 1) -> None:
        """Wait for the container's end, without a line in the log for each look."""
        for pause in pauses():
            if container_is_completed(self.read_pod(pod), container_name):
                return
            time.sleep(pause)

    def await_pod_completion(
        self, pod: k8s.V1Pod, istio_enabled: bool = False, container_name: str = "base", do_xcom_push: bool = False
    ) -> k8s.V1Pod:
        """Return the pod once it has ended, or once its own container has, if a proxy beside it goes on."""
        for pause in pauses():
            found: k8s.V1Pod = self.read_pod(pod)
            if found.status.phase in PodPhase.terminal_states:
                return found
            if (istio_enabled or do_xcom_push) and container_is_completed(found, container_name):
                return found
            time.sleep(pause)
        raise AssertionError("pauses do not end")
