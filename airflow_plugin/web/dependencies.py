"""The stream in a path, after the check that the user may see it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from airflow_plugin.settings import PlatformSettings
from airflow_plugin.web import queries
from airflow_plugin.web.errors import NotAllowed, NotThere
from airflow_plugin.web.permissions import (
    EDIT,
    READ,
    Right,
    User,
)
from airflow_plugin.web.platforms import known_platforms, named_platform
from airflow_plugin.web.pool import read
from airflow_plugin.web.streams import StreamFacts, streams_of
from config_schema import names
from config_schema.errors import StreamFactoryError

PlatformPath = Annotated[str, Path(max_length=63, description="The platform's derived name: yellowlive.")]
KeyPath = Annotated[str, Path(max_length=255, description="A stream_key, URL-encoded: Store1%23customers.")]


def platform_for(user: User, platform: str) -> PlatformSettings:
    """Return a platform if the user may see its own DAGs, or any of its streams.

    Raises Refused: 403 before it says whether there is such a platform.
    """
    settings = known_platforms().get(platform)
    sees_own = platform.isprintable() and bool(user.may(READ, {names.health_dag_id(platform)}))
    if not sees_own and not (settings and user.may(READ, _dag_ids(settings))):
        raise NotAllowed("you may see nothing of this platform")
    return named_platform(platform)


def stream_for(user: User, right: Right, platform: str, key: str) -> tuple[PlatformSettings, StreamFacts]:
    """Return the stream, with its platform's settings.

    Raises Refused: 403 before it says whether the stream or the platform exists.
    """
    settings = seen_platform(user, platform, key, right)
    stream = streams_of(settings).get(key)
    if stream is None:
        raise _no_stream(platform)
    return settings, stream


def seen_platform(user: User, platform: str, key: str, right: Right = READ) -> PlatformSettings:
    """Return the platform if the user has the right on the DAG that the stream has, or would have.

    Raises Refused: 403 before it says whether the platform exists.
    """
    if not (platform.isprintable() and key.isprintable()):
        raise _no_stream(platform)
    user.must(READ if right == READ else EDIT, names.dag_id(platform, key))
    return named_platform(platform)


def version_of(settings: PlatformSettings, key: str) -> queries.RowVersion:
    """Return the row as it is at this moment. Raises Refused."""
    found = read(settings, lambda session: queries.row_version(session, key))
    if found is None:
        raise _no_stream(settings.platform_name)
    return found


def _dag_ids(settings: PlatformSettings) -> set[str]:
    try:
        return {one.dag_id for one in streams_of(settings).values()}
    except StreamFactoryError:  # who may see nothing of a merge store does not learn that it is down
        return set()


def _no_stream(platform: str) -> NotThere:
    return NotThere("there is no such stream", f"See api/streams?platform={platform}")
