"""The DSG to platform mapping: which platform serves which dataset group, as `dsg_platform_mapping.json` says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class AssignmentStatus(Enum):
    PROVISIONING = "PROVISIONING"  # agreed, not yet ingesting
    PROVISIONED = "PROVISIONED"  # ingesting
    DECOMMISSIONING = "DECOMMISSIONING"  # still ingesting, consumers are leaving
    DECOMMISSIONED = "DECOMMISSIONED"  # no longer ingesting

    @property
    def ingests(self) -> bool:
        return self in (AssignmentStatus.PROVISIONED, AssignmentStatus.DECOMMISSIONING)


@dataclass(frozen=True)
class Assignment:
    data_platform: str
    status: AssignmentStatus
    documentation: str = ""
    production_status: str = "NOT_PRODUCTION"
    deprecations_allowed: str = "NEVER"


@dataclass(frozen=True)
class DsgMapping:
    """One dataset group and the platforms it is assigned to."""

    dsg_name: str
    workspace: str
    assignments: tuple[Assignment, ...]
