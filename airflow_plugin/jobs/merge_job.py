"""The merge job as both runners know it: its arguments, its secrets by reference, and the tasks around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

MERGE_TASK = "snapshot_merge_job"
CHECK_TASK = "check_result"
RESCHEDULE_TASK = "reschedule_immediately"
WAIT_TASK = "wait_for_trigger"


@dataclass(frozen=True)
class SecretVariable:
    """An environment variable of the job and the secret's key that it holds; never the value."""

    name: str
    secret: str
    key: str
    optional: bool = False


class Job(Protocol):
    """What a pod is made of. `kind` is what its label says the job is of: a stream, or a task."""

    @property
    def platform_name(self) -> str: ...
    @property
    def arguments(self) -> tuple[str, ...]: ...
    @property
    def secrets(self) -> tuple[SecretVariable, ...]: ...
    @property
    def kind(self) -> tuple[str, str]: ...


@dataclass(frozen=True)
class MergeJob:
    """One stream's merge job; a run adds only its run id.

    `platform` is the platform's name in the model, `platform_name` the derived one, `schema` that of its tables in the
    merge store. Arguments go to the job as they are, through no template and no shell.
    """

    platform: str
    platform_name: str
    stream_key: str
    arguments: tuple[str, ...]
    secrets: tuple[SecretVariable, ...]
    schema: str = "public"
    datasets: tuple[str, ...] = ()
    paused: bool = False

    @property
    def store(self) -> str:
        return self.stream_key.partition("#")[0]

    @property
    def kind(self) -> tuple[str, str]:
        return "stream", self.stream_key

    def run_arguments(self, run_id: str) -> list[str]:
        return [*self.arguments, f"--run-id={run_id}"]

    def __str__(self) -> str:
        return f"{self.platform} {self.stream_key}"


@dataclass(frozen=True)
class PodPlace:
    """Where and how the job's pod runs, as far as the row says; None leaves it to Kubernetes."""

    name: str
    namespace: str
    image: str
    image_pull_policy: str
    image_pull_secrets: tuple[str, ...]
    service_account: str | None
    resources: dict[str, dict[str, str]] | None
    node_selector: dict[str, str] | None
    tolerations: tuple[dict[str, str], ...]
    keep_failed: bool
    deferrable: bool
    kubernetes_conn_id: str | None
    tls_ca_names: tuple[str, ...] = ()
