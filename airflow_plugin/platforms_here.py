"""Which platforms have a settings file on this machine, and which of them a person means by a name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from airflow_plugin.settings import settings_dir
from config_schema import names
from config_schema.errors import UnknownName


def platforms_with_settings() -> list[str]:
    """Return the model's names of the platforms whose settings files can be read."""
    return [str(found.get("original_platform_name", stem)) for stem, found in _settings_here()]


def environment_here() -> str | None:
    """Return the model's environment that the settings files here name; None if they name none, or several."""
    found = {data["environment"] for _, data in _settings_here() if data.get("environment")}
    return str(found.pop()) if len(found) == 1 else None


def _settings_here() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the beginning of each settings file's name, and its content; an empty one if it cannot be read."""
    for path in sorted(settings_dir().glob(names.settings_file("*"))):
        try:
            data = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            data = None
        yield path.name.removesuffix(names.settings_file("")), data if isinstance(data, dict) else {}


def platform_called(name: str) -> str:
    """Return the model's name of the platform here that has this name or derived name; `name` itself if none has."""
    return names.meant_platform(name, platforms_with_settings())


def unknown_platform(name: str) -> UnknownName | None:
    """Return the error for a name that no platform here has; None if it is one, or if that is not known here."""
    known = platforms_with_settings()
    if not known or any(names.is_platform(name, one) for one in known):
        return None
    return UnknownName("--platform", "platform", name, known, str(settings_dir()))
