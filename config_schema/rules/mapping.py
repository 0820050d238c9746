"""What the mapping says of dataset groups and platforms fits the model."""

from __future__ import annotations

from collections.abc import Iterator

from config_schema.errors import Finding, choose_from
from config_schema.mapping import DsgMapping
from config_schema.model import DatasetGroup, Ecosystem, Milestoning, Platform


def mapping_refers_to_the_model(ecosystem: Ecosystem, mappings: tuple[DsgMapping, ...]) -> Iterator[Finding]:
    platforms = {platform.name: platform for platform in ecosystem.platforms}
    groups = {(w.name, g.name): g for w in ecosystem.workspaces for g in w.dataset_groups}
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
                f"{mapping.dsg_name!r} of {mapping.workspace!r} stands there twice",
                "Keep one entry",
            )
        seen.add(key)
        for j, assignment in enumerate(mapping.assignments):
            at, name = f"[{i}].assignments[{j}].dataPlatform", assignment.data_platform
            if name not in platforms:
                yield at, f"{name!r} is no platform", choose_from(name, platforms)
            elif key in groups and not _keeps(platforms[name], groups[key]):
                fitting = [p.name for p in ecosystem.platforms if _keeps(p, groups[key])]
                what = f"{mapping.dsg_name} needs forensic retention, and {name} keeps live rows only"
                yield at, what, choose_from(name, fitting)


def _keeps(platform: Platform, group: DatasetGroup) -> bool:
    return group.retention is Milestoning.LIVE or platform.milestoning is Milestoning.FORENSIC
