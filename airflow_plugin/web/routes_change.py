"""Streams are created, changed, retired and rolled back; each change is checked as the factory will check it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from airflow_plugin.control.stream_table import RowChange
from airflow_plugin.settings import PlatformSettings
from airflow_plugin.streams.changing import ChangeMissing, dag_id_problems, problems_of_change, to_version
from airflow_plugin.streams.opening import PlatformStreams
from airflow_plugin.sync.diff import parsed
from airflow_plugin.web import schemas
from airflow_plugin.web.actions import change_status
from airflow_plugin.web.catalogue import refuse_what_is_not_modelled
from airflow_plugin.web.dependencies import KeyPath, PlatformPath, stream_for, version_of
from airflow_plugin.web.errors import Conflict
from airflow_plugin.web.mutations import change_row, config_text, key_of
from airflow_plugin.web.permissions import (
    EDIT,
    READ,
    User,
    UserDep,
)
from airflow_plugin.web.platforms import named_platform
from airflow_plugin.web.queries import RowVersion
from airflow_plugin.web.routes_stream import detail
from airflow_plugin.web.runs import owner_of
from airflow_plugin.web.streams import streams_of
from config_schema import names
from config_schema.errors import ProblemsFound

router = APIRouter(
    responses={
        404: {"model": schemas.ErrorAnswer, "description": "there is no such platform or stream"},
        409: {"model": schemas.ErrorAnswer, "description": "the stream is another by now, or cannot go that way"},
        413: {"model": schemas.ErrorAnswer, "description": "the body is too long"},
    }
)


@router.post("/streams/{platform}", response_model=schemas.StreamDetail, status_code=201)
def create(user: UserDep, platform: PlatformPath, body: schemas.NewStream) -> dict[str, Any]:
    """Create a stream. Syncs of the model keep it, and show it as drift until the model has it too."""
    user.must_create()
    settings = named_platform(platform)
    text, key = config_text(body.config), key_of(body.config)
    refuse_what_is_not_modelled(user, settings, body.config, {})
    sees_it = bool(user.may(READ, {names.dag_id(settings.platform_name, key)}))

    def changing(table: PlatformStreams, now: RowVersion | None) -> RowChange:
        wanted = RowChange(key, text, "active", "create")
        if not sees_it:
            _refuse_what_is_not_seen(table, wanted)
            return wanted
        if now is not None:
            what = f"there is a stream {key} already, and it is {now.status}"
            raise Conflict(what, "Change that one; a retired one comes back by a rollback")
        return wanted

    parse = change_row(user, settings, key, None, changing)
    return _now(user, settings, key, parse)


@router.put("/streams/{platform}/{key}", response_model=schemas.StreamDetail)
def change(user: UserDep, platform: PlatformPath, key: KeyPath, body: schemas.ChangedStream) -> dict[str, Any]:
    """Give a stream another config. Its status does not change."""
    settings, _ = stream_for(user, EDIT, platform, key)
    text = config_text(body.config)
    refuse_what_is_not_modelled(user, settings, body.config, parsed(version_of(settings, key).config_json))

    def changing(table: PlatformStreams, now: RowVersion | None) -> RowChange:
        if now is None or now.status == "retired":
            raise Conflict("the stream is retired", "Bring it back by a rollback")
        return RowChange(key, text, now.status, "edit")

    parse = change_row(user, settings, key, body.version, changing)
    return _now(user, settings, key, parse)


@router.delete("/streams/{platform}/{key}", response_model=schemas.ActionAnswer)
def retire(user: UserDep, platform: PlatformPath, key: KeyPath) -> dict[str, Any]:
    """Retire a stream: its DAG is removed; its row, batches and merge tables stay."""
    settings, _ = stream_for(user, EDIT, platform, key)
    return change_status(user, settings, key, "retire")


@router.post("/streams/{platform}/{key}/rollback", response_model=schemas.StreamDetail)
def rollback(user: UserDep, platform: PlatformPath, key: KeyPath, body: schemas.Rollback) -> dict[str, Any]:
    """Restore a stream as it was after an earlier change, status and config."""
    settings, _ = stream_for(user, EDIT, platform, key)

    def changing(table: PlatformStreams, now: RowVersion | None) -> RowChange:
        try:
            return to_version(table, key, body.to)
        except ChangeMissing as error:
            raise error.reworded(error.what, "See the stream's history") from error

    parse = change_row(user, settings, key, body.version, changing)
    return _now(user, settings, key, parse)


def _refuse_what_is_not_seen(table: PlatformStreams, wanted: RowChange) -> None:
    """Refuse a key that is in use by something that the user may not see, without saying by what.

    An invalid config is refused before that, so that it reveals nothing about keys. Raises StreamFactoryError.
    """
    if problems := problems_of_change(table, wanted):
        raise ProblemsFound(table.name, problems)
    if wanted.stream_key in table.rows() or dag_id_problems(table, [wanted], owner_of):
        raise Conflict(f"the key {wanted.stream_key} cannot be used", "Choose another one")


def _now(user: User, settings: PlatformSettings, key: str, parse: dict[str, Any] | None) -> dict[str, Any]:
    found = streams_of(settings).get(key)
    if found is None:
        what = f"{names.stream_table(settings.platform_name)} has no stream {key} any more"
        raise Conflict(what, "Look at its history")
    return detail(user, settings, found, parse)
