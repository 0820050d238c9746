"""The parts of a model that rules check, each with its path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from config_schema.model import Dataset, DatasetGroup, DatasetSink, Datastore, Ecosystem, Platform, Workspace
from config_schema.model.mapping import Assignment, DsgMapping


@dataclass(frozen=True)
class Assigned:
    """A dataset group that the mapping assigns to a platform; both exist."""

    path: str  # of the assignment, in the mapping
    assignment: Assignment
    space: Workspace
    group: DatasetGroup
    platform: Platform


def datasets(ecosystem: Ecosystem) -> Iterator[tuple[str, Datastore, Dataset]]:
    """Yield each dataset with its path and datastore."""
    for i, store in enumerate(ecosystem.datastores):
        for j, dataset in enumerate(store.datasets):
            yield f"datastores[{i}].datasets[{j}]", store, dataset


def dataset_groups(ecosystem: Ecosystem) -> Iterator[tuple[str, Workspace, DatasetGroup]]:
    """Yield each dataset group with its path and workspace."""
    for i, space in enumerate(ecosystem.workspaces):
        for j, group in enumerate(space.dataset_groups):
            yield f"workspaces[{i}].dataset_groups[{j}]", space, group


def datasets_by_sink(ecosystem: Ecosystem) -> dict[DatasetSink, tuple[Datastore, Dataset]]:
    """Return each dataset by the sink that can name it."""
    return {DatasetSink(store.name, dataset.name): (store, dataset) for _, store, dataset in datasets(ecosystem)}


def assigned(ecosystem: Ecosystem, mappings: tuple[DsgMapping, ...]) -> Iterator[Assigned]:
    """Yield the assignments for which a platform runs streams: all but DECOMMISSIONED ones."""
    platforms = {platform.name: platform for platform in ecosystem.platforms}
    groups = {(space.name, group.name): (space, group) for _, space, group in dataset_groups(ecosystem)}
    for i, mapping in enumerate(mappings):
        for j, one in enumerate(mapping.assignments):
            found = groups.get((mapping.workspace, mapping.dsg_name))
            if one.status.ingests and found and one.data_platform in platforms:
                yield Assigned(f"[{i}].assignments[{j}]", one, *found, platforms[one.data_platform])
