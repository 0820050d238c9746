"""Which streams a model wants on which platform. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any

from config_schema import names
from config_schema.errors import ProblemsFound
from config_schema.gc_paused import gc_paused
from config_schema.model import Consistency, Datastore, Ecosystem, Platform, StreamDefaults
from config_schema.model.mapping import DsgMapping, ingested_groups
from config_schema.problem import Problem
from config_schema.stream import StreamConfig, check

INGESTION_TYPE = "sql_snapshot"

Streams = dict[str, StreamConfig]  # by stream_key
Wanted = dict[str, list[int | None]]  # dataset -> the latency needs of the groups that want it


@gc_paused()
def stream_graph(ecosystem: Ecosystem, mappings: Iterable[DsgMapping]) -> dict[str, Streams]:
    """Return the streams of each platform, by its model name; a platform that serves nobody has none.

    Takes a model that has passed check_model. Raises ProblemsFound if a config breaks stream.schema.json.
    """
    wanted = _wanted_datasets(ecosystem, mappings)
    graph = {
        platform.name: {
            config.stream_key: config
            for store in ecosystem.datastores
            for config in _stream_configs(platform, store, wanted[platform.name, store.name])
        }
        for platform in ecosystem.platforms
    }
    problems = [problem for streams in graph.values() for config in streams.values() for problem in _check(config)]
    if problems:
        raise ProblemsFound("the model's streams", problems)
    return graph


def _wanted_datasets(ecosystem: Ecosystem, mappings: Iterable[DsgMapping]) -> dict[tuple[str, str], Wanted]:
    """Return the wanted datasets by (platform, datastore)."""
    wanted: dict[tuple[str, str], Wanted] = defaultdict(lambda: defaultdict(list))
    for platform, group in ingested_groups(ecosystem, mappings):
        for sink in group.sinks:
            wanted[platform, sink.datastore][sink.dataset].append(group.latency_seconds)
    return wanted


def _stream_configs(platform: Platform, store: Datastore, wanted: Wanted) -> Iterator[StreamConfig]:
    datasets = [dataset.name for dataset in store.datasets if dataset.name in wanted]
    if store.consistency is Consistency.SINGLE_DATASET:
        for dataset in datasets:
            yield _stream_config(platform, store, (dataset,), wanted, names.stream_key(store.name, dataset))
    elif datasets:
        yield _stream_config(platform, store, tuple(datasets), wanted, names.stream_key(store.name))


def _stream_config(
    platform: Platform, store: Datastore, datasets: tuple[str, ...], wanted: Wanted, key: str
) -> StreamConfig:
    needs = [need for dataset in datasets for need in wanted[dataset] if need is not None]
    return StreamConfig(
        stream_key=key,
        single_dataset=store.consistency is Consistency.SINGLE_DATASET,
        datasets=datasets,
        store_name=store.name,
        ingestion_type=INGESTION_TYPE,
        namespace_name=platform.namespace,
        platform_name=names.platform_name(platform.name),
        original_platform_name=platform.name,
        postgres_hostname=platform.merge_store.host,
        postgres_database=platform.merge_store.database,
        postgres_port=platform.merge_store.port,
        postgres_credential_secret_name=platform.merge_store.credential,
        git_credential_secret_name=platform.model.credential,
        slack_credential_secret_name=platform.slack_credential,
        datasurface_docker_image=platform.image,
        git_repo_url=platform.model.url,
        git_repo_branch=platform.model.branch,
        source_credential_secret_name=store.source.credential,
        schedule=None if store.schedule_assets else platform.schedule,
        schedule_assets=store.schedule_assets,
        timezone=platform.timezone,
        milestoning=platform.milestoning.value,
        runner=platform.runner.value,
        latency_seconds=min(needs, default=None),
        **{"owner": platform.owner, **_given(platform.streams)},
    )


def _given(defaults: StreamDefaults) -> dict[str, Any]:
    values = {field.name: getattr(defaults, field.name) for field in fields(defaults)}
    return {key: value for key, value in values.items() if value is not None}


def _check(config: StreamConfig) -> Iterator[Problem]:
    return check(config.to_dict(), f"{config.original_platform_name}: {config.stream_key}")
