"""StreamConfig, the row of a stream in `<platform>_airflow_dsg`, to and from its config_json, and its checks.

stream.schema.json defines the keys, their types and limits; the rules between keys are here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from functools import cache
from itertools import islice
from typing import Any

from config_schema import names
from config_schema.errors import ProblemsFound
from config_schema.problem import Problem, Rule
from config_schema.schemas import json_schema
from config_schema.schemas.findings import findings

CONFIG_VERSION = 1
STATUSES = ("active", "paused", "retired")
LONGEST = 500_000  # characters of a config_json; the schema's bounds let a large one have half of that
MOST_REPORTED = 20  # problems of a row
ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False)

TEXT_NOT_TOO_LONG = Rule("DF1601", f"The text of a config has at most {LONGEST} characters.")
TEXT_IS_JSON = Rule("DF1602", "The text of a config is JSON.")
VERSION_IS_KNOWN = Rule("DF1603", "This version of the plugin knows the config's `config_version`.")
PROBLEMS_LISTED = Rule("DF1604", f"A config has at most {MOST_REPORTED} problems; the others are not listed.")
NO_SHADOW_BY_NAME = Rule("DF1605", "Only a shadow has a store with the name of one.")
KEY_OF_STORE = Rule("DF1606", "A config's `stream_key` is that of its store, or of its store and dataset.")
ONE_DATASET = Rule("DF1607", "The stream of a single dataset has one dataset.")
PLATFORM_NAME_DERIVED = Rule("DF1608", "`platform_name` is derived from `original_platform_name`.")
SHADOW_NOT_SCHEDULED = Rule("DF1609", "A shadow has no schedule.")
ONE_SCHEDULE = Rule("DF1610", "A stream has a schedule or assets that start it, not both.")
NOT_STARTED_BY_ITSELF = Rule("DF1611", "A stream is not started by a dataset of its own.")


@dataclass(frozen=True, kw_only=True)
class StreamConfig:
    """One stream on one platform. Each key's meaning, type and bounds: stream.schema.json."""

    stream_key: str
    single_dataset: bool
    datasets: tuple[str, ...]
    store_name: str
    ingestion_type: str
    namespace_name: str
    platform_name: str
    original_platform_name: str
    postgres_hostname: str
    postgres_database: str
    postgres_port: int
    postgres_credential_secret_name: str
    git_credential_secret_name: str
    slack_credential_secret_name: str
    datasurface_docker_image: str
    git_repo_url: str
    git_repo_branch: str
    source_credential_secret_name: str
    config_version: int = CONFIG_VERSION
    schedule: str | None = None
    schedule_assets: tuple[str, ...] = ()
    timezone: str = "UTC"
    milestoning: str = "live"
    runner: str = "kubernetes"
    image_pull_policy: str | None = None
    image_pull_secrets: tuple[str, ...] = ()
    service_account: str | None = None
    resources: dict[str, dict[str, str]] | None = None
    node_selector: dict[str, str] | None = None
    tolerations: tuple[dict[str, str], ...] = ()
    priority: int | None = None
    pool: str | None = None
    retries: int = 2
    execution_timeout: int | None = None
    deferrable: bool = False
    shadow: bool = False
    on_failed_pod: str = "delete"
    strategy: str = "auto"
    audit_interval: int | None = None
    time_slice_seconds: int = 0
    load_connections: int | None = None
    max_delete_fraction: float | None = None
    latency_seconds: int | None = None
    connect_wait: int | None = None
    owner: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def dag_id(self) -> str:
        """The id of the stream's ingestion DAG."""
        return names.dag_id(self.platform_name, self.stream_key)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data, without optional keys that have their default."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in self._given().items()}

    def to_json(self) -> str:
        """Return the text for the row; equal configs give equal texts."""
        return ENCODER.encode(self._given())  # which writes a tuple as it does a list

    def _given(self) -> dict[str, Any]:
        left_out = _left_out()
        # Most are the default itself, and comparing by identity first halves the time; each parse asks for each row.
        return {
            key: value for key, value in vars(self).items() if value is not left_out[key] and value != left_out[key]
        }


