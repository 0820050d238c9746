"""Which actions can work on a stream as it is now: the pages offer these, and no others."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_plugin.control.batch_table import BatchTables
from airflow_plugin.control.session import ControlSession
from airflow_plugin.settings import PlatformSettings
from airflow_plugin.streams.changing import STATUS_CHANGES
from airflow_plugin.web import queries
from airflow_plugin.web.permissions import EDIT, User
from airflow_plugin.web.pool import read
from airflow_plugin.web.runs import DagFacts, dag_of
from airflow_plugin.web.streams import StreamFacts
from config_schema import names
from config_schema.model import Milestoning


def available_actions(
    settings: PlatformSettings, stream: StreamFacts, dag: DagFacts | None, *, may_purge: bool
) -> list[str]:
    """Return the actions by their words in the API. Raises StreamFactoryError."""
    found = [word for word, (before, _) in STATUS_CHANGES.items() if stream.status in before]
    operates = _runs(dag_of(names.operations_dag_id(settings.platform_name)))
    if stream.status == "retired":
        return [*found, *(["purge"] if operates and may_purge else [])]
    check = ["check_source"] if operates else []
    if stream.status != "active":
        return [*found, *check]
    trigger = ["trigger"] if _runs(dag) else []
    return [*trigger, *found, *check, *(_of_operations(settings, stream) if operates else ())]


def can_show_changes(user: User, settings: PlatformSettings, stream: StreamFacts) -> bool:
    """Return whether the user may have a job look at what a batch changed: by versions, which a live table has not."""
    is_forensic = stream.milestoning == Milestoning.FORENSIC.value and stream.status != "retired"
    return is_forensic and _may_ask(user, stream) and _runs(dag_of(names.operations_dag_id(settings.platform_name)))


def _may_ask(user: User, stream: StreamFacts) -> bool:
    return bool(user.may(EDIT, {stream.dag_id})) and user.may_trigger(stream.dag_id)


def _runs(dag: DagFacts | None) -> bool:
    return dag is not None and not dag.is_stale


def _refused(session: ControlSession, stream_key: str) -> bool:
    return BatchTables(session).refused_delete(stream_key) is not None


def _of_operations(settings: PlatformSettings, stream: StreamFacts) -> Iterator[str]:
    look = stream.last.look
    if look.open_status == "failed" and read(settings, lambda session: _refused(session, stream.stream_key)):
        yield "approve_delete"
    yield "allow_deletes"
    if look.open_batch is not None:
        yield "reset_batch"

    def distrusted(session: ControlSession) -> bool | None:
        return queries.has_distrusted_strategy(session, stream.stream_key)

    if read(settings, distrusted) is not False:  # None: a login that may not see it offers it
        yield "trust"
