"""The merge job in a pod: what the pod is, and how its result is read from log, tail and termination message."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.providers.cncf.kubernetes.callbacks import KubernetesPodOperatorCallback
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk.exceptions import AirflowException
from kubernetes.client import models as k8s
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from airflow_plugin.operators.merge_job import MergeJob, PodPlace, SecretVariable
from airflow_plugin.operators.outcome import committed_result, outcome
from config_schema import names
from config_schema.result import TOKEN_VARIABLE, MergeResult, ResultReader

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

CONTAINER = "base"
TAIL_LINES = 200
LABEL_PREFIX = "stream-factory"


class KubernetesMergeOperator(KubernetesPodOperator):
    """KubernetesPodOperator that runs a merge job and returns its result; no XCom sidecar, no pods/exec."""

    template_fields = ()  # a row's strings never reach a template engine

    def __init__(self, *, job: MergeJob, place: PodPlace, **kwargs: Any) -> None:
        super().__init__(**_pod_arguments(job, place), **kwargs)
        self.job = job
        self.reading = PodReading("")

    def merge(self, context: Context) -> dict[str, Any]:
        """Run the job to its end; `execute` for those who call it from another operator.

        Raises AirflowException if a retry can help, AirflowFailException if not, TaskDeferred in deferrable mode.
        """
        run_id = context["run_id"]
        self.prepare(run_id)
        work = self.execute_async if self.deferrable else self.execute_sync
        return self._outcome(run_id, lambda: work(context))

    def prepare(self, run_id: str) -> None:
        """Put what belongs to this try into the pod: the run id and a fresh token."""
        token = secrets.token_hex(16)
        self._read_with(PodReading(token))
        self.arguments = self.job.run_arguments(run_id)
        self.labels = {**self.labels, f"{LABEL_PREFIX}/run": names.label_value(run_id)}
        self.env_vars = [*self.env_vars, k8s.V1EnvVar(name=TOKEN_VARIABLE, value=token)]
        self.name = self._set_name(self.name)

    def execute(self, context: Context) -> dict[str, Any]:
        return self.merge(context)

    def trigger_reentry(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        if not self.callbacks:  # back in a new process: the pod knows the token
            self._read_with(PodReading(""))
        reentry = super().trigger_reentry
        return self._outcome(context["run_id"], lambda: reentry(context, event))

    def _read_with(self, reading: PodReading) -> None:
        self.reading = reading
        self.callbacks = [reading]  # type: ignore[list-item]  # typed for classes of static methods only

    def _outcome(self, run_id: str, work: Callable[[], object]) -> dict[str, Any]:
        failed: Exception | None = None
        try:
            work()
        except (AirflowException, ApiException, HTTPError) as error:
            failed = error  # a failed pod, or one that could not be cleaned up: the result decides
        if self._killed:
            raise AirflowException(f"{self.job}: the task was ended from outside, and its pod with it")
        result = self.reading.result or committed_result(self.job, run_id)
        if result is None and failed is not None and not self.reading.ended:
            raise failed  # the job never ran: no such image, no room, no rights
        return outcome(self.job, result, self.reading.ended or "no word of its exit code")


class PodReading(KubernetesPodOperatorCallback):
    """Reads the result of one try: from each line of the log, then its tail, then the termination message.

    Overrides static methods by those of an instance, because it must remember what it has read.
    """

    def __init__(self, token: str) -> None:
        self._reader = ResultReader(token) if token else None
        self.ended = ""

    @property
    def result(self) -> MergeResult | None:
        return self._reader.result if self._reader else None

    def on_pod_creation(self, *, pod: k8s.V1Pod | None, **kwargs: Any) -> None:  # type: ignore[override]
        # A try that found the pod of an earlier one, after a restart of Airflow, must know that one's token.
        token = _token(pod)
        if token:
            self._reader = ResultReader(token)

    def progress_callback(self, *, line: str, **kwargs: Any) -> None:  # type: ignore[override]
        if self._reader is not None:
            self._reader.feed(line)

    def on_pod_completion(  # type: ignore[override]
        self, *, pod: k8s.V1Pod | None, client: Any, **kwargs: Any
    ) -> None:
        if pod is None:
            return
        if self._reader is None:
            self.on_pod_creation(pod=pod)
        ended = _terminated(pod)
        self.ended = f"exit code {ended.exit_code}" + (f" ({ended.reason})" if ended.reason else "") if ended else ""
        if self._reader is not None and self.result is None:
            self._reader.feed(_tail(pod, client))
        if self._reader is not None and self.result is None and ended and ended.message:
            self._reader.feed(ended.message)


def _pod_arguments(job: MergeJob, place: PodPlace) -> dict[str, Any]:
    """The operator's arguments: least rights, a root file system that is read only, secrets by reference."""
    given = {"kubernetes_conn_id": place.kubernetes_conn_id, "service_account_name": place.service_account}
    return {
        "name": place.name,
        "namespace": place.namespace,
        "image": place.image,
        "image_pull_policy": place.image_pull_policy,
        "image_pull_secrets": [k8s.V1LocalObjectReference(name=name) for name in place.image_pull_secrets],
        "arguments": list(job.arguments),
        "env_vars": [*map(_secret_variable, job.secrets), k8s.V1EnvVar(name="HOME", value="/tmp")],
        "labels": {
            "app.kubernetes.io/name": "merge-job",
            f"{LABEL_PREFIX}/platform": names.label_value(job.platform_name),
            f"{LABEL_PREFIX}/stream": names.label_value(job.stream_key),
        },
        "container_resources": k8s.V1ResourceRequirements(**place.resources) if place.resources else None,
        "node_selector": place.node_selector,
        "tolerations": [k8s.V1Toleration(**toleration) for toleration in place.tolerations],
        "volumes": [k8s.V1Volume(name="tmp", empty_dir=k8s.V1EmptyDirVolumeSource())],
        "volume_mounts": [k8s.V1VolumeMount(name="tmp", mount_path="/tmp")],
        "security_context": k8s.V1PodSecurityContext(
            run_as_non_root=True, seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault")
        ),
        "container_security_context": k8s.V1SecurityContext(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            capabilities=k8s.V1Capabilities(drop=["ALL"]),
        ),
        "automount_service_account_token": False,
        "base_container_name": CONTAINER,
        "deferrable": place.deferrable,
        "on_finish_action": "delete_succeeded_pod" if place.keep_failed else "delete_pod",
        "do_xcom_push": False,
        "container_name_log_prefix_enabled": False,
        "log_pod_spec_on_failure": False,
        **{key: value for key, value in given.items() if value is not None},
    }


