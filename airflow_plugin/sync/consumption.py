"""What a platform uses of a model: the datasets that it loads, and the views that its consumers get. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from config_schema import names
from config_schema.model import DELETED_COLUMN, Dataset, Datastore, Milestoning, Platform, Workspace
from config_schema.model.mapping import Model, ingested_groups

LIVE_VIEWS, FORENSIC_VIEWS = ("live",), ("live", "full", "asof")


@dataclass(frozen=True)
class View:
    """A dataset as the consumers of a dataset group see it on a platform."""

    workspace: str
    role: str
    table: str  # the merge table that it reads
    names: tuple[str, ...]
    columns: tuple[str, ...]
    masked: frozenset[str]


@dataclass(frozen=True)
class Consumption:
    """What a platform uses of a model: datasets by `Store1.customers`, and views by that and the dataset group."""

    platform: Platform | None
    tables: dict[str, tuple[Datastore, Dataset]]
    views: dict[tuple[str, ...], View]


def consumption(model: Model | None, platform: str) -> Consumption:
    """Return what a platform, named as in the model, has of it; nothing without a model, or if it has left."""
    found = () if model is None else model.ecosystem.platforms
    on = next((one for one in found if one.name == platform), None)
    if model is None or on is None:
        return Consumption(None, {}, {})
    datasets = {(store.name, one.name): (store, one) for store in model.ecosystem.datastores for one in store.datasets}
    ingested = (
        sink
        for name, group in ingested_groups(model.ecosystem, model.mappings)
        if name == platform
        for sink in group.sinks
    )
    tables = {f"{sink.datastore}.{sink.dataset}": datasets[sink.datastore, sink.dataset] for sink in ingested}
    return Consumption(on, tables, dict(_views(model, on, datasets)))


def _views(
    model: Model, platform: Platform, datasets: dict[tuple[str, str], tuple[Datastore, Dataset]]
) -> Iterator[tuple[tuple[str, ...], View]]:
    workspaces = {one.name: one for one in model.ecosystem.workspaces}
    for mapping in model.mappings:
        if platform.name not in mapping.serving or platform.lake is not None:
            continue
        workspace = workspaces[mapping.workspace]
        group = next(one for one in workspace.dataset_groups if one.name == mapping.dsg_name)
        role = names.consumer_role(model.ecosystem.name, workspace.name, group.name)
        for sink in group.sinks:
            store, dataset = datasets[sink.datastore, sink.dataset]
            yield (
                (workspace.name, group.name, store.name, dataset.name),
                _view(platform, workspace, group.name, role, store, dataset),
            )


def _view(platform: Platform, workspace: Workspace, group: str, role: str, store: Datastore, dataset: Dataset) -> View:
    kinds = FORENSIC_VIEWS if platform.milestoning is Milestoning.FORENSIC else LIVE_VIEWS
    short = names.platform_name(platform.name)
    made = (workspace.view_name(short, group, store.name, dataset.name, kind) for kind in kinds)
    hidden = frozenset(one.name for one in dataset.columns if one.classification not in workspace.may_see)
    table = merge_table(platform.name, store, dataset)
    kept = (DELETED_COLUMN,) if dataset.keeps_deleted else ()
    return View(workspace.name, role, table, tuple(made), (*(one.name for one in dataset.columns), *kept), hidden)


def merge_table(platform: str, store: Datastore, dataset: Dataset) -> str:
    """Return the name of a dataset's merge table on a platform, named as in the model."""
    return names.merge_table(names.platform_name(platform), store.name, dataset.name)
