"""Brings consumers' databases in line with the model, a workspace at a time, each in its own transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace

import psycopg2
from psycopg2 import errorcodes
from psycopg2.extensions import connection as Connection

from config_schema import names
from config_schema.errors import StreamFactoryError, UnknownName
from config_schema.model import Database, Platform
from config_schema.model.mapping import Model
from config_schema.sql.locks import lock_number
from merge_jobs.database.connections import ConnectionInfo, connect, place_of
from merge_jobs.database_errors import database_failed, in_words
from merge_jobs.errors import DatabaseFailed
from merge_jobs.stores.postgres.locks import lock_tries
from merge_jobs.views.catalog import (
    existing_workspaces,
    read_server,
    read_tables,
    read_workspace,
    rows,
)
from merge_jobs.views.definitions import MergeTables
from merge_jobs.views.desired import WantedWorkspace, wanted_workspaces
from merge_jobs.views.foreign import MergeStoreElsewhere, update_foreign_tables
from merge_jobs.views.grants import ServerChange
from merge_jobs.views.planning import PlatformScope, WorkspacePlan, workspace_plan
from merge_jobs.views.rights import rights_plan

LOCK_SECONDS = 10  # a consumer's long query holds a view; the reconciler does not wait for it for good


@dataclass(frozen=True)
class Reconciled:
    """What was done for a workspace, also as text; `failed` says why nothing of it was done."""

    database: str
    plan: WorkspacePlan
    statements: tuple[str, ...]  # of each change
    failed: StreamFactoryError | None = None

    @property
    def problems(self) -> tuple[StreamFactoryError, ...]:
        """What went wrong."""
        return self.plan.problems if self.failed is None else (*self.plan.problems, self.failed)


def reconcile(
    model: Model,
    store_of: Callable[[Platform], Database],
    only: Collection[str] = (),
    *,
    dry_run: bool = False,
    rights_only: bool = False,
) -> Iterator[Reconciled]:
    """Yield each workspace when it is done; with `dry_run`, as it would be. Raises StreamFactoryError.

    `store_of` returns a platform's merge store. `only` limits the platforms: views and merge stores of others are
    not changed. With `rights_only` no view is changed and no merge store read.
    """
    known = {one.name: one for one in model.ecosystem.platforms}
    only = [names.meant_platform(name, known) for name in only]
    for name in only:
        if name not in known:
            raise UnknownName("--platform", "platform", name, known)
    databases: dict[tuple[str, int, str], list[Platform]] = {}
    for platform in known.values():
        databases.setdefault(_address(_consumers_database(platform, store_of)), []).append(platform)
    for platforms in databases.values():
        here = [one for one in platforms if not only or one.name in only]
        if here:
            scope = PlatformScope(frozenset(one.name for one in here), None if only else frozenset(known))
            place = place_of(_consumers_database(here[0], store_of), None)
            stores = {one.name: _store(model, one, store_of, one in here and not rights_only) for one in platforms}
            yield from _reconcile_database(model, place, stores, scope, dry_run, rights_only)


Store = str | MergeStoreElsewhere  # the schema in the same database, or another database


def _address(database: Database) -> tuple[str, int, str]:
    return database.host, database.port, database.database


def _consumers_database(platform: Platform, store_of: Callable[[Platform], Database]) -> Database:
    return platform.consumer_db or store_of(platform)


def _store(model: Model, platform: Platform, store_of: Callable[[Platform], Database], asked: bool) -> Store:
    store = store_of(platform)
    if not asked and _address(store) != _address(_consumers_database(platform, store_of)):
        return names.foreign_server(names.platform_name(platform.name))  # its foreign tables as they are here
    if _address(store) == _address(_consumers_database(platform, store_of)):
        return store.schema
    return MergeStoreElsewhere(model.ecosystem.name, platform, place_of(store, platform.consumer_reader))


def _reconcile_database(
    model: Model,
    place: ConnectionInfo,
    stores: Mapping[str, Store],
    scope: PlatformScope,
    dry_run: bool,
    rights_only: bool,
) -> Iterator[Reconciled]:
    where = f"consumers' database {place}"
    ecosystem = model.ecosystem.name
    wanted = wanted_workspaces(model, stores)
    with closing(connect(place, names.views_session(ecosystem), where, LOCK_SECONDS)) as session:
        # To plan views of tables that are yet to be made they are made, and taken back.
        session.read_only = dry_run and all(isinstance(store, str) for store in stores.values())
        try:
            existing = existing_workspaces(session, ecosystem)
            session.rollback()
        except psycopg2.Error as error:
            raise database_failed(error, where) from error
        for name in sorted({*wanted, *existing}):
            workspace = wanted.get(name, WantedWorkspace(ecosystem, name))
            for timeout, is_last in lock_tries(LOCK_SECONDS):
                done = _reconcile_workspace(session, place, workspace, stores, scope, dry_run, rights_only, timeout)
                if is_last or not _found_a_lock(done):
                    yield done
                    break


def _found_a_lock(done: Reconciled) -> bool:
    return isinstance(done.failed, DatabaseFailed) and done.failed.sqlstate == errorcodes.LOCK_NOT_AVAILABLE


def _reconcile_workspace(
    session: Connection,
    place: ConnectionInfo,
    wanted: WantedWorkspace,
    stores: Mapping[str, Store],
    scope: PlatformScope,
    dry_run: bool,
    rights_only: bool,
    timeout: int,
) -> Reconciled:
    plan = WorkspacePlan(wanted.name, (), (), ())
    texts: tuple[str, ...] = ()
    failed = None
    try:
        rows(session, "wait_for_locks", {"timeout": f"{timeout}ms"})
        rows(session, "lock_workspace", {"lock": lock_number(f"views {wanted.ecosystem}/{wanted.name}")})
        tables, foreign = ({}, []) if rights_only else _tables(session, wanted, stores)
        plan = _plan(session, wanted, None if rights_only else tables, scope)
        if not dry_run:
            with session.cursor() as cursor:
                for statement in (statement for change in plan.changes for statement in change.statements):
                    cursor.execute(statement)
        plan = replace(plan, changes=(*foreign, *plan.changes))
        texts = tuple(_text(session, change) for change in plan.changes)
        if not dry_run:
            session.commit()
    except Exception as error:
        failed = in_words(error, f"workspace {wanted.name} in {place}")
    finally:
        session.rollback()
    return Reconciled(str(place), plan, texts, failed)


def _tables(
    session: Connection, wanted: WantedWorkspace, stores: Mapping[str, Store]
) -> tuple[dict[str, MergeTables], list[ServerChange]]:
    """Return the tables that the workspace's views read, and what was done to make them readable here."""
    by_platform: dict[str, set[str]] = {}
    for one in wanted.served:
        by_platform.setdefault(one.platform.name, set()).update(
            (
                one.merge_table,
                names.batch_counter_table(one.platform_name),
                names.batch_metrics_table(one.platform_name),
            )
        )
    tables: dict[str, MergeTables] = {}
    done: list[ServerChange] = []
    for platform, of in by_platform.items():
        store = stores[platform]
        if isinstance(store, str):
            tables[platform] = MergeTables(store, read_tables(session, store, of))
            continue
        for step in update_foreign_tables(session, store, of):
            if isinstance(step, MergeTables):
                tables[platform] = step
            else:
                done.append(step)
    return tables, done


def _plan(
    session: Connection, wanted: WantedWorkspace, tables: Mapping[str, MergeTables] | None, scope: PlatformScope
) -> WorkspacePlan:
    existing = read_workspace(session, wanted.schema, wanted.ecosystem)
    server = read_server(session, wanted.ecosystem, wanted.roles)
    if tables is None:
        return rights_plan(wanted, existing, server, scope)
    return workspace_plan(wanted, existing, server, tables, scope, lambda part: part.as_string(session))


def _text(session: Connection, change: ServerChange) -> str:
    statements = (statement.as_string(session).strip() for statement in change.shown or change.statements)
    return ";\n".join(statements) + ";"