def _secret_variable(secret: SecretVariable) -> k8s.V1EnvVar:
    reference = k8s.V1SecretKeySelector(name=secret.secret, key=secret.key, optional=secret.optional or None)
    return k8s.V1EnvVar(name=secret.name, value_from=k8s.V1EnvVarSource(secret_key_ref=reference))


def _token(pod: k8s.V1Pod | None) -> str:
    containers = pod.spec.containers if pod is not None and pod.spec is not None else []
    variables = (variable for container in containers for variable in container.env or [])
    return next((variable.value or "" for variable in variables if variable.name == TOKEN_VARIABLE), "")


def _terminated(pod: k8s.V1Pod) -> k8s.V1ContainerStateTerminated | None:
    statuses = (pod.status.container_statuses if pod.status is not None else None) or []
    states = (status.state for status in statuses if status.name == CONTAINER)
    return next((state.terminated for state in states if state is not None), None)


def _tail(pod: k8s.V1Pod, client: Any) -> str:
    """The log's last lines, which a broken stream can have lost."""
    try:
        answer = client.read_namespaced_pod_log(
            name=pod.metadata.name,
            namespace=pod.metadata.namespace,
            container=CONTAINER,
            tail_lines=TAIL_LINES,
            _preload_content=False,  # else the client returns the text of a bytes literal
        )
        text: str = answer.data.decode(errors="replace")
    except (ApiException, HTTPError) as error:
        log.warning("The end of the log of pod %s cannot be read: %s", pod.metadata.name, error)
        return ""
    return text
