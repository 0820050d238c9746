"""From a workspace's schema as it is to the one that the model asks for. Pure; what is not ours is never changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from psycopg2 import sql

from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.sql.object_comments import parsed_comment
from merge_jobs.errors import NotOurs
from merge_jobs.sql import composed
from merge_jobs.views.catalog import CatalogView, ExistingWorkspace, Server
from merge_jobs.views.definitions import (
    Definition,
    FunctionDefinition,
    MergeTables,
    as_of_function,
    batches_view,
    comment,
    freshness_view,
    view_of,
)
from merge_jobs.views.desired import (
    Served,
    ViewKind,
    WantedWorkspace,
    mark,
)
from merge_jobs.views.grants import (
    Object,
    ServerChange,
    connect_changes,
    right_changes,
    role_changes,
    usable_roles,
)
from merge_jobs.views.reconcile_steps import (
    Step,
    Text,
    departure,
    function_steps,
    rename,
    view_steps,
)


@dataclass(frozen=True)
class WorkspacePlan:
    """The steps for a workspace, in order; what cannot be done; and what a person may want to know."""

    workspace: str
    changes: tuple[ServerChange, ...]
    problems: tuple[StreamFactoryError, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class PlatformScope:
    """The views that may change: those of platforms in `here` and, if all are `known`, those of unknown platforms."""

    here: frozenset[str]
    known: frozenset[str] | None = None

    def has(self, platform: str | None) -> bool:
        """Return whether the platform's views may be changed."""
        return platform is None or platform in self.here or (self.known is not None and platform not in self.known)


@dataclass(frozen=True)
class WantedViews:
    """The views and functions in scope that can be created now."""

    views: list[Definition]
    functions: list[FunctionDefinition]
    said: list[Step]
    awaited: set[str] = field(default_factory=set)  # whose tables are not there: if they stand they stay
    awaited_marks: list[dict[str, Any]] = field(default_factory=list)  # of the same, under another name too

    @property
    def names(self) -> set[str]:
        """Return the names of the views and functions that are needed, now or later."""
        return self.awaited | {view.name for view in self.views} | {function.name for function in self.functions}


def workspace_plan(
    wanted: WantedWorkspace,
    existing: ExistingWorkspace,
    server: Server,
    tables: Mapping[str, MergeTables],
    scope: PlatformScope,
    text: Text,
) -> WorkspacePlan:
    """Return the steps for a workspace. `tables` are by platform name; `text` renders a query."""
    return plan_of(wanted.name, _steps(wanted, existing, server, tables, scope, text))


def plan_of(workspace: str, of: Iterator[Step]) -> WorkspacePlan:
    """Return a plan of the steps, grouped by what they do."""
    steps = list(of)
    return WorkspacePlan(
        workspace,
        tuple(step for step in steps if isinstance(step, ServerChange)),
        tuple(step for step in steps if isinstance(step, StreamFactoryError)),
        tuple(step for step in steps if isinstance(step, str)),
    )


def _steps(
    wanted: WantedWorkspace,
    existing: ExistingWorkspace,
    server: Server,
    tables: Mapping[str, MergeTables],
    scope: PlatformScope,
    text: Text,
) -> Iterator[Step]:
    schema = wanted.schema
    if existing.schema_exists and existing.schema_mark is None:
        yield NotOurs(f"schema {schema}", "Rename that schema, or the workspace")
        return
    ready = _wanted(wanted, existing, tables, scope)
    yield from ready.said
    if not existing.schema_exists and not ready.views:
        return
    yield from role_changes(wanted.roles, server)
    roles = usable_roles(wanted.roles, server)
    staying = roles_out_of_scope(wanted, existing, scope)
    yield from connect_changes(wanted.name, roles, staying, server)
    if not existing.schema_exists:
        of = comment(mark("schema", wanted.ecosystem, wanted.name))
        making = composed("views.create_schema", {"schema": sql.Identifier(schema), "comment": of}, {})
        yield ServerChange(f"create schema {schema}", (making,))
    yield from right_changes(Object("SCHEMA", schema), roles | staying, existing.schema_rights, server)
    renamed = _renamed(schema, existing, ready)
    yield from renamed.steps
    named = ready.names | renamed.blocked
    for view in ready.views:
        yield from view_steps(schema, view, renamed.existing.views.get(view.name), roles, server, text)
    for function in ready.functions:
        yield from function_steps(schema, function, renamed.existing.functions.get(function.name), roles, server, text)
    yield from _departures(wanted, renamed.existing, server, named, scope)


@dataclass(frozen=True)
class RenamedViews:
    """What gets another name and stays what it is, with rights and what others have built on it.

    `existing` is the schema afterwards, `blocked` are names of views whose new name is somebody else's.
    """

    steps: list[ServerChange]
    existing: ExistingWorkspace
    blocked: set[str]


