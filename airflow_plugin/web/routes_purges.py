"""Many retired streams taken away for good in one run of the operations DAG, with a result for each."""

from __future__ import annotations

from typing import Annotated, Any

from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from fastapi import APIRouter, Path
from sqlalchemy import select

from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import Page, StreamTable
from airflow_plugin.web import schemas
from airflow_plugin.web.actions import purge_together
from airflow_plugin.web.dependencies import PlatformPath, platform_for
from airflow_plugin.web.error_responses import shortened
from airflow_plugin.web.errors import NotAllowed, NotThere, RequestInvalid
from airflow_plugin.web.permissions import EDIT, READ, User, UserDep
from airflow_plugin.web.platforms import named_platform
from airflow_plugin.web.pool import read
from airflow_plugin.web.request_state import NO_WORD
from airflow_plugin.web.runs import ENDED, failures_of, run_of
from airflow_plugin.web.serializers import LONGEST_FAILURE
from config_schema import names

router = APIRouter(
    responses={
        404: {"model": schemas.ErrorAnswer, "description": "there is no such platform or run"},
        413: {"model": schemas.ErrorAnswer, "description": "the body is too long"},
    }
)

PURGED = "purged"
RunPath = Annotated[str, Path(max_length=250)]


@router.post("/platforms/{platform}/purges", response_model=schemas.PurgeAsked)
def purge(user: UserDep, platform: PlatformPath, body: schemas.PurgeTogether) -> dict[str, Any]:
    """Have retired streams purged; one that cannot be stops no other.

    Streams whose DAGs the user may not edit and trigger are refused, whether they exist or not; the request is, if
    these are all.
    """
    user.must_purge()
    keys = list(dict.fromkeys(body.stream_keys))
    may = _editable(user, platform, keys)
    settings = named_platform(platform)
    if body.confirm != len(keys):
        what = "it is not the number of streams" if body.confirm is not None else "it is missing"
        raise RequestInvalid([{"path": "confirm", "what": what, "todo": "Send how many streams are to be purged"}])
    run, refused = purge_together(user, settings, [key for key in keys if key in may], body.reason)
    said = {key: (error.what, error.todo) for key, error in refused.items()}
    said |= {
        key: ("you may not edit and trigger it", "Ask who gives rights in Airflow") for key in keys if key not in may
    }
    asked = run or {"what": "none of the streams can be purged", "dag_id": None, "run_id": None}
    return asked | {"results": [_result(key, *said[key]) for key in keys if key in said]}


@router.get("/platforms/{platform}/purges/{run_id}", response_model=schemas.PurgeState)
def purge_state(user: UserDep, platform: PlatformPath, run_id: RunPath) -> dict[str, Any]:
    """Return how far the run is, and of each stream that the user may see whether it is gone, or why not."""
    settings = platform_for(user, platform)
    dag_id = names.operations_dag_id(platform)
    with create_session(scoped=False) as session:
        wanted = DagRun.dag_id == dag_id, DagRun.run_id == run_id
        conf = session.scalar(select(DagRun.conf).where(*wanted)) if run_id.isprintable() else None
        run = run_of(session, dag_id, run_id) if isinstance(conf, dict) else None
        failure = failures_of(session, [run]).get((dag_id, run_id), NO_WORD) if run is not None else NO_WORD
    keys = conf.get("stream_keys") if isinstance(conf, dict) else None
    seen = _readable(user, platform, [str(one) for one in keys]) if isinstance(keys, list) else []
    if run is None or not seen:
        raise NotThere("no streams are purged by such a run", "See the runs of the platform's operations DAG")
    ended = run.state in ENDED

    def work(session: ControlSession) -> dict[str, str]:
        table = StreamTable(session)
        there = {row.stream_key for row in table.select(seen, retired=True)}
        return {key: _why(table, key, failure) if ended else "it waits for its turn" for key in there}

    left = read(settings, work)
    return {
        "dag_id": dag_id,
        "run_id": run_id,
        "state": run.state,
        "ended": ended,
        "results": [_result(key, left.get(key, PURGED)) for key in seen],
    }


def _why(table: StreamTable, key: str, failure: str) -> str:
    """Return why a stream is still there after the run: as its history says it, or why the run failed."""
    for version in table.history(key, Page(limit=1)):
        if version.change == "not_purged" and version.reason:
            return version.reason
    return failure[:LONGEST_FAILURE]


def _result(key: str, what: str, todo: str | None = None) -> dict[str, Any]:
    return {
        "stream_key": key,
        "is_done": what == PURGED,
        "what": shortened(what),
        "todo": todo and shortened(todo),
    }


def _editable(user: User, platform: str, keys: list[str]) -> set[str]:
    """Return the streams whose DAGs the user may edit and trigger. Raises Refused if there is none."""
    dag_ids = {key: names.dag_id(platform, key) for key in keys if platform.isprintable() and key.isprintable()}
    editable = user.may(EDIT, set(dag_ids.values())) if dag_ids else set()
    found = {key for key, dag_id in dag_ids.items() if dag_id in editable and user.may_trigger(dag_id)}
    if not found:
        raise NotAllowed("you may edit and trigger none of these streams")
    return found


def _readable(user: User, platform: str, keys: list[str]) -> list[str]:
    dag_ids = {key: names.dag_id(platform, key) for key in keys}
    readable = user.may(READ, set(dag_ids.values()))
    return [key for key in keys if dag_ids[key] in readable]
