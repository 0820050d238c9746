"""Distinguishes the end of a task, which ends its pod, from the end of its worker, which leaves the pod running.

A restart, an upgrade or the drain of a node sends SIGTERM to the workers, and Airflow then calls `on_kill` as it does
for a task that was marked as failed, cleared or that took too long. What tells them apart is what Airflow wants of the
task: it is still `running` there if only the worker is to end.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_plugin.airflow_versions import AirflowRescheduleException, AirflowTaskTimeout

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_plugin.operators.job_pod import JobPod

# Airflow kills a task that it no longer wants 5 s after the signal, and its pod has to be deleted before.
ASK_SECONDS = 2.5
# The executor has to report the end of this process first: else its report is taken for one of the next, which fails
# the try. It can take the five seconds of `min_heartbeat_interval` to see that a process has ended.
HANDOVER = timedelta(seconds=10)

log = logging.getLogger(__name__)


class WorkerEnds(BaseException):
    """Ends what this process does for the task. No handler of errors takes it for one."""


class WorkerEnd:
    """The end of the worker that runs a task, as that task sees it."""

    def __init__(self) -> None:
        self._ti: Any = None
        self._answer: str | None = None

    @contextmanager
    def hands_over(self, context: Context) -> Iterator[None]:
        """Let another worker continue the task if this one ends meanwhile, without counting a try."""
        self._ti = context["ti"]
        try:
            yield
        except WorkerEnds:
            log.warning("This worker is ending. The task goes on in another one, with the pod that it has")
            raise AirflowRescheduleException(datetime.now(UTC) + HANDOVER) from None  # type: ignore[no-untyped-call]

    def end(self, pod: JobPod) -> None:
        """End the pod with its task, for `on_kill`.

        Raises WorkerEnds, and leaves the pod, where only the worker ends.
        """
        if pod.left:
            return  # where a group of processes gets the signal, this one gets it twice
        if self._is_all():
            pod.leave()
            raise WorkerEnds
        pod.on_kill()

    def _is_all(self) -> bool:
        """Return whether the task goes on without this worker: Airflow still wants it, or cannot be asked."""
        if self._ti is None or isinstance(sys.exception(), AirflowTaskTimeout):
            return False
        return self._state() in ("running", None)

    def _state(self) -> str | None:
        """Return the task's state in Airflow, `gone` if it has none, None if Airflow gives no answer."""
        # In a thread: the signal can have interrupted a question, whose lock this thread then holds.
        asking = threading.Thread(target=self._ask, daemon=True)
        asking.start()
        asking.join(ASK_SECONDS)
        return self._answer

    def _ask(self) -> None:
        ti = self._ti
        try:
            states = ti.get_task_states(dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id])
        except Exception as error:  # of Airflow's client, of whatever kind: there is no answer
            log.warning("Airflow does not say whether the task is to end: %s", type(error).__name__)
        else:
            self._answer = str(states.get(ti.run_id, {}).get(ti.task_id) or "gone")
