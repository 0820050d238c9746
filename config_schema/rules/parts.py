"""The parts of a model that rules look at, each with its path."""

from __future__ import annotations

from collections.abc import Iterator

from config_schema.model import Dataset, DatasetGroup, Ecosystem


def datasets(ecosystem: Ecosystem) -> Iterator[tuple[str, Dataset]]:
    for i, store in enumerate(ecosystem.datastores):
        for j, dataset in enumerate(store.datasets):
            yield f"datastores[{i}].datasets[{j}]", dataset


def dataset_groups(ecosystem: Ecosystem) -> Iterator[tuple[str, DatasetGroup]]:
    for i, workspace in enumerate(ecosystem.workspaces):
        for j, group in enumerate(workspace.dataset_groups):
            yield f"workspaces[{i}].dataset_groups[{j}]", group
