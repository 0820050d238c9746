"""The result of a merge job, read from its pod: each line of the log, then its tail, then the termination message."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from airflow.providers.cncf.kubernetes.callbacks import KubernetesPodOperatorCallback
from kubernetes.client import models as k8s
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from airflow_plugin.operators.pod_failure import in_words
from airflow_plugin.operators.pod_log import lines_of
from airflow_plugin.operators.task_log import as_logged, level_of
from config_schema.printable import printable
from config_schema.result import TOKEN_VARIABLE, MergeResult, ResultReader

log = logging.getLogger(__name__)

CONTAINER = "base"
TAIL_LINES = 200
WHOLE_LOG_LINES = 20_000
TAIL_SECONDS = 60.0


class PodReading(KubernetesPodOperatorCallback):
    """Reads the result of one try. `whole_log` shows the whole log at the end, if nobody followed it.

    Overrides static methods by those of an instance, because it must remember what it has read.
    """

    def __init__(self, token: str, *, whole_log: bool = False) -> None:
        self._reader = ResultReader(token) if token else None
        self._whole_log = whole_log
        self.ended = ""
        self.ended_by_node = ""  # why, of a pod that its node has ended

    @property
    def result(self) -> MergeResult | None:
        """The job's result, once it was read."""
        return self._reader.result if self._reader else None

    def on_pod_creation(self, *, pod: k8s.V1Pod | None, **kwargs: Any) -> None:  # type: ignore[override]
        """Read the token of the pod: a retry may have found the pod of an earlier try."""
        # A try that found the pod of an earlier one, after a restart of Airflow, must know that one's token.
        token = _token(pod)
        if token:
            self._reader = ResultReader(token)

    def progress_callback(self, *, line: str, **kwargs: Any) -> None:  # type: ignore[override]
        """Read a line of the pod's log."""
        if self._reader is not None:
            self._reader.feed(line)

    def on_pod_completion(  # type: ignore[override]
        self, *, pod: k8s.V1Pod | None, client: Any, **kwargs: Any
    ) -> None:
        """Read how the pod ended, and the result if the log's lines did not give it."""
        if pod is None:
            return
        if self._reader is None:
            self.on_pod_creation(pod=pod)
        ended = _terminated(pod)
        self.ended_by_node = _what_the_node_did(pod)
        self.ended = _how_it_ended(ended, self.ended_by_node)
        if self._whole_log or self.result is None:
            for line in _last_lines(pod, client, WHOLE_LOG_LINES if self._whole_log else TAIL_LINES):
                if self._whole_log:
                    log.log(level_of(line), "%s", as_logged(line))
                self.progress_callback(line=line)
        if self.result is None and ended is not None:
            self.progress_callback(line=ended.message or "")


def _token(pod: k8s.V1Pod | None) -> str:
    containers = pod.spec.containers if pod is not None and pod.spec is not None else []
    variables = (variable for container in containers for variable in container.env or [])
    return next((variable.value or "" for variable in variables if variable.name == TOKEN_VARIABLE), "")


def _terminated(pod: k8s.V1Pod) -> k8s.V1ContainerStateTerminated | None:
    statuses = (pod.status.container_statuses if pod.status is not None else None) or []
    states = (status.state for status in statuses if status.name == CONTAINER)
    return next((state.terminated for state in states if state is not None), None)


def _what_the_node_did(pod: k8s.V1Pod) -> str:
    """Return `pod Evicted (The node was low on resource: memory)`; empty for a pod that ended by itself."""
    status = pod.status
    if status is None or status.phase != "Failed" or not (status.reason or status.message):
        return ""
    return printable(f"pod {status.reason or 'failed'} ({(status.message or 'no message').strip(' .')})")


def _how_it_ended(ended: k8s.V1ContainerStateTerminated | None, by_node: str) -> str:
    """Return `exit code 137 (OOMKilled)`, with what its node says of it."""
    reason = f" ({printable(ended.reason)})" if ended is not None and ended.reason else ""
    code = f"exit code {ended.exit_code}{reason}" if ended is not None else ""
    return ", ".join(filter(None, (code, by_node)))


def _last_lines(pod: k8s.V1Pod, client: Any, count: int) -> Iterator[str]:
    """Yield the log's last lines, which a broken stream can have lost."""
    try:
        answer = client.read_namespaced_pod_log(
            name=pod.metadata.name,
            namespace=pod.metadata.namespace,
            container=CONTAINER,
            tail_lines=count,
            _preload_content=False,  # else the client returns the text of a bytes literal
            _request_timeout=TAIL_SECONDS,
        )
        for line in lines_of(answer.stream()):
            yield line.decode(errors="replace").rstrip("\r")
    except (ApiException, HTTPError) as error:
        log.warning("The end of the log of pod %s cannot be read: %s", pod.metadata.name, in_words(error))
