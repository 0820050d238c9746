"""Everything that is set outside of rows: environment variables, airflow.cfg keys, and the platform settings file.

| what                        | environment                | airflow.cfg [stream_factory] |
|-----------------------------|----------------------------|------------------------------|
| folder of settings files    | DAGFACTORY_SETTINGS_DIR    | settings_dir                 |
| folder of snapshots         | DAGFACTORY_SNAPSHOT_DIR    | snapshot_dir                 |
| DSN of a merge store        | DAGFACTORY_<PLATFORM>_DSN  | (connection dagfactory_<platform>) |
| the same, for the pages     | DAGFACTORY_WEB_DSN_<PLATFORM> | (connection dagfactory_web_<platform>) |
| roles that create streams   | DAGFACTORY_CREATOR_ROLES   | creator_roles                |
| roles that may see data     | DAGFACTORY_DATA_ROLES      | data_roles                   |
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from config_schema import names
from config_schema.errors import FileUnreadable, ProblemsFound, StreamFactoryError, VariableMissing
from config_schema.problem import Problem, Rule
from config_schema.schemas import json_schema
from config_schema.schemas.findings import findings

SETTINGS_ARE_JSON = Rule("DF2111", "A settings file is JSON.")
SETTINGS_OF_PLATFORM = Rule("DF2112", "A settings file is that of the platform in whose name it is.")

SECTION = "stream_factory"
SETTINGS_DIR_VARIABLE = "DAGFACTORY_SETTINGS_DIR"
SNAPSHOT_DIR_VARIABLE = "DAGFACTORY_SNAPSHOT_DIR"
CREATOR_ROLES_VARIABLE = "DAGFACTORY_CREATOR_ROLES"
DATA_ROLES_VARIABLE = "DAGFACTORY_DATA_ROLES"
CREATOR_ROLES = "admin"
# What a job needs for tables of usual rows, so that a node is not filled with pods that it cannot hold.
POD_RESOURCES = {"requests": {"cpu": "50m", "memory": "128Mi"}}
LIBPQ_EXTRA = (
    *("sslmode", "sslrootcert", "sslcert", "sslkey", "require_auth", "channel_binding"),
    *("options", "target_session_attrs"),
)


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What rows may have beside the platform's own values; a key that is empty allows nothing else."""

    namespace_name: tuple[str, ...] = ()
    datasurface_docker_image: tuple[str, ...] = ()
    git_repo_url: tuple[str, ...] = ()
    git_repo_branch: tuple[str, ...] = ()
    git_credential_secret_name: tuple[str, ...] = ()
    postgres_credential_secret_name: tuple[str, ...] = ()
    source_credential_secret_name: tuple[str, ...] = ()
    slack_credential_secret_name: tuple[str, ...] = ()
    merge_stores: tuple[str, ...] = ()  # host:port/database
    source_hosts: tuple[str, ...] = ()  # host:port
    source_files: tuple[str, ...] = ()  # absolute paths; folders end with a slash
    service_account: tuple[str, ...] = ()
    image_pull_secrets: tuple[str, ...] = ()
    pool: tuple[str, ...] = ()
    resources: dict[str, str] = field(default_factory=dict)
    node_selector: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tolerations: tuple[dict[str, str], ...] = ()
    priority: dict[str, int] | None = None  # from, to
    time_slice_seconds: dict[str, int] | None = None  # from, to
    schedule_assets: tuple[str, ...] = ()
    shortest_schedule: int = 60  # seconds


