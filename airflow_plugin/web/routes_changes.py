"""What a batch changed: counts per column, and for those who may see data, keys with their values."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from airflow_plugin.control.session import ControlSession
from airflow_plugin.settings import PlatformSettings
from airflow_plugin.streams.changing import refuse_frequent_changes
from airflow_plugin.web import queries, schemas
from airflow_plugin.web.available_actions import can_show_changes
from airflow_plugin.web.batch_changes import dataset_changes, kept_values, seen_columns, values_to_show
from airflow_plugin.web.dependencies import KeyPath, PlatformPath, stream_for
from airflow_plugin.web.errors import Conflict, NotThere
from airflow_plugin.web.mutations import writing
from airflow_plugin.web.permissions import EDIT, READ, UserDep
from airflow_plugin.web.pool import read
from airflow_plugin.web.serializers import fitting
from airflow_plugin.web.streams import StreamFacts

router = APIRouter(
    responses={404: {"model": schemas.ErrorAnswer, "description": "there is no such stream, or committed batch of it"}}
)

BatchPath = Annotated[int, Path(ge=1, le=queries.NEWEST_BATCH)]


@router.get("/streams/{platform}/{key}/batches/{batch}/changes", response_model=schemas.BatchChangesAnswer)
def changes(user: UserDep, platform: PlatformPath, key: KeyPath, batch: BatchPath) -> dict[str, Any]:
    """Return what a committed batch changed in each dataset: keys of each kind, and how many updated in each column.

    Of a forensic stream it is known once the action `show_changes` has been asked for with this batch.
    """
    settings, stream = stream_for(user, READ, platform, key)
    found = _of_batch(settings, stream, batch)
    datasets = dataset_changes(stream, found)
    shown = fitting(datasets)
    return {
        "batch_id": batch,
        "datasets": shown,
        "left_out": len(datasets) - len(shown),
        "has_values": bool(kept_values(stream, found)),
        "may_see_values": user.may_see_data(stream.dag_id),
        "may_ask": can_show_changes(user, settings, stream),
    }


@router.post(
    "/streams/{platform}/{key}/batches/{batch}/values",
    response_model=schemas.ChangedValues,
    responses={409: {"model": schemas.ErrorAnswer, "description": "no values of the batch are kept"}},
)
def values(
    user: UserDep, platform: PlatformPath, key: KeyPath, batch: BatchPath, body: schemas.SeeValues
) -> dict[str, Any]:
    """Return some of the keys that a batch changed, with old and new values; who asks is in the stream's history.

    Values that are PII are in none, as in views that mask them.
    """
    settings, stream = stream_for(user, EDIT, platform, key)
    user.must_see_data(stream.dag_id)

    def work(session: ControlSession) -> tuple[dict[str, list[Any]], dict[str, frozenset[str]]]:
        return kept_values(stream, _row(session, stream, batch)), seen_columns(session, key)

    kept, seen = read(settings, work)
    if not kept:
        raise Conflict("no values of this batch are kept", "Ask for them with the action show_changes, where there are")
    with writing(settings) as table:
        refuse_frequent_changes(table, [key])
        queries.note_action(table.session, key, "show_changes", user.name, body.reason)
    return {"batch_id": batch, "datasets": fitting(values_to_show(kept, seen)), "is_modelled": bool(seen)}


def _of_batch(settings: PlatformSettings, stream: StreamFacts, batch: int) -> queries.BatchChangesRow:
    return read(settings, lambda session: _row(session, stream, batch))


def _row(session: ControlSession, stream: StreamFacts, batch: int) -> queries.BatchChangesRow:
    found = queries.batch_changes(session, stream.stream_key, batch)
    if found is None:
        raise NotThere("there is no such committed batch of the stream", "See its batches")
    return found
