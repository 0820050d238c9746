"""From static DAGs to streams' configs: the file comes first, and what is known nowhere is a Problem."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow_plugin.control.stream_table import StreamRow
from airflow_plugin.migrate.command_line import DATASET, DATASETS, PLATFORM, STORE, command_line
from airflow_plugin.migrate.credentials import credentials
from airflow_plugin.migrate.defaults import FileDefaults
from airflow_plugin.static_dags.static_dag import StaticDag
from airflow_plugin.streams.transfer import exported
from airflow_plugin.sync.graph import INGESTION_TYPE
from config_schema import names
from config_schema.errors import ProblemsFound
from config_schema.problem import Problem, Rule
from config_schema.schemas import json_schema
from config_schema.stream import StreamConfig, from_dict

ARGUMENTS_NAME_THE_STREAM = Rule("DF3221", "A static DAG's arguments name its platform and its store.")
ONE_FILE_OF_A_STREAM = Rule("DF3222", "One static file has a stream's DAG.")
VALUE_IS_CONSTANT = Rule("DF3223", "A static file gives a value as a constant.")
EVERY_KEY_HAS_A_VALUE = Rule("DF3224", "The static file, the model or the settings give every key that a row needs.")

NOBODY = "airflow"  # the owner that Airflow gives where a file names none
# The config's key for what the pod, or the DAG, has under another name.
KEY_OF = {
    "image": "datasurface_docker_image",
    "namespace": "namespace_name",
    "keep_failed": "on_failed_pod",
    "dag_id": "stream_key",
}
NOT_IN_A_CONFIG = ("volumes", "mounts", "catchup", "max_active_runs", "env_from")  # compare reports them


@dataclass(frozen=True)
class Extracted:
    """The result for a DAG: a config, or why there is none. Flags in `others` have no key in a config."""

    dag: StaticDag
    platform: str | None
    config: StreamConfig | None
    problems: tuple[Problem, ...]
    others: tuple[str, ...] = ()

    @property
    def dag_id(self) -> str | None:
        """That of the factory's DAG."""
        return None if self.config is None else self.config.dag_id


def extracted(dag: StaticDag, gaps: FileDefaults) -> Extracted:
    """Return the config of a DAG's stream. Raises StreamFactoryError for a broken settings file."""
    line = command_line([] if "arguments" in dag.pod.unread else dag.pod.words())
    place = f"{dag.file}:{dag.line}"
    platform, store = line.values.get(PLATFORM), line.values.get(STORE)
    if platform is None or store is None:
        unread = tuple(_unread(dag, gaps))
        named = "the job's arguments name no {}".format("platform" if platform is None else "store")
        problem = ARGUMENTS_NAME_THE_STREAM.problem(
            place, "arguments", named, "Write --platform-name and --store-name as constants"
        )
        return Extracted(dag, None, None, unread or (problem,))
    platform = gaps.platform(platform)
    stream_key = names.stream_key(store, line.values.get(DATASET))
    known = gaps.of(platform, stream_key)
    said = _said(dag, line.values, known)
    keys = {**known, **said, **_identity(platform, store, line.values.get(DATASET))}
    keys["datasets"] = (
        [line.values[DATASET]] if DATASET in line.values else line.values.get(DATASETS, known.get("datasets"))
    )
    config = {key: value for key, value in keys.items() if value is not None}
    problems = [*_unread(dag, gaps), *_missing(dag, config, place)]
    if not problems:
        try:
            return Extracted(dag, platform, from_dict(config, place), (), line.others)
        except ProblemsFound as error:
            problems = list(error.problems)
    return Extracted(dag, platform, None, tuple(problems), line.others)


def as_yaml(streams: Iterable[Extracted], status: str = "active") -> str:
    """Return rows for `dagfactory streams import`; with `retired`, rows that reserve the key until the cutover."""
    rows: dict[str, list[StreamRow]] = {}
    moment = datetime.fromtimestamp(0, UTC)  # which the document does not have
    for one in streams:
        if one.config is not None and one.platform is not None:
            row = StreamRow(one.config.stream_key, one.config.to_json(), status, moment, moment)
            rows.setdefault(one.platform, []).append(row)
    return exported(rows)


