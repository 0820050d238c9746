"""Rights on the existing objects of a workspace's schema, without its views: a revoke waits for nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from merge_jobs.views.catalog import ExistingWorkspace, Server
from merge_jobs.views.desired import ViewKind, WantedWorkspace
from merge_jobs.views.grants import (
    Object,
    connect_changes,
    right_changes,
    role_changes,
    usable_roles,
)
from merge_jobs.views.planning import PlatformScope, WorkspacePlan, plan_of, roles_out_of_scope
from merge_jobs.views.reconcile_steps import Step


def rights_plan(
    wanted: WantedWorkspace, existing: ExistingWorkspace, server: Server, scope: PlatformScope
) -> WorkspacePlan:
    """Return the steps for roles and rights on existing objects; no view is changed, no merge table read."""
    return plan_of(wanted.name, _steps(wanted, existing, server, scope))


def _steps(
    wanted: WantedWorkspace, existing: ExistingWorkspace, server: Server, scope: PlatformScope
) -> Iterator[Step]:
    if existing.schema_mark is None:
        return
    yield from role_changes(wanted.roles, server)
    roles = usable_roles(wanted.roles, server)
    staying = roles_out_of_scope(wanted, existing, scope)
    yield from connect_changes(wanted.name, roles, staying, server)
    yield from right_changes(Object("SCHEMA", wanted.schema), roles | staying, existing.schema_rights, server)
    for kind, those in (("TABLE", existing.views), ("FUNCTION", existing.functions)):
        for one in those.values():
            if one.mark is not None and scope.has(one.mark.get("platform")):
                readers = _readers(wanted, one.mark) & roles
                yield from right_changes(Object(kind, one.name, wanted.schema), readers, one.rights, server)


def _readers(wanted: WantedWorkspace, mark: Mapping[str, Any]) -> frozenset[str]:
    """Return the roles that may read an object with this mark, by the model; none if it has left the model."""
    if mark["is"] == ViewKind.FRESHNESS.value:
        return frozenset(wanted.roles)
    of_platform = [one for one in wanted.served if one.platform.name == mark["platform"]]
    if mark["is"] == ViewKind.BATCHES.value:
        return frozenset(one.role for one in of_platform)
    marked = (mark["group"], mark["datastore"], mark["dataset"])
    return frozenset(one.role for one in of_platform if (one.group.name, one.store.name, one.dataset.name) == marked)
