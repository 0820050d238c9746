"""What the buttons of a stream do: trigger, pause, resume, retire, and what its platform's operations DAG is asked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path

from airflow_plugin.web import schemas
from airflow_plugin.web.actions import change_status, operate, trigger
from airflow_plugin.web.dependencies import KeyPath, PlatformPath, seen_platform, stream_for
from airflow_plugin.web.errors import RequestInvalid
from airflow_plugin.web.permissions import EDIT, User, UserDep
from airflow_plugin.web.request_state import request_state
from airflow_plugin.web.streams import StreamFacts

router = APIRouter(
    responses={
        404: {"model": schemas.ErrorAnswer, "description": "there is no such platform or stream"},
        409: {"model": schemas.ErrorAnswer, "description": "the stream cannot do that as it is"},
        413: {"model": schemas.ErrorAnswer, "description": "the body is too long"},
    }
)

RunPath = Annotated[str, Path(max_length=250)]
Asked = (
    Literal["trigger", "pause", "resume", "retire"]
    | Literal["reset_batch", "approve_delete", "allow_deletes", "trust", "check_source", "show_changes", "purge"]
)


@router.get("/streams/{platform}/{key}/requests/{run_id}", response_model=schemas.RequestState)
def request(user: UserDep, platform: PlatformPath, key: KeyPath, run_id: RunPath) -> dict[str, Any]:
    """Return how far the run of the operations DAG is that an action on the stream has started.

    Also when the stream is purged meanwhile.
    """
    settings = seen_platform(user, platform, key)
    return request_state(settings.platform_name, key, run_id)


@router.post("/streams/{platform}/{key}/actions/{action}", response_model=schemas.ActionAnswer)
def act(user: UserDep, platform: PlatformPath, key: KeyPath, action: Asked, body: schemas.ActionBody) -> dict[str, Any]:
    """Do it, and write the user's name to the stream's history."""
    settings, stream = stream_for(user, EDIT, platform, key)
    if action == "trigger":
        return trigger(user, settings, stream, body.reason)
    if action in ("pause", "resume", "retire"):
        return change_status(user, settings, key, action, body.reason)
    if action == "purge":
        user.must_purge()
        _refuse_unconfirmed(key, body.confirm)
    return operate(user, settings, stream, action, body.reason, _more(user, stream, action, body))


def _more(user: User, stream: StreamFacts, action: str, body: schemas.ActionBody) -> dict[str, Any]:
    """Return what a request says besides its action. Raises Refused."""
    if action == "approve_delete" and body.refused_delete:
        return body.refused_delete.model_dump()
    if action == "show_changes":
        wanted = body.changes
        if wanted is None:
            todo = "Send the batch as changes.batch"
            raise RequestInvalid([{"path": "changes", "what": "it is missing", "todo": todo}])
        if wanted.keys:
            user.must_see_data(stream.dag_id)
        return {"batch": wanted.batch, **({"keys": wanted.keys} if wanted.keys else {})}
    return {}


def _refuse_unconfirmed(key: str, confirm: str | None) -> None:
    if confirm != key:
        what = "it is not the stream's key" if confirm is not None else "it is missing"
        raise RequestInvalid([{"path": "confirm", "what": what, "todo": "Send the stream_key once more"}])
