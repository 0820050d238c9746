"""Errors as the API answers them: problem details (RFC 9457), with `error` beside them for clients of earlier versions.

StreamFactoryError
 ├── Refused                  the status that its class says
 ├── PlatformUnread           500: an error that no code foresees
 ├── MergeStoreError          503: the merge store is down, or lacks a table or a right
 ├── TooManyChanges           429
 ├── StatusRefused            409
 ├── ChangeMissing            404
 └── others                   503 where trying again can help, else 400
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from airflow_plugin.control.connection import MergeStoreError
from airflow_plugin.control.unforeseen import PlatformUnread
from airflow_plugin.streams.changing import ChangeMissing, StatusRefused, TooManyChanges
from airflow_plugin.web.errors import NothingAnswers, Refused, RequestInvalid, Unroutable
from config_schema.errors import ProblemsFound, StreamFactoryError
from config_schema.problem import Problem

# Names a kind of problem, and is no address: the code in it is in docs/reference/errors.md.
TYPE = "tag:airflow-stream-factory,2026:{code}"
STATUSES: dict[type[StreamFactoryError], int] = {
    ProblemsFound: 400,
    PlatformUnread: 500,
    MergeStoreError: 503,
    TooManyChanges: 429,
    StatusRefused: 409,
    ChangeMissing: 404,
}
MOST_PROBLEMS = 200
LONGEST = 1000  # characters of a problem's text
SHOWN = 200  # characters of a value that is not what it should be

log = logging.getLogger(__name__)


class SafeJSON(JSONResponse):
    """An answer in which an unpaired surrogate of a row, a model or a request does not cause a 500."""

    def render(self, content: Any) -> bytes:
        """Return JSON in UTF-8, or with escapes if a text cannot be encoded in UTF-8."""
        try:
            return super().render(content)
        except UnicodeEncodeError:
            return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


class ProblemJSON(SafeJSON):
    """An error, as RFC 9457 describes it."""

    media_type = "application/problem+json"


def as_answer(error: StreamFactoryError, sees_servers: bool = False) -> JSONResponse:
    """Return the answer for an error: its type, title, status and detail, and our additional fields."""
    status, where, todo = _status(error), error.where, error.todo
    what = outage(error, sees_servers)["what"] if error.where else error.what
    problems: list[dict[str, Any]] = []
    if isinstance(error, ProblemsFound):
        where, what, todo = "", error.what, "Correct what the problems say"  # it may be a file of the server's
        problems = problem_dicts(error.problems)
    if isinstance(error, RequestInvalid):
        problems = error.problems
    listed = {"problems": problems} if problems else {}
    content = {
        "type": TYPE.format(code=error.code),
        "title": error.title() or type(error).__name__,
        "status": status,
        "detail": what,
        "code": error.code,
        "where": where,
        "todo": todo,
        **listed,
        # What there was before problem details; it goes with the next release.
        "error": {"what": what, "todo": todo, **listed},
    }
    return ProblemJSON(content, status, {"Cache-Control": "no-store"})


def _status(error: StreamFactoryError) -> int:
    if isinstance(error, Refused):
        return error.status
    for kind, status in STATUSES.items():
        if isinstance(error, kind):
            return status
    return 503 if error.retryable else 400


def outage(error: StreamFactoryError, sees_servers: bool) -> dict[str, str]:
    """Return what is said of an error of a merge store; its server and user only to who may see them."""
    what = error.what_in_full if sees_servers else error.what
    return {"what": f"{error.where}: {what}", "todo": error.todo, "code": error.code}


def problem_dict(problem: Problem) -> dict[str, Any]:
    """Return a problem as the API shows it."""
    return {key: shortened(getattr(problem, key)) for key in ("path", "what", "todo", "code")}


def problem_dicts(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """Return the first problems, with their texts cut: a row can contain any number of mistakes of any length."""
    return [problem_dict(one) for one in islice(problems, MOST_PROBLEMS)]


def shortened(text: str) -> str:
    """Return a text cut to the longest that an answer contains."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def handle_errors(app: FastAPI, sees_servers: Callable[[Request], bool]) -> None:
    """Answer every error of the app in the same form; an unexpected one stays Airflow's 500.

    `sees_servers` says whether the user may see an error's private part.
    """

    @app.exception_handler(StreamFactoryError)
    def ours(request: Request, error: StreamFactoryError) -> JSONResponse:
        return as_answer(error, bool(error.private) and sees_servers(request))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        problems = [_invalid(one) for one in error.errors()]
        return as_answer(RequestInvalid(problems))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        answer = as_answer(Unroutable(error.status_code, str(error.detail)))
        answer.headers.update(error.headers or {})  # what may be asked of a path, where that is not it
        return answer

    @app.exception_handler(DBAPIError)
    async def metadata(request: Request, error: DBAPIError) -> JSONResponse:
        log.error("Airflow's metadata database: %s", type(error.orig).__name__)
        return as_answer(NothingAnswers("Airflow's metadata database does not answer", "Look at the api-server's log"))


def _invalid(error: dict[str, Any]) -> dict[str, Any]:
    path = ".".join(str(part) for part in error["loc"][1:])
    found = {"path": path, "what": str(error["msg"]), "todo": f"Correct {path or 'the body'}"}
    value = error.get("input")
    if isinstance(value, str | int | float):
        found["value"] = ascii(value)[:SHOWN]
    return found
