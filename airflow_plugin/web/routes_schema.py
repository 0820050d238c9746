"""The columns of a stream's datasets, and who sees them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from airflow_plugin.web import schemas
from airflow_plugin.web.dependencies import KeyPath, PlatformPath, stream_for
from airflow_plugin.web.permissions import READ, UserDep
from airflow_plugin.web.pool import read
from airflow_plugin.web.serializers import fitting
from airflow_plugin.web.stream_schema import stream_schema
from airflow_plugin.web.stream_status import instant

router = APIRouter(responses={404: {"model": schemas.ErrorAnswer, "description": "there is no such stream"}})


@router.get("/streams/{platform}/{key}/schema", response_model=schemas.StreamSchema)
def schema(user: UserDep, platform: PlatformPath, key: KeyPath) -> dict[str, Any]:
    """Return the columns of each dataset: as modelled, in the source at the last look, and in the merge table.

    With keys, classifications, and the dataset groups that get the dataset, each with the columns that are masked for
    it. What nobody knows is null. `left_out` is how many datasets there was no room for.
    """
    settings, stream = stream_for(user, READ, platform, key)
    found = read(settings, lambda session: stream_schema(session, settings.original_platform_name, stream))
    shown = fitting(found["datasets"])
    left_out = len(found["datasets"]) - len(shown)
    seen_at = instant(found["source_seen_at"])
    return found | {"datasets": shown, "left_out": left_out, "source_seen_at": seen_at}
