"""The content of a stream's DAG: a pure function of its config and its platform's settings. Knows no Airflow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from airflow_plugin.jobs.merge_job import MergeJob, PodPlace, SecretVariable
from airflow_plugin.operators.notifier import Notifier
from airflow_plugin.rows.fingerprint import PAUSED, config_digest
from airflow_plugin.rows.platform_jobs import tls_options
from airflow_plugin.rows.policy import refusals, source_hosts
from airflow_plugin.settings import PlatformSettings
from config_schema import names
from config_schema.cron import schedule_fault, timezone_exists
from config_schema.errors import ProblemsFound
from config_schema.problem import Problem, Rule
from config_schema.stream import StreamConfig

OF_THIS_PLATFORM = Rule("DF2209", "The platform of a config is that of its table.")
SCHEDULE_IS_VALID = Rule("DF2210", "A stream's schedule is a cron expression or a preset, and comes at some time.")
TIMEZONE_IS_KNOWN = Rule("DF2211", "A stream's time zone is known on this machine.")

HANDED_OVER_WAIT = 60  # seconds for the lock of a stream whose job a worker has left behind, in a pod
TAG_LENGTH = 100  # Airflow's column
LINK = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]+)?/[A-Za-z0-9._~/-]+")  # no login in it, and nothing of Markdown


@dataclass(frozen=True)
class DagPlan:
    """All that build.py needs. `pod` is set if the job runs in one; otherwise it runs as a child process.

    `execution_timeout` and `deadline` are in seconds. `schedule_assets` are URIs of assets, of which any starts the
    DAG; without them and `schedule`, only a trigger does. `notifier` reports failures and missed deadlines.
    `hands_over`: a run's merge task triggers the next run, which starts while this one ends.
    """

    dag_id: str
    schedule: str | None
    schedule_assets: tuple[str, ...]
    timezone: str
    tags: tuple[str, ...]
    owner: str | None
    doc: str
    job: MergeJob
    pod: PodPlace | None
    command: tuple[str, ...] | None
    retries: int
    execution_timeout: int | None
    pool: str | None
    priority: int | None
    max_chain: int
    hands_over: bool
    notifier: Notifier | None
    deadline: int | None


def dag_plan(config: StreamConfig, settings: PlatformSettings, *, paused: bool = False, where: str = "") -> DagPlan:
    """Return the plan of a config's DAG; `where` names its row.

    Raises ProblemsFound if the settings or this machine do not allow the config.
    """
    problems = _problems(config, settings, where)
    if problems:
        raise ProblemsFound(where, problems)
    notifier = _notifier(config, settings)
    return DagPlan(
        dag_id=config.dag_id,
        schedule=None if paused else config.schedule,
        schedule_assets=() if paused else tuple(map(names.asset_uri, config.schedule_assets)),
        timezone=config.timezone,
        tags=_tags(config, paused),
        owner=config.owner,
        doc=_doc(config, paused),
        job=MergeJob(
            platform=config.original_platform_name,
            platform_name=config.platform_name,
            stream_key=config.stream_key,
            arguments=tuple(merge_arguments(config, settings)),
            secrets=secret_variables(config),
            schema=settings.merge_store_schema,
            environment=settings.environment,
            datasets=config.datasets,
            paused=paused,
        ),
        pod=_pod(config, settings) if config.runner == "kubernetes" else None,
        command=settings.merge_job_command,
        retries=config.retries,
        execution_timeout=config.execution_timeout,
        pool=config.pool,
        priority=config.priority,
        max_chain=settings.max_chain,
        hands_over=_hands_over(config),
        notifier=notifier,
        deadline=None if notifier is None or paused else config.latency_seconds,
    )


def merge_arguments(config: StreamConfig, settings: PlatformSettings) -> list[str]:
    """Return the merge job's command line without the run id: the same for every runner, and without secrets.

    `--key=value` is one word, so that no value can be taken for a flag.
    """
    of_settings = _options_of_settings(settings, config.source_credential_secret_name)
    values = {
        "platform": config.original_platform_name,
        "store": config.store_name,
        "dataset": config.datasets[0] if config.single_dataset else None,
        "datasets": ",".join(config.datasets),
        "git-repo-url": config.git_repo_url,
        "git-repo-branch": config.git_repo_branch,
        "git-credential": config.git_credential_secret_name,
        "postgres-host": config.postgres_hostname,
        "postgres-port": config.postgres_port,
        "postgres-database": config.postgres_database,
        "postgres-schema": settings.merge_store_schema,
        "postgres-credential": config.postgres_credential_secret_name,
        "source-credential": config.source_credential_secret_name,
        "source-hosts": of_settings.source_hosts,
        "strategy": config.strategy,
        "time-slice-seconds": config.time_slice_seconds,
        "max-delete-fraction": config.max_delete_fraction,
        "audit-interval": config.audit_interval,
        "load-connections": settings.load_connections if config.load_connections is None else config.load_connections,
        "connect-wait": settings.connect_wait if config.connect_wait is None else config.connect_wait,
        "log-format": None if settings.log_format == "text" else settings.log_format,
        "tables": "shadow" if config.shadow else None,
        "lock-wait": HANDED_OVER_WAIT if _hands_over(config) else None,
        **of_settings.tls,
    }
    return ["merge", *(f"--{key}={value}" for key, value in values.items() if value is not None)]


class _OptionsOfSettings(NamedTuple):
    source_hosts: str
    tls: dict[str, str]


@lru_cache(maxsize=1024)
def _options_of_settings(settings: PlatformSettings, credential: str) -> _OptionsOfSettings:
    """Return the options that are the same for all streams with this secret: a parse writes them for each."""
    return _OptionsOfSettings(source_hosts(settings, credential), tls_options(settings))


def secret_variables(config: StreamConfig) -> tuple[SecretVariable, ...]:
    """Return the job's environment, by reference. The git token is optional: a local path needs none."""
    databases = (config.postgres_credential_secret_name, config.source_credential_secret_name)
    return _secret_variables(databases, config.git_credential_secret_name)


