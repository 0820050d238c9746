"""Waits in the triggerer for the pod of a deferred task: the provider's trigger, with an escaped log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from airflow.providers.cncf.kubernetes.triggers.pod import KubernetesPodTrigger
from airflow.providers.cncf.kubernetes.utils.pod_manager import AsyncPodManager
from airflow.triggers.base import TriggerEvent
from kubernetes.client import models as k8s
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from airflow_plugin.operators.pod_failure import LAUNCH, add_reason
from airflow_plugin.operators.pod_state import await_quick_start, pause_after, with_phase
from airflow_plugin.operators.task_log import EscapingLog
from airflow_plugin.operators.worker_end import HANDOVER


class JobPodTrigger(KubernetesPodTrigger):
    """Reports events and errors in the task's log, so that no text of a node or a registry forges a line.

    `poll_interval` is the longest wait between two looks at the pod; the first ones are shorter.
    """

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield the event that the task goes on with, once Airflow has taken note of the process that deferred it."""
        async for event in super().run():
            self._fired_event = False  # until then the pod still ends with its task
            await asyncio.sleep((HANDOVER - self._waited()).total_seconds())
            self._fired_event = True
            yield event

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the provider's trigger stores, under the name of this class."""
        _, arguments = super().serialize()
        return f"{__name__}.{type(self).__name__}", arguments | {"poll_interval": self._longest_poll}

    @property
    def poll_interval(self) -> float:
        """How long to wait until the next look: a part of the time that the task has waited, within its limit."""
        return pause_after(self._waited().total_seconds(), self._longest_poll)

    @poll_interval.setter
    def poll_interval(self, longest: float) -> None:
        self._longest_poll = longest

    def _waited(self) -> timedelta:
        """Return how long the task has waited in the triggerer."""
        return datetime.now(UTC) - self.trigger_start_time

    @property
    def log(self) -> Any:
        """Where the provider's trigger says what it does, and what went wrong."""
        return EscapingLog(super().log)

    @cached_property
    def pod_manager(self) -> AsyncPodManager:
        """The manager that watches the pod and its events."""
        return _PodManager(async_hook=self.hook)


class _PodManager(AsyncPodManager):
    async def read_pod(self, pod: k8s.V1Pod) -> k8s.V1Pod:
        """Return the pod as it is now, in the phase that its container is in."""
        return with_phase(await super().read_pod(pod))

    async def await_pod_start(self, pod: k8s.V1Pod, *args: Any, **kwargs: Any) -> None:
        """Wait for the start; a failure says what held it up."""
        try:
            await await_quick_start(lambda: self.read_pod(pod))
            await super().await_pod_start(pod, *args, **kwargs)
        except LAUNCH as error:
            with suppress(ApiException, HTTPError):  # else the error stands as it is
                add_reason(error, await self.read_pod(pod))
            raise

    @property
    def log(self) -> Any:
        return EscapingLog(super().log)
