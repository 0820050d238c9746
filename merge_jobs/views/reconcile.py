"""Bring consumers' databases to the model, a workspace at a time, each in a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection as Connection

from config_schema import names
from config_schema.errors import StreamFactoryError, choose_from
from config_schema.load import Model
from config_schema.model import Database, Platform
from merge_jobs.database import Place, connect, place_of
from merge_jobs.errors import CommandWrong, database_failed
from merge_jobs.grants import Change
from merge_jobs.store import lock_number
from merge_jobs.views.definitions import PlatformTables
from merge_jobs.views.planning import Scope, WorkspacePlan, workspace_plan
from merge_jobs.views.standing import read_server, read_tables, read_workspace, rows, workspaces_standing
from merge_jobs.views.wanted import WantedWorkspace, wanted_workspaces

LOCK_SECONDS = 10  # a consumer's long query holds a view; the reconciler does not wait for it for good


@dataclass(frozen=True)
class Reconciled:
    """What was to do for a workspace, as text too; `failed` is why nothing of it was done."""

    database: str
    plan: WorkspacePlan
    statements: tuple[str, ...]  # of each change
    failed: StreamFactoryError | None = None

    @property
    def problems(self) -> tuple[StreamFactoryError, ...]:
        return self.plan.problems if self.failed is None else (*self.plan.problems, self.failed)


def reconcile(
    model: Model, store_of: Callable[[Platform], Database], only: Collection[str] = (), *, dry_run: bool = False
) -> Iterator[Reconciled]:
    """Each workspace as it is done, or with `dry_run` as it would be. Raises StreamFactoryError.

    `store_of` gives a platform's merge store. `only` some platforms: the views of the others are left alone.
    """
    known = {one.name: one for one in model.ecosystem.platforms}
    for name in only:
        if name not in known:
            raise CommandWrong("--platform", f"there is no platform {name!r}", choose_from(name, known))
    databases: dict[tuple[str, int, str], list[Platform]] = {}
    for platform in known.values():
        of = store_of(platform)
        databases.setdefault((of.host, of.port, of.database), []).append(platform)
    for platforms in databases.values():
        here = [one for one in platforms if not only or one.name in only]
        if here:
            scope = Scope(frozenset(one.name for one in here), None if only else frozenset(known))
            schemas = {one.name: store_of(one).schema for one in platforms}
            yield from _reconcile_database(model, place_of(store_of(here[0]), None), schemas, scope, dry_run)


def _reconcile_database(
    model: Model, place: Place, schemas: Mapping[str, str], scope: Scope, dry_run: bool
) -> Iterator[Reconciled]:
    where = f"consumers' database {place}"
    ecosystem = model.ecosystem.name
    wanted = wanted_workspaces(model, schemas)
    with closing(connect(place, names.views_session(ecosystem), where, LOCK_SECONDS)) as session:
        session.set_session(readonly=dry_run)
        try:
            standing = workspaces_standing(session, ecosystem)
            session.rollback()
        except psycopg2.Error as error:
            raise database_failed(error, where) from error
        for name in sorted({*wanted, *standing}):
            workspace = wanted.get(name, WantedWorkspace(ecosystem, name))
            yield _reconcile_workspace(session, place, workspace, schemas, scope, dry_run)


def _reconcile_workspace(
    session: Connection,
    place: Place,
    wanted: WantedWorkspace,
    schemas: Mapping[str, str],
    scope: Scope,
    dry_run: bool,
) -> Reconciled:
    plan = WorkspacePlan(wanted.name, (), (), ())
    texts: tuple[str, ...] = ()
    failed = None
    try:
        rows(session, "lock_workspace", {"lock": lock_number(f"views {wanted.ecosystem}/{wanted.name}")})
        plan = _plan(session, wanted, schemas, scope)
        texts = tuple(_text(session, change) for change in plan.changes)
        if not dry_run:
            with session.cursor() as cursor:
                for change in plan.changes:
                    for statement in change.statements:
                        cursor.execute(statement)
            session.commit()
    except psycopg2.Error as error:
        failed = database_failed(error, f"workspace {wanted.name} in {place}")
    finally:
        session.rollback()
    return Reconciled(str(place), plan, texts, failed)


def _plan(session: Connection, wanted: WantedWorkspace, schemas: Mapping[str, str], scope: Scope) -> WorkspacePlan:
    by_platform: dict[str, set[str]] = {name: set() for name in schemas}
    for one in wanted.served:
        by_platform[one.platform.name] |= {
            one.merge_table,
            names.batch_counter_table(one.platform_name),
            names.batch_metrics_table(one.platform_name),
        }
    tables = {
        name: PlatformTables(schemas[name], read_tables(session, schemas[name], wanted_tables))
        for name, wanted_tables in by_platform.items()
    }
    standing = read_workspace(session, wanted.schema, wanted.ecosystem)
    server = read_server(session, wanted.ecosystem, wanted.roles)
    return workspace_plan(wanted, standing, server, tables, scope, lambda part: part.as_string(session))


def _text(session: Connection, change: Change) -> str:
    statements = (statement.as_string(session).strip() for statement in change.statements)
    return ";\n".join(statements) + ";"
