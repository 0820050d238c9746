"""Airflow's REST API, as far as the demo needs it: trigger a run, wait for it, read what its task returned."""

from __future__ import annotations

from typing import Any

import httpx

from airflow_plugin.airflow_api import AirflowRefused, AirflowUnanswered

TIMEOUT_SECONDS = 60  # a small machine at full load answers late
POLL_SECONDS = 0.3
ENDED = ("success", "failed")


class Api:
    """A session of one user, who is logged in at the first call, until `close`."""

    def __init__(self, address: str, user: str, password: str) -> None:
        # Not the environment's proxies: the server is on this machine.
        self._client = httpx.Client(base_url=address, timeout=TIMEOUT_SECONDS, trust_env=False)
        self._login = {"username": user, "password": password}

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def healthy(self) -> set[str]:
        """Return the components that are healthy; empty while the api-server does not answer."""
        try:
            health = self._client.get("/api/v2/monitor/health").json()
        except (httpx.HTTPError, ValueError):
            return set()
        return {name for name, of in health.items() if of.get("status") == "healthy"}

    def dag(self, dag_id: str) -> dict[str, Any] | None:
        """Return the DAG; None while Airflow does not know it."""
        answer = self._call("GET", f"/dags/{dag_id}")
        return None if answer.status_code == 404 else self._json(answer)

    def import_errors(self) -> list[str]:
        """Return the stack traces of DAG files that do not load."""
        found = self._json(self._call("GET", "/importErrors"))
        return [str(error["stack_trace"]) for error in found["import_errors"]]

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Start a run; gives back its id."""
        run = self._json(self._call("POST", f"/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf or {}}))
        return str(run["dag_run_id"])

    def state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run; one of ENDED once it has ended."""
        return str(self._json(self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}"))["state"])

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Return the runs of a DAG, the newest first."""
        found = self._json(self._call("GET", f"/dags/{dag_id}/dagRuns?order_by=-run_after&limit=20"))
        runs: list[dict[str, Any]] = found["dag_runs"]
        return runs

    def returned(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """Return what a task returned; None if it returned nothing."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        answer = self._call("GET", path)
        return None if answer.status_code == 404 else self._json(answer)["value"]

    def tries(self, dag_id: str, run_id: str, task_id: str) -> int:
        """Return how often a task was tried in a run."""
        return int(self.task(dag_id, run_id, task_id)["try_number"])

    def task(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        """Return a task of a run: its state, its start and its end."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        found: dict[str, Any] = self._json(self._call("GET", path))
        return found

    def _call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        try:
            if "Authorization" not in self._client.headers:
                token = self._json(self._client.post("/auth/token", json=self._login))["access_token"]
                self._client.headers["Authorization"] = f"Bearer {token}"
            return self._client.request(method, f"/api/v2{path}", json=body)
        except httpx.HTTPError as error:
            raise AirflowUnanswered("Airflow's API", f"{method} {path}", error, "See the api-server's log") from error

    def _json(self, answer: httpx.Response) -> Any:
        if answer.is_success:
            return answer.json()
        request = f"{answer.request.method} {answer.request.url.path}"
        todo = "See the api-server's log"
        raise AirflowRefused("Airflow's API", request, answer.status_code, todo, said=answer.text[:200])
