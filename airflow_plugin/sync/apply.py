"""Writing a plan: all platforms of a merge store in one transaction, and no two syncs at once."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence

from airflow_plugin.control import migrations, stream_table
from airflow_plugin.control.connection import worded
from airflow_plugin.control.session import ControlSession
from airflow_plugin.sync.graph import Streams
from airflow_plugin.sync.plan import Plan, PlatformPlan, platform_plan, row_changes
from airflow_plugin.sync.stores import ConnectedStore
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.model import Platform
from config_schema.model.compiled import CompiledModel
from config_schema.sql.component_logins import Grant, grant_lacking
from config_schema.sql.versions import Migration, Part, Standing

LOCK_SECONDS = 30


class StalePlan(StreamFactoryError):
    """The rows changed between showing a plan and applying it; nothing was written.

    Look at the new plan, and apply that.
    """

    code = "DF3001"
    retryable = True

    def __init__(self, platform: str) -> None:
        self.platform = platform
        what = "the rows have changed since the plan was shown"
        super().__init__(platform, what, "Run it again and look at the new plan")


class CompiledDiffers(StreamFactoryError):
    """The code of a commit gives another ecosystem than when it was compiled first; nothing was written.

    Let the model's code depend on nothing but its files; a new commit is compiled anew.
    """

    code = "DF3002"

    def __init__(self, platform: str, commit: str) -> None:
        self.platform, self.commit = platform, commit
        what = f"the code of commit {commit} gives another ecosystem than when it was compiled first"
        super().__init__(platform, what, "Let the model's code depend on nothing but its own files")


class PartlyApplied(StreamFactoryError):
    """A merge store failed at its commit after another had committed.

    Run dagfactory sync again, which completes it.
    """

    code = "DF3003"
    retryable = True

    def __init__(self, where: str, committed: Sequence[str], cause: StreamFactoryError) -> None:
        self.committed, self.cause = tuple(committed), cause
        what = f"the commit failed ({cause.what}); {', '.join(committed)} had been applied already"
        super().__init__(where, what, "Run sync again, which completes the rest")


def apply(
    stores: Sequence[ConnectedStore],
    graph: Mapping[str, Streams],
    commit: str,
    *,
    compiled: CompiledModel | None = None,
    shown: Plan | None = None,
    overwrite_drift: bool = False,
    changed_by: str | None = None,
    lock_seconds: float = LOCK_SECONDS,
) -> Plan:
    """Bring the rows to the model's state, record its commit and what its code gave; return what was done.

    Every store is locked and written before the first one commits, so that a store that fails leaves all as they
    were. Raise StalePlan if something else is to be changed than in the plan `shown`; where another sync has done it
    all meanwhile, there is nothing to refuse. Raise CompiledDiffers if the commit's code gave another ecosystem before.
    """
    who = changed_by or author()
    done: list[PlatformPlan] = []
    for store in stores:
        for platform in store.platforms:
            _lock(store, platform, lock_seconds)
            wanted = graph[platform.name]
            plan = platform_plan(store.connection, platform, wanted, commit, overwrite_drift=overwrite_drift)
            if shown is not None and plan.changes_anything and plan not in shown.platforms:
                raise StalePlan(platform.name)
            _write(store, platform, plan, who)
            if compiled is not None:
                _keep_compiled(store, platform, compiled, who)
            done.append(plan)
    _commit(stores)
    order = list(graph)
    return Plan(commit, tuple(sorted(done, key=lambda plan: order.index(plan.platform))))


def missing_tables(stores: Sequence[ConnectedStore]) -> dict[str, list[str]]:
    """Return, for each platform, the tables that `create_tables` would create."""
    return {
        platform.name: stream_table.missing_tables(
            store.connection, names.platform_name(platform.name), platform.merge_store.schema
        )
        for store in stores
        for platform in store.platforms
    }


def config_limits(stores: Sequence[ConnectedStore]) -> dict[str, int | None]:
    """Return by platform how many characters config_json takes; None where any number fits, or there is no table."""
    return {
        platform.name: stream_table.config_limit(
            store.connection, names.platform_name(platform.name), platform.merge_store.schema
        )
        for store in stores
        for platform in store.platforms
    }


def create_tables(stores: Sequence[ConnectedStore], lock_seconds: float = LOCK_SECONDS) -> dict[str, list[str]]:
    """Create the tables that are missing and commit; return by platform the names of those created."""
    created = {platform.name: _lock(store, platform, lock_seconds) for store in stores for platform in store.platforms}
    _commit(stores)
    return created


def grant_rights(stores: Sequence[ConnectedStore]) -> dict[str, list[Grant]]:
    """Grant what the logins of components lack, and commit; return it by platform."""
    granted = {platform.name: _grant_lacking(store, platform) for store in stores for platform in store.platforms}
    _commit(stores)
    return granted


def _grant_lacking(store: ConnectedStore, platform: Platform) -> list[Grant]:
    short, schema = names.platform_name(platform.name), platform.merge_store.schema
    return grant_lacking(ControlSession(store.connection, short, schema).execute, short, schema)


def table_versions(stores: Sequence[ConnectedStore]) -> dict[str, dict[Part, Standing]]:
    """Return by platform which migrations its tables have."""
    return {
        platform.name: {part: _standing(store, platform, part) for part in Part}
        for store in stores
        for platform in store.platforms
    }


def run_migrations(stores: Sequence[ConnectedStore]) -> Iterator[tuple[str, Standing, list[Migration]]]:
    """Run the migrations that tables lack, each in a transaction of its own; yield what there was and what was run.

    Batch tables that are not there are left to the first job, which owns them then. Raises TablesTooOld where the login
    may not, or TablesTooNew.
    """
    for store in stores:
        for platform in store.platforms:
            for part in Part:
                found = _standing(store, platform, part)
                run: list[Migration] = []
                if part is Part.STREAMS or found.tables:
                    short, schema = names.platform_name(platform.name), platform.merge_store.schema
                    run = migrations.upgrade_part(store.connection, short, schema, found)
                yield platform.name, found, run


def _standing(store: ConnectedStore, platform: Platform, part: Part) -> Standing:
    short, schema = names.platform_name(platform.name), platform.merge_store.schema
    return migrations.standing(store.connection, short, schema, part)


def widen_configs(stores: Sequence[ConnectedStore], lock_seconds: float = LOCK_SECONDS) -> dict[str, int | None]:
    """Widen config_json of older tables and commit; returns by platform the limit that it had, or None."""
    limits: dict[str, int | None] = {}
    for store in stores:
        for platform in store.platforms:
            _lock(store, platform, lock_seconds)
            short, schema = names.platform_name(platform.name), platform.merge_store.schema
            limits[platform.name] = stream_table.widen_config(store.connection, short, schema)
    _commit(stores)
    return limits


def author() -> str:
    """Return `user@host` of this process, for the history."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _lock(store: ConnectedStore, platform: Platform, seconds: float) -> list[str]:
    """Lock out other syncs and changes by hand; returns the tables that had to be created for that."""
    short, schema = names.platform_name(platform.name), platform.merge_store.schema
    stream_table.take_sync_lock(store.connection, short, schema, seconds=seconds)
    created = stream_table.create_tables(store.connection, short, schema)
    stream_table.lock_rows(store.connection, short, schema)
    return created


