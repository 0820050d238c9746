"""All rows as one YAML document: for backups, and for edits of many streams at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from airflow_plugin.control.stream_table import RowChange, StreamRow
from airflow_plugin.sync.diff import parsed
from config_schema.echo import echo_document
from config_schema.errors import (
    FileMalformed,
    FileUnreadable,
    FileUnwritable,
    UnknownName,
)
from config_schema.load.yaml_writer import dumped
from config_schema.stream import STATUSES

FORMAT = 1
BEGIN = "Begin with the output of dagfactory streams export"


def exported(platforms: Mapping[str, Iterable[StreamRow]]) -> str:
    """Return the document: by platform (its model name) and stream_key, each row's status and config.

    A config that is not JSON is kept as a text.
    """
    data = {
        "format": FORMAT,
        "platforms": {
            platform: {row.stream_key: {"status": row.status, "config": _config(row.config_json)} for row in rows}
            for platform, rows in platforms.items()
        },
    }
    return dumped(data)


def imported(text: str, where: str, platform: str) -> list[RowChange]:
    """Return a platform's rows in a document. Raises StreamFactoryError for another shape, or no such platform."""
    platforms = _platforms(text, where)
    if platform not in platforms:
        raise UnknownName(where, "platform", platform, map(str, platforms))
    streams = _mapping(platforms[platform], where, f"platforms.{platform}")
    return [_row(str(key), stream, where, f"platforms.{platform}.{key}") for key, stream in streams.items()]


def exported_rows(text: str, where: str) -> dict[str, list[StreamRow]]:
    """Return all rows of a document by platform, as if read from the tables. Raises StreamFactoryError."""
    moment = datetime.fromtimestamp(0, UTC)  # an export does not say when
    return {
        platform: [
            StreamRow(change.stream_key, change.config_json, change.status, moment, moment)
            for change in imported(text, where, platform)
        ]
        for platform in _platforms(text, where)
    }


def _platforms(text: str, where: str) -> dict[str, Any]:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise FileMalformed(where, f"it is not YAML: {_place(error)}", "Correct it there") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT or not isinstance(data.get("platforms"), dict):
        what = f"it is no export: format: {FORMAT} and platforms: are needed"
        raise FileMalformed(where, what, BEGIN)
    platforms: dict[str, Any] = data["platforms"]
    return platforms


def _row(stream_key: str, stream: Any, where: str, path: str) -> RowChange:
    stream = _mapping(stream, where, path)
    config, status = stream.get("config"), stream.get("status")
    if stream.keys() != {"config", "status"} or status not in STATUSES:
        raise _wrong(where, path, f"a status of {', '.join(STATUSES)} and a config are needed, nothing else")
    text = config if isinstance(config, str) else json.dumps(config, sort_keys=True, ensure_ascii=False)
    return RowChange(stream_key, text, status, "import")


def read(path: Path) -> str:
    """Return the text of a file, `-` for stdin. Raises StreamFactoryError."""
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        raise FileUnreadable(path, error, "Name another file") from error


def write(path: Path, text: str) -> None:
    """Write a file, `-` for stdout. Raises StreamFactoryError."""
    if str(path) == "-":
        echo_document(text)
        return
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise FileUnwritable(path, error, "Name another file") from error


def _config(config_json: str) -> Any:
    return parsed(config_json) or config_json


def _mapping(value: Any, where: str, path: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise _wrong(where, path, "a mapping is needed")
    return value


def _wrong(where: str, path: str, what: str) -> FileMalformed:
    return FileMalformed(f"{where}: {path}", what, BEGIN)


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "malformed"
    return f"{problem}, line {mark.line + 1}" if mark else problem