def _renamed(schema: str, existing: ExistingWorkspace, ready: WantedViews) -> RenamedViews:
    steps: list[ServerChange] = []
    blocked: set[str] = set()
    kept: dict[str, dict[str, CatalogView]] = {}
    awaited = [_identity(of) for of in ready.awaited_marks]
    for kind, those, wanted in (
        ("TABLE", existing.views, ready.views),
        ("FUNCTION", existing.functions, ready.functions),
    ):
        kept[kind] = dict(those)
        ours = {_identity(one.mark): one for one in those.values() if one.mark is not None}
        blocked |= {ours[of].name for of in awaited if of in ours}
        for definition in wanted:
            one = ours.get(_identity(definition.mark))
            if one is None or one.name in ready.names:
                continue
            in_the_way = those.get(definition.name)
            if in_the_way is None:
                steps.append(rename(schema, kind, one, definition.name))
                del kept[kind][one.name]
                kept[kind][definition.name] = replace(one, name=definition.name)
            elif in_the_way.mark is None:
                blocked.add(one.name)
    return RenamedViews(steps, replace(existing, views=kept["TABLE"], functions=kept["FUNCTION"]), blocked)


def _identity(of: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return what a mark says of what a view or function is, without how it is made."""
    return tuple(sorted((key, value) for key, value in of.items() if key not in ("definition", "returned")))


def _wanted(
    wanted: WantedWorkspace, existing: ExistingWorkspace, tables: Mapping[str, MergeTables], scope: PlatformScope
) -> WantedViews:
    found = WantedViews([], [], [])
    ready = [one for one in wanted.served if _has_batches(one, tables[one.platform.name])]
    for platform in dict.fromkeys(one.platform.name for one in ready if scope.has(one.platform.name)):
        found.views.append(batches_view(wanted, platform, tables[platform]))
    for one in wanted.served:
        if scope.has(one.platform.name):
            _add_dataset(found, one, tables[one.platform.name])
    if ready:
        found.views.append(freshness_view(wanted, ready, tables, lambda one: _name_of_view(one, existing, scope)))
    return found


def _name_of_view(one: Served, existing: ExistingWorkspace, scope: PlatformScope) -> str:
    """Return the name of a dataset's view of current rows after this plan: out of scope it is as it stands."""
    name = one.name(ViewKind.LIVE)
    if scope.has(one.platform.name):
        return name
    wanted = _identity(one.mark(ViewKind.LIVE))
    return next((of.name for of in existing.views.values() if of.mark and _identity(of.mark) == wanted), name)


def _has_batches(one: Served, tables: MergeTables) -> bool:
    wanted = (names.batch_counter_table(one.platform_name), names.batch_metrics_table(one.platform_name))
    return all(table in tables.found for table in wanted)


def _add_dataset(found: WantedViews, one: Served, tables: MergeTables) -> None:
    table = tables.found.get(one.merge_table)
    if table is None:
        found.said.append(f"{one}: nothing has been merged yet, so there is no view")
        found.awaited.update(one.name(kind) for kind in one.kinds)
        found.awaited_marks.extend(one.mark(kind) for kind in one.kinds)
        return
    if not _is_merge_table(table.comment, one):
        what = "its comment does not say that it is the dataset's merge table"
        found.said.append(NotOurs(f"table {table.name}", "Look at whose it is", what))
        return
    found.views.extend(view_of(one, kind, tables) for kind in one.kinds if kind is not ViewKind.ASOF)
    if one.forensic:
        found.functions.append(as_of_function(one, tables))
    absent = [column.name for column in one.dataset.columns if column.name not in table.columns]
    if absent:
        found.said.append(f"{one}: {', '.join(absent)} will be there after the next batch")


def _is_merge_table(noted: str | None, one: Served) -> bool:
    wanted = {"kind": "merge", "platform": one.platform_name, "dataset": one.dataset.name}
    return wanted.items() <= parsed_comment(noted).items()


def roles_out_of_scope(wanted: WantedWorkspace, existing: ExistingWorkspace, scope: PlatformScope) -> frozenset[str]:
    """Return the roles of dataset groups with views out of scope: these keep their rights."""
    marks = [one.mark for one in existing.views.values() if one.mark is not None]
    return frozenset(
        names.consumer_role(wanted.ecosystem, wanted.name, of["group"])
        for of in marks
        if "group" in of and not scope.has(of.get("platform"))
    )


def _departures(
    wanted: WantedWorkspace, existing: ExistingWorkspace, server: Server, staying: set[str], scope: PlatformScope
) -> Iterator[Step]:
    kept = False
    for kind, those in (("FUNCTION", existing.functions), ("TABLE", existing.views)):
        for one in those.values():
            if one.mark is None:
                continue
            if one.name in staying or not scope.has(one.mark.get("platform")):
                kept = True
            else:
                kept = kept or bool(one.users)
                yield from departure(wanted.schema, kind, one, server)
    if not (staying or kept or existing.others) and existing.schema_exists:
        drop = composed("views.drop_schema", {"schema": sql.Identifier(wanted.schema)}, {})
        yield ServerChange(f"drop schema {wanted.schema}", (drop,))
