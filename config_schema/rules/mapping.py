"""Whether the mapping of dataset groups to platforms fits the model."""

from __future__ import annotations

from collections.abc import Iterator

from config_schema.errors import choose_from
from config_schema.model import DatasetGroup, DatasetSink, Ecosystem, Milestoning, Platform
from config_schema.model.mapping import AssignmentStatus, DsgMapping
from config_schema.problem import Finding
from config_schema.rules.parts import Assigned, assigned, dataset_groups, datasets_by_sink


def mapping_refers_to_the_model(ecosystem: Ecosystem, mappings: tuple[DsgMapping, ...]) -> Iterator[Finding]:
    """Yield groups, workspaces and platforms that are in the mapping but not in the model."""
    platforms = {platform.name: platform for platform in ecosystem.platforms}
    groups = {(space.name, group.name) for _, space, group in dataset_groups(ecosystem)}
    workspaces = {workspace for workspace, _ in groups}
    seen: set[tuple[str, str]] = set()
    for i, mapping in enumerate(mappings):
        key = (mapping.workspace, mapping.dsg_name)
        if mapping.workspace not in workspaces:
            what = f"{mapping.workspace!r} is no workspace"
            yield f"[{i}].workspace", what, choose_from(mapping.workspace, workspaces)
        elif key not in groups:
            known = [name for workspace, name in groups if workspace == mapping.workspace]
            what = f"{mapping.dsg_name!r} is no dataset group of {mapping.workspace}"
            yield f"[{i}].dsgName", what, choose_from(mapping.dsg_name, known)
        if key in seen:
            yield (
                f"[{i}]",
                f"{mapping.dsg_name!r} of {mapping.workspace!r} is given twice",
                "Keep one entry",
            )
        seen.add(key)
        for j, assignment in enumerate(mapping.assignments):
            at, name = f"[{i}].assignments[{j}].dataPlatform", assignment.data_platform
            if name not in platforms:
                yield at, f"{name!r} is no platform", choose_from(name, platforms)


def each_group_has_one_platform(ecosystem: Ecosystem, mappings: tuple[DsgMapping, ...]) -> Iterator[Finding]:
    """Yield groups served by several platforms, or by none without an entry that says so."""
    known = {(mapping.workspace, mapping.dsg_name) for mapping in mappings}
    for _, space, group in dataset_groups(ecosystem):
        if (space.name, group.name) not in known:
            what = f"{group.name!r} of {space.name!r} is not there"
            yield "", what, 'Add it; "assignments": [] says that no platform serves it'
    for i, mapping in enumerate(mappings):
        seen: set[str] = set()
        provisioned = ""
        for j, one in enumerate(mapping.assignments):
            at = f"[{i}].assignments[{j}]"
            if one.data_platform in seen:
                what = f"{mapping.dsg_name} is assigned to {one.data_platform} twice"
                yield f"{at}.dataPlatform", what, "Keep one"
            seen.add(one.data_platform)
            if provisioned and one.status is AssignmentStatus.PROVISIONED:
                what = f"{mapping.dsg_name} has {provisioned} as its PROVISIONED platform, and {one.data_platform} too"
                todo = "Make the one that comes PROVISIONING, or the one that goes DECOMMISSIONING"
                yield f"{at}.status", what, todo
            provisioned = one.data_platform if one.status is AssignmentStatus.PROVISIONED else provisioned


def retention_fits_milestoning(ecosystem: Ecosystem, mappings: tuple[DsgMapping, ...]) -> Iterator[Finding]:
    """Yield groups that need old versions, on platforms that keep live rows only."""
    for one in assigned(ecosystem, mappings):
        if not _keeps(one.platform, one.group):
            fitting = [platform.name for platform in ecosystem.platforms if _keeps(platform, one.group)]
            what = f"{one.group.name} needs forensic retention, and {one.platform.name} keeps live rows only"
            yield f"{one.path}.dataPlatform", what, choose_from(one.platform.name, fitting)


def history_options_have_a_history(ecosystem: Ecosystem, mappings: tuple[DsgMapping, ...]) -> Iterator[Finding]:
    """Yield datasets with an option for their versions that only platforms without versions serve."""
    served: dict[DatasetSink, list[Assigned]] = {}
    for one in assigned(ecosystem, mappings):
        for sink in one.group.sinks:
            served.setdefault(sink, []).append(one)
    for sink, (_, dataset) in datasets_by_sink(ecosystem).items():
        live = [one for one in served.get(sink, ()) if one.platform.milestoning is Milestoning.LIVE]
        given = {"keep_closed_days": dataset.keep_closed_days, "valid_from": dataset.valid_from}
        option = " and ".join(name for name, value in given.items() if value is not None)
        if option and live and len(live) == len(served[sink]):
            what = f"{sink.dataset} of {sink.datastore} has {option}, and {live[0].platform.name} keeps live rows only"
            yield f"{live[0].path}.dataPlatform", what, f"Assign it to a forensic platform, or take {option} out"


def _keeps(platform: Platform, group: DatasetGroup) -> bool:
    return group.retention is Milestoning.LIVE or platform.milestoning is Milestoning.FORENSIC
