"""What each run of a stream did, or why it failed, under the run's id: later runs leave it as it is.

The result of a run that did something stands there with its batch, in one transaction. That of a run that failed is
written by a session of its own, as the run may have failed before it had any.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from psycopg2 import sql
from psycopg2.extras import Json

from config_schema import names
from config_schema.result import MergeResult
from merge_jobs.database.connections import ConnectionInfo, connect
from merge_jobs.sql import execute
from merge_jobs.stores.postgres import migrations
from merge_jobs.stores.postgres.batches import KEPT_FOR
from merge_jobs.stores.postgres.merge_store import MergeStore

KEPT_WITHOUT_BATCH = "30 days"  # most runs of a stream that is looked at each minute find nothing
LOCK_SECONDS = 5


def record(store: MergeStore, result: MergeResult) -> None:
    """Write the run's result down, at the latest with the COMMIT, which is the caller's."""
    table = store.table(names.run_results_table(store.stream.platform_name))
    store.later("run_results.record_result", _values(store.stream.key, result), run_results=table)


def record_failure(place: ConnectionInfo, result: MergeResult) -> None:
    """Write down the result of a run that failed, and commit; batch tables are made where there are none.

    Raises StreamFactoryError or psycopg2.Error.
    """
    platform, where = names.platform_name(result.platform), f"merge store {place}"
    title = names.merge_session(platform, result.stream_key, result.run_id)
    with closing(connect(place, title, where, LOCK_SECONDS)) as session:
        migrations.run_missing_in(session, where, platform, place.schema)
        table = sql.Identifier(place.schema, names.run_results_table(platform))
        with session.cursor() as cursor:
            values = _values(result.stream_key, result)
            execute(cursor, "run_results.record_result", {"run_results": table}, values)
        session.commit()


def _values(key: str, result: MergeResult) -> Mapping[str, Any]:
    return {
        "key": key,
        "run_id": result.run_id,
        "kept_for": KEPT_FOR if result.batches else KEPT_WITHOUT_BATCH,
        "result": Json(result.to_dict()),
    }
