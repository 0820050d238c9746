"""Whether Airflow has stored changed streams, for programs that wrote their rows: `dagfactory sync --wait`."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from fastapi import APIRouter

from airflow_plugin.settings import PlatformSettings
from airflow_plugin.web import schemas
from airflow_plugin.web.dependencies import PlatformPath, platform_for
from airflow_plugin.web.parsing import ask_to_parse
from airflow_plugin.web.permissions import READ, UserDep
from airflow_plugin.web.seen import Wanted, seen_of
from airflow_plugin.web.streams import StreamFacts, streams_of
from config_schema import names
from config_schema.errors import StreamFactoryError

router = APIRouter(
    responses={
        404: {"model": schemas.ErrorAnswer, "description": "there is no such platform"},
        413: {"model": schemas.ErrorAnswer, "description": "the body is too long"},
    }
)


@router.post("/platforms/{platform}/seen", response_model=schemas.UnseenStreams)
def seen(user: UserDep, platform: PlatformPath, body: schemas.WantedStreams) -> dict[str, Any]:
    """Return which of the streams Airflow has not stored as they are needed, and why; ask it to parse their files.

    Streams whose DAGs the user may not see are left out.
    """
    settings = platform_for(user, platform)
    dag_ids = {key: names.dag_id(platform, key) for key in body.streams}
    readable = user.may(READ, set(dag_ids.values()))
    streams = {key: body.streams[key] for key, dag_id in dag_ids.items() if dag_id in readable}
    parse = ask_to_parse(user, platform, streams).to_dict() if body.ask else None
    known = _known(settings)
    found = seen_of(platform, [_wanted(dag_ids[key], streams[key], known.get(key)) for key in streams])
    unseen = [
        {"stream_key": key, **one.to_dict()} for key, one in zip(streams, found, strict=True) if one.state != "stored"
    ]
    return {"unseen": unseen, "parse": parse}


def _known(settings: PlatformSettings) -> dict[str, StreamFacts]:
    """Return the rows, for what is wrong with them; none where they cannot be read, as that is not what was asked."""
    with suppress(StreamFactoryError):
        return dict(streams_of(settings))
    return {}


def _wanted(dag_id: str, fingerprint: str | None, facts: StreamFacts | None) -> Wanted:
    if facts is None:
        return Wanted(dag_id, fingerprint)
    problems = facts.problems if fingerprint is not None else ()
    return Wanted(dag_id, fingerprint, problems, facts.updated_at - facts.clock_ahead)
