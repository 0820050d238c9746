"""The logins of a platform's components beside the owner of its tables: what each may do, and no more. Pure.

The owner is the login of jobs: merge tables, batch tables and views are theirs. Whoever creates a table of the
platform, or is run as its owner later, grants on it what is listed here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

from config_schema import names
from config_schema.sql.statements import Statement, load_statements

Held = Sequence[tuple[str, str, list[str]]]  # table, role, and what the role may do with the table
Privileges = Mapping[str, tuple[str, ...]]  # by table


class Duty(Enum):
    """What a component does in a merge store."""

    READER = "reader"  # the dag-processor
    WORKER = "worker"  # tasks on Airflow's workers: what they read; they write nothing today
    PAGES = "pages"  # the api-server: changes streams for its users
    SYNC = "sync"  # dagfactory sync: rows, the recorded commit, and what a model that is code gave


READ = ("SELECT",)


def privileges(platform: str, duty: Duty) -> Privileges:
    """Return what the duty may do with the tables of a platform, by table."""
    streams, history = names.stream_table(platform), names.stream_history_table(platform)
    state, compiled = names.model_state_table(platform), names.compiled_model_table(platform)
    batches = names.batch_counter_table(platform), names.batch_metrics_table(platform)
    read = dict.fromkeys((streams, history, state, *batches), READ)
    # No UPDATE or DELETE of history: what somebody did stays there. The owner's runs prune it.
    rows = {streams: ("SELECT", "INSERT", "UPDATE"), history: ("SELECT", "INSERT")}
    match duty:
        case Duty.READER | Duty.WORKER:
            return read
        case Duty.PAGES:
            return read | rows
        case Duty.SYNC:
            model = {
                state: ("SELECT", "INSERT", "UPDATE"),
                compiled: ("SELECT", "INSERT", "UPDATE", "DELETE"),
            }
            return rows | model


def comment(platform: str, duty: Duty) -> str:
    """Return the comment by which a role is known to be such a login, and not somebody else's of that name."""
    return json.dumps({"kind": "component login", "platform": platform, "duty": duty.value})


@dataclass(frozen=True)
class Grant:
    """Privileges that a role lacks on a table."""

    table: str
    role: str
    privileges: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(self.privileges)} on {self.table} to {self.role}"


def lookup(platform: str, database: str, schema: str) -> dict[str, object]:
    """Return the values for the statement `held`."""
    return {
        "schema": schema,
        "tables": sorted({table for duty in Duty for table in privileges(platform, duty)}),
        "roles": [names.component_login(database, platform, duty.value) for duty in Duty],
        "comments": [comment(platform, duty) for duty in Duty],
    }


def lacking(platform: str, database: str, held: Held) -> Iterator[Grant]:
    """Yield what logins are to have on tables that are there, and have not."""
    due = _due(platform, database)
    for table, role, has in held:
        if missing := tuple(one for one in due[role].get(table, ()) if one not in has):
            yield Grant(table, role, missing)


def beyond(platform: str, database: str, held: Held) -> Iterator[Grant]:
    """Yield what logins have on these tables, and are not to have."""
    due = _due(platform, database)
    for table, role, has in held:
        if more := tuple(one for one in has if one not in due[role].get(table, ())):
            yield Grant(table, role, more)


def _due(platform: str, database: str) -> dict[str, Privileges]:
    return {names.component_login(database, platform, duty.value): privileges(platform, duty) for duty in Duty}


@cache
def statements() -> dict[str, Statement]:
    """Return the statements of component_logins.sql by name."""
    return load_statements(Path(__file__).with_name("component_logins.sql"))
