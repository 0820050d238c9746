"""Waits in the triggerer for the pod of a deferred task: the provider's trigger, with an escaped log."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import Any

from airflow.providers.cncf.kubernetes.triggers.pod import KubernetesPodTrigger
from airflow.providers.cncf.kubernetes.utils.pod_manager import AsyncPodManager
from kubernetes.client import models as k8s
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from airflow_plugin.operators.pod_failure import LAUNCH, add_reason
from airflow_plugin.operators.task_log import EscapingLog


class JobPodTrigger(KubernetesPodTrigger):
    """Reports events and errors in the task's log, so that no text of a node or a registry forges a line."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the provider's trigger stores, under the name of this class."""
        _, arguments = super().serialize()
        return f"{__name__}.{type(self).__name__}", arguments

    @property
    def log(self) -> Any:
        """Where the provider's trigger says what it does, and what went wrong."""
        return EscapingLog(super().log)

    @cached_property
    def pod_manager(self) -> AsyncPodManager:
        """The manager that watches the pod and its events."""
        return _PodManager(async_hook=self.hook)


class _PodManager(AsyncPodManager):
    async def await_pod_start(self, pod: k8s.V1Pod, *args: Any, **kwargs: Any) -> None:
        """Wait for the start; a failure says what held it up."""
        try:
            await super().await_pod_start(pod, *args, **kwargs)
        except LAUNCH as error:
            with suppress(ApiException, HTTPError):  # else the error stands as it is
                add_reason(error, await self.read_pod(pod))
            raise

    @property
    def log(self) -> Any:
        return EscapingLog(super().log)