@dataclass(frozen=True, kw_only=True)
class PlatformSettings:
    """What a platform is, apart from its rows. Each key's meaning, type and bounds: settings.schema.json.

    Keys that rows have too hold the platform's own values, as bootstrap took them from the model.
    """

    original_platform_name: str
    platform_name: str = ""  # derived where it is not given
    namespace_name: str | None = None
    datasurface_docker_image: str | None = None
    git_repo_url: str | None = None
    git_repo_branch: str | None = None
    git_credential_secret_name: str | None = None
    environment: str | None = None  # of the model; None: it has none
    model_is_code: bool | None = None  # then it is compiled in a container of its own before a sync
    postgres_hostname: str | None = None
    postgres_port: int | None = None
    postgres_database: str | None = None
    postgres_credential_secret_name: str | None = None
    postgres_tls: str | None = None
    postgres_tls_ca: str | None = None
    least_tls: str | None = None
    tls_ca_names: tuple[str, ...] | None = None
    connect_wait: int | None = None  # seconds
    load_connections: int | None = None
    merge_store_schema: str = "public"
    consumer_db_hostname: str | None = None  # None: consumers' views are in the merge store's database
    consumer_db_port: int | None = None
    consumer_db_database: str | None = None
    consumer_db_credential_secret_name: str | None = None
    consumer_reader_secret_name: str | None = None
    slack_credential_secret_name: str | None = None
    source_credential_secret_names: tuple[str, ...] = ()
    source_hosts: tuple[str, ...] = ()  # host:port
    source_files: tuple[str, ...] = ()  # absolute paths; folders end with a slash
    source_credential_hosts: dict[str, tuple[str, ...]] = field(default_factory=dict, hash=False)  # by secret
    schedule: str | None = None
    schedule_assets: tuple[str, ...] = ()
    service_account: str | None = None
    image_pull_policy: str | None = None  # None: as Kubernetes does by the image's tag
    resources: dict[str, dict[str, str]] | None = field(default=None, hash=False)
    pool: str | None = None
    priority: int | None = None
    time_slice_seconds: int | None = None
    runners: tuple[str, ...] = ("kubernetes",)
    merge_job_command: tuple[str, ...] | None = None
    kubernetes_conn_id: str | None = None
    max_chain: int = 100
    infrastructure_schedule: str = "@daily"
    archive_after_days: int = 90
    failing_after_runs: int = 3  # failed ones in a row
    cache_ttl: int = 0  # seconds
    log_format: str = "text"
    notifiers: dict[str, dict[str, str]] = field(default_factory=dict, hash=False)  # by the secret that rows name
    allowed: Allowed = field(default=Allowed(), hash=False)
    missing_file: str | None = field(default=None, compare=False)  # the settings file that there should have been

    def __post_init__(self) -> None:
        if not self.platform_name:
            object.__setattr__(self, "platform_name", names.platform_name(self.original_platform_name))

    @property
    def pod_resources(self) -> dict[str, dict[str, str]]:
        """Requests and limits of pods whose rows give none."""
        return POD_RESOURCES if self.resources is None else self.resources

    def to_json(self) -> str:
        """Return the text of the settings file; equal settings give equal texts."""
        values = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "missing_file"}
        values["allowed"] = {
            one.name: getattr(self.allowed, one.name)
            for one in fields(Allowed)
            if getattr(self.allowed, one.name) != getattr(Allowed(), one.name)
        }
        return json.dumps({key: value for key, value in values.items() if value is not None}, indent=2) + "\n"


def platform_settings(original: str) -> PlatformSettings:
    """Return the settings of the platform of this model name; without a file, settings that allow no row.

    Raises StreamFactoryError if the file cannot be used.
    """
    path = settings_dir() / names.settings_file(names.platform_name(original))
    return settings_in(path, original) or PlatformSettings(original_platform_name=original, missing_file=str(path))


class SettingsMissing(StreamFactoryError):
    """A platform has no settings file where Airflow looks for it.

    Run dagfactory bootstrap, and put its settings files into $AIRFLOW_HOME/stream_factory or DAGFACTORY_SETTINGS_DIR.
    """

    code = "DF2101"


def settings_in(path: Path, original: str) -> PlatformSettings | None:
    """Return the settings in a file; None if it does not exist. Raises StreamFactoryError if it cannot be used."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeError) as error:
        raise FileUnreadable(path, error, "Let Airflow read it") from error
    return settings_from_json(text, original, str(path))


def settings_from_json(text: str, original: str, where: str) -> PlatformSettings:
    """Return the settings in a file's text. Raises ProblemsFound with everything that is wrong with it."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        problem = SETTINGS_ARE_JSON.problem(where, "", f"not JSON: {error}", "Correct the file")
        raise ProblemsFound(where, [problem]) from error
    problems = [finding.problem(where) for finding in findings(data, json_schema("settings"))]
    problems = problems or _of_another_platform(data, original, where)
    if problems:
        raise ProblemsFound(where, problems)
    values = _with_tuples(data)
    return PlatformSettings(**{**values, "allowed": Allowed(**values.get("allowed", {}))})


def settings_dir() -> Path:
    """Return the settings files' folder: DAGFACTORY_SETTINGS_DIR, [stream_factory] settings_dir, or AIRFLOW_HOME's."""
    given = os.environ.get(SETTINGS_DIR_VARIABLE) or _airflow_option("settings_dir")
    return Path(given).expanduser() if given else _home() / "stream_factory"


