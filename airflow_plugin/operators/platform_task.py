"""The task that runs a job of a platform as a whole, where the platform's merges run."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.operator import BaseOperator
from airflow.sdk.exceptions import AirflowException

from airflow_plugin.airflow_versions import AirflowFailException
from airflow_plugin.jobs.merge_job import PodPlace
from airflow_plugin.jobs.platform_job import (
    DAGFACTORY,
    MERGE_JOB,
    LastWords,
    PlatformJob,
)
from airflow_plugin.operators.child_process import ChildProcess, job_environment
from airflow_plugin.operators.kept_failure import failure_kept
from airflow_plugin.operators.task_log import as_logged, level_of
from airflow_plugin.operators.worker_end import WorkerEnd
from config_schema.errors import SHARED_LOG_VARIABLE

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_plugin.operators.kubernetes_job import KubernetesJob

MODULES = {MERGE_JOB: "merge_jobs", DAGFACTORY: "airflow_plugin"}
WRONG_COMMAND_LINE = re.compile(r"exit code 2\b")


class PlatformTask(BaseOperator):
    """Runs a job in a pod, or as a child process where it has no place for one; fails with the job's last words."""

    ui_color = "#e3f0ff"

    def __init__(
        self,
        *,
        job: PlatformJob,
        place: PodPlace | None,
        command: Sequence[str] | None = None,
        only_after: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job = job
        self.place = place
        self.only_after = only_after  # a task of the same run that must have succeeded
        self.command = command  # in place of merge-job, where it is a child process
        self._running: ChildProcess | KubernetesJob | None = None
        self._killed = False
        self._worker_end = WorkerEnd()

    def execute(self, context: Context) -> None:
        """Run the job."""
        if self.only_after is not None:
            _refuse_without(self.only_after, self.job, context)
        self.run_job(self.job, context)

    def run_job(self, job: PlatformJob, context: Context) -> None:
        """Run a job to its end.

        Raises AirflowException with how the job ended and its last words, AirflowFailException for a wrong command
        line.
        """
        with self._worker_end.hands_over(context), failure_kept(context):
            self._run_to_end(job, context)

    def _run_to_end(self, job: PlatformJob, context: Context) -> None:
        words = LastWords()
        ended = self._in_pod(job, self.place, words, context) if self.place else self._as_process(job, words)
        if self._killed:
            raise AirflowException(f"{job}: the task was ended from outside, and its job with it")
        if ended != "exit code 0":
            said = f"{job}: {words or 'it said nothing'} ({ended})"
            raise (AirflowFailException if WRONG_COMMAND_LINE.match(ended) else AirflowException)(said)

    def on_kill(self) -> None:
        """End the job with the task; leave its pod to the next worker where only this one ends."""
        self._killed = True
        if isinstance(self._running, ChildProcess):
            self._running.ask_to_end()
        elif self._running is not None:
            self._worker_end.end(self._running)

    def _in_pod(self, job: PlatformJob, place: PodPlace, words: LastWords, context: Context) -> str:
        # Here, because a DAG file would pay for the import in each parse.
        from airflow_plugin.operators.kubernetes_job import KubernetesJob

        self._running = pod = KubernetesJob(
            task_id=self.task_id, job=job, place=place, words=words, execution_timeout=self.execution_timeout
        )
        return pod.run_to_end(context)

    def _as_process(self, job: PlatformJob, words: LastWords) -> str:
        own = self.command if job.program == MERGE_JOB else None
        command = [*(own or (sys.executable, "-m", MODULES[job.program])), *job.arguments]
        environment = job_environment(job, os.environ) | {"PYTHONUNBUFFERED": "1", SHARED_LOG_VARIABLE: "1"}
        with tempfile.TemporaryDirectory(prefix=f"{job.program}-") as folder:
            try:
                child = ChildProcess(command, environment, Path(folder))
            except OSError as error:
                raise AirflowFailException(
                    f"{job}: its program cannot be started: {command[0]}: {error.strerror}. "
                    "Correct merge_job_command in the platform's settings file"
                ) from error
            self._running = child
            try:
                self.log.info("%s: started as process %d: %s %s", job, child.pid, job.program, list(job.arguments))
                for line in child.lines():
                    self.log.log(level_of(line), "%s", as_logged(line))
                    words.feed(line)
            finally:
                child.end()
            return child.ended


def _refuse_without(task_id: str, job: PlatformJob, context: Context) -> None:
    """Raise AirflowFailException unless the task has succeeded in this run."""
    ti, run_id = context["ti"], context["run_id"]
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=[task_id], run_ids=[run_id])
    if states.get(run_id, {}).get(task_id) != "success":
        raise AirflowFailException(f"{job}: not done, as {task_id} has not succeeded in this run")
