"""Airflow's REST API, as far as commands need it: a part of Airflow's own, and of that of the pages beside it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from config_schema.errors import StreamFactoryError, ValueWrong, VariableMissing

TOKEN_VARIABLE = "DAGFACTORY_AIRFLOW_TOKEN"
TIMEOUT_SECONDS = 30
AT_WORK = ("running", "queued", "restarting", "deferred")  # of tasks; a pause starts no others
OPEN = ("running", "queued")  # of runs
MOST = 100  # in an answer
PAGES = "stream_factory/api"  # of this project's plugin in Airflow's api-server


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The token is for the address that was given, and for no other."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


@dataclass(frozen=True)
class DagNow:
    """A DAG as Airflow has it; `fileloc` is the file that it was last parsed from."""

    dag_id: str
    is_paused: bool
    is_stale: bool
    fileloc: str


class AirflowUnanswered(StreamFactoryError):
    """Airflow's API does not answer.

    Correct --airflow-url, or see the log of the api-server.
    """

    code = "DF2102"
    retryable = True

    def __init__(self, where: str, request: str, error: Exception, todo: str) -> None:
        self.request, self.reason = request, type(error).__name__
        super().__init__(where, f"{request}: no answer ({self.reason})", todo)


class AirflowRefused(StreamFactoryError):
    """Airflow's API answers with an error.

    Set DAGFACTORY_AIRFLOW_TOKEN to a token of a user who may edit DAGs and their runs (401, 403), or see its log.
    """

    code = "DF2103"

    def __init__(
        self, where: str, request: str, status: int, todo: str, *, said: str = "", retryable: bool = False
    ) -> None:
        super().__init__(where, f"{request}: {status} {said}".rstrip(), todo)
        self.request, self.status, self.retryable = request, status, retryable


class Unseen(NamedTuple):
    """Why Airflow has not stored a changed stream; `is_blocked`: that does not end by itself."""

    is_blocked: bool
    what: str
    todo: str


@dataclass(frozen=True)
class SeenNow:
    """What the pages' API says of changed streams: those that Airflow has not stored yet, by stream_key.

    `files` are those that Airflow is asked to parse; `note` says why it is not asked, or not for all.
    """

    unseen: Mapping[str, Unseen]
    files: tuple[str, ...]
    note: str | None


@dataclass(frozen=True)
class AirflowClient:
    """The API at an address, with a token. Its methods raise StreamFactoryError, without the token in it."""

    url: str
    token: str

    def dag(self, dag_id: str) -> DagNow | None:
        """Return the DAG; None if Airflow has never had it."""
        found = self._call("GET", f"dags/{quote(dag_id)}", or_none=True)
        if found is None:
            return None
        return DagNow(dag_id, bool(found["is_paused"]), bool(found.get("is_stale")), str(found["fileloc"]))

    def set_paused(self, dag_id: str, is_paused: bool) -> None:
        """Pause or resume a DAG."""
        self._call("PATCH", f"dags/{quote(dag_id)}?update_mask=is_paused", {"is_paused": is_paused})

    def tasks_at_work(self, dag_id: str) -> list[str]:
        """Return `run_id task_id` of each task that runs or is about to."""
        path = f"dags/{quote(dag_id)}/dagRuns/~/taskInstances"
        found = self._call("GET", f"{path}?{_states(AT_WORK)}")["task_instances"]
        return [f"{one['dag_run_id']} {one['task_id']}" for one in found]

    def open_runs(self, dag_id: str) -> list[str]:
        """Return the ids of the DAG's runs that have not ended."""
        found = self._call("GET", f"dags/{quote(dag_id)}/dagRuns?{_states(OPEN)}")["dag_runs"]
        return [str(one["dag_run_id"]) for one in found]

    def has_succeeded(self, dag_id: str, run_id: str, task_id: str) -> bool:
        """Return whether the task has succeeded in that run."""
        path = f"dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/taskInstances/{quote(task_id)}"
        found = self._call("GET", path, or_none=True)
        return found is not None and found["state"] == "success"

    def end_run(self, dag_id: str, run_id: str, state: str, note: str) -> None:
        """Make a run `success` or `failed`, and its tasks that have not ended."""
        path = f"dags/{quote(dag_id)}/dagRuns/{quote(run_id)}"
        self._call("PATCH", f"{path}?update_mask=state&update_mask=note", {"state": state, "note": note})

    def seen(self, platform: str, fingerprints: Mapping[str, str | None], *, ask: bool) -> SeenNow:
        """Return which changed streams Airflow has not stored yet; with `ask` have their files parsed.

        `fingerprints` are those of the streams' rows, by stream_key; None for a stream whose DAG is to go.
        """
        body = {"streams": dict(fingerprints), "ask": ask}
        try:
            found = self._call("POST", f"platforms/{quote(platform)}/seen", body, api=PAGES)
        except AirflowRefused as error:
            if error.status != 404:
                raise
            todo = f"See that this project's plugin is in that Airflow, and the settings file of {platform}"
            raise error.reworded(error.what, todo) from None
        unseen = {
            one["stream_key"]: Unseen(one["state"] == "blocked", one["what"], one["todo"]) for one in found["unseen"]
        }
        parse = found["parse"] or {"files": [], "note": None}
        return SeenNow(unseen, tuple(parse["files"]), parse["note"])

    def _call(self, method: str, path: str, body: Any = None, *, or_none: bool = False, api: str = "api/v2") -> Any:
        request = urllib.request.Request(
            f"{self.url.rstrip('/')}/{api}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"},
        )
        where = f"Airflow at {self.url}"
        try:
            with _OPENER.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404 and or_none:
                    return None
                raise _refused(where, method, path, error.code) from None
        except (OSError, ValueError) as error:
            request_line = f"{method} {path.partition('?')[0]}"
            todo = "Correct --airflow-url, or see its api-server"
            raise AirflowUnanswered(where, request_line, error, todo) from None


def airflow(url: str, token: str | None) -> AirflowClient:
    """Return a client. Raises StreamFactoryError without an http address and a token."""
    if not url.startswith(("http://", "https://")):
        raise ValueWrong("--airflow-url", url, "is no address", "Write http://host:port")
    if not token:
        raise VariableMissing([TOKEN_VARIABLE], "Set it to a token of Airflow's API: POST /auth/token")
    return AirflowClient(url, token)


def _states(states: tuple[str, ...]) -> str:
    return urlencode([*(("state", one) for one in states), ("limit", MOST)])


def _refused(where: str, method: str, path: str, code: int) -> AirflowRefused:
    request = f"{method} {path.partition('?')[0]}"
    if code in (401, 403):
        todo = f"Set {TOKEN_VARIABLE} to a token that is valid, of a user who may edit DAGs and their runs"
        return AirflowRefused(where, request, code, todo)
    return AirflowRefused(where, request, code, "See the api-server's log", retryable=code >= 500)
