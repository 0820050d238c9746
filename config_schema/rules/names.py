"""A name stands once, and names that are derived from names do too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from config_schema import names
from config_schema.errors import Finding
from config_schema.model import Consistency, Datastore, Ecosystem, Platform, Workspace


def names_stand_once(ecosystem: Ecosystem) -> Iterator[Finding]:
    yield from _once("teams", ecosystem.teams)
    yield from _once("platforms", ecosystem.platforms)
    yield from _once("datastores", ecosystem.datastores)
    yield from _once("workspaces", ecosystem.workspaces)
    for i, store in enumerate(ecosystem.datastores):
        yield from _once(f"datastores[{i}].datasets", store.datasets)
        for j, dataset in enumerate(store.datasets):
            yield from _once(f"datastores[{i}].datasets[{j}].columns", dataset.columns)
    for i, workspace in enumerate(ecosystem.workspaces):
        yield from _once(f"workspaces[{i}].dataset_groups", workspace.dataset_groups)


def _once(path: str, things: Iterable[Any]) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, thing in enumerate(things):
        if thing.name in seen:
            yield f"{path}[{index}].name", f"{thing.name!r} stands there twice", "Give each a name of its own"
        seen.add(thing.name)


def derived_names_differ(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Derived names join parts by `_`, so that different parts can give one name; two owners would share a table."""
    owners: dict[tuple[str, str], str] = {}
    for kind, name, owner in _derived_names(ecosystem):
        other = owners.setdefault((kind, name), owner)
        if other != owner:
            yield "", f"{other} and {owner} would share the {kind} {name!r}", "Rename one of them"


def _derived_names(ecosystem: Ecosystem) -> Iterator[tuple[str, str, str]]:
    for platform in ecosystem.platforms:
        short, of = names.platform_name(platform.name), f"platform {platform.name}"
        yield "platform name", short, of
        for table in (
            names.stream_table(short),
            names.stream_history_table(short),
            names.model_state_table(short),
            names.batch_counter_table(short),
            names.batch_metrics_table(short),
            names.rejected_keys_table(short),
            names.row_maps_table(short),
        ):
            yield "table", table, f"{of} itself"
        for space in ecosystem.workspaces:
            yield from _derived_names_of_views(ecosystem, platform, space)
        for dag in (names.infrastructure_dag_id(short), names.health_dag_id(short)):
            yield "DAG", dag, f"{of} itself"
        for store in ecosystem.datastores:
            yield from _derived_names_of_store(platform, short, store)


def _derived_names_of_store(platform: Platform, short: str, store: Datastore) -> Iterator[tuple[str, str, str]]:
    single = store.consistency is Consistency.SINGLE_DATASET
    for dataset in store.datasets:
        owner = f"{platform.name}/{store.name}/{dataset.name}"
        yield "table", names.merge_table(short, store.name, dataset.name), f"merge table of {owner}"
        yield "table", names.staging_table(short, store.name, dataset.name), f"staging table of {owner}"
        yield "table", names.row_map_table(short, store.name, dataset.name), f"row map of {owner}"
        yield "table", names.row_map_staging_table(short, store.name, dataset.name), f"staged row map of {owner}"
        if single:
            yield "DAG", names.dag_id(short, names.stream_key(store.name, dataset.name)), f"stream of {owner}"
    if not single:
        yield "DAG", names.dag_id(short, store.name), f"stream of {platform.name}/{store.name}"


def _derived_names_of_views(
    ecosystem: Ecosystem, platform: Platform, space: Workspace
) -> Iterator[tuple[str, str, str]]:
    yield "schema of views", names.workspace_schema(space.name), f"workspace {space.name}"
    short = names.platform_name(platform.name)
    kind = f"view of workspace {space.name}"
    yield kind, names.batches_view(short), f"batches of {platform.name}"
    yield kind, names.freshness_view(), "its freshness"
    for group in space.dataset_groups:
        owner = f"dataset group {space.name}/{group.name}"
        yield "role", names.consumer_role(ecosystem.name, space.name, group.name), owner
        for sink in group.sinks:
            name = names.consumer_view(short, space.name, group.name, sink.datastore, sink.dataset, "live")
            yield kind, name, f"{platform.name}/{group.name}/{sink.datastore}/{sink.dataset}"
