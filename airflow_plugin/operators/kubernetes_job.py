"""A platform's job in a pod; see platform_task.py, whose task is what a DAG has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException
from kubernetes.client import models as k8s
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from airflow_plugin.airflow_versions import AirflowTaskTimeout
from airflow_plugin.jobs.merge_job import PodPlace
from airflow_plugin.jobs.platform_job import DAGFACTORY, LastWords, PlatformJob
from airflow_plugin.operators.compile_first import compile_first, read_compiled
from airflow_plugin.operators.job_pod import JobPod
from airflow_plugin.operators.pod_failure import cause_of, in_words
from airflow_plugin.operators.pod_reading import PodReading
from airflow_plugin.operators.worker_end import WorkerEnds
from config_schema.errors import SHARED_LOG_VARIABLE

if TYPE_CHECKING:
    from airflow.sdk import Context

DONE = "exit code 0"


class KubernetesJob(JobPod):
    """Runs the job to its end; whoever reads its last words reports how that was."""

    def __init__(self, *, job: PlatformJob, place: PodPlace, words: LastWords, **kwargs: Any) -> None:
        super().__init__(job=job, place=place, cmds=[job.program], **kwargs)
        self.env_vars = [*self.env_vars, k8s.V1EnvVar(name=SHARED_LOG_VARIABLE, value="1")]
        if job.program == DAGFACTORY:
            read_compiled(self)
        if job.fetch:
            compile_first(self, job, place)
        self.reading = _Reading(words)
        self.callbacks = [self.reading]  # type: ignore[list-item]  # typed for classes of static methods only

    def run_to_end(self, context: Context) -> str:
        """Return how the container ended: `exit code 1`. Raises AirflowException if that is unknown."""
        failed: BaseException | None = None
        try:
            self.execute_sync(context)
        except (AirflowException, ApiException, HTTPError) as error:
            failed = cause_of(error)
        if isinstance(failed, AirflowTaskTimeout):
            raise failed
        if self.left:
            raise WorkerEnds  # again: something has taken it for an error of its own
        if failed is not None and not self.reading.ended and not self._killed:
            raise AirflowException(f"{self.job}: {in_words(failed)}") from failed
        return DONE if self.reading.ended.startswith(f"{DONE} ") else self.reading.ended or "no word of its exit code"


class _Reading(PodReading):
    """Hands each line on, and knows how the container ended."""

    def __init__(self, words: LastWords) -> None:
        super().__init__("")
        self._words = words

    def progress_callback(self, *, line: str, **kwargs: Any) -> None:  # type: ignore[override]
        self._words.feed(line)
