"""What waits in the triggerer for the pod of a deferred task: the provider's trigger, with a log that is escaped."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.providers.cncf.kubernetes.triggers.pod import KubernetesPodTrigger
from airflow.providers.cncf.kubernetes.utils.pod_manager import AsyncPodManager

from airflow_plugin.operators.task_log import EscapingLog


class JobPodTrigger(KubernetesPodTrigger):
    """Reports events and errors in the task's log, in which nothing that a node or a registry says forges a line."""

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
        """What watches the pod and its events."""
        return _PodManager(async_hook=self.hook)


class _PodManager(AsyncPodManager):
    @property
    def log(self) -> Any:
        return EscapingLog(super().log)
