"""The merge job for both runners: its arguments, its secrets by reference, and the ids of the tasks around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from config_schema import names

MERGE_TASK = "snapshot_merge_job"
CHECK_TASK = "check_result"
RESCHEDULE_TASK = "reschedule_immediately"
WAIT_TASK = "wait_for_trigger"


# Options of a merge that say which source it reads, by which login, and where what is found is recorded.
OF_SOURCE = frozenset(
    [
        *("--platform", "--store", "--dataset", "--datasets", "--tables"),
        *("--git-repo-url", "--git-repo-branch", "--git-credential"),
        *("--postgres-host", "--postgres-port", "--postgres-database", "--postgres-schema", "--postgres-credential"),
        *("--postgres-tls", "--postgres-tls-ca", "--least-tls", "--connect-wait"),
        *("--source-credential", "--source-hosts"),
    ]
)


@dataclass(frozen=True)
class SecretVariable:
    """An environment variable of the job, and the secret's key in it; never the value."""

    name: str
    secret: str
    key: str
    optional: bool = False


class PodJob(Protocol):
    """What a pod needs to know of a job. `kind` is a label with the job's stream or task."""

    @property
    def platform_name(self) -> str:
        """The platform's name in tables and DAG ids."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """The command line."""

    @property
    def secrets(self) -> tuple[SecretVariable, ...]:
        """The environment variables, by reference to secrets."""

    @property
    def environment(self) -> str | None:
        """The model's environment that the job is for."""

    @property
    def variables(self) -> tuple[tuple[str, str], ...]:
        """More variables that are no secrets."""

    @property
    def kind(self) -> tuple[str, str]:
        """A label for the job's pods: its key and its value."""


def environment_variables(job: PodJob) -> dict[str, str]:
    """Return the variables of the job that are no secrets."""
    of_model = {} if job.environment is None else {names.ENVIRONMENT_VARIABLE: job.environment}
    return of_model | dict(job.variables)


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
    environment: str | None = None

    @property
    def store(self) -> str:
        """The name of the stream's datastore."""
        return self.stream_key.partition("#")[0]

    @property
    def variables(self) -> tuple[tuple[str, str], ...]:
        """More variables that are no secrets: none, its arguments have what the settings admit."""
        return ()

    @property
    def kind(self) -> tuple[str, str]:
        """A label for the job's pods: its key and its value."""
        return "stream", self.stream_key

    def run_arguments(self, run_id: str) -> list[str]:
        """Return the command line for a run."""
        return [*self.arguments, f"--run-id={run_id}"]

    def check_source_arguments(self) -> list[str]:
        """Return the command line that looks at the source which the merge reads."""
        shared = [one for one in self.arguments if one.partition("=")[0] in OF_SOURCE]
        return ["check-source", *shared, "--exit-zero"]

    def __str__(self) -> str:
        return f"{self.platform} {self.stream_key}"


@dataclass(frozen=True)
class PodPlace:
    """Where and how the job's pod runs, as far as the row says; Kubernetes decides about None."""

    name: str
    namespace: str
    image: str
    image_pull_policy: str | None  # None: as Kubernetes does by the image's tag
    image_pull_secrets: tuple[str, ...]
    service_account: str | None
    resources: dict[str, dict[str, str]] | None
    node_selector: dict[str, str] | None
    tolerations: tuple[dict[str, str], ...]
    keep_failed: bool
    deferrable: bool
    kubernetes_conn_id: str | None
    tls_ca_names: tuple[str, ...] = ()
