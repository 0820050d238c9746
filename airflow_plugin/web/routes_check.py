"""A config before it is saved: what is wrong with it, what DAG it gives, and what it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter

from airflow_plugin.health.dag_owners import clashes
from airflow_plugin.preview.candidates import Candidate
from airflow_plugin.preview.shown import shown_dag
from airflow_plugin.rows.evaluation import plan_of, row_place
from airflow_plugin.rows.last_good import Row
from airflow_plugin.settings import PlatformSettings
from airflow_plugin.streams.changing import same_dag_problems
from airflow_plugin.sync.diff import parsed
from airflow_plugin.web import schemas
from airflow_plugin.web.catalogue import unmodelled
from airflow_plugin.web.dependencies import PlatformPath, platform_for, version_of
from airflow_plugin.web.error_responses import problem_dicts
from airflow_plugin.web.mutations import config_text
from airflow_plugin.web.permissions import READ, User, UserDep
from airflow_plugin.web.routes_stream import changes
from airflow_plugin.web.runs import owner_of
from airflow_plugin.web.stream_status import instant
from airflow_plugin.web.streams import StreamFacts, streams_of
from config_schema import names
from config_schema.errors import ProblemsFound, StreamFactoryError
from config_schema.problem import Problem

router = APIRouter(
    responses={
        404: {"model": schemas.ErrorAnswer, "description": "there is no such platform"},
        413: {"model": schemas.ErrorAnswer, "description": "the body is too long"},
    }
)


@router.post("/validate/{platform}", response_model=schemas.Problems)
def validate(user: UserDep, platform: PlatformPath, body: schemas.NewStream) -> dict[str, Any]:
    """Return the problems for which the factory would quarantine a config; empty if it is valid."""
    settings = platform_for(user, platform)
    streams = _others(user, settings, body.config)
    before = _before(settings, body.config, streams)
    return {"problems": problem_dicts(_problems(user, settings, body.config, streams, before))}


@router.post("/preview/{platform}", response_model=schemas.Preview)
def preview(user: UserDep, platform: PlatformPath, body: schemas.NewStream) -> dict[str, Any]:
    """Return the DAG and the pod that a config gives, and what it changes of the existing stream."""
    settings = platform_for(user, platform)
    streams = _others(user, settings, body.config)
    before = _before(settings, body.config, streams)
    problems = _problems(user, settings, body.config, streams, before)
    return {
        "dag": None if problems else _dag(settings, body.config),
        "changes": changes(before, body.config),
        "problems": problem_dicts(problems),
    }


def _problems(
    user: User,
    settings: PlatformSettings,
    config: dict[str, Any],
    streams: Mapping[str, StreamFacts] | None,
    before: Mapping[str, Any],
) -> list[Problem]:
    """Return what is wrong with a config; by itself only where `streams` is None, as nothing of them may be seen.

    `before` is what the stream has now, if there is one.
    """
    key, text = _key(config), config_text(config)
    problems: list[Problem] = []
    try:
        plan_of(key, Row("active", text), settings, row_place(settings.platform_name, key))
    except ProblemsFound as error:
        problems += error.problems
    if streams is None:
        return problems
    problems += _unmodelled(user, settings, config, before)
    statuses = {one.stream_key: one.status for one in streams.values()}
    known = same_dag_problems(settings.platform_name, statuses)
    after = same_dag_problems(settings.platform_name, statuses | {key: "active"})
    problems += [one for one in after if one not in known]
    begins = statuses.get(key, "retired") == "retired" and key.isprintable()  # no database takes another as a text
    return problems + [one for _, one in clashes(settings.platform_name, [key] if begins and key else [], owner_of)]


def _unmodelled(
    user: User, settings: PlatformSettings, config: dict[str, Any], before: Mapping[str, Any]
) -> list[Problem]:
    """Return what the synced model lacks; nothing while the merge store is down, where that is recorded."""
    try:
        return unmodelled(user, settings, config, before)
    except StreamFactoryError:
        return []


def _dag(settings: PlatformSettings, config: dict[str, Any]) -> dict[str, Any]:
    candidate = Candidate("the config", _key(config), config_text(config), settings, "")
    shown = shown_dag(candidate, datetime.now(UTC))
    return {
        "dag_id": shown.plan.dag_id,
        "schedule": shown.plan.schedule or ", ".join(shown.plan.schedule_assets) or None,
        "timezone": shown.plan.timezone,
        "tasks": [asdict(one) for one in shown.built.tasks],
        "next_runs": [instant(one) for one in shown.next_times],
        "pod": shown.built.pod,
    }


def _before(
    settings: PlatformSettings, config: dict[str, Any], streams: Mapping[str, StreamFacts] | None
) -> dict[str, Any]:
    """Return the config of the existing stream, as far as the user may see it."""
    found = (streams or {}).get(_key(config))
    return {} if found is None else parsed(version_of(settings, found.stream_key).config_json)


def _others(user: User, settings: PlatformSettings, config: dict[str, Any]) -> Mapping[str, StreamFacts] | None:
    """Return the platform's streams; None if the user may not see the DAG that the config is for: they tell of it.

    Empty while the merge store is down: what is wrong with a config by itself can be said without it.
    """
    key = _key(config)
    if not key.isprintable() or not user.may(READ, {names.dag_id(settings.platform_name, key)}):
        return None
    try:
        return streams_of(settings)
    except StreamFactoryError:
        return {}


def _key(config: dict[str, Any]) -> str:
    key = config.get("stream_key")
    return key if isinstance(key, str) else ""
