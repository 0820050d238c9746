"""What was found when a stream's source was looked at last: a row for each stream, in place of the one before."""

from __future__ import annotations

from contextlib import closing

import psycopg2
from psycopg2 import sql
from psycopg2.extras import Json

from config_schema import names
from config_schema.source_check import SourceCheck
from merge_jobs.database.connections import ConnectionInfo, connect
from merge_jobs.database_errors import database_failed
from merge_jobs.sql import execute
from merge_jobs.stores.postgres import migrations
from merge_jobs.stream import Stream

LOCK_SECONDS = 5
SESSION = "check-source"  # in place of a run id


def record(place: ConnectionInfo, stream: Stream, commit: str | None, found: SourceCheck) -> None:
    """Write down what was found, as much of it as is kept, and commit; the table is made where there is none.

    Raises StreamFactoryError.
    """
    platform, where = stream.platform_name, f"merge store {place}"
    title = names.merge_session(platform, stream.key, SESSION)
    error = next(map(str, found.errors), None)
    values = {
        "key": stream.key,
        "model_commit": commit,
        "error": error,
        "check": Json(found.bounded().to_dict()),
    }
    with closing(connect(place, title, where, LOCK_SECONDS)) as session:
        try:
            migrations.run_missing_in(session, where, platform, place.schema)
            table = sql.Identifier(place.schema, names.source_checks_table(platform))
            with session.cursor() as cursor:
                execute(cursor, "source_checks.record_check", {"source_checks": table}, values)
            session.commit()
        except psycopg2.Error as error:
            raise database_failed(error, where) from error
