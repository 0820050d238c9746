"""Everything that is set outside of rows: environment variables, airflow.cfg keys, and the platform settings file.

| what                        | environment                | airflow.cfg [stream_factory] |
|-----------------------------|----------------------------|------------------------------|
| folder of settings files    | DAGFACTORY_SETTINGS_DIR    | settings_dir                 |
| folder of snapshots          | DAGFACTORY_SNAPSHOT_DIR    | snapshot_dir                 |
| DSN of a merge store        | DAGFACTORY_<PLATFORM>_DSN  | (connection dagfactory_<platform>) |
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from config_schema import names
from config_schema.errors import Problem, ProblemsFound, StreamFactoryError
from config_schema.schema_check import findings

SECTION = "stream_factory"
SETTINGS_DIR_VARIABLE = "DAGFACTORY_SETTINGS_DIR"
SNAPSHOT_DIR_VARIABLE = "DAGFACTORY_SNAPSHOT_DIR"
LIBPQ_EXTRA = ("sslmode", "sslrootcert", "sslcert", "sslkey", "options", "target_session_attrs")


@dataclass(frozen=True, kw_only=True)
class PlatformSettings:
    """What a platform is, apart from its rows. Each key's meaning, type and bounds: settings.schema.json."""

    original_platform_name: str
    platform_name: str = ""  # derived where it is not given
    namespace_name: str | None = None
    datasurface_docker_image: str | None = None
    git_repo_url: str | None = None
    git_repo_branch: str | None = None
    merge_store_schema: str = "public"
    runners: tuple[str, ...] = ("kubernetes",)
    merge_job_command: tuple[str, ...] | None = None
    kubernetes_conn_id: str | None = None
    max_chain: int = 100
    cache_ttl: int = 0  # seconds

    def __post_init__(self) -> None:
        if not self.platform_name:
            object.__setattr__(self, "platform_name", names.platform_name(self.original_platform_name))

    def to_json(self) -> str:
        """The text of the settings file; equal settings give equal texts."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return json.dumps({key: value for key, value in values.items() if value is not None}, indent=2) + "\n"


def platform_settings(original: str) -> PlatformSettings:
    """The settings of the platform named so in the model; the defaults where it has no settings file.

    Raises StreamFactoryError if there is a file that cannot be used.
    """
    path = settings_dir() / names.settings_file(names.platform_name(original))
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return PlatformSettings(original_platform_name=original)
    except (OSError, UnicodeError) as error:
        raise StreamFactoryError(str(path), f"the file cannot be read ({error})", "Let Airflow read it") from error
    return settings_from_json(text, original, str(path))


def settings_from_json(text: str, original: str, where: str) -> PlatformSettings:
    """The settings in a file's text. Raises ProblemsFound with everything that is wrong with it."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProblemsFound(where, [Problem(where, "", f"not JSON: {error}", "Mend the file")]) from error
    problems = [Problem(where, path, what, todo) for path, what, todo in findings(data, schema())]
    problems = problems or _of_another_platform(data, original, where)
    if problems:
        raise ProblemsFound(where, problems)
    values: dict[str, Any] = {key: tuple(item) if isinstance(item, list) else item for key, item in data.items()}
    return PlatformSettings(**values)


def settings_dir() -> Path:
    """The folder of the settings files: DAGFACTORY_SETTINGS_DIR, [stream_factory] settings_dir, or in AIRFLOW_HOME."""
    given = os.environ.get(SETTINGS_DIR_VARIABLE) or _airflow_option("settings_dir")
    return Path(given).expanduser() if given else _home() / "stream_factory"


def snapshot_path(platform: str) -> Path:
    """The last-good snapshot of a platform, in the folder that DAGFACTORY_SNAPSHOT_DIR, [stream_factory] snapshot_dir
    or else AIRFLOW_HOME gives.
    """
    given = os.environ.get(SNAPSHOT_DIR_VARIABLE) or _airflow_option("snapshot_dir")
    folder = Path(given).expanduser() if given else _home() / "stream_factory" / "snapshots"
    return folder / names.snapshot_file(platform)


def _home() -> Path:
    home = os.path.expandvars(os.environ.get("AIRFLOW_HOME") or "~/airflow")
    return Path(home).expanduser()


def merge_store_dsn(platform: str) -> tuple[str, str]:
    """The DSN of a platform's merge store, and where it was found. Raises StreamFactoryError if nowhere."""
    variable = names.dsn_variable(platform)
    if dsn := os.environ.get(variable):
        return dsn, variable
    connection_id = names.connection_id(platform)
    if dsn := _airflow_connection(connection_id):
        return dsn, f"connection {connection_id}"
    todo = f"Set it to the DSN of the merge store, or create the Airflow connection {connection_id}"
    raise StreamFactoryError(variable, "it is not set", todo)


@cache
def schema() -> dict[str, Any]:
    """settings.schema.json."""
    path = Path(names.__file__).with_name("settings.schema.json")
    loaded: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return loaded


def _of_another_platform(data: dict[str, Any], original: str, where: str) -> list[Problem]:
    wanted = {"original_platform_name": original, "platform_name": names.platform_name(original)}
    return [
        Problem(where, key, f"{data[key]!r} is another platform", f"Write {value!r}")
        for key, value in wanted.items()
        if data.get(key, value) != value
    ]


def _airflow_option(key: str) -> str | None:
    try:
        from airflow.sdk.configuration import conf
    except ImportError:  # a machine that only syncs has no Airflow
        return None
    value: str | None = conf.get(SECTION, key, fallback=None)
    return value


def _airflow_connection(connection_id: str) -> str | None:
    """The connection as a libpq DSN; None if there is none, or no Airflow to ask."""
    try:
        from airflow.sdk import BaseHook
        from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError
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
