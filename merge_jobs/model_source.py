"""Which model a job uses: a folder as it is, or the commit in git that sync has recorded."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2 import sql

from config_schema import names
from config_schema.load import Model, load_model
from config_schema.load.git import checkout
from merge_jobs.database import Place, connect
from merge_jobs.errors import CommandWrong, database_failed
from merge_jobs.sql import composed

LOCK_SECONDS = 10


@dataclass(frozen=True)
class GitModel:
    """Where in git the model is; `credential` names the secret whose token is used if the environment has it."""

    url: str
    branch: str
    credential: str


def model_in(folder: Path) -> Model:
    """The model of a folder. Raises StreamFactoryError with every problem that it has."""
    return load_model(folder)


def synced_model(git: GitModel, store: Place, platform: str) -> tuple[Model, str]:
    """The model at the commit that sync has recorded in the merge store, and that commit."""
    commit = recorded_commit(store, platform)
    token = os.environ.get(names.secret_variable(git.credential, "token"))
    with tempfile.TemporaryDirectory(prefix="model-") as folder:
        checkout(git.url, git.branch, commit, Path(folder), token)
        return model_in(Path(folder)), commit


def recorded_commit(store: Place, platform: str) -> str:
    """The commit of the model that sync applied last. Raises CommandWrong if it never ran for the platform."""
    where = f"merge store {store}"
    table = names.model_state_table(names.platform_name(platform))
    session = connect(store, f"merge-job {platform}", where, LOCK_SECONDS)
    try:
        with session.cursor() as cursor:
            parts = {"model_state": sql.Identifier(store.schema, table)}
            cursor.execute(composed("batches.recorded_commit", parts, {}))
            row = cursor.fetchone()
    except psycopg2.errors.UndefinedTable:
        row = None
    except psycopg2.Error as error:
        raise database_failed(error, where) from error
    finally:
        session.close()
    if row is None or not row[0]:
        raise CommandWrong(where, f"no synced model is recorded for platform {platform!r}", "Run dagfactory sync")
    return str(row[0])
