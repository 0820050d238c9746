"""What was found when a stream's source was looked at last; a look is asked for by the action `check_source`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.source_checks import RecordedCheck, SourceChecks
from airflow_plugin.web import schemas
from airflow_plugin.web.dependencies import KeyPath, PlatformPath, stream_for
from airflow_plugin.web.permissions import READ, UserDep
from airflow_plugin.web.pool import read
from airflow_plugin.web.stream_status import instant

router = APIRouter(responses={404: {"model": schemas.ErrorAnswer, "description": "there is no such stream"}})


@router.get("/streams/{platform}/{key}/source", response_model=schemas.SourceLook)
def source(user: UserDep, platform: PlatformPath, key: KeyPath) -> dict[str, Any]:
    """Return what was found at the stream's source, the worst first, and when; `checked_at` is null before any look."""
    settings, stream = stream_for(user, READ, platform, key)

    def recorded(session: ControlSession) -> RecordedCheck | None:
        return SourceChecks(session).recorded([stream.stream_key]).get(stream.stream_key)

    found = read(settings, recorded)
    if found is None:
        return {"checked_at": None, "source": None, "findings": [], "datasets": [], "left_out": 0}
    return {"checked_at": instant(found.at), **found.check.to_dict()}
