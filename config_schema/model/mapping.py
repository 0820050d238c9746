"""The DSG to platform mapping: which platform serves which dataset group, as `dsg_platform_mapping.json` says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from config_schema import names
from config_schema.model import DatasetGroup, DatasetSink, Ecosystem, ProductionStatus


class AssignmentStatus(Enum):
    """The states of an assignment of a dataset group to a platform, from the first batch to the last."""

    PROVISIONING = "PROVISIONING"  # its streams run, consumers have no views of it yet
    PROVISIONED = "PROVISIONED"  # its streams run, and it is the one that consumers are served by
    DECOMMISSIONING = "DECOMMISSIONING"  # its streams run, consumers have its views until they have left
    DECOMMISSIONED = "DECOMMISSIONED"  # its streams are retired, its views dropped

    @property
    def ingests(self) -> bool:
        """Whether the platform runs streams for the group."""
        return self is not AssignmentStatus.DECOMMISSIONED

    @property
    def begins(self) -> bool:
        """Whether the platform only begins to serve the group."""
        return self is AssignmentStatus.PROVISIONING

    @property
    def serves(self) -> bool:
        """Whether consumers may rely on the platform for the group."""
        return self in (AssignmentStatus.PROVISIONED, AssignmentStatus.DECOMMISSIONING)


@dataclass(frozen=True)
class Assignment:
    """A platform that serves a dataset group."""

    data_platform: str
    status: AssignmentStatus
    documentation: str = ""
    production_status: ProductionStatus = ProductionStatus.NOT_PRODUCTION
    deprecations_allowed: bool = False


@dataclass(frozen=True)
class DsgMapping:
    """One dataset group and the platforms it is assigned to."""

    dsg_name: str
    workspace: str
    assignments: tuple[Assignment, ...]  # none: it is said that no platform serves the group

    @property
    def ingesting(self) -> tuple[str, ...]:
        """The platforms that run streams for the group."""
        return tuple(one.data_platform for one in self.assignments if one.status.ingests)

    @property
    def serving(self) -> tuple[str, ...]:
        """The platforms whose views the group's consumers have."""
        return tuple(one.data_platform for one in self.assignments if one.status.serves)


@dataclass(frozen=True)
class Model:
    """A checked model: the ecosystem, and which platform serves which dataset group."""

    ecosystem: Ecosystem
    mappings: tuple[DsgMapping, ...]
    is_code: bool = field(default=False, compare=False)
    environment: str | None = None  # whose values the ecosystem has; none: it is as it stands


def mapping_of(entry: Mapping[str, Any]) -> DsgMapping:
    """Return the mapping of an entry of the mapping file that has passed its schema."""
    assignments = tuple(
        Assignment(
            data_platform=one["dataPlatform"],
            status=AssignmentStatus(one["status"]),
            documentation=one.get("documentation", ""),
            production_status=ProductionStatus[one.get("productionStatus", "NOT_PRODUCTION")],
            deprecations_allowed=one.get("deprecationsAllowed") == "ALLOWED",
        )
        for one in entry["assignments"]
    )
    return DsgMapping(entry["dsgName"], entry["workspace"], assignments)


def entry_of(mapping: DsgMapping) -> dict[str, Any]:
    """Return the entry of the mapping file for a mapping: the inverse of `mapping_of`."""
    assignments = [
        {
            "dataPlatform": one.data_platform,
            "documentation": one.documentation,
            "productionStatus": one.production_status.name,
            "deprecationsAllowed": "ALLOWED" if one.deprecations_allowed else "NEVER",
            "status": one.status.value,
        }
        for one in mapping.assignments
    ]
    return {"dsgName": mapping.dsg_name, "workspace": mapping.workspace, "assignments": assignments}


def ingested_groups(ecosystem: Ecosystem, mappings: Iterable[DsgMapping]) -> Iterator[tuple[str, DatasetGroup]]:
    """Yield each platform, by its name in the model, with each dataset group that it runs streams for."""
    groups = {(w.name, group.name): group for w in ecosystem.workspaces for group in w.dataset_groups}
    for mapping in mappings:
        for platform in mapping.ingesting:
            yield platform, groups[mapping.workspace, mapping.dsg_name]


def ingested_datasets(
    ecosystem: Ecosystem, mappings: Iterable[DsgMapping], platform: str, store: str
) -> tuple[str, ...]:
    """Return the datasets of a datastore that the platform ingests, in the datastore's order."""
    wanted = {
        sink.dataset
        for on, group in ingested_groups(ecosystem, mappings)
        if names.is_platform(platform, on)
        for sink in group.sinks
        if sink.datastore == store
    }
    return tuple(dataset.name for dataset in ecosystem.datastore(store).datasets if dataset.name in wanted)


def served_sinks(model: Model, platform: str) -> frozenset[DatasetSink]:
    """Return the datasets that the platform ingests."""
    groups = ingested_groups(model.ecosystem, model.mappings)
    return frozenset(sink for on, group in groups if names.is_platform(platform, on) for sink in group.sinks)
