"""One stream: its config and problems, its history, its batches, and where its data comes from and goes to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

from airflow.utils.session import create_session
from fastapi import APIRouter, Query

from airflow_plugin.control.batch_table import BatchTables, DeleteToApprove, JobProgress, LastLook
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import Page, Version
from airflow_plugin.settings import PlatformSettings
from airflow_plugin.streams.changing import ChangeMissing
from airflow_plugin.streams.opening import PlatformStreams
from airflow_plugin.sync.diff import field_changes, parsed
from airflow_plugin.web import queries, schemas
from airflow_plugin.web.available_actions import available_actions
from airflow_plugin.web.dependencies import (
    KeyPath,
    PlatformPath,
    stream_for,
    version_of,
)
from airflow_plugin.web.error_responses import problem_dicts
from airflow_plugin.web.permissions import (
    EDIT,
    READ,
    User,
    UserDep,
)
from airflow_plugin.web.pool import pool, read
from airflow_plugin.web.runs import dag_of, success_rates
from airflow_plugin.web.seen import seen_of
from airflow_plugin.web.serializers import MOST_BYTES, batch_dict, check_dict, fitting, progress_dict, refused_dict
from airflow_plugin.web.stream_status import card, clash, instant
from airflow_plugin.web.streams import StreamFacts
from config_schema import names
from config_schema.result import DatasetCheck
from config_schema.schemas import json_schema
from config_schema.sql.object_comments import parsed_comment

router = APIRouter(responses={404: {"model": schemas.ErrorAnswer, "description": "there is no such stream"}})

Number = Annotated[int, Query(ge=1, le=2**63 - 1)]


@router.get("/streams/{platform}/{key}", response_model=schemas.StreamDetail)
def one_stream(user: UserDep, platform: PlatformPath, key: KeyPath) -> dict[str, Any]:
    """Return a stream, its config, its problems, and its lineage. `version` goes back with each change."""
    settings, found = stream_for(user, READ, platform, key)
    return detail(user, settings, found)


def detail(
    user: User, settings: PlatformSettings, found: StreamFacts, parse: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return everything about one stream; `parse` is what came of asking for it. Raises StreamFactoryError."""
    version = version_of(settings, found.stream_key)
    with create_session(scoped=False) as session:
        rate = success_rates(session, [found.dag_id]).get(found.dag_id)
    dag = dag_of(found.dag_id)
    one = card(found, dag, datetime.now(UTC))
    (seen,) = seen_of(settings.platform_name, [one.wanted])
    may_edit = bool(user.may(EDIT, {found.dag_id}))
    now = _now(settings, found.stream_key)
    return one.to_dict(may_edit, rate, seen) | {
        "parse": parse,
        "config": parsed(version.config_json),
        "config_text": None if parsed(version.config_json) else version.config_json,
        "version": version.number,
        "by_hand": version.by_hand,
        "problems": problem_dicts((*clash(found, dag), *found.problems)),
        "lineage": _lineage(settings, found),
        "actions": available_actions(settings, found, dag, may_purge=user.can_create) if may_edit else [],
        "progress": [progress_dict(job) for job in now.progress],
        "quality_warnings": fitting(check_dict(one) for one in now.warnings),
        "refused_delete": now.refused and refused_dict(now.refused),
    }


@router.get("/streams/{platform}/{key}/history", response_model=schemas.History)
def history(
    user: UserDep,
    platform: PlatformPath,
    key: KeyPath,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    before: Number | None = None,
) -> dict[str, Any]:
    """Return who changed the stream, when, and to what; the newest first.

    An answer ends after `limit` changes, or after a megabyte; `more` says that there are older ones: ask for those
    `before` the last one's version.
    """
    settings, _ = stream_for(user, READ, platform, key)
    found = _history(settings, key, Page(limit, before, MOST_BYTES))
    versions = fitting(map(_version_dict, found))
    more = bool(versions) and _has_older(settings, key, versions[-1]["version"])
    return {"more": more, "versions": versions}


