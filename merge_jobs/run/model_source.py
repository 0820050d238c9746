"""Which model a job uses: a folder as it is, or the commit in git that sync has recorded."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2 import sql

from config_schema import names
from config_schema.errors import CommandWrong
from config_schema.load import Model, load_model
from config_schema.load.folder import is_code, reading
from config_schema.load.git import checkout
from config_schema.load.model_files import files_digest
from config_schema.model.compiled import CompiledModel, compiled_from_json
from merge_jobs.database.connections import ConnectionInfo, connect
from merge_jobs.errors import database_failed
from merge_jobs.sql import composed

LOCK_SECONDS = 10


@dataclass(frozen=True)
class GitModel:
    """Where in git the model is; `credential` names the secret whose token is used if the environment has it."""

    url: str
    branch: str
    credential: str


def model_in(folder: Path) -> Model:
    """Return the model of a folder. Raises StreamFactoryError with every problem that it has."""
    return load_model(folder)


def synced_model(git: GitModel, store: ConnectionInfo, platform: str) -> tuple[Model, str]:
    """Return the model at the commit that sync has recorded in the merge store, and that commit.

    A model that is code is read as sync has compiled it: no code of a model runs where there are secrets.
    """
    commit = recorded_commit(store, platform)
    token = os.environ.get(names.secret_variable(git.credential, "token"))
    with tempfile.TemporaryDirectory(prefix="model-") as made:
        folder = Path(made)
        checkout(git.url, git.branch, commit, folder, token)
        if not is_code(folder):
            return model_in(folder), commit
        return load_model(folder, reading(compiled_model(store, platform, commit, files_digest(folder)))), commit


class ModelNotRecorded(CommandWrong):
    """The merge store has no record of the model that jobs are to use: neither its commit nor what its code gave.

    Run dagfactory sync, which compiles and records it.
    """

    code = "DF5301"


def recorded_commit(store: ConnectionInfo, platform: str) -> str:
    """Return the commit of the model that sync applied last. Raise CommandWrong if it never ran for the platform."""
    table = names.model_state_table(names.platform_name(platform))
    found = _read(store, platform, "batches.recorded_commit", {}, model_state=sql.Identifier(store.schema, table))
    if not found:
        what = f"no synced model is recorded for platform {platform!r}"
        raise ModelNotRecorded(f"merge store {store}", what, "Run dagfactory sync")
    return found


def compiled_model(store: ConnectionInfo, platform: str, commit: str, digest: str) -> CompiledModel:
    """Return what sync recorded of a model's code. Raise CommandWrong if it recorded nothing of these files."""
    table = names.compiled_model_table(names.platform_name(platform))
    values = {"model_commit": commit, "digest": digest}
    found = _read(store, platform, "batches.compiled_model", values, compiled_model=sql.Identifier(store.schema, table))
    if not found:
        what = f"the model of commit {commit[:12]} is code (eco.py), and what it gives is not recorded"
        raise ModelNotRecorded(f"merge store {store}", what, "Run dagfactory sync, which compiles and records it")
    return compiled_from_json(found, table)


def _read(
    store: ConnectionInfo, platform: str, name: str, values: Mapping[str, str], **parts: sql.Composable
) -> str | None:
    """Return the text that a statement gives; None for no row, or no such table."""
    where = f"merge store {store}"
    session = connect(store, f"merge-job {platform}", where, LOCK_SECONDS)
    try:
        with session.cursor() as cursor:
            cursor.execute(composed(name, parts, values), values or None)
            row = cursor.fetchone()
    except psycopg2.errors.UndefinedTable:
        row = None
    except psycopg2.Error as error:
        raise database_failed(error, where) from error
    finally:
        session.close()
    return None if row is None or not row[0] else str(row[0])
