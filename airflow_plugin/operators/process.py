"""The merge task that runs its job as a child process of the Airflow worker: for a laptop, and for tests."""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.operator import BaseOperator
from airflow.sdk.exceptions import AirflowException

from airflow_plugin.airflow_versions import AirflowFailException
from airflow_plugin.jobs.merge_job import MergeJob
from airflow_plugin.operators.assets import announce
from airflow_plugin.operators.kept_failure import failure_kept
from airflow_plugin.operators.lineage import ReportsLineage
from airflow_plugin.operators.result_handling import (
    committed_result,
    outcome,
    skip_if_paused,
    with_run_conf,
)
from airflow_plugin.operators.routing import hand_over
from airflow_plugin.operators.run_metrics import send_run_metrics
from airflow_plugin.operators.task_log import as_logged, level_of
from config_schema import names

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_plugin.operators.child_process import ChildProcess
    from config_schema.result import MergeResult


class ProcessMergeOperator(ReportsLineage, BaseOperator):
    """Runs the job, streams its lines into the task log, and returns its result."""

    ui_color = "#e3f0ff"

    def __init__(self, *, job: MergeJob, command: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job = job
        self.command = list(command or (sys.executable, "-m", "merge_jobs"))
        self._child: ChildProcess | None = None
        self._killed = False

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the merge job as a child process, and return the task's value."""
        skip_if_paused(self.job)
        with failure_kept(context, self.job):
            return self._merged(context)

    def _merged(self, context: Context) -> dict[str, Any]:
        job, run_id = with_run_conf(self.job, context), context["run_id"]
        with tempfile.TemporaryDirectory(prefix="merge-job-") as folder:
            result, ended = self._run(job.run_arguments(run_id), Path(folder))
        if result is None:
            result = committed_result(self.job, run_id)
        elif result.code >= 0 and ended != "exit code 0":
            self.log.warning("%s: the job reported %s, then ended with %s", self.job, result.code.name, ended)
        self.job_result = result
        send_run_metrics(self.job, result, context)
        value = outcome(self.job, result, ended)
        announce(self, self.job, value, context)
        hand_over(self, value, context)
        return value

    def on_kill(self) -> None:
        """End the job with the task."""
        self._killed = True
        if self._child is not None:
            self._child.ask_to_end()

    def _run(self, arguments: list[str], folder: Path) -> tuple[MergeResult | None, str]:
        """Return the result by the job's lines or its termination message, and how the job ended."""
        from airflow_plugin.operators.child_process import job_environment  # a parse loads as few modules as it can
        from config_schema.result import TOKEN_VARIABLE, ResultReader

        reader = ResultReader(token := secrets.token_hex(16))
        message = folder / "termination-message"
        message.touch()
        own = {TOKEN_VARIABLE: token, names.TERMINATION_MESSAGE_VARIABLE: str(message), "PYTHONUNBUFFERED": "1"}
        self._start(arguments, job_environment(self.job, os.environ) | own, folder)
        assert self._child is not None
        try:
            self.log.info("%s: started as process %d: %s", self.job, self._child.pid, arguments)
            for line in self._child.lines():
                self.log.log(level_of(line), "%s", as_logged(line))
                reader.feed(line)
        finally:
            self._child.end()
        if self._killed:
            raise AirflowException(f"{self.job}: the task was ended from outside, and its merge job with it")
        if reader.result is None:
            reader.feed(message.read_text("utf-8", errors="replace"))
        return reader.result, self._child.ended

    def _start(self, arguments: list[str], environment: Mapping[str, str], folder: Path) -> None:
        from airflow_plugin.operators.child_process import ChildProcess

        try:
            self._child = ChildProcess([*self.command, *arguments], environment, folder)
        except OSError as error:
            raise AirflowFailException(
                f"{self.job}: the merge job cannot be started: {self.command[0]}: {error.strerror}. "
                "Correct merge_job_command in the platform's settings file"
            ) from error