def stream_config(config_json: str, where: str = "") -> StreamConfig:
    """Return the StreamConfig of a row's text. Raises ProblemsFound with everything that is wrong with it.

    `where` names the row in the problems: `yellowlive_airflow_dsg[Store1]`.
    """
    if len(config_json) > LONGEST:
        what = f"the text has more than {LONGEST} characters"
        raise ProblemsFound(where, [TEXT_NOT_TOO_LONG.problem(where, "", what, "Correct the row's config_json")])
    try:
        data = json.loads(config_json)
        if "\\u" in config_json:  # which can stand for half a character, that no file and no database takes
            json.dumps(data, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ProblemsFound(
            where, [TEXT_IS_JSON.problem(where, "", f"not JSON: {error}", "Correct the row's config_json")]
        ) from error
    return from_dict(data, where)


def from_dict(data: Any, where: str = "") -> StreamConfig:
    """Return the StreamConfig of a parsed config_json. Raises ProblemsFound with everything that is wrong with it."""
    problems = list(check(data, where))
    if problems:
        raise ProblemsFound(where, problems)
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    for key in _whole_numbers() & values.keys():
        values[key] = int(values[key])  # 5432.0 is an integer in JSON Schema
    config = object.__new__(StreamConfig)
    vars(config).update(_unset() | values)  # as the constructor has it, which takes longer than all the checks
    return config


def check(data: Any, where: str = "") -> Iterator[Problem]:
    """Yield the problems of a parsed config_json: those of single keys, or if there are none those between keys."""
    if isinstance(data, dict) and _newer(data.get("config_version")):
        what = f"config_version {str(data['config_version'])[:20]} is newer than {CONFIG_VERSION}"
        yield VERSION_IS_KNOWN.problem(where, "config_version", what, "Upgrade the plugin")
        return
    of_schema = [finding.problem(where) for finding in islice(findings(data, json_schema("stream")), MOST_REPORTED + 1)]
    if len(of_schema) > MOST_REPORTED:
        what = f"there are more than {MOST_REPORTED} problems"
        of_schema[-1] = PROBLEMS_LISTED.problem(where, "", what, "Correct these first")
    yield from of_schema or _between_keys(data, where)


def _between_keys(data: dict[str, Any], where: str) -> Iterator[Problem]:
    store, datasets = data["store_name"], data["datasets"]
    if store.endswith(names.SHADOW):
        yield NO_SHADOW_BY_NAME.problem(
            where, "store_name", f"{store!r} has the name of a shadow", "Rename the datastore"
        )
    of = names.shadow_store(store) if data.get("shadow") else store
    wanted = names.stream_key(of, datasets[0] if data["single_dataset"] else None)
    if data["stream_key"] != wanted:
        what = f"{data['stream_key']!r} is not the key of store {of!r}"
        yield KEY_OF_STORE.problem(
            where, "stream_key", what, f"Write {wanted!r}, or correct store_name, single_dataset and datasets"
        )
    if data["single_dataset"] and len(datasets) != 1:
        yield ONE_DATASET.problem(
            where, "datasets", f"a single_dataset stream has {len(datasets)} datasets", "Name one"
        )
    derived = names.platform_name(data["original_platform_name"])
    if data["platform_name"] != derived:
        what = f"{data['platform_name']!r} is not derived from {data['original_platform_name']!r}"
        yield PLATFORM_NAME_DERIVED.problem(where, "platform_name", what, f"Write {derived!r}")
    yield from _between_schedules(data, where)
    for key in ("schedule", "schedule_assets"):
        if data.get("shadow") and data.get(key):
            yield SHADOW_NOT_SCHEDULED.problem(
                where, key, "a shadow has no schedule", "Leave it out: a shadow is triggered by hand"
            )


def _between_schedules(data: dict[str, Any], where: str) -> Iterator[Problem]:
    assets = data.get("schedule_assets")
    if not assets:
        return
    if "schedule" in data:
        yield ONE_SCHEDULE.problem(
            where, "schedule_assets", "the stream has a schedule too", "Leave out one of the two"
        )
    own = {names.dataset_asset(data["original_platform_name"], data["store_name"], name) for name in data["datasets"]}
    for index, asset in enumerate(assets):
        if names.asset_uri(asset) in own:
            what = f"{asset!r} is the stream's own dataset, which would start it again and again"
            yield NOT_STARTED_BY_ITSELF.problem(where, f"schedule_assets[{index}]", what, "Leave it out")


def _newer(version: Any) -> bool:
    return isinstance(version, int) and not isinstance(version, bool) and version > CONFIG_VERSION


@cache
def _left_out() -> dict[str, Any]:
    """Return, for each key, the value with which a row omits it; MISSING for a required key."""
    required = json_schema("stream")["required"]
    return {field.name: MISSING if field.name in required else field.default for field in fields(StreamConfig)}


@cache
def _unset() -> dict[str, Any]:
    """Return all keys in order with their defaults; the value of a required key here is never used."""
    return {field.name: field.default for field in fields(StreamConfig)}


@cache
def _whole_numbers() -> frozenset[str]:
    return frozenset(key for key, of in json_schema("stream")["properties"].items() if of["type"] == "integer")
