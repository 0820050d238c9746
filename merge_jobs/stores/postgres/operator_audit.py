"""What a person asked for by hand stands in the history of the stream's row, beside the changes of the row itself."""

from __future__ import annotations

import logging

from config_schema import names
from merge_jobs.stores.postgres.merge_store import MergeStore

log = logging.getLogger(__name__)


def record_action(store: MergeStore, action: str, by: str | None) -> None:
    """Record an operator's action in the history of the stream's row; nothing if nobody is named.

    `action` is its word, `reset_batch` for example. The caller commits.
    """
    if by is None:
        return
    platform = store.stream.platform_name
    tables = [names.stream_table(platform), names.stream_history_table(platform)]
    written = 0
    if store.value("batches.count_tables", {"schema": store.place.schema, "tables": tables}) == len(tables):
        streams, history = map(store.table, tables)
        values = {"change": action, "by": by, "stream": store.stream.key}
        written = store.run("operator_audit.record_action", values, streams=streams, history=history).rowcount
    if not written:
        log.warning("%s: it has no row with a history, in which %s by %s would stand", store.stream, action, by)
