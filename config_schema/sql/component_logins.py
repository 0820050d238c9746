"""The logins of a platform's components, beside the owner of its tables: what each may do, and nothing else.

The owner is the login of jobs: merge tables, batch tables and views belong to it. Whoever creates a table of the
platform, or runs as its owner later, grants on it the privileges that are listed here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from config_schema import names
from config_schema.sql.statements import SqlFile, quoted

# Runs a statement and returns its rows, by the driver of whoever has the session; errors are the caller's too.
Run = Callable[[str, Mapping[str, Any]], Sequence[tuple[Any, ...]]]
Held = Sequence[tuple[str, str, list[str]]]  # table, role, and what the role may do with the table
Privileges = Mapping[str, tuple[str, ...]]  # by table; of a single column as `SELECT (key)`

STATEMENTS = SqlFile(__file__)


class Duty(Enum):
    """The duties of components in a merge store."""

    READER = "reader"  # the dag-processor
    WORKER = "worker"  # tasks on Airflow's workers: they read, and record what was reported of streams
    PAGES = "pages"  # the api-server: changes streams for its users
    SYNC = "sync"  # dagfactory sync: rows, the recorded commit, and what was compiled of the model


READ = ("SELECT",)
# Not `guard`, which has the value that a cursor has come to: a row's, and perhaps a key.
READ_OF_ROW_MAPS = ("SELECT (dataset)", "SELECT (distrusted)", "SELECT (key)")


def privileges(platform: str, duty: Duty) -> Privileges:
    """Return what the duty may do with the tables of a platform, by table."""
    streams, history = names.stream_table(platform), names.stream_history_table(platform)
    state, compiled = names.model_state_table(platform), names.compiled_model_table(platform)
    job_model = names.job_model_table(platform)
    batches = names.batch_counter_table(platform), names.batch_metrics_table(platform)
    runs = names.run_results_table(platform), names.progress_table(platform), names.source_checks_table(platform)
    version = names.schema_version_table(platform)
    read = dict.fromkeys((streams, history, state, *batches, *runs, version), READ)
    # No UPDATE or DELETE of history: what somebody did stays there. The owner's runs prune it.
    rows = {streams: ("SELECT", "INSERT", "UPDATE"), history: ("SELECT", "INSERT")}
    match duty:
        case Duty.READER:
            return read | {names.stream_revision_table(platform): READ, job_model: READ}
        case Duty.WORKER:
            alerts = {names.stream_alerts_table(platform): ("SELECT", "INSERT", "UPDATE", "DELETE")}
            return read | alerts | {names.run_results_table(platform): ("SELECT", "INSERT")}
        case Duty.PAGES:
            return read | rows | {names.row_maps_table(platform): READ_OF_ROW_MAPS, job_model: READ}
        case Duty.SYNC:
            model = {
                state: ("SELECT", "INSERT", "UPDATE"),
                compiled: ("SELECT", "INSERT", "UPDATE", "DELETE"),
                job_model: ("SELECT", "INSERT", "UPDATE", "DELETE"),
                version: READ,
            }
            return rows | model


def comment(platform: str, duty: Duty) -> str:
    """Return the comment that distinguishes such a login from somebody else's role of that name."""
    return json.dumps({"kind": "component login", "platform": platform, "duty": duty.value})


@dataclass(frozen=True)
class Grant:
    """Privileges that a role lacks on a table."""

    table: str
    role: str
    privileges: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(self.privileges)} on {self.table} to {self.role}"


@dataclass(frozen=True)
class ComponentRights:
    """Reads and changes what the logins may do with a platform's tables; `run` executes statements.

    Without such logins nothing is changed. Nothing is committed.
    """

    run: Run
    platform: str
    schema: str

    def grant_lacking(self) -> list[Grant]:
        """Grant what the logins lack on existing tables; return it.

        Runs in the transaction of the tables' owner. Tables of another owner are not changed.
        """
        return self._changed("grant", lacking)

    def revoke_beyond(self) -> list[Grant]:
        """Revoke what the logins have on these tables beyond their duty, in the caller's transaction; return it."""
        return self._changed("revoke", beyond)

    def lacking(self) -> list[Grant]:
        """Return what `grant_lacking` would grant."""
        return list(lacking(self.platform, *self._held()))

    def _changed(self, name: str, wanted: Callable[[str, str, Held], Iterable[Grant]]) -> list[Grant]:
        """Grant or revoke what differs from what the logins should have; return it."""
        if not list(wanted(self.platform, *self._held())):
            return []
        values = {"schema": self.schema, "platform": self.platform}
        self.run(STATEMENTS["lock"].checked((), values), values)
        grants = list(wanted(self.platform, *self._held()))  # another session may have done it meanwhile
        for grant in grants:
            parts = {
                "privileges": ", ".join(grant.privileges),
                "table": quoted(self.schema, grant.table),
                "role": quoted(grant.role),
            }
            self.run(STATEMENTS[name].checked(parts).format(**parts), {})
        return grants

    def _held(self) -> tuple[str, Held]:
        """Return the database, and what each login may do with each table."""
        database = database_of(self.run)
        values = lookup(self.platform, database, self.schema)
        return database, self.run(STATEMENTS["held"].checked((), values), values)


def database_of(run: Run) -> str:
    """Return the database's name on the server; a pooler may use another one."""
    ((database,),) = run(STATEMENTS["database"].checked(()), {})
    return str(database)


def lookup(platform: str, database: str, schema: str) -> dict[str, object]:
    """Return the values for the statement `held`."""
    return {
        "schema": schema,
        "tables": sorted({table for duty in Duty for table in privileges(platform, duty)}),
        "roles": [names.component_login(database, platform, duty.value) for duty in Duty],
        "comments": [comment(platform, duty) for duty in Duty],
    }


def lacking(platform: str, database: str, held: Held) -> Iterator[Grant]:
    """Yield privileges that logins should have on existing tables, and do not have."""
    due = _due(platform, database)
    for table, role, has in held:
        if missing := tuple(one for one in due[role].get(table, ()) if one not in has):
            yield Grant(table, role, missing)


def beyond(platform: str, database: str, held: Held) -> Iterator[Grant]:
    """Yield privileges that logins have on these tables, and should not have."""
    due = _due(platform, database)
    for table, role, has in held:
        if more := tuple(one for one in has if one not in due[role].get(table, ())):
            yield Grant(table, role, more)


def _due(platform: str, database: str) -> dict[str, Privileges]:
    return {names.component_login(database, platform, duty.value): privileges(platform, duty) for duty in Duty}
