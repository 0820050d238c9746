"""What a pod's container says of it before its phase does, and how often to look."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from airflow.providers.cncf.kubernetes.utils.pod_manager import PodPhase

from airflow_plugin.operators.pod_reading import CONTAINER

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
LATENESS = 0.15  # of the time waited so far: what a change may be seen too late by
# What a container waits for that starts. Anything else is for the provider, which gives some of it up.
STARTING = (None, "ContainerCreating", "PodInitializing")


def with_phase(pod: Any) -> Any:
    """Return the pod, in the phase that its container is in: its node reports the phase a second later.

    A container that failed does not decide, because the node then says more of the pod: that it was evicted.
    """
    state = _state(pod)
    if state is not None and pod.status.phase in (PodPhase.PENDING, PodPhase.RUNNING):
        if state.terminated is not None and state.terminated.exit_code == 0:
            pod.status.phase = PodPhase.SUCCEEDED
        elif state.terminated is not None or state.running is not None:
            pod.status.phase = PodPhase.RUNNING
    return pod


def has_ended(pod: Any) -> bool:
    """Return whether the pod's own container has ended, or the pod for another reason."""
    if pod.status is None:
        return False
    return pod.status.phase in PodPhase.terminal_states or getattr(_state(pod), "terminated", None) is not None


async def await_quick_start(look: Callable[[], Awaitable[Any]]) -> None:
    """Wait while the pod is about to start; return as soon as it has, or where something holds it up."""
    for pause in pauses():
        if not _is_starting(await look()) or pause == LONGEST_PAUSE:  # as the provider waits
            return
        await asyncio.sleep(pause)


def _is_starting(pod: Any) -> bool:
    if pod.status.phase != PodPhase.PENDING:
        return False
    conditions = pod.status.conditions or ()
    if any(one.type == "PodScheduled" and one.status == "False" for one in conditions):
        return False
    waiting = getattr(_state(pod), "waiting", None)
    return getattr(waiting, "reason", None) in STARTING


def _state(pod: Any) -> Any:
    statuses = (pod.status.container_statuses if pod.status is not None else None) or ()
    return next((one.state for one in statuses if one.name == CONTAINER), None)


def pauses() -> Iterator[float]:
    """Yield how long to wait before each next look."""
    began = time.monotonic()
    while True:
        yield pause_after(time.monotonic() - began, LONGEST_PAUSE)


def pause_after(waited: float, longest: float) -> float:
    """Return the seconds until the next look: the longer, the longer it has taken already."""
    return min(max(FIRST_PAUSE, LATENESS * waited), longest)
