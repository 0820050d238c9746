"""What becomes of something that was asked for: the run that does it, to its end, and the run which that one starts."""

from __future__ import annotations

from typing import Any

from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_plugin.jobs.operations import Action, run_id_of_stream
from airflow_plugin.web.errors import NotThere
from airflow_plugin.web.runs import ENDED, DagRunRow, failures_of, run_of
from airflow_plugin.web.serializers import LONGEST_FAILURE
from config_schema import names

NO_WORD = "no reason was recorded: see the log of its tasks"


def request_state(platform: str, stream_key: str, run_id: str) -> dict[str, Any]:
    """Return how far a run of the operations DAG is that was asked for something of the stream. Raises NotThere."""
    dag_id = names.operations_dag_id(platform)
    with create_session(scoped=False) as session:
        wanted = DagRun.dag_id == dag_id, DagRun.run_id == run_id
        conf = session.scalar(select(DagRun.conf).where(*wanted)) if run_id.isprintable() else None
        if not isinstance(conf, dict) or conf.get("stream_key") != stream_key:
            raise NotThere("nothing was asked for by such a run", "See the history of the stream")
        run = run_of(session, dag_id, run_id)
        action = next((one for one in Action if one.value == conf.get("action")), None)
        if run is not None and run.state == "success" and action is not None and action.starts_a_run:
            # That run has started one of the stream itself.
            run = run_of(session, names.dag_id(platform, stream_key), run_id_of_stream(action, run_id)) or run
        assert run is not None
        failure = failures_of(session, [run]).get((run.dag_id, run.run_id), NO_WORD)
    return _as_dict(run, failure if run.state == "failed" else None)


def _as_dict(run: DagRunRow, failure: str | None) -> dict[str, Any]:
    return {
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "state": run.state,
        "ended": run.state in ENDED,
        "error": failure and failure[:LONGEST_FAILURE],
    }
