"""A platform's merge store: the way to it, its server, its tables and rights, and what the streams in it need."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from psycopg2.extensions import connection as Connection

from airflow_plugin.control.connection import connect, place
from airflow_plugin.control.migrations import refuse_tables_of_others, tables_version
from airflow_plugin.control.model_state import ModelState
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_changes import trigger_statement
from airflow_plugin.control.stream_table import StreamTable
from airflow_plugin.doctor.finding import Area, Finding
from airflow_plugin.doctor.job_model import job_model_findings
from airflow_plugin.doctor.logins import login_findings
from airflow_plugin.doctor.statements import fetch
from airflow_plugin.doctor.tls import session_findings
from airflow_plugin.doctor.versions import airflow_is_here
from airflow_plugin.health.streams import platform_health
from airflow_plugin.rows.platform_jobs import admitted
from airflow_plugin.settings import PlatformSettings, merge_store_dsn
from airflow_plugin.store_tls import dsn_with_tls, modelled_tls
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.load import Model
from config_schema.problem import Rule
from config_schema.sql.statements import quoted
from config_schema.sql.versions import Part, State
from config_schema.tls import Tls

SERVER_IS_TESTED = Rule("DF3671", "The merge store's version of PostgreSQL is one that is tested.")
SERVER_IS_PRIMARY = Rule("DF3672", "The merge store is not a standby.")
PUBLIC_MAKES_NOTHING = Rule("DF3673", "Users who only read may not create tables or functions in the merge store.")
TABLE_IS_THERE = Rule("DF3674", "The tables of a platform are there.")
TABLE_IS_READABLE = Rule("DF3675", "The user may read the tables of a platform.")
CONFIGS_FIT = Rule("DF3676", "The stream table takes configs of any length.")
MODEL_IS_SYNCED = Rule("DF3677", "A model was synced.")
TABLES_ARE_CURRENT = Rule("DF3678", "The tables of a platform have the version that this program uses.")
MIGRATION_IS_UNCHANGED = Rule("DF3679", "The files of migrations that a database has are unchanged.")
CHANGES_ARE_NOTED = Rule("DF3680", "A trigger notes changes of the stream table, for the bundle.")

WAL_HAS_ROOM = Rule("DF3681", "The server of a large merge store has room for the WAL of loads.")

LARGE, LEAST_WAL, LEAST_BUFFERS = 10 << 30, 4 << 30, 16 << 20  # bytes: of a database, and of the settings for one
OLDEST, NEWEST = 15, 18  # major versions that it is tested with
SYNC = "Run dagfactory sync or dagfactory db upgrade, which create it"


def merge_store_findings(
    settings: PlatformSettings, model: Model | None, dags: Path | None = None, *, streams: bool = True
) -> Iterator[Finding]:
    """Yield findings on the merge store; what depends on something missing is left out.

    `dags` is Airflow's dags folder, whose static files may use DAG ids of streams; `streams` says whether streams are
    examined.
    """
    area = Area("connection", settings.original_platform_name)
    try:
        dsn, where = _dsn(settings, model)
        with closing(connect(dsn, where)) as connection:
            connection.set_session(readonly=True)
            yield from _of_server(area, connection, f"{where}: {place(dsn)}")
            yield from _of_wal(area, connection)
            yield from session_findings(Area("tls", area.platform), connection, dsn, where)
            yield from _of_public(Area("rights", area.platform), connection, settings.merge_store_schema)
            if streams:
                yield from login_findings(settings, connection, (dsn, where), in_airflow=airflow_is_here())
            refuse_tables_of_others(ControlSession.of(connection, settings))
            tables = _tables(connection, settings)
            yield from _of_tables(connection, settings, tables)
            yield from _of_revisions(connection, settings, tables)
            yield from _of_versions(connection, settings, tables)
            if _may_read_job_model(connection, settings, tables):
                yield from job_model_findings(connection, settings)
    except StreamFactoryError as error:
        yield from area.of_error(error)
        return
    if streams and tables.get(names.stream_table(settings.platform_name), (False, False))[0]:
        yield from _of_streams(settings, (dsn, where), dags)


def _dsn(settings: PlatformSettings, model: Model | None) -> tuple[str, str]:
    """Return the DSN as the factory finds it, or as sync does where there is only sync. Raises StreamFactoryError."""
    try:
        return merge_store_dsn(settings.platform_name)
    except StreamFactoryError:
        from airflow_plugin.sync.stores import platform_dsn

        platforms = model.ecosystem.platforms if model else ()
        platform = next((one for one in platforms if one.name == settings.original_platform_name), None)
        if platform is None or airflow_is_here():
            raise
        # As in the platform's own jobs, the model does not decide who gets the login.
        where, dsn = platform_dsn(platform, os.environ | (admitted(settings) if settings.postgres_hostname else {}))
        least = Tls(settings.least_tls) if settings.least_tls else None
        return dsn_with_tls(dsn, modelled_tls(platform.merge_store, least)), where


def _of_server(area: Area, connection: Connection, where: str) -> Iterator[Finding]:
    ((version, number, standby),) = fetch(connection, "server")
    yield area.ok(f"{where}, PostgreSQL {version}")
    if not OLDEST <= number // 10000 <= NEWEST:
        todo = f"Use PostgreSQL {OLDEST} to {NEWEST}, which it is tested with"
        yield area.warning(SERVER_IS_TESTED, f"PostgreSQL {version} is untested", todo)
    if standby:
        what = "this is a standby: it can lag, and jobs cannot write to it"
        yield area.warning(SERVER_IS_PRIMARY, what, "Name the primary in the DSN")


def _of_wal(area: Area, connection: Connection) -> Iterator[Finding]:
    """Yield a finding if a store with large tables has the settings of a small one: each load writes all to the WAL."""
    ((size, most_wal, buffers),) = fetch(connection, "room_for_wal")
    if size >= LARGE and (most_wal < LEAST_WAL or buffers < LEAST_BUFFERS):
        has = f"max_wal_size is {most_wal >> 20} MB and wal_buffers {buffers >> 20} MB"
        what = f"the merge store has {size / (1 << 30):.0f} GB, and {has}: loads wait for checkpoints and for the WAL"
        todo = (
            f"Set max_wal_size to {LEAST_WAL >> 30}GB or more and wal_buffers to {LEAST_BUFFERS >> 20}MB or more, "
            "with disk for it, and restart the server (docs/performance.md)"
        )
        yield area.warning(WAL_HAS_ROOM, what, todo)


def _of_public(area: Area, connection: Connection, schema: str) -> Iterator[Finding]:
    """Yield what everybody may make beside consumers' views: functions of theirs see what a view only filters out."""
    ((database, may_make_temporary, may_make),) = fetch(connection, "rights_of_public", {"schema": schema})
    statements = []
    if may_make_temporary:
        statements.append(f'REVOKE TEMPORARY ON DATABASE "{database}" FROM PUBLIC')
    if may_make:
        statements.append(f'REVOKE CREATE ON SCHEMA "{schema}" FROM PUBLIC')
    if statements:
        what = "every user of this database may make tables and functions in it, though consumers only read views"
        yield area.warning(PUBLIC_MAKES_NOTHING, what, f"As its owner: {'; '.join(statements)}")
    else:
        yield area.ok("who only reads may make no tables and functions here")


