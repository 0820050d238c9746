"""Names are unique, and so are the names that are derived from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from config_schema import names
from config_schema.model import Consistency, Datastore, Ecosystem, Milestoning, Platform, ViewNames, Workspace
from config_schema.model.mapping import DsgMapping
from config_schema.problem import Finding
from config_schema.rules.parts import Assigned, assigned

Derived = tuple[str, str, str, str]  # the path of the owner, what kind of name, the name, the owner


def names_stand_once(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield names that occur twice where they must be unique."""
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
            yield f"{path}[{index}].name", f"{thing.name!r} is given twice", "Give each a name of its own"
        seen.add(thing.name)


def derived_names_differ(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield owners that would share a derived name: parts are joined by `_`, so different parts can give one name."""
    owners: dict[tuple[str, str], str] = {}
    for path, kind, name, owner in _derived_names(ecosystem):
        other = owners.setdefault((kind, name), owner)
        if other != owner:
            yield path, f"{other} and {owner} would share the {kind} {name!r}", "Rename one of them"


def _derived_names(ecosystem: Ecosystem) -> Iterator[Derived]:
    platforms: set[str] = set()
    for i, platform in enumerate(ecosystem.platforms):
        short, of = names.platform_name(platform.name), f"platform {platform.name}"
        yield f"platforms[{i}].name", "platform name", short, of
        if short in platforms:
            continue  # everything derived from it would be reported too
        platforms.add(short)
        yield from _of_platform(f"platforms[{i}].name", short, of)
        for j, space in enumerate(ecosystem.workspaces):
            yield from _of_views(f"workspaces[{j}]", ecosystem, platform, space)
        for j, store in enumerate(ecosystem.datastores):
            yield from _of_store(f"datastores[{j}]", platform, short, store)


def _of_platform(path: str, short: str, of: str) -> Iterator[Derived]:
    for table in names.platform_tables(short):
        yield path, "table", table, f"{of} itself"
    for dag_id in (names.infrastructure_dag_id, names.health_dag_id, names.operations_dag_id):
        yield path, "DAG", dag_id(short), f"{of} itself"


def _of_store(path: str, platform: Platform, short: str, store: Datastore) -> Iterator[Derived]:
    single = store.consistency is Consistency.SINGLE_DATASET
    for j, dataset in enumerate(store.datasets):
        at, owner = f"{path}.datasets[{j}].name", f"{platform.name}/{store.name}/{dataset.name}"
        yield at, "table", names.merge_table(short, store.name, dataset.name), f"merge table of {owner}"
        yield at, "table", names.staging_table(short, store.name, dataset.name), f"staging table of {owner}"
        yield at, "table", names.row_map_table(short, store.name, dataset.name), f"row map of {owner}"
        yield at, "table", names.row_map_staging_table(short, store.name, dataset.name), f"staged row map of {owner}"
        if single:
            yield at, "DAG", names.dag_id(short, names.stream_key(store.name, dataset.name)), f"stream of {owner}"
    if not single:
        yield f"{path}.name", "DAG", names.dag_id(short, store.name), f"stream of {platform.name}/{store.name}"


def _of_views(path: str, ecosystem: Ecosystem, platform: Platform, space: Workspace) -> Iterator[Derived]:
    yield f"{path}.name", "schema of views", names.workspace_schema(space.name), f"workspace {space.name}"
    short = names.platform_name(platform.name)
    kind = f"view of workspace {space.name}"
    yield f"{path}.name", kind, names.batches_view(short), f"batches of {platform.name}"
    yield f"{path}.name", kind, names.freshness_view(), "its freshness"
    for j, group in enumerate(space.dataset_groups):
        at, owner = f"{path}.dataset_groups[{j}].name", f"dataset group {space.name}/{group.name}"
        yield at, "role", names.consumer_role(ecosystem.name, space.name, group.name), owner
        for sink in group.sinks if space.view_names is ViewNames.LONG else ():
            name = space.view_name(short, group.name, sink.datastore, sink.dataset, "live")
            yield at, kind, name, f"{platform.name}/{group.name}/{sink.datastore}/{sink.dataset}"


def short_view_names_differ(ecosystem: Ecosystem, mappings: tuple[DsgMapping, ...]) -> Iterator[Finding]:
    """Yield assignments by which a workspace with short names would get two views of one name.

    A platform that is being provisioned counts too: it is about to get its views.
    """
    owners: dict[tuple[str, str], str] = {}
    for one in assigned(ecosystem, mappings):
        if one.space.view_names is not ViewNames.SHORT:
            continue
        short = names.platform_name(one.platform.name)
        own = {names.freshness_view(): "its freshness", names.batches_view(short): f"batches of {one.platform.name}"}
        for name, owner in own.items():
            owners[one.space.name, name] = owner
    for one in assigned(ecosystem, mappings):
        for name, owner in _short_views(one):
            other = owners.setdefault((one.space.name, name), owner)
            if other != owner:
                what = f"{other} and {owner} would both be the view {name!r} of workspace {one.space.name}"
                todo = "Give one of them a workspace of its own, or leave view_names: short out there"
                yield f"{one.path}.dataPlatform", what, todo


def _short_views(one: Assigned) -> Iterator[tuple[str, str]]:
    """Yield the short names of views and functions that a group gets on a platform, each with its owner."""
    if one.space.view_names is not ViewNames.SHORT:
        return
    kinds = names.SHORT_ENDINGS if one.platform.milestoning is Milestoning.FORENSIC else ("live",)
    for sink in dict.fromkeys(one.group.sinks):
        owner = f"{one.platform.name}/{one.group.name}/{sink.datastore}/{sink.dataset}"
        for kind in kinds:
            yield names.short_view(sink.dataset, kind), owner
