"""What waits in the triggerer for the pod of a deferred task: the provider's trigger, with a log that is escaped."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.providers.cncf.kubernetes.triggers.pod import KubernetesPodTrigger
from airflow.providers.cncf.kubernetes.utils.pod_manager import AsyncPodManager

from airflow_plugin.operators.task_log import EscapingLog


class JobPodTrigger(KubernetesPodTrigger):
    """Tells of a pod's events in the task's log, in which nothing that a node or a registry says forges a line."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        _, arguments = super().serialize()
        return f"{__name__}.{type(self).__name__}", arguments

    @cached_property
    def pod_manager(self) -> AsyncPodManager:
        return _PodManager(async_hook=self.hook)


class _PodManager(AsyncPodManager):
    @property
    def log(self) -> Any:
        return EscapingLog(super().log)