def _tables(connection: Connection, settings: PlatformSettings) -> dict[str, tuple[bool, bool]]:
    """Return the existing tables, and whether the user may read and write them."""
    platform = settings.platform_name
    wanted = [*_own_tables(platform), *_batch_tables(platform), names.schema_version_table(platform)]
    rows = fetch(connection, "tables", {"schema": settings.merge_store_schema, "tables": wanted})
    return {table: (read, write) for table, read, write in rows}


def _of_tables(
    connection: Connection, settings: PlatformSettings, tables: Mapping[str, tuple[bool, bool]]
) -> Iterator[Finding]:
    platform, session = settings.platform_name, ControlSession.of(connection, settings)
    area = Area("tables", settings.original_platform_name)
    stream_table, history, state = _own_tables(platform)
    for table in (stream_table, history, state):
        if table not in tables:
            lacking = f"there is no {table} in schema {session.schema!r}"
            is_lost = table == stream_table
            yield (area.error if is_lost else area.warning)(TABLE_IS_THERE, lacking, SYNC)
    for table, (may_read, _) in tables.items():
        if not may_read:
            todo = f"Run dagfactory bootstrap --roles as the owner, or GRANT SELECT ON {table}"
            yield area.error(TABLE_IS_READABLE, f"{table} may not be read by this user", todo)
    if stream_table in tables and all(may_read for may_read, _ in tables.values()):
        writing = "read and written" if tables[stream_table][1] else "read, but not written: enough for the factory"
        jobs = "" if set(_batch_tables(platform)) <= tables.keys() else "; no job has run yet"
        yield area.ok(f"{stream_table} can be {writing}{jobs}")
    if stream_table in tables and (limit := StreamTable(session).config_limit()) is not None:
        what = f"{stream_table} takes configs of at most {limit} characters"
        yield area.warning(CONFIGS_FIT, what, "Run dagfactory db upgrade, which widens the column")
    if tables.get(state, (False, False))[0] and ModelState(session).commit() is None:
        yield area.warning(
            MODEL_IS_SYNCED, "no model was synced yet, so that jobs have none to run", "Run dagfactory sync"
        )