@router.get("/streams/{platform}/{key}/diff", response_model=schemas.Diff)
def diff(
    user: UserDep,
    platform: PlatformPath,
    key: KeyPath,
    from_: Annotated[int, Query(alias="from", ge=1, le=2**63 - 1)],
    to: Number | None = None,
) -> dict[str, Any]:
    """Return what changed from after the change `from` to after the change `to`, or to now."""
    settings, _ = stream_for(user, READ, platform, key)
    wanted = [number for number in (from_, to) if number is not None]
    versions = {one.id: one for one in _history(settings, key, Page(only=wanted))}
    for number in (from_, to):
        if number is not None and number not in versions:
            raise ChangeMissing(key, number)
    before = _state(versions[from_])
    if to is None:
        now = version_of(settings, key)
        after = {"status": now.status, **parsed(now.config_json)}
    else:
        after = _state(versions[to])
    return {"changes": changes(before, after)}


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the keys that differ."""
    return [{"path": one.key, "before": one.before, "after": one.after} for one in field_changes(before, after)]


@router.get("/streams/{platform}/{key}/batches", response_model=schemas.Batches)
def batches(
    user: UserDep,
    platform: PlatformPath,
    key: KeyPath,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[int, Query(ge=0, le=queries.NEWEST_BATCH)] = queries.NEWEST_BATCH,
) -> dict[str, Any]:
    """Return the batches of a stream, the newest first; `before` is the oldest one that is known already.

    An answer ends after `limit` batches, or after a megabyte: with fewer than `limit`, ask for those before the last
    one, until there are none.
    """
    settings, found = stream_for(user, READ, platform, key)

    read_batches = read(settings, lambda session: queries.batches(session, key, limit=limit, before=before))
    sees_data = any(one.has_data for one in read_batches) and user.may_see_data(found.dag_id)
    return {"batches": fitting(batch_dict(one, sees_data) for one in read_batches)}


@router.get("/schema/stream", response_model=schemas.AnyJson)
def schema() -> dict[str, Any]:
    """Return the JSON Schema of a stream's config."""
    return json_schema("stream")


def _history(settings: PlatformSettings, key: str, page: Page) -> list[Version]:
    return pool(settings).read(lambda connection: PlatformStreams.of(connection, settings).history(key, page))


def _has_older(settings: PlatformSettings, key: str, before: int) -> bool:
    return pool(settings).read(
        lambda connection: PlatformStreams.of(connection, settings).has_older_history(key, before)
    )


def _version_dict(version: Version) -> dict[str, Any]:
    return {
        "version": version.id,
        "at": instant(version.changed_at),
        "by": version.changed_by,
        "action": version.change,
        "reason": version.reason,
        "status": version.after_status,
        "config": parsed(version.after_config_json),
    }


def _state(version: Version) -> dict[str, Any]:
    return {"status": version.after_status, **parsed(version.after_config_json)}


def _lineage(settings: PlatformSettings, found: StreamFacts) -> dict[str, Any]:
    """Return the stream's lineage.

    A row does not name its source; if its platform may read one server only, that is it.
    """
    tables = [names.merge_table(settings.platform_name, found.store, dataset) for dataset in found.datasets]
    views = None
    if settings.consumer_db_hostname is None:
        views = fitting(map(_view_dict, read(settings, lambda session: queries.views(session, tables))))
    hosts = settings.source_hosts
    return {
        "source": {
            "store": found.store,
            "host": hosts[0] if len(hosts) == 1 else None,
            "credential": found.credential,
            "tables": fitting(found.datasets),
        },
        "merge_tables": fitting(tables),
        "views": views,
        "consumers": None
        if views is None
        else sorted({f"{one['workspace']}/{one['group']}" for one in views if one["workspace"] and one["group"]}),
    }


class Now(NamedTuple):
    """What the stream's jobs are at, the quality checks that the last run found broken, and a delete to approve."""

    progress: list[JobProgress]
    warnings: tuple[DatasetCheck, ...]
    refused: DeleteToApprove | None


def _now(settings: PlatformSettings, key: str) -> Now:
    def work(session: ControlSession) -> Now:
        tables = BatchTables(session)
        look, refused = tables.last_looks([key]).get(key, LastLook()), tables.refused_delete(key)
        return Now(tables.progress([key]), look.warnings, refused)  # progress last: it may end the transaction

    return read(settings, work)


def _view_dict(view: queries.ViewRow) -> dict[str, Any]:
    """Return a view. Ours name workspace and group in their comment; others may read merge tables too."""
    mark = parsed_comment(view.comment)
    of = {key: str(mark[key]) if mark.get(key) else None for key in ("workspace", "group")}
    return of | {"schema": view.schema, "name": view.name, "reads": sorted(view.reads)}
