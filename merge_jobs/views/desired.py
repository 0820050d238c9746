"""The views, functions and roles that the model asks for, by workspace. Pure."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from config_schema import names
from config_schema.model import (
    Consistency,
    Dataset,
    DatasetGroup,
    Datastore,
    Milestoning,
    Platform,
    Workspace,
)
from config_schema.model.mapping import Model
from config_schema.sql.object_comments import parsed_comment


class ViewKind(Enum):
    """The kinds of consumers' views and functions."""

    LIVE = "live"  # current rows
    FULL = "full"  # all versions, of a forensic platform
    ASOF = "asof"  # a function: the rows as they were at a time
    BATCHES = "batches"  # a platform's committed batches
    FRESHNESS = "freshness"  # of each dataset of the workspace


@dataclass(frozen=True)
class Served:
    """A dataset as one dataset group of a workspace gets it from one platform."""

    ecosystem: str
    workspace: Workspace
    group: DatasetGroup
    platform: Platform
    store: Datastore
    dataset: Dataset

    @property
    def platform_name(self) -> str:
        """The platform's name in tables and DAG ids."""
        return names.platform_name(self.platform.name)

    @property
    def stream(self) -> str:
        """The key of the dataset's stream."""
        single = self.store.consistency is Consistency.SINGLE_DATASET
        return names.stream_key(self.store.name, self.dataset.name if single else None)

    @property
    def merge_table(self) -> str:
        """The name of the dataset's merge table."""
        return names.merge_table(self.platform_name, self.store.name, self.dataset.name)

    @property
    def forensic(self) -> bool:
        """Whether the platform keeps all versions."""
        return self.platform.milestoning is Milestoning.FORENSIC

    @property
    def kinds(self) -> tuple[ViewKind, ...]:
        """The views and functions that the dataset gets."""
        return (ViewKind.LIVE, ViewKind.FULL, ViewKind.ASOF) if self.forensic else (ViewKind.LIVE,)

    @property
    def role(self) -> str:
        """The role that may read them."""
        return names.consumer_role(self.ecosystem, self.workspace.name, self.group.name)

    @property
    def masked(self) -> frozenset[str]:
        """The columns that the workspace may not see."""
        allowed = self.workspace.may_see
        return frozenset(column.name for column in self.dataset.columns if column.classification not in allowed)

    def name(self, kind: ViewKind) -> str:
        """Return the name of the dataset's view or function of that kind."""
        of = (self.platform_name, self.group.name, self.store.name, self.dataset.name)
        return self.workspace.view_name(*of, kind.value)

    def mark(self, kind: ViewKind) -> dict[str, Any]:
        """Return what the view's comment says about its owner."""
        of_dataset = {"group": self.group.name, "datastore": self.store.name, "dataset": self.dataset.name}
        return {**mark("view", self.ecosystem, self.workspace.name, self.platform.name), **of_dataset, "is": kind.value}

    def __str__(self) -> str:
        return f"{self.workspace.name}/{self.group.name}: {self.store.name}.{self.dataset.name} of {self.platform.name}"


@dataclass(frozen=True)
class WantedWorkspace:
    """All that a workspace gets in one database."""

    ecosystem: str
    name: str
    served: tuple[Served, ...] = ()

    @property
    def schema(self) -> str:
        """The schema of the workspace's views."""
        return names.workspace_schema(self.name)

    @property
    def roles(self) -> dict[str, dict[str, Any]]:
        """The roles of the dataset groups, each with its mark."""
        return {one.role: {**mark("reader", self.ecosystem, self.name), "group": one.group.name} for one in self.served}

    def streams(self) -> dict[str, dict[str, set[str]]]:
        """Return each platform's streams, each with the roles that read it."""
        found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for one in self.served:
            found[one.platform.name][one.stream].add(one.role)
        return found


def mark(kind: str, ecosystem: str, workspace: str, platform: str | None = None) -> dict[str, Any]:
    """Return the beginning of the comment on an object of ours."""
    of = {"kind": f"consumers' {kind}", "ecosystem": ecosystem, "workspace": workspace}
    return of if platform is None else {**of, "platform": platform}


def read_mark(comment: str | None, kind: str, ecosystem: str) -> Mapping[str, Any] | None:
    """Return what a comment says if it marks an object of ours of that kind; None otherwise."""
    of_comment, wanted = parsed_comment(comment), {"kind": f"consumers' {kind}", "ecosystem": ecosystem}
    return of_comment if wanted.items() <= of_comment.items() else None


def mark_pattern(kind: str, ecosystem: str) -> str:
    """Return the LIKE pattern for the comments on objects of ours of that kind."""
    start = json.dumps({"kind": f"consumers' {kind}", "ecosystem": ecosystem})[:-1]
    return start.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def wanted_workspaces(model: Model, platforms: Collection[str]) -> dict[str, WantedWorkspace]:
    """Return what the workspaces get from these platforms, without workspaces that get nothing.

    Consumers get no views while a platform is PROVISIONING; groups that are leaving (DECOMMISSIONING) keep theirs
    until they have left.
    """
    by_workspace: dict[str, list[Served]] = defaultdict(list)
    for one in _served(model):
        if one.platform.name in platforms:
            by_workspace[one.workspace.name].append(one)
    ecosystem = model.ecosystem.name
    return {name: WantedWorkspace(ecosystem, name, tuple(served)) for name, served in by_workspace.items()}


def _served(model: Model) -> Iterator[Served]:
    ecosystem = model.ecosystem
    for mapping in model.mappings:
        workspace = ecosystem.workspace(mapping.workspace)
        group = next(one for one in workspace.dataset_groups if one.name == mapping.dsg_name)
        # Who reads a lake reads its files.
        serving = (one for one in ecosystem.platforms if one.name in mapping.serving and one.lake is None)
        for platform in serving:
            for sink in dict.fromkeys(group.sinks):
                store = ecosystem.datastore(sink.datastore)
                dataset = next(one for one in store.datasets if one.name == sink.dataset)
                yield Served(ecosystem.name, workspace, group, platform, store, dataset)
