"""The model that a job uses: a folder as it is, or the commit that sync recorded: its job model, or all of it from git.

What reads a folder or git is imported where it is needed: a job that reads its row starts in half of the time.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql

from config_schema import names
from config_schema.errors import CommandWrong
from config_schema.job_model import (
    FORMAT,
    JobModelRow,
    RowKind,
    StreamModel,
    lacks_neighbours,
    platform_model,
    stored_row,
    stream_model,
)
from config_schema.model.compiled import CompiledModel, compiled_from_json
from config_schema.model.mapping import Model
from config_schema.sql.upgrade import refuse_tables_of_others
from merge_jobs.database.connections import ConnectionInfo, connect
from merge_jobs.database_errors import database_failed
from merge_jobs.sql import execute

log = logging.getLogger(__name__)

LOCK_SECONDS = 10


@dataclass(frozen=True)
class GitModel:
    """The repository of the model; `credential` names the secret with its token, used if the environment has it."""

    url: str
    branch: str
    credential: str


def model_in(folder: Path) -> Model:
    """Return the model of a folder. Raises StreamFactoryError with every problem in it."""
    from config_schema.load import load_model

    return load_model(folder)


def synced_stream(
    git: GitModel, store: ConnectionInfo, platform: str, keys: Sequence[str]
) -> tuple[StreamModel, str] | None:
    """Return what sync recorded for the stream with one of the keys, and the commit; None without a job model.

    Raises StreamFactoryError.
    """
    found = _job_model(git, store, platform, (RowKind.PLATFORM, RowKind.STREAM), keys)
    model = stream_model(found.rows, platform, found.table)
    if model is not None and found.commit is not None:
        return model, found.commit
    log.info("%s: the model is read by git: %s", platform, found.lacks or f"sync recorded no stream {keys[0]}")
    return None


def synced_model(git: GitModel, store: ConnectionInfo, platform: str) -> tuple[Model, str]:
    """Return the part of the model for the platform's jobs, and the commit that sync recorded for it.

    Raises StreamFactoryError.
    """
    found = _job_model(git, store, platform, tuple(RowKind), None)
    model, lacks = platform_model(found.rows, platform, found.table), found.lacks
    if model is not None and found.commit is not None:
        if not lacks_neighbours(model, platform, (store.host, store.port, store.database)):
            return model, found.commit
        lacks = "its merge store is another platform's by the model"
    log.info("%s: the model is read by git: %s", platform, lacks)
    return model_by_git(git, store, platform)


def model_by_git(git: GitModel, store: ConnectionInfo, platform: str) -> tuple[Model, str]:
    """Return the model at the commit that sync has recorded in the merge store, and that commit.

    A model that is code is read as sync has compiled it: no code of a model runs where there are secrets.
    """
    from config_schema.load import load_model
    from config_schema.load.folder import is_code, reading
    from config_schema.load.git import checkout
    from config_schema.load.model_files import files_digest

    commit = recorded_commit(store, platform)
    token = os.environ.get(names.secret_variable(git.credential, "token"))
    with tempfile.TemporaryDirectory(prefix="model-") as made:
        folder = Path(made)
        checkout(git.url, git.branch, commit, folder, token)
        if not is_code(folder):
            return model_in(folder), commit
        return load_model(folder, reading(compiled_model(store, platform, commit, files_digest(folder)))), commit


@dataclass(frozen=True)
class _Found:
    """Rows of the job model and their commit, or why there are none that a job may use."""

    table: str
    rows: tuple[JobModelRow, ...] = ()
    commit: str | None = None
    lacks: str = ""


def _job_model(
    git: GitModel, store: ConnectionInfo, platform: str, kinds: Sequence[RowKind], keys: Sequence[str] | None
) -> _Found:
    """Return the rows of these kinds; of streams only those with the keys. Raises JobModelBroken, DatabaseFailed."""
    short = names.platform_name(platform)
    table = names.job_model_table(short)
    parts = {
        "model_state": sql.Identifier(store.schema, names.model_state_table(short)),
        "job_model": sql.Identifier(store.schema, table),
    }
    values = {"kinds": [kind.value for kind in kinds], "keys": None if keys is None else list(keys)}
    rows = _fetch(store, platform, "batches.job_model", values, _OLDER, **parts)
    if not rows or rows[0][1] is None:
        return _Found(table, lacks="sync has not recorded what jobs need of it")
    commit, *state = rows[0][:5]
    wanted = [commit, FORMAT, git.url, git.branch]
    if state != wanted:
        words = ("commit", "format", "repository", "branch")
        other = next(word for word, is_, was in zip(words, wanted, state, strict=True) if is_ != was)
        return _Found(table, lacks=f"what sync recorded is of another {other}")
    return _Found(
        table, tuple(stored_row(row[5], row[6], row[7], row[8], table) for row in rows if row[5] is not None), commit
    )


# Tables of an older version, or of an owner who grants this login less.
_OLDER = (psycopg2.errors.UndefinedTable, psycopg2.errors.UndefinedColumn, psycopg2.errors.InsufficientPrivilege)


class ModelNotRecorded(CommandWrong):
    """The merge store has no record of the model for jobs: neither its commit nor its compiled code.

    Run dagfactory sync, which compiles and records it.
    """

    code = "DF5301"


def recorded_commit(store: ConnectionInfo, platform: str) -> str:
    """Return the commit of the model that sync applied last. Raises CommandWrong if it never ran."""
    table = names.model_state_table(names.platform_name(platform))
    found = _read(store, platform, "batches.recorded_commit", {}, model_state=sql.Identifier(store.schema, table))
    if not found:
        what = f"no synced model is recorded for platform {platform!r}"
        raise ModelNotRecorded(f"merge store {store}", what, "Run dagfactory sync")
    return found


def compiled_model(store: ConnectionInfo, platform: str, commit: str, digest: str) -> CompiledModel:
    """Return what sync recorded of a model's code. Raises CommandWrong if there is nothing for these files."""
    table = names.compiled_model_table(names.platform_name(platform))
    values = {"model_commit": commit, "digest": digest}
    found = _read(store, platform, "batches.compiled_model", values, compiled_model=sql.Identifier(store.schema, table))
    if not found:
        what = f"the model of commit {commit[:12]} is code (eco.py), and what it gives is not recorded"
        raise ModelNotRecorded(f"merge store {store}", what, "Run dagfactory sync, which compiles and records it")
    return compiled_from_json(found, table)