def duplicate_streams(streams: Iterable[Extracted]) -> Iterator[Problem]:
    """Yield streams that two files contain: a row can replace only one of them."""
    seen: dict[tuple[str | None, str], Extracted] = {}
    for one in streams:
        if one.config is None:
            continue
        first = seen.setdefault((one.platform, one.config.stream_key), one)
        if first is not one:
            what = f"{one.config.stream_key} on {one.platform} is in {first.dag.file}:{first.dag.line} too"
            yield ONE_FILE_OF_A_STREAM.problem(
                f"{one.dag.file}:{one.dag.line}", "", what, "Leave one of the two files out"
            )


def _identity(platform: str, store: str, dataset: str | None) -> dict[str, Any]:
    return {
        "stream_key": names.stream_key(store, dataset),
        "single_dataset": dataset is not None,
        "store_name": store,
        "ingestion_type": INGESTION_TYPE,
        "platform_name": names.platform_name(platform),
        "original_platform_name": platform,
        "runner": "kubernetes",
    }


def _said(dag: StaticDag, of_job: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """Return the file's values, with None for what it declares absent; an unreadable value keeps its default."""
    pod = dag.pod
    values = {
        "schedule": dag.schedule,
        "schedule_assets": None,
        "timezone": dag.timezone,
        "image_pull_policy": pod.image_pull_policy,
        "image_pull_secrets": list(pod.image_pull_secrets) or None,
        "service_account": pod.service_account,
        "resources": pod.resources,
        "node_selector": pod.node_selector,
        "tolerations": list(pod.tolerations) or None,
        "priority": None if dag.priority == 1 else dag.priority,  # what Airflow gives
        "pool": None if dag.pool == "default_pool" else dag.pool,
        "retries": dag.retries,
        "execution_timeout": dag.execution_timeout,
        "deferrable": pod.deferrable,
        "on_failed_pod": "keep" if pod.keep_failed else "delete",
        "owner": None if dag.owner == NOBODY else dag.owner,
        "tags": _own_tags(dag, of_job) or None,
    }
    unread = {KEY_OF.get(key, key) for key in (*dag.unread, *pod.unread)}
    given = {key: value for key, value in values.items() if key not in unread}
    places = {"namespace_name": pod.namespace, "datasurface_docker_image": pod.image}
    flags = {key: value for key, value in of_job.items() if key not in (PLATFORM, STORE, DATASET, DATASETS)}
    certain = {key: value for key, value in {**places, **flags}.items() if value is not None}
    return {**given, **certain, **credentials(pod.secrets, known)}


def _own_tags(dag: StaticDag, of_job: dict[str, Any]) -> list[str]:
    """Return the tags beyond those that the factory gives every DAG: its platform and its store."""
    platform, store, dataset = of_job[PLATFORM], of_job[STORE], of_job.get(DATASET)
    common = {platform, names.platform_name(platform), store, names.stream_key(store, dataset), f"{store}_{dataset}"}
    return [str(tag) for tag in dag.tags if tag not in common]


def _unread(dag: StaticDag, gaps: FileDefaults) -> Iterator[Problem]:
    for name, unread in (*dag.unread.items(), *dag.pod.unread.items()):
        key = KEY_OF.get(name, name)
        of_environment = name in ("env", "secrets", "env_from")
        if name in NOT_IN_A_CONFIG or key in gaps.defaults or (name == "command" and "arguments" not in dag.pod.unread):
            continue
        has_default = not of_environment and key in json_schema("stream")["properties"]
        todo = f"Write it as a constant, or give --default {key}=..." if has_default else "Write it as a constant"
        yield VALUE_IS_CONSTANT.problem(dag.place(unread), key, unread.what, todo)


def _missing(dag: StaticDag, config: dict[str, Any], place: str) -> Iterator[Problem]:
    unread = {KEY_OF.get(name, name) for name in (*dag.unread, *dag.pod.unread)}
    required = (*json_schema("stream")["required"], "milestoning")
    keys = [key for key in required if key not in config and key not in unread]
    if keys:
        what = f"neither the file nor model and settings say {', '.join(keys)}"
        yield EVERY_KEY_HAS_A_VALUE.problem(place, "", what, "Give --model, or --default KEY=VALUE for each")
