"""The jobs of a platform as a whole, from its settings alone. Pure; operators/platform_task.py runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from airflow_plugin.jobs.merge_job import PodPlace, SecretVariable
from airflow_plugin.jobs.platform_job import DAGFACTORY, MERGE_JOB, PlatformJob
from airflow_plugin.operators.notifier import Notifier
from airflow_plugin.settings import PlatformSettings
from config_schema import names
from config_schema.admitted import admitted_databases, database_words

SYNC, ARCHIVE = "model_merge", "archive_retired"
# The keys of the settings without which a platform has no jobs of its own.
NEEDED = (
    "git_repo_url",
    "git_repo_branch",
    "git_credential_secret_name",
    "postgres_hostname",
    "postgres_port",
    "postgres_database",
    "postgres_credential_secret_name",
)
NEEDED_IN_PODS = ("namespace_name", "datasurface_docker_image")


def has_jobs(settings: PlatformSettings) -> bool:
    """Return whether the settings name model, merge store and pods, as those of bootstrap do."""
    needed = NEEDED + (NEEDED_IN_PODS if _in_pods(settings) else ())
    return all(getattr(settings, key) is not None for key in needed)


def merge_job(settings: PlatformSettings, task: str, *command: str) -> PlatformJob:
    """Return a job that runs `merge-job` with this command, for the model that was synced last."""
    options = {
        "platform": settings.original_platform_name,
        "git-repo-url": settings.git_repo_url,
        "git-repo-branch": settings.git_repo_branch,
        "git-credential": settings.git_credential_secret_name,
        "postgres-host": settings.postgres_hostname,
        "postgres-port": settings.postgres_port,
        "postgres-database": settings.postgres_database,
        "postgres-schema": settings.merge_store_schema,
        "postgres-credential": settings.postgres_credential_secret_name,
        **tls_options(settings),
        **_connect_wait(settings),
    }
    arguments = (*command, *_flags(options))
    return _job(settings, task, MERGE_JOB, arguments)


def tls_options(settings: PlatformSettings) -> dict[str, str]:
    """Return the job's options on TLS; only those that are set, as older images do not know them."""
    options = {
        "postgres-tls": settings.postgres_tls,
        "postgres-tls-ca": settings.postgres_tls_ca,
        "least-tls": settings.least_tls,
    }
    return {key: value for key, value in options.items() if value is not None}


def _connect_wait(settings: PlatformSettings) -> dict[str, int]:
    """Return the option if it is set, as older images do not know it."""
    return {} if settings.connect_wait is None else {"connect-wait": settings.connect_wait}


def sync_job(settings: PlatformSettings, task: str) -> PlatformJob:
    """Return a job that runs `dagfactory sync` for the branch's head, without asking."""
    options = {
        "platform": settings.original_platform_name,
        "git-repo-url": settings.git_repo_url,
        "branch": settings.git_repo_branch,  # its former name: images of earlier versions know no other
        "git-credential": settings.git_credential_secret_name,
        **({"least-tls": settings.least_tls} if settings.least_tls else {}),
        **_connect_wait(settings),
    }
    job = _job(settings, task, DAGFACTORY, ("sync", "--yes", *_flags(options)))
    if not settings.model_is_code or not _in_pods(settings):
        return job
    where = {key: value for key, value in options.items() if key != "platform"}
    return replace(job, fetch=tuple(_flags(where)), fetch_secret=_git_token(settings))


def _flags(options: Mapping[str, object]) -> list[str]:
    return [f"--{key}={value}" for key, value in options.items()]


def infrastructure(settings: PlatformSettings) -> tuple[PlatformJob, ...]:
    """Return the jobs of the infrastructure DAG, in its order."""
    days = f"--retired-days={settings.archive_after_days}"
    return (
        sync_job(settings, SYNC),
        merge_job(settings, "reconcile_tables", "tables"),
        merge_job(settings, "reconcile_views", "views", "reconcile"),
        merge_job(settings, "apply_grants", "views", "grants"),
        merge_job(settings, ARCHIVE, "archive", days),
    )


def place(settings: PlatformSettings, task: str) -> PodPlace | None:
    """Return where such a job's pod runs; None if jobs are child processes."""
    if not _in_pods(settings):
        return None
    return PodPlace(
        name=names.pod_name(settings.platform_name, task.replace("_", "-")),
        namespace=str(settings.namespace_name),
        image=str(settings.datasurface_docker_image),
        image_pull_policy=settings.image_pull_policy,
        image_pull_secrets=settings.allowed.image_pull_secrets,
        service_account=settings.service_account,
        resources=settings.pod_resources,
        node_selector=None,
        tolerations=(),
        keep_failed=False,
        deferrable=False,
        kubernetes_conn_id=settings.kubernetes_conn_id,
        tls_ca_names=settings.tls_ca_names or (),
    )


def notifier(settings: PlatformSettings) -> Notifier | None:
    """Return who is notified when such a job fails."""
    found = settings.notifiers.get(settings.slack_credential_secret_name or "")
    return None if found is None else Notifier(**found)


def _in_pods(settings: PlatformSettings) -> bool:
    return settings.runners[:1] == ("kubernetes",)


def _job(settings: PlatformSettings, task: str, program: str, arguments: tuple[str, ...]) -> PlatformJob:
    return PlatformJob(
        platform=settings.original_platform_name,
        platform_name=settings.platform_name,
        task=task,
        program=program,
        arguments=arguments,
        secrets=_secrets(settings),
        environment=settings.environment,
        variables=tuple(admitted(settings).items()),
    )


def admitted(settings: PlatformSettings) -> dict[str, str]:
    """Return the variable that tells commands which databases may get a password."""
    store = database_words(
        str(settings.postgres_hostname),
        settings.postgres_port,
        str(settings.postgres_database),
        settings.postgres_credential_secret_name,
    )
    consumers = None
    if settings.consumer_db_hostname is not None:
        consumers = database_words(
            settings.consumer_db_hostname,
            settings.consumer_db_port,
            str(settings.consumer_db_database),
            settings.consumer_db_credential_secret_name,
            settings.consumer_reader_secret_name,
        )
    return admitted_databases(settings.original_platform_name, store, consumers)


def _secrets(settings: PlatformSettings) -> tuple[SecretVariable, ...]:
    """Return the logins of the merge store and of consumers' database; the git token may be missing, as in a merge."""
    databases = (
        settings.postgres_credential_secret_name,
        settings.consumer_db_credential_secret_name,
        settings.consumer_reader_secret_name,
    )
    wanted = [(name, key, False) for name in dict.fromkeys(databases) if name for key in ("username", "password")]
    logins = [_variable(secret, key, optional) for secret, key, optional in wanted]
    return (*logins, _git_token(settings))


def _git_token(settings: PlatformSettings) -> SecretVariable:
    return _variable(str(settings.git_credential_secret_name), "token", optional=True)


def _variable(secret: str, key: str, optional: bool) -> SecretVariable:
    return SecretVariable(names.secret_variable(secret, key), secret, key, optional)
