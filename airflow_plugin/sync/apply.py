"""Writing a plan: all platforms of a merge store in one transaction, and no two syncs at once."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence

from airflow_plugin.control import migrations
from airflow_plugin.control.connection import translate_db_errors
from airflow_plugin.control.model_state import ModelState
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import StreamTable
from airflow_plugin.sync.graph import Streams
from airflow_plugin.sync.job_models import JobModelSync
from airflow_plugin.sync.plan import Plan, PlatformPlan, platform_plan, row_changes
from airflow_plugin.sync.stores import ConnectedStore
from config_schema.errors import StreamFactoryError
from config_schema.model.compiled import CompiledModel
from config_schema.sql.component_logins import ComponentRights, Grant
from config_schema.sql.versions import Migration, Part, TablesVersion

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

    Let the model's code depend on nothing but its files; a new commit is compiled again.
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
    job_models: JobModelSync | None = None,
    shown: Plan | None = None,
    overwrite_drift: bool = False,
    changed_by: str | None = None,
    lock_seconds: float = LOCK_SECONDS,
) -> Plan:
    """Bring the rows to the model's state, record its commit and what was compiled of it; return what was done.

    Every store is locked and written before the first one commits, so that a store that fails leaves all as they
    were. Raise StalePlan if something else is to be changed than in the plan `shown`; where another sync has done it
    all meanwhile, there is nothing to refuse. Raise CompiledDiffers if the commit's code gave another ecosystem before.
    """
    who = changed_by or author()
    done: list[PlatformPlan] = []
    for platform, session in _sessions(stores):
        _lock(session, lock_seconds)
        plan = platform_plan(session, platform, graph[platform], commit, overwrite_drift=overwrite_drift)
        if shown is not None and plan.changes_anything and plan not in shown.platforms:
            raise StalePlan(platform)
        _write(session, plan, who)
        if compiled is not None:
            _keep_compiled(session, platform, compiled, who)
        if job_models is not None:
            job_models.write(session, platform)
        done.append(plan)
    _commit(stores)
    order = list(graph)
    return Plan(commit, tuple(sorted(done, key=lambda plan: order.index(plan.platform))))


def note_drift(stores: Sequence[ConnectedStore], plan: Plan, changed_by: str | None = None) -> None:
    """Write down when rows were found changed past the tools, where a plan has found that first; commit.

    For a sync that has nothing else to do.
    """
    found = {one.platform: one.newly_found for one in plan.platforms if one.newly_found}
    for platform, session in _sessions(stores):
        if platform in found:
            StreamTable(session).note_found(found[platform], changed_by=changed_by or author())
    if found:
        _commit(stores)


def missing_tables(stores: Sequence[ConnectedStore]) -> dict[str, list[str]]:
    """Return, for each platform, the tables that `create_tables` would create."""
    return {platform: StreamTable(session).missing_tables() for platform, session in _sessions(stores)}


def config_limits(stores: Sequence[ConnectedStore]) -> dict[str, int | None]:
    """Return by platform how many characters config_json takes; None where any number fits, or there is no table."""
    return {platform: StreamTable(session).config_limit() for platform, session in _sessions(stores)}


def create_tables(stores: Sequence[ConnectedStore], lock_seconds: float = LOCK_SECONDS) -> dict[str, list[str]]:
    """Create the tables that are missing and commit; return by platform the names of those created."""
    created = {platform: _lock(session, lock_seconds) for platform, session in _sessions(stores)}
    _commit(stores)
    return created


def grant_rights(stores: Sequence[ConnectedStore]) -> dict[str, list[Grant]]:
    """Grant what the logins of components lack, and commit; return it by platform."""
    granted = {platform: _grant_lacking(session) for platform, session in _sessions(stores)}
    _commit(stores)
    return granted


def _grant_lacking(session: ControlSession) -> list[Grant]:
    return ComponentRights(session.execute, session.platform, session.schema).grant_lacking()


def table_versions(stores: Sequence[ConnectedStore]) -> dict[str, dict[Part, TablesVersion]]:
    """Return by platform which migrations its tables have."""
    return {
        platform: {part: migrations.tables_version(session, part) for part in Part}
        for platform, session in _sessions(stores)
    }


def run_migrations(stores: Sequence[ConnectedStore]) -> Iterator[tuple[str, TablesVersion, list[Migration]]]:
    """Run the migrations that tables lack, each in a transaction of its own; yield what there was and what was run.

    Batch tables that are not there are left to the first job, which owns them then. Raises TablesTooOld where the login
    may not, or TablesTooNew.
    """
    for platform, session in _sessions(stores):
        for part in Part:
            found = migrations.tables_version(session, part)
            run: list[Migration] = []
            if part is Part.STREAMS or found.tables:
                run = migrations.upgrade_part(session, found)
            yield platform, found, run


def widen_configs(stores: Sequence[ConnectedStore], lock_seconds: float = LOCK_SECONDS) -> dict[str, int | None]:
    """Widen config_json of older tables and commit; returns by platform the limit that it had, or None."""
    limits: dict[str, int | None] = {}
    for platform, session in _sessions(stores):
        _lock(session, lock_seconds)
        limits[platform] = StreamTable(session).widen_config()
    _commit(stores)
    return limits


def author() -> str:
    """Return `user@host` of this process, for the history."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _sessions(stores: Iterable[ConnectedStore]) -> Iterator[tuple[str, ControlSession]]:
    """Yield each platform, named as in the model, with a session on its tables."""
    for store in stores:
        for platform in store.platforms:
            yield platform.name, store.session(platform)


def _lock(session: ControlSession, seconds: float) -> list[str]:
    """Lock out other syncs and changes by hand; returns the tables that had to be created for that."""
    table = StreamTable(session)
    table.take_sync_lock(seconds)
    created = table.create_tables()
    table.lock_rows()
    return created


def _write(session: ControlSession, plan: PlatformPlan, who: str) -> None:
    table = StreamTable(session)
    table.write(row_changes(plan), changed_by=who, model_commit=plan.commit_after)
    table.adopt(plan.adopted, changed_by=who, model_commit=plan.commit_after)
    table.note_found(plan.newly_found, changed_by=who)
    table.prune_history()
    if plan.commit_before != plan.commit_after:
        ModelState(session).record_commit(plan.commit_after, applied_by=who)


def compiled_by_platform(stores: Iterable[ConnectedStore], commit: str) -> dict[str, list[CompiledModel]]:
    """Return, by platform, what was compiled of the commit."""
    return {platform: ModelState(session).compiled(commit) for platform, session in _sessions(stores)}


def _keep_compiled(session: ControlSession, platform: str, compiled: CompiledModel, who: str) -> None:
    state = ModelState(session)
    for before in state.compiled(str(compiled.commit)):
        if before.digest == compiled.digest and before.ecosystem != compiled.ecosystem:
            raise CompiledDiffers(platform, str(compiled.commit))
    state.record_compiled(compiled, compiled_by=who)


def _commit(stores: Sequence[ConnectedStore]) -> None:
    for number, store in enumerate(stores):
        try:
            with translate_db_errors(store.where):
                store.connection.commit()
        except StreamFactoryError as error:
            if number == 0:
                raise
            committed = [p.name for earlier in stores[:number] for p in earlier.platforms]
            raise PartlyApplied(store.where, committed, error) from error