def _read(
    store: ConnectionInfo, platform: str, name: str, values: Mapping[str, str], **parts: sql.Identifier
) -> str | None:
    """Return the text that a statement returns; None without a row or table."""
    rows = _fetch(store, platform, name, values, (psycopg2.errors.UndefinedTable,), **parts)
    return str(rows[0][0]) if rows and rows[0][0] else None


def _fetch(
    store: ConnectionInfo,
    platform: str,
    name: str,
    values: Mapping[str, Any],
    absent: tuple[type[psycopg2.Error], ...],
    **parts: sql.Identifier,
) -> list[tuple[Any, ...]]:
    """Return the rows of a statement; none if its tables are `absent`, by one of these errors."""
    where = f"merge store {store}"
    with closing(connect(store, f"merge-job {platform}", where, LOCK_SECONDS)) as session, session.cursor() as cursor:

        def run(query: str, of_query: Mapping[str, Any]) -> list[tuple[Any, ...]]:
            cursor.execute(query, of_query)
            return cursor.fetchall()

        try:
            # A job has the owner's rights: it reads nothing that a stranger has made under these names.
            tables = [part.strings[-1] for part in parts.values()]
            if refuse_tables_of_others(run, where, store.schema, tables) != frozenset(tables):
                return []
            execute(cursor, name, parts, values)
            return cursor.fetchall()
        except absent:
            return []
        except psycopg2.Error as error:
            raise database_failed(error, where) from error