def snapshot_path(platform: str) -> Path:
    """Return the path of a platform's last-good snapshot.

    Its folder is DAGFACTORY_SNAPSHOT_DIR, [stream_factory] snapshot_dir, or one in AIRFLOW_HOME.
    """
    given = os.environ.get(SNAPSHOT_DIR_VARIABLE) or _airflow_option("snapshot_dir")
    folder = Path(given).expanduser() if given else _home() / "stream_factory" / "snapshots"
    return folder / names.snapshot_file(platform)


def _home() -> Path:
    home = os.path.expandvars(os.environ.get("AIRFLOW_HOME") or "~/airflow")
    return Path(home).expanduser()


def merge_store_dsn(platform: str) -> tuple[str, str]:
    """Return the DSN of a platform's merge store, and where it was found. Raises StreamFactoryError if nowhere."""
    variable, connection_id = names.dsn_variable(platform), names.connection_id(platform)
    if found := _dsn(variable, connection_id):
        return _in_tls(platform, *found)
    todo = f"Set it to the DSN of the merge store, or create the Airflow connection {connection_id}"
    raise VariableMissing([variable], todo)


def web_dsn(platform: str) -> tuple[str, str]:
    """Return the DSN by which the api-server reaches the merge store: its own with fewer rights, or the common one.

    Raises StreamFactoryError if there is none.
    """
    found = _dsn(names.web_dsn_variable(platform), names.web_connection_id(platform))
    return _in_tls(platform, *found) if found else merge_store_dsn(platform)


def creator_roles() -> frozenset[str]:
    """Return, in lower case, the roles of Airflow whose users may create streams."""
    text = os.environ.get(CREATOR_ROLES_VARIABLE) or _airflow_option("creator_roles") or CREATOR_ROLES
    return frozenset(role.strip().lower() for role in text.split(","))


def data_roles() -> frozenset[str]:
    """Return the roles whose users may see what a producer's server says, in lower case; empty if all users may.

    DAGFACTORY_DATA_ROLES or data_roles. Whoever may see it may also edit the stream's DAG.
    """
    text = os.environ.get(DATA_ROLES_VARIABLE) or _airflow_option("data_roles") or ""
    return frozenset(role.strip().lower() for role in text.split(",") if role.strip())


def _in_tls(platform: str, dsn: str, where: str) -> tuple[str, str]:
    from airflow_plugin.store_tls import dsn_with_tls, settings_tls  # Airflow reads this module while it starts

    return dsn_with_tls(dsn, settings_tls(settings_dir() / names.settings_file(platform))), where


def _dsn(variable: str, connection_id: str) -> tuple[str, str] | None:
    if dsn := os.environ.get(variable):
        return dsn, variable
    dsn = _airflow_connection(connection_id)
    return (dsn, f"connection {connection_id}") if dsn else None


def _with_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_tuples(item) for key, item in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


def _of_another_platform(data: dict[str, Any], original: str, where: str) -> list[Problem]:
    wanted = {"original_platform_name": original, "platform_name": names.platform_name(original)}
    return [
        SETTINGS_OF_PLATFORM.problem(where, key, f"{data[key]!r} is another platform", f"Write {value!r}")
        for key, value in wanted.items()
        if data.get(key, value) != value
    ]


def _airflow_option(key: str) -> str | None:
    try:
        from airflow_plugin.airflow_versions import conf
    except ImportError:  # a machine that only syncs has no Airflow
        return None
    value: str | None = conf.get(SECTION, key, fallback=None)
    return value


def _airflow_connection(connection_id: str) -> str | None:
    """Return the connection as a libpq DSN; None without the connection, or without Airflow."""
    try:
        from airflow.sdk import BaseHook
        from airflow.sdk.exceptions import AirflowRuntimeError

        from airflow_plugin.airflow_versions import AirflowNotFoundException
    except ImportError:
        return None
    try:
        found = BaseHook.get_connection(connection_id)
    except (AirflowNotFoundException, AirflowRuntimeError):
        return None
    import psycopg2.extensions

    place = {"host": found.host, "port": found.port, "user": found.login, "password": found.password}
    extra = {key: value for key, value in found.extra_dejson.items() if key in LIBPQ_EXTRA}
    parts = {"dbname": found.schema, **place, **extra}
    return psycopg2.extensions.make_dsn(**{key: str(value) for key, value in parts.items() if value})
