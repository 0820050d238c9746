"""Changes of a platform's stream table for a user: under its lock, checked like those of commands, with history."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from psycopg2 import errorcodes

from airflow_plugin.control.connection import MergeStoreError
from airflow_plugin.control.stream_table import RowChange
from airflow_plugin.rows.fingerprint import fingerprint_of_row
from airflow_plugin.settings import PlatformSettings
from airflow_plugin.streams.changing import apply
from airflow_plugin.streams.opening import PlatformStreams, locked
from airflow_plugin.sync.diff import MOST_LEVELS, is_too_deep
from airflow_plugin.web import queries
from airflow_plugin.web.errors import Conflict
from airflow_plugin.web.parsing import ask_to_parse
from airflow_plugin.web.permissions import User
from airflow_plugin.web.pool import pool
from airflow_plugin.web.runs import owner_of
from airflow_plugin.web.streams import forget
from config_schema import names
from config_schema.errors import ProblemsFound
from config_schema.problem import Rule

NOT_NESTED_TOO_DEEP = Rule("DF4101", f"A config that is sent is not nested deeper than {MOST_LEVELS} levels.")
WRITABLE_AS_JSON = Rule("DF4102", "A config that is sent holds only what JSON can hold.")
HAS_A_STREAM_KEY = Rule("DF4103", "A config that is sent has a `stream_key` of 1 to 255 printable characters.")

LOCK_SECONDS = 3.0

Changing = Callable[[PlatformStreams, queries.RowVersion | None], RowChange | None]


def change_row(
    user: User,
    settings: PlatformSettings,
    key: str,
    version: int | None,
    changing: Changing,
    reason: str | None = None,
) -> dict[str, Any] | None:
    """Write the row that `changing` returns, and have its file parsed; return the result as the API shows it.

    Returns None if nothing changed. `version` is the one that the user has seen, None if it does not matter. Raises
    StreamFactoryError.
    """
    with writing(settings) as table:
        now = queries.row_version(table.session, key)
        if version is not None and (now is None or now.number != version):
            raise Conflict("the stream was changed meanwhile", "Look at it as it is now, and change that")
        wanted = changing(table, now)
        written = [] if wanted is None else apply(table, [wanted], user.name, owner_of, reason)
    forget(settings)
    if not written:
        return None
    fingerprints = {one.stream_key: fingerprint_of_row(one.status, one.config_json) for one in written}
    return ask_to_parse(user, settings.platform_name, fingerprints).to_dict()


@contextmanager
def writing(settings: PlatformSettings) -> Iterator[PlatformStreams]:
    """Open the stream table with all others locked out; commit at the end, unless an error is raised."""
    with _named_login(settings), pool(settings).write() as connection:
        table = PlatformStreams.of(connection, settings)
        with locked(table, LOCK_SECONDS):
            yield table


@contextmanager
def _named_login(settings: PlatformSettings) -> Iterator[None]:
    """Say which login of the api-server may not write, and which variable sets another one."""
    try:
        yield
    except MergeStoreError as error:
        if error.pgcode != errorcodes.INSUFFICIENT_PRIVILEGE:
            raise
        variable = names.web_dsn_variable(settings.platform_name)
        todo = f"{error.todo}; the api-server's is the one for pages, in {variable}"
        raise error.reworded(error.what, todo) from error


def config_text(config: dict[str, Any]) -> str:
    """Return a config as sync writes it. Raises ProblemsFound for what JSON or a config cannot contain."""
    if is_too_deep(config):
        what = f"it is nested deeper than {MOST_LEVELS} levels"
        raise ProblemsFound("config", [NOT_NESTED_TOO_DEEP.problem("config", "", what, "Send the keys of a config")])
    try:
        text = json.dumps(config, sort_keys=True, ensure_ascii=False, allow_nan=False)
        text.encode()
    except ValueError as error:  # NaN, or half a surrogate pair
        what = f"it cannot be written as JSON ({type(error).__name__})"
        problem = WRITABLE_AS_JSON.problem("config", "", what, "Send numbers, text and lists of them")
        raise ProblemsFound("config", [problem]) from error
    return text


def key_of(config: dict[str, Any]) -> str:
    """Return the config's stream_key. Raises ProblemsFound if it is missing or invalid."""
    key = config.get("stream_key")
    if not isinstance(key, str) or not 0 < len(key) <= 255 or not key.isprintable():
        problem = HAS_A_STREAM_KEY.problem(
            "config", "stream_key", "there is none", "Give the store's name, or store#dataset"
        )
        raise ProblemsFound("config", [problem])
    return key
