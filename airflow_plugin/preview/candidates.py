"""Configs that could be rows: those that sync would write for a model, or those of a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_plugin.settings import PlatformSettings, platform_settings, settings_dir
from config_schema import names
from config_schema.errors import (
    FileMalformed,
    FileUnreadable,
    ProblemsFound,
    UnknownName,
)
from config_schema.stream import stream_config

if TYPE_CHECKING:
    from airflow_plugin.sync.diff import FieldChange
    from config_schema.load import Model

STDIN = Path("-")


@dataclass(frozen=True)
class Candidate:
    """A text that could be a row's config_json, and the settings that apply; `origin` says where it is from."""

    origin: str
    stream_key: str
    config_json: str
    settings: PlatformSettings
    settings_origin: str

    @property
    def dag_id(self) -> str:
        """The id of the DAG."""
        return names.dag_id(self.settings.platform_name, self.stream_key)


def candidates_of_model(model: Model, origin: str, platforms: Sequence[str] = ()) -> list[Candidate]:
    """Return what sync would write for a model, committed or not. Raises StreamFactoryError."""
    from airflow_plugin.sync.graph import stream_graph
    from airflow_plugin.sync.source import chosen_platforms

    graph = stream_graph(model.ecosystem, model.mappings)
    found = []
    for platform in chosen_platforms(model, platforms):
        settings, settings_origin = settings_for(platform.name, model)
        for key, config in graph[platform.name].items():
            found.append(Candidate(origin, key, config.to_json(), settings, settings_origin))
    return found


def candidates_of_file(path: Path, platforms: Sequence[str] = ()) -> list[Candidate]:
    """Return the configs of a JSON file with one or a list of them; `-` is stdin. Raises StreamFactoryError."""
    data = _read(path)
    found = [_of_data(config, path, None) for config in (data if isinstance(data, list) else [data])]
    return [one for one in found if not platforms or _is_one_of(platforms, one.settings)]


def _is_one_of(platforms: Sequence[str], settings: PlatformSettings) -> bool:
    return any(names.is_platform(name, settings.original_platform_name) for name in platforms)


def candidate_of_file(path: Path, model: Model | None = None) -> Candidate:
    """Return the config of a JSON file, whatever it contains; `-` is stdin. Raises StreamFactoryError."""
    return _of_data(_read(path), path, model)


def differences(candidate: Candidate, others: Iterable[Candidate]) -> tuple[FieldChange, ...]:
    """Return the changes from the one for the same stream, or from nothing if there is none."""
    from airflow_plugin.sync.diff import field_changes

    same = (one for one in others if one.dag_id == candidate.dag_id and one.stream_key == candidate.stream_key)
    before = next((_keys(one.config_json) for one in same), {})
    return field_changes(before, _keys(candidate.config_json))


def named(stream: str, candidates: Iterable[Candidate], where: str) -> list[Candidate]:
    """Return those of a stream_key or a DAG id, one for each platform. Raises UnknownName if there is none."""
    everyone = list(candidates)
    found = [one for one in everyone if stream in (one.stream_key, one.dag_id)]
    if not found:
        known = {one.stream_key for one in everyone}
        raise UnknownName(where, "stream", stream, known)
    return found


def _of_data(data: Any, path: Path, model: Model | None) -> Candidate:
    """Return a candidate of any JSON data: faults are reported where it is evaluated."""
    origin = "stdin" if path == STDIN else str(path)
    keys = data if isinstance(data, dict) else {}
    original, stream_key = keys.get("original_platform_name"), keys.get("stream_key")
    name = original if isinstance(original, str) else ""
    settings, settings_origin = settings_for(name, model)
    key = stream_key if isinstance(stream_key, str) else ""
    return Candidate(origin, key, json.dumps(data, ensure_ascii=False), settings, settings_origin)


def settings_for(original: str, model: Model | None) -> tuple[PlatformSettings, str]:
    """Return the settings and their origin: the platform's file, what bootstrap would write, or none."""
    from airflow_plugin.bootstrap import platform_files

    path = settings_dir() / names.settings_file(names.platform_name(original))
    platforms = model.ecosystem.platforms if model is not None else ()
    platform = next((one for one in platforms if one.name == original), None)
    if model is not None and platform is not None and not path.exists():
        return platform_files.platform_settings(platform, model), f"as bootstrap would write them; there is no {path}"
    return platform_settings(original), str(path) if path.exists() else f"none; there is no {path}"


def _keys(config_json: str) -> dict[str, Any]:
    """Return the keys of a config; of a valid one without those that have their default."""
    from airflow_plugin.sync.diff import parsed

    try:
        return stream_config(config_json).to_dict()
    except ProblemsFound:
        return parsed(config_json)


def _read(path: Path) -> Any:
    try:
        text = sys.stdin.read() if path == STDIN else path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileUnreadable(path, error, "Name a JSON file with one config_json") from error
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileMalformed(path, f"not JSON: {error}", "Correct the file") from error
