"""What a new stream begins with."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from fastapi import APIRouter

from airflow_plugin.settings import PlatformSettings
from airflow_plugin.web import schemas
from airflow_plugin.web.catalogue import stores_of
from airflow_plugin.web.dependencies import PlatformPath, platform_for
from airflow_plugin.web.permissions import UserDep
from airflow_plugin.web.platforms import named_platform
from airflow_plugin.web.serializers import fitting
from config_schema.schemas import json_schema

router = APIRouter(responses={404: {"model": schemas.ErrorAnswer, "description": "there is no such platform"}})


@router.get("/platforms/{platform}/config", response_model=schemas.NewStream)
def platform_config(user: UserDep, platform: PlatformPath) -> dict[str, Any]:
    """Return the keys that a platform's settings give each of its streams, for users who may create one."""
    user.must_create()
    return {"config": given_config(named_platform(platform))}


@router.get("/platforms/{platform}/catalogue", response_model=schemas.Catalogue)
def catalogue(user: UserDep, platform: PlatformPath) -> dict[str, Any]:
    """Return the datastores of the synced model that the platform ingests; `stores` is null where nobody knows them.

    For users who may create streams all of them, for others those whose streams they may see.
    """
    settings = platform_for(user, platform)
    found = stores_of(user, settings)
    if found is None:
        return {"stores": None, "more": False}
    stores = [asdict(one) for one in found.values()]
    shown = fitting(stores)
    return {"stores": shown, "more": len(shown) < len(stores)}


def given_config(settings: PlatformSettings) -> dict[str, Any]:
    """Return what all streams of the platform share, and what cannot be chosen."""
    keys = [one.name for one in fields(settings) if one.name in json_schema("stream")["properties"]]
    shared = {key: getattr(settings, key) for key in keys if getattr(settings, key) not in (None, ())}
    (ingestion_type,) = json_schema("stream")["properties"]["ingestion_type"]["enum"]
    only = {"runner": settings.runners, "source_credential_secret_name": settings.source_credential_secret_names}
    chosen = {key: values[0] for key, values in only.items() if len(values) == 1}
    return {"ingestion_type": ingestion_type, "single_dataset": False, **shared, **chosen}
