"""Many streams of a platform paused, resumed or retired in one request, with a result for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from fastapi import APIRouter

from airflow_plugin.rows.fingerprint import fingerprint_of_row
from airflow_plugin.settings import PlatformSettings
from airflow_plugin.streams.changing import STATUS_CHANGES
from airflow_plugin.streams.together import ChangedTogether, change_together
from airflow_plugin.web import schemas
from airflow_plugin.web.dependencies import PlatformPath
from airflow_plugin.web.error_responses import shortened
from airflow_plugin.web.errors import NotAllowed
from airflow_plugin.web.mutations import writing
from airflow_plugin.web.parsing import ask_to_parse
from airflow_plugin.web.permissions import EDIT, User, UserDep
from airflow_plugin.web.platforms import named_platform
from airflow_plugin.web.streams import forget
from config_schema import names
from config_schema.errors import ProblemsFound, StreamFactoryError, UnknownName

router = APIRouter(
    responses={
        404: {"model": schemas.ErrorAnswer, "description": "there is no such platform"},
        413: {"model": schemas.ErrorAnswer, "description": "the body is too long"},
    }
)


@router.post("/platforms/{platform}/actions/{action}", response_model=schemas.TogetherAnswer)
def act_together(
    user: UserDep, platform: PlatformPath, action: Literal["pause", "resume", "retire"], body: schemas.StreamsTogether
) -> dict[str, Any]:
    """Do it for each stream, as if it were asked for alone; one that is refused stops no other.

    Streams whose DAGs the user may not edit are refused, whether they exist or not; the request is, if these are all.
    """
    keys = list(dict.fromkeys(body.stream_keys))
    may = _editable(user, platform, keys)
    settings = named_platform(platform)
    changed = _changed(user, settings, [key for key in keys if key in may], action, body.reason)
    fingerprints = {one.stream_key: fingerprint_of_row(one.status, one.config_json) for one in changed.written}
    forbidden = {key: NotAllowed(f"you may not edit {names.dag_id(platform, key)}") for key in keys if key not in may}
    return {
        "results": [_result(key, action, fingerprints, {**forbidden, **changed.refused}) for key in keys],
        "parse": ask_to_parse(user, platform, fingerprints).to_dict() if fingerprints else None,
    }


def _editable(user: User, platform: str, keys: list[str]) -> set[str]:
    """Return the streams whose DAGs the user may edit. Raises Refused if there is none, before any other word."""
    dag_ids = {key: names.dag_id(platform, key) for key in keys if platform.isprintable() and key.isprintable()}
    editable = user.may(EDIT, set(dag_ids.values())) if dag_ids else set()
    found = {key for key, dag_id in dag_ids.items() if dag_id in editable}
    if not found:
        raise NotAllowed("you may edit none of these streams")
    return found


def _changed(
    user: User, settings: PlatformSettings, keys: list[str], action: str, reason: str | None
) -> ChangedTogether:
    with writing(settings) as table:
        changed = change_together(table, keys, action, user.name, reason)
    forget(settings)
    return changed


def _result(
    key: str, action: str, fingerprints: Mapping[str, Any], refused: Mapping[str, StreamFactoryError]
) -> dict[str, Any]:
    error = refused.get(key)
    if error is None:
        what = f"{STATUS_CHANGES[action][1]} {'now' if key in fingerprints else 'already'}"
        return {"stream_key": key, "is_done": True, "what": what, "todo": None}
    what, todo = _said(error)
    return {"stream_key": key, "is_done": False, "what": shortened(what), "todo": shortened(todo)}


def _said(error: StreamFactoryError) -> tuple[str, str]:
    """Return what is wrong and what to do, in words that name no other stream."""
    if isinstance(error, ProblemsFound):
        first = error.problems[0]
        return ": ".join(filter(None, (first.path, first.what))), first.todo
    if isinstance(error, UnknownName):
        return "there is no such stream", "Look at the stream's history"
    return error.what, error.todo
