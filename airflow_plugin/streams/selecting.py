"""Filters over the rows of a stream table."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase

from airflow_plugin.control.stream_table import StreamRow
from airflow_plugin.sync.diff import parsed
from config_schema.errors import UnknownName, ValueWrong
from config_schema.stream import STATUSES


def selected(
    rows: Iterable[StreamRow], *, match: str = "*", statuses: Collection[str] = (), where: Sequence[str] = ()
) -> list[StreamRow]:
    """Return the rows whose key is like `match`, with these statuses (any if none), and with each `key=value`.

    Raises UnknownName for an unknown status, ValueWrong for a condition without `=`.
    """
    for status in statuses:
        if status not in STATUSES:
            raise UnknownName("--status", "status", status, STATUSES)
    conditions = [_condition(text) for text in where]
    return [
        row
        for row in rows
        if fnmatchcase(row.stream_key, match)
        and (not statuses or row.status in statuses)
        and all(_says(row, key, value) for key, value in conditions)
    ]


def chosen_keys(
    rows: Iterable[StreamRow], named: Iterable[str], match: str | None, statuses: Collection[str]
) -> list[str]:
    """Return the keys that are named, and of the others those like `match` that have one of the statuses.

    Raises ValueWrong for a pattern that no key is like, whatever its status.
    """
    if match is None:
        return list(dict.fromkeys(named))
    alike = selected(rows, match=match)
    if not alike:
        raise ValueWrong("--match", match, "is like no stream's key", "See dagfactory streams list --all")
    return list(dict.fromkeys([*named, *(row.stream_key for row in alike if row.status in statuses)]))


def _condition(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign:
        raise ValueWrong("--where", text, "is no condition", "Write key=value, for example runner=process")
    return key, value


def _says(row: StreamRow, key: str, value: str) -> bool:
    config = parsed(row.config_json)
    found = config.get(key)
    if isinstance(found, list):
        return value in map(_text, found)
    return key in config and _text(found) == value


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