def _write(store: ConnectedStore, platform: Platform, plan: PlatformPlan, who: str) -> None:
    short, schema = names.platform_name(platform.name), platform.merge_store.schema
    stream_table.write_rows(
        store.connection,
        short,
        row_changes(plan),
        changed_by=who,
        model_commit=plan.commit_after,
        schema=schema,
    )
    stream_table.adopt_rows(
        store.connection, short, plan.adopted, changed_by=who, model_commit=plan.commit_after, schema=schema
    )
    stream_table.prune_history(store.connection, short, schema)
    if plan.commit_before != plan.commit_after:
        stream_table.record_model_commit(store.connection, short, plan.commit_after, applied_by=who, schema=schema)


def compiled_by_platform(stores: Iterable[ConnectedStore], commit: str) -> dict[str, list[CompiledModel]]:
    """Return, by platform, what was compiled of the commit."""
    return {platform.name: _compiled(store, platform, commit) for store in stores for platform in store.platforms}


def _keep_compiled(store: ConnectedStore, platform: Platform, compiled: CompiledModel, who: str) -> None:
    for before in _compiled(store, platform, str(compiled.commit)):
        if before.digest == compiled.digest and before.ecosystem != compiled.ecosystem:
            raise CompiledDiffers(platform.name, str(compiled.commit))
    short, schema = names.platform_name(platform.name), platform.merge_store.schema
    stream_table.record_compiled_model(store.connection, short, compiled, compiled_by=who, schema=schema)


def _compiled(store: ConnectedStore, platform: Platform, commit: str) -> list[CompiledModel]:
    short, schema = names.platform_name(platform.name), platform.merge_store.schema
    return stream_table.compiled_models(store.connection, short, commit, schema)


def _commit(stores: Sequence[ConnectedStore]) -> None:
    for number, store in enumerate(stores):
        try:
            with worded(store.where):
                store.connection.commit()
        except StreamFactoryError as error:
            if number == 0:
                raise
            committed = [p.name for earlier in stores[:number] for p in earlier.platforms]
            raise PartlyApplied(store.where, committed, error) from error
