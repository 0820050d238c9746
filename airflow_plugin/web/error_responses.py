"""Errors as the API answers them: `{"error": {"what", "todo", "problems"?}}` and a status.

StreamFactoryError
 ├── Refused                  an answer that is no 200, by the status it carries
 ├── MergeStoreError          503: the merge store is away, or lacks a table or a right
 ├── TooManyChanges           429
 ├── ProblemsFound            400, with every problem
 └── others                   400
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
from airflow_plugin.streams.changing import TooManyChanges
from config_schema.errors import Problem, ProblemsFound, StreamFactoryError

MOST_PROBLEMS = 200
LONGEST = 1000  # characters of a problem's text
SHOWN = 200  # characters of a value that is not what it should be

log = logging.getLogger(__name__)


class Refused(StreamFactoryError):
    """An answer with this status; `where` is nothing that a caller would know."""

    def __init__(self, status: int, what: str, todo: str) -> None:
        super().__init__("", what, todo)
        self.status = status


class SafeJSON(JSONResponse):
    """An answer that half a surrogate pair in a row, a model or a request does not turn into a 500."""

    def render(self, content: Any) -> bytes:
        """Return JSON in UTF-8, or with escapes where a text is none that UTF-8 can hold."""
        try:
            return super().render(content)
        except UnicodeEncodeError:
            return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def error_answer(status: int, what: str, todo: str, problems: Iterable[dict[str, Any]] = ()) -> JSONResponse:
    """Return an answer with an error."""
    error: dict[str, Any] = {"what": what, "todo": todo}
    if listed := list(problems):
        error["problems"] = listed
    return SafeJSON({"error": error}, status, {"Cache-Control": "no-store"})


def as_answer(error: StreamFactoryError, sees_servers: bool = False) -> JSONResponse:
    """Return the answer to an error of ours."""
    if isinstance(error, Refused):
        return error_answer(error.status, error.what, error.todo)
    if isinstance(error, ProblemsFound):
        return error_answer(400, error.what, "Correct what the problems say", problem_dicts(error.problems))
    if isinstance(error, TooManyChanges):
        return error_answer(429, f"{error.where}: {error.what}", error.todo)
    status = 503 if isinstance(error, MergeStoreError) or error.retryable else 400
    words = outage(error, sees_servers)
    return error_answer(status, words["what"], words["todo"])


def outage(error: StreamFactoryError, sees_servers: bool) -> dict[str, str]:
    """Return what is said of an error of a merge store; its server and user only to who may see them."""
    what = error.what_in_full if sees_servers else error.what
    return {"what": f"{error.where}: {what}", "todo": error.todo}


def problem_dict(problem: Problem) -> dict[str, Any]:
    """Return a problem as the API shows it."""
    return {key: shortened(getattr(problem, key)) for key in ("path", "what", "todo")}


def problem_dicts(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """Return the first problems, each with bounded texts: a row can hold any number of mistakes of any length."""
    return [problem_dict(one) for one in islice(problems, MOST_PROBLEMS)]


def shortened(text: str) -> str:
    """Return a text cut to the longest that an answer holds."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def handle_errors(app: FastAPI, sees_servers: Callable[[Request], bool]) -> None:
    """Answer every error of the app in the same form; what nobody foresaw stays Airflow's 500.

    `sees_servers` says whether who asks may see an error's private part.
    """

    @app.exception_handler(StreamFactoryError)
    def ours(request: Request, error: StreamFactoryError) -> JSONResponse:
        return as_answer(error, bool(error.private) and sees_servers(request))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        problems = [_invalid(one) for one in error.errors()]
        return error_answer(400, "the request is not as it should be", "Correct what the problems say", problems)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        answer = error_answer(error.status_code, str(error.detail), "See api/openapi.json for what there is")
        answer.headers.update(error.headers or {})  # what may be asked of a path, where that is not it
        return answer

    @app.exception_handler(DBAPIError)
    async def metadata(request: Request, error: DBAPIError) -> JSONResponse:
        log.error("Airflow's metadata database: %s", type(error.orig).__name__)
        return error_answer(503, "Airflow's metadata database does not answer", "Look at the api-server's log")


def _invalid(error: dict[str, Any]) -> dict[str, Any]:
    path = ".".join(str(part) for part in error["loc"][1:])
    found = {"path": path, "what": str(error["msg"]), "todo": f"Correct {path or 'the body'}"}
    value = error.get("input")
    if isinstance(value, str | int | float):
        found["value"] = ascii(value)[:SHOWN]
    return found
