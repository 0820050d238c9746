"""What a stream can be made of, as the api-server reads it: see airflow_plugin/streams/modelled.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_plugin.settings import PlatformSettings
from airflow_plugin.streams.modelled import ModelledStore, Stores, catalogue_problems, modelled_stores
from airflow_plugin.web.permissions import READ, User
from airflow_plugin.web.pool import read
from config_schema import names
from config_schema.errors import ProblemsFound
from config_schema.problem import Problem


def stores_of(user: User, settings: PlatformSettings, name: str | None = None) -> Stores | None:
    """Return the datastores that the platform ingests, or the named one; None where nobody knows them.

    For users who may create streams all of them; for others, what is made into streams that they may see.
    """
    found = read(settings, lambda session: modelled_stores(session, name))
    if found is None or user.can_create:
        return found
    seen = (_seen(user, settings.platform_name, store) for store in found.values())
    return {store.name: store for store in seen if store.datasets}


def _seen(user: User, platform: str, store: ModelledStore) -> ModelledStore:
    """Return the datastore with the datasets of streams, or of their trials, that the user may see."""
    dag_ids = {
        dataset: {
            names.dag_id(platform, names.stream_key(of, dataset if store.single_dataset else None))
            for of in (store.name, names.shadow_store(store.name))
        }
        for dataset in store.datasets
    }
    readable = user.may(READ, set().union(*dag_ids.values()))
    return replace(store, datasets=tuple(one for one in store.datasets if dag_ids[one] & readable))


def unmodelled(
    user: User, settings: PlatformSettings, config: Mapping[str, Any], before: Mapping[str, Any]
) -> list[Problem]:
    """Return what the synced model lacks of what a config names, beyond what the stream had `before`.

    What the user may not see of it counts as lacking.
    """
    return list(
        catalogue_problems(settings.platform_name, config, before, lambda name: stores_of(user, settings, name))
    )


def refuse_what_is_not_modelled(
    user: User, settings: PlatformSettings, config: Mapping[str, Any], before: Mapping[str, Any]
) -> None:
    """Raise ProblemsFound with what `unmodelled` finds."""
    if problems := unmodelled(user, settings, config, before):
        raise ProblemsFound(problems[0].file, problems)
