"""What a stream can be made of, as the api-server reads it: see airflow_plugin/streams/modelled.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_plugin.settings import PlatformSettings
from airflow_plugin.streams.modelled import Stores, catalogue_problems, modelled_stores
from airflow_plugin.web.pool import read
from config_schema.errors import ProblemsFound
from config_schema.problem import Problem


def stores_of(settings: PlatformSettings, name: str | None = None) -> Stores | None:
    """Return the datastores that the platform ingests, or the named one; None where nobody knows them."""
    return read(settings, lambda session: modelled_stores(session, name))


def unmodelled(settings: PlatformSettings, config: Mapping[str, Any], before: Mapping[str, Any]) -> list[Problem]:
    """Return what the synced model lacks of what a config names, beyond what the stream had `before`."""
    return list(catalogue_problems(settings.platform_name, config, before, lambda name: stores_of(settings, name)))


def refuse_what_is_not_modelled(
    settings: PlatformSettings, config: Mapping[str, Any], before: Mapping[str, Any]
) -> None:
    """Raise ProblemsFound with what `unmodelled` finds."""
    if problems := unmodelled(settings, config, before):
        raise ProblemsFound(problems[0].file, problems)
