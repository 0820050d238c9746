"""Records what a person requested by hand in the history of the stream's row, beside the changes of the row itself."""

from __future__ import annotations

import logging

from psycopg2 import sql

from config_schema import names
from merge_jobs.stores.postgres.merge_store import MergeStore

log = logging.getLogger(__name__)


def record_action(store: MergeStore, action: str, by: str | None, reason: str | None = None) -> None:
    """Record an operator's action in the history of the stream's row; nothing if no name is given.

    `action` is its name, for example `reset_batch`, and `reason` why it was asked for. The caller commits.
    """
    if by is None:
        return
    platform = store.stream.platform_name
    tables = [names.stream_table(platform), names.stream_history_table(platform)]
    written = 0
    if store.value("batches.count_tables", {"schema": store.place.schema, "tables": tables}) == len(tables):
        streams, history = map(store.table, tables)
        values = {"change": action, "by": by, "stream": store.stream.key}
        parts = {"streams": streams, "history": history, **_reason(store, tables[1], reason)}
        written = store.run("operator_audit.record_action", values, **parts).rowcount
    if not written:
        log.warning("%s: it has no row with a history, in which %s by %s would stand", store.stream, action, by)


def _reason(store: MergeStore, history: str, reason: str | None) -> dict[str, sql.Composable]:
    """Return what a reason adds to the statement: nothing where an older program has made the history."""
    found = {"schema": store.place.schema, "history": history}
    if reason is None or not store.value("operator_audit.has_reasons", found):
        return {"reason_column": sql.SQL(""), "reason": sql.SQL("")}
    return {"reason_column": sql.SQL(", reason"), "reason": sql.SQL(", {}").format(sql.Literal(reason))}
