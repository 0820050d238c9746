"""Actions on a stream other than changing its config: by its row's status, or by triggering a DAG.

The api-server itself works on no batch and no view: the platform's operations DAG does, with a checked conf.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.api.common.trigger_dag import trigger_dag
from airflow.exceptions import DagNotFound, DagRunAlreadyExists
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from airflow.utils.types import DagRunTriggeredByType
from sqlalchemy import select

from airflow_plugin.control.stream_table import RowChange
from airflow_plugin.jobs.operations import Action, operation
from airflow_plugin.settings import PlatformSettings
from airflow_plugin.streams.changing import STATUS_CHANGES, StatusRefused, refuse_frequent_changes, status_changes
from airflow_plugin.streams.opening import PlatformStreams
from airflow_plugin.web import queries
from airflow_plugin.web.errors import Conflict, DagNotThere
from airflow_plugin.web.mutations import change_row, writing
from airflow_plugin.web.permissions import User
from airflow_plugin.web.runs import forget_dags
from airflow_plugin.web.streams import StreamFacts
from config_schema import names
from config_schema.errors import StreamFactoryError, UnknownName

LONGEST_NAME = 200  # of a user, in a conf


def change_status(
    user: User, settings: PlatformSettings, key: str, word: str, reason: str | None = None
) -> dict[str, Any]:
    """Pause, resume or retire a stream; return the result. Raises StreamFactoryError."""
    after = STATUS_CHANGES[word][1]

    def changing(table: PlatformStreams, now: queries.RowVersion | None) -> RowChange | None:
        try:
            return next(iter(status_changes(table, [key], word)), None)
        except StatusRefused as error:
            raise error.reworded(error.what, "Look at the stream's history") from error
        except UnknownName as error:  # which lists the others, that the user may not see
            raise Conflict(error.what, "Look at the stream's history") from error

    parse = change_row(user, settings, key, None, changing, reason)
    return {"what": f"{key} is {after} {'now' if parse else 'already'}", "parse": parse}


def trigger(user: User, settings: PlatformSettings, stream: StreamFacts, reason: str | None = None) -> dict[str, Any]:
    """Start a run of the stream's DAG. Raises Refused."""
    if stream.status != "active":
        raise Conflict(f"{stream.stream_key} is {stream.status}: its merge task would skip", "Resume it first")
    user.must_trigger(stream.dag_id)
    paused = _is_paused(stream.dag_id, 409)
    with writing(settings) as table:
        refuse_frequent_changes(table, [stream.stream_key])
        queries.note_action(table.session, stream.stream_key, "trigger", user.name, reason)
        run_id = _triggered(user, stream.dag_id, None)
    what = f"{stream.dag_id} is triggered"
    return {"what": f"{what}, and waits: it is paused in Airflow" if paused else what} | run_id


def operate(
    user: User,
    settings: PlatformSettings,
    stream: StreamFacts,
    action: str,
    reason: str | None,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Have the platform's operations DAG do it, which writes the user's name to the history. Raises Refused.

    `more` is the delete that the user has seen to be refused, or the batch whose changes are wanted.
    """
    user.must_trigger(stream.dag_id)
    asked = {"action": action, "stream_key": stream.stream_key, "by": user.name[:LONGEST_NAME]}
    conf = operation(asked | ({"reason": reason} if reason else {}) | {**(more or {})}).to_conf()
    dag_id = names.operations_dag_id(settings.platform_name)
    paused = _is_paused(dag_id, 503)
    with writing(settings) as table:  # so that two who ask at once are not both the first
        refuse_frequent_changes(table, [stream.stream_key])
        _refuse_what_waits(dag_id, conf)
        run_id = _triggered(user, dag_id, conf)
    what = f"{dag_id} is asked for {action} of {stream.stream_key}"
    return {"what": f"{what}, and waits: it is paused in Airflow" if paused else what} | run_id


def purge_together(
    user: User, settings: PlatformSettings, keys: Sequence[str], reason: str | None
) -> tuple[dict[str, Any] | None, dict[str, StreamFactoryError]]:
    """Have the operations DAG purge these streams in one run; return the run, if any can be, and why others cannot.

    The caller has seen to the rights. Raises Refused.
    """
    dag_id = names.operations_dag_id(settings.platform_name)
    refused: dict[str, StreamFactoryError] = {}
    with writing(settings) as table:  # so that two who ask at once are not both the first
        paused = _is_paused(dag_id, 503)
        rows = {row.stream_key: row.status for row in table.select(keys, retired=True)}
        waiting = _keys_being_purged(dag_id)
        for key in keys:
            if key not in rows:
                refused[key] = Conflict("there is no such stream", "Look at the list as it is now")
            elif rows[key] != "retired":
                refused[key] = Conflict(f"it is {rows[key]}, not retired", "Retire it first")
            elif key in waiting:
                refused[key] = Conflict("it is being purged already", "Wait for the end of that run")
        wanted = tuple(key for key in keys if key not in refused)
        if not wanted:
            return None, refused
        asked = {"action": Action.PURGE.value, "stream_keys": list(wanted), "by": user.name[:LONGEST_NAME]}
        conf = operation(asked | ({"reason": reason} if reason else {})).to_conf()
        run = _triggered(user, dag_id, conf)
    what = f"{dag_id} is asked to purge {len(wanted)} streams"
    return {"what": f"{what}, and waits: it is paused in Airflow" if paused else what} | run, refused


def _keys_being_purged(dag_id: str) -> set[str]:
    """Return the streams that runs which have not ended are to purge."""
    found: set[str] = set()
    with create_session(scoped=False) as session:
        waiting = select(DagRun.conf).where(DagRun.dag_id == dag_id, DagRun.state.in_(("queued", "running")))
        for conf in session.scalars(waiting):
            if isinstance(conf, dict) and conf.get("action") == Action.PURGE.value:
                many = conf.get("stream_keys")
                found |= {str(one) for one in (*(many if isinstance(many, list) else ()), conf.get("stream_key"))}
    return found


def _is_paused(dag_id: str, status: int) -> bool:
    """Return whether the DAG is paused. Raises Refused if Airflow has no such DAG."""
    with create_session(scoped=False) as session:
        dag = session.get(DagModel, dag_id)
        if dag is None or dag.is_stale:
            raise DagNotThere(dag_id, status)
        return bool(dag.is_paused)


def _refuse_what_waits(dag_id: str, conf: Mapping[str, Any]) -> None:
    """Refuse a request while a run waits, so that nobody fills the queue that all streams share. Raises Refused."""
    with create_session(scoped=False) as session:
        waiting = session.execute(
            select(DagRun.run_id, DagRun.conf).where(DagRun.dag_id == dag_id, DagRun.state.in_(("queued", "running")))
        )
        for run_id, asked in waiting:
            if isinstance(asked, dict) and all(asked.get(key) == conf[key] for key in ("action", "stream_key")):
                what = f"{conf['action']} of {conf['stream_key']} is asked for already, by the run {run_id}"
                raise Conflict(what, "Wait for the end of that run")


def _triggered(user: User, dag_id: str, conf: Mapping[str, Any] | None) -> dict[str, Any]:
    try:
        run = trigger_dag(
            dag_id, triggered_by=DagRunTriggeredByType.REST_API, triggering_user_name=user.name, conf=dict(conf or {})
        )
    except (DagNotFound, DagRunAlreadyExists, ValueError) as error:
        raise Conflict(f"{dag_id} cannot be triggered ({error})", "See the DAG in Airflow") from error
    forget_dags()
    return {"dag_id": dag_id, "run_id": run.run_id if run else None}
