"""Runs the migrations that a platform's tables lack, for Airflow's side and for jobs; each side gives its session.

`run_missing_migrations` runs them in the caller's transaction, `upgrade` each in its own. Both hold the lock of the
platform's versions: if several start at once, one runs the migrations and the others find them done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config_schema import names
from config_schema.sql import versions
from config_schema.sql.statements import SqlFile, Statement, quoted
from config_schema.sql.versions import Migration, Part, TablesOfAnother, TablesTooOld, TablesVersion

STATEMENTS = SqlFile(Path(__file__).with_name("versions.sql"))
NO_VALUES: Mapping[str, Any] = {}
NO_RIGHT, LOCK_HELD = "42501", "55P03"
TRY_SECONDS = 60.0  # for the locks of one migration
Run = Callable[[str, Mapping[str, Any]], list[tuple[Any, ...]]]  # a statement and its values; gives its rows, if any
PAUSE_SECONDS = 1.0  # between two tries: those who have queued meanwhile go first


@dataclass(frozen=True)
class ControlDatabase:
    """A session on a platform's control database, of either side. Its errors have PostgreSQL's code as `pgcode`."""

    where: str
    platform: str
    schema: str
    run: Run
    commit: Callable[[], None]
    rollback: Callable[[], None]
    pause: Callable[[float], None]


def refuse_tables_of_others(
    run: Run, where: str, schema: str, tables: Sequence[str], *, surely: bool = False
) -> frozenset[str]:
    """Return the tables that exist. Raise TablesOfAnother, before any is read, if one belongs to another role.

    With `surely` a login that may create only because everybody may, and owns nothing there, knows no strangers: it may
    be one that was given the right to read.
    """
    return frozenset(_refuse_strangers(run, where, schema, tables, tables, surely))


def _refuse_strangers(
    run: Run, where: str, schema: str, tables: Sequence[str], not_of_strangers: Sequence[str], surely: bool = False
) -> dict[str, bool]:
    """Return, for each existing table, whether another role owns it. Raise TablesOfAnother as above."""
    found = run(STATEMENTS["table_owners"].text, {"schema": schema, "tables": list(tables), "surely": surely})
    if refused := sorted(table for table, _, of_a_stranger in found if of_a_stranger and table in not_of_strangers):
        raise TablesOfAnother(where, refused)
    return {table: of_another for table, of_another, _ in found}


def tables_version(database: ControlDatabase, part: Part) -> TablesVersion:
    """Return the version of a part's tables. Changes nothing, and ends no transaction.

    Raises TablesOfAnother if the table of versions or the stream table belongs to a stranger, or if the login may not
    read the table of versions.
    """
    tables = versions.tables(database.platform, part)
    versions_table = names.schema_version_table(database.platform)
    asked = [*tables, versions_table]
    not_of_strangers = [versions_table, names.stream_table(database.platform)]
    found = _refuse_strangers(database.run, database.where, database.schema, asked, not_of_strangers)
    try:
        applied = _run(database, "applied", {"part": part.value}) if versions_table in found else []
    except Exception as error:
        if getattr(error, "pgcode", None) == NO_RIGHT:
            raise TablesOfAnother(database.where, [versions_table]) from error
        raise
    others = [table for table, of_another in found.items() if of_another]
    return versions.tables_version_of(database.platform, part, sorted(found.keys() & set(tables)), applied, others)


def run_missing_migrations(database: ControlDatabase, found: TablesVersion) -> TablesVersion:
    """Run the migrations that `found` lacks, in the caller's transaction; return the version before that.

    Raises TablesTooNew or TablesOfAnother; TablesTooOld if the login lacks the right.
    """
    found.check(database.where)
    found.check_owner(database.where)
    if not found.needed:
        return found
    _lock(database)
    before = tables_version(database, found.part)  # another may have done it meanwhile
    before.check(database.where)
    before.check_owner(database.where)
    for migration in before.needed:
        _migrate(database, before, migration)
    return before


def upgrade(database: ControlDatabase, found: TablesVersion, seconds: float = TRY_SECONDS) -> list[Migration]:
    """Run the migrations that `found` lacks, and commit each; return those that were run.

    Raises TablesTooNew or TablesOfAnother; TablesTooOld if the login lacks the right. Migrations before a failed
    one stay committed.
    """
    found.check(database.where)
    if found.needed:
        found.check_owner(database.where)
    return [one for one in found.needed if _migrated(database, found, one, seconds)]


def _migrated(database: ControlDatabase, found: TablesVersion, migration: Migration, seconds: float) -> bool:
    """Run one migration and commit it, in short tries; return whether it had to be run."""
    give_up = time.monotonic() + seconds
    while True:
        try:
            _run(database, "short_lock_timeout")
            _lock(database)
            # One that `found` has already is run again for the sake of a table that was lost.
            needed = migration not in found.missing or migration in tables_version(database, found.part).missing
            if needed:
                _migrate(database, found, migration)
            database.commit()
            return needed
        except Exception as error:
            if getattr(error, "pgcode", None) != LOCK_HELD or time.monotonic() + PAUSE_SECONDS >= give_up:
                raise
            database.rollback()
            database.pause(PAUSE_SECONDS)


def _lock(database: ControlDatabase) -> None:
    _run(database, "lock", {"schema": database.schema, "platform": database.platform})


def _migrate(database: ControlDatabase, found: TablesVersion, migration: Migration) -> None:
    values = {
        "number": migration.number,
        "part": migration.part.value,
        "name": migration.name,
        "checksum": migration.checksum,
        "older_may_run": migration.older_may_run,
    }
    try:
        _run(database, "create_versions")
        _run_statement(database, migration.statement)
        _run(database, "record", values)
    except Exception as error:
        if getattr(error, "pgcode", None) != NO_RIGHT:
            raise
        raise TablesTooOld(database.where, found, _said(error)) from error


def _said(error: Exception) -> str:
    """Return PostgreSQL's message, which names a table or a schema and no value."""
    return str(getattr(error, "what", "") or str(error).partition("\n")[0])


def _run(database: ControlDatabase, name: str, values: Mapping[str, Any] = NO_VALUES) -> list[tuple[Any, ...]]:
    return _run_statement(database, STATEMENTS[name], values)


def _run_statement(
    database: ControlDatabase, statement: Statement, values: Mapping[str, Any] = NO_VALUES
) -> list[tuple[Any, ...]]:
    every = versions.identifiers(database.platform, database.schema)
    parts = {name: quoted(every[name]) for name in statement.identifiers if name in every}
    if values:  # the driver would read a % in a name as a placeholder
        parts = {name: part.replace("%", "%%") for name, part in parts.items()}
    return database.run(statement.checked(parts, values).format(**parts), values)