@lru_cache
def _secret_variables(databases: tuple[str, ...], git: str) -> tuple[SecretVariable, ...]:
    wanted = [(secret, key, False) for secret in dict.fromkeys(databases) for key in ("username", "password")]
    wanted.append((git, "token", True))
    return tuple(
        SecretVariable(names.secret_variable(secret, key), secret, key, optional) for secret, key, optional in wanted
    )


def _hands_over(config: StreamConfig) -> bool:
    """Return whether a run can leave work to the next one, and two runs may exist at a time.

    Airflow allows a DAG that runs continuously one run. Before 3.3 it does not count a task that is deferred among
    those that are at work, so a second one would start beside it.
    """
    return config.time_slice_seconds > 0 and config.schedule != "@continuous" and not config.deferrable


def _problems(config: StreamConfig, settings: PlatformSettings, where: str) -> list[Problem]:
    found = []
    if config.platform_name != settings.platform_name:
        what = f"{config.platform_name!r} is not the platform of this table"
        found.append(OF_THIS_PLATFORM.problem(where, "platform_name", what, f"Write {settings.platform_name!r}"))
    found += refusals(config, settings, where)
    if fault := schedule_fault(config.schedule):
        found.append(SCHEDULE_IS_VALID.problem(where, "schedule", fault, "Correct it"))
    if not timezone_exists(config.timezone):
        what = f"{config.timezone!r} is no time zone here"
        found.append(
            TIMEZONE_IS_KNOWN.problem(where, "timezone", what, "Write an IANA name, for example 'Europe/Zurich'")
        )
    return found


def _tags(config: StreamConfig, paused: bool) -> tuple[str, ...]:
    states = [word for word, on in (("shadow", config.shadow), ("paused", paused)) if on]
    own = (config.original_platform_name, config.milestoning, config.store_name, *states)
    return tuple(dict.fromkeys(names.shortened(tag, TAG_LENGTH) for tag in (*own, *config.tags)))


def _doc(config: StreamConfig, paused: bool) -> str:
    """Return the DAG's text. The config's digest makes each change of it, also of arguments, a new DAG version."""
    lines = [
        f"Stream `{config.stream_key}` of platform `{config.original_platform_name}`, {config.milestoning}.",
        *([PAUSED] if paused else []),
        f"Config `{config_digest(config)}` in `{names.stream_table(config.platform_name)}`.",
        *([f"Model: <{config.git_repo_url}>"] if LINK.fullmatch(config.git_repo_url) else []),
    ]
    return "\n\n".join(lines)


def _notifier(config: StreamConfig, settings: PlatformSettings) -> Notifier | None:
    """Return the settings' notifier for the secret that the row names; the secret itself is not read."""
    found = settings.notifiers.get(config.slack_credential_secret_name)
    return None if found is None else Notifier(**found)


def _pod(config: StreamConfig, settings: PlatformSettings) -> PodPlace:
    return PodPlace(
        name=names.pod_name(config.platform_name, config.stream_key),
        namespace=config.namespace_name,
        image=config.datasurface_docker_image,
        image_pull_policy=config.image_pull_policy or settings.image_pull_policy,
        image_pull_secrets=config.image_pull_secrets,
        service_account=config.service_account,
        resources=config.resources or settings.pod_resources,
        node_selector=config.node_selector,
        tolerations=config.tolerations,
        keep_failed=config.on_failed_pod == "keep",
        deferrable=config.deferrable,
        kubernetes_conn_id=settings.kubernetes_conn_id,
        tls_ca_names=settings.tls_ca_names or (),
    )
