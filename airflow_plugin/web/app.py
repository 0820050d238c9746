"""The FastAPI app under /stream_factory: routes, errors and static files behind the gate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp

from airflow_plugin.web import (
    routes_actions,
    routes_change,
    routes_changes,
    routes_check,
    routes_lists,
    routes_new,
    routes_purges,
    routes_runs,
    routes_schema,
    routes_seen,
    routes_source,
    routes_stream,
    routes_together,
)
from airflow_plugin.web.auth_middleware import Gate
from airflow_plugin.web.error_responses import ProblemJSON, SafeJSON, handle_errors
from airflow_plugin.web.permissions import sees_servers
from airflow_plugin.web.schemas import ErrorAnswer

STATIC = Path(__file__).with_name("static")
ROUTERS: tuple[APIRouter, ...] = (
    routes_lists.router,
    routes_new.router,
    routes_stream.router,
    routes_changes.router,
    routes_source.router,
    routes_schema.router,
    routes_change.router,
    routes_actions.router,
    routes_together.router,
    routes_purges.router,
    routes_check.router,
    routes_runs.router,
    routes_seen.router,
)
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": text}
    for status, text in {
        400: "the request, or a config in it, is not as it should be",
        401: "no login",
        403: "no right, or a request that another site may have caused",
        429: "the stream is changed too often",
        503: "a merge store or Airflow's metadata database does not answer",
    }.items()
}


def create_app() -> ASGIApp:
    """Return the whole app, as it is mounted into Airflow's."""
    return Gate(routed())


def routed() -> FastAPI:
    """Return the app without authentication."""
    app = FastAPI(
        title="Stream Factory",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        default_response_class=SafeJSON,
    )
    handle_errors(app, sees_servers)
    for router in ROUTERS:
        app.include_router(router, prefix="/api", responses=REFUSALS)
    app.mount("/static", StaticFiles(directory=STATIC, check_dir=False))
    _describe_our_errors(app)
    return app


def _describe_our_errors(app: FastAPI) -> None:
    """Describe errors as problem details, and leave out FastAPI's own answer for bad requests; ours is the 400."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            for path in described()["paths"].values():
                for operation in path.values():
                    operation["responses"].pop("422", None)
                    for status, answer in operation["responses"].items():
                        if status >= "400":
                            answer["content"] = {ProblemJSON.media_type: answer["content"]["application/json"]}
        return described()

    app.openapi = openapi  # type: ignore[method-assign]