def _of_revisions(
    connection: Connection, settings: PlatformSettings, tables: Mapping[str, tuple[bool, bool]]
) -> Iterator[Finding]:
    """Yield a warning where changes of rows are not noted, by which a bundle sees them."""
    platform, schema = settings.platform_name, settings.merge_store_schema
    table = names.stream_table(platform)
    values = {
        "table": quoted(schema, table),
        "revisions": quoted(schema, names.stream_revision_table(platform)),
        "trigger": names.stream_revision_trigger(platform),
    }
    if table in tables and not fetch(connection, "has_revisions", values)[0][0]:
        what = f"changes of {table} are not noted: a bundle sees them by comparing all rows, which costs it more"
        todo = f"Let the owner of {table} run: {trigger_statement(platform, schema)}"
        yield Area("tables", settings.original_platform_name).warning(CHANGES_ARE_NOTED, what, todo)


def _of_versions(
    connection: Connection, settings: PlatformSettings, tables: Mapping[str, tuple[bool, bool]]
) -> Iterator[Finding]:
    """Yield which migrations the tables have; tables that are missing are reported elsewhere."""
    area = Area("tables", settings.original_platform_name)
    table = names.schema_version_table(settings.platform_name)
    if not tables.get(table, (True, False))[0]:
        return  # reported as a table that may not be read
    for part in Part:
        found = tables_version(ControlSession.of(connection, settings), part)
        match found.state:
            case State.CURRENT | State.NEWER:
                yield area.ok(str(found))
            case State.TOO_NEW:
                todo = "Use the version of plugin and image that changed them, or a newer one"
                yield area.error(TABLES_ARE_CURRENT, str(found), todo)
            case State.OLD if not found.missing:
                pass  # a table was lost: reported as missing
            case State.OLD:
                todo = "Run dagfactory db upgrade with the login that owns the tables"
                yield area.warning(TABLES_ARE_CURRENT, str(found), todo)
            case State.CHANGED:
                todo = "Restore the file of that migration, or install this package again"
                yield area.warning(MIGRATION_IS_UNCHANGED, str(found), todo)
            case State.ABSENT:
                pass


def _of_streams(settings: PlatformSettings, dsn: tuple[str, str], dags: Path | None) -> Iterator[Finding]:
    area = Area("streams", settings.original_platform_name)
    try:
        found = platform_health(settings, dsn, dags)
    except StreamFactoryError as error:
        yield from area.of_error(error)
        return
    yield area.ok(found.fine)
    # Those without a stream are the snapshot's, which has findings of its own.
    yield from (area.of_problem(problem) for stream_key, problem in found.problems if stream_key)


def _own_tables(platform: str) -> tuple[str, str, str]:
    return names.stream_table(platform), names.stream_history_table(platform), names.model_state_table(platform)


def _batch_tables(platform: str) -> tuple[str, str]:
    return names.batch_counter_table(platform), names.batch_metrics_table(platform)


def _may_read_job_model(
    connection: Connection, settings: PlatformSettings, tables: Mapping[str, tuple[bool, bool]]
) -> bool:
    """Return whether the user may read the job model, which workers have no use for, or there is none to read."""
    if not tables.get(names.model_state_table(settings.platform_name), (False, False))[0]:
        return False
    wanted = {"schema": settings.merge_store_schema, "tables": [names.job_model_table(settings.platform_name)]}
    return all(may_read for _, may_read, _ in fetch(connection, "tables", wanted))
