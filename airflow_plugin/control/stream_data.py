"""What a stream has in the merge store beside its row: tables, functions, consumers' views, lines of batches.

Whose they are their comments say. The statements are in stream_data.sql, beside it. Functions never commit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from psycopg2 import errorcodes, sql

from airflow_plugin.control.connection import MergeStoreError
from airflow_plugin.control.platform_tables import TableInUse
from airflow_plugin.control.session import ControlSession
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.sql.locks import stream_lock
from config_schema.sql.object_comments import parsed_comment
from config_schema.sql.statements import SqlFile

STATEMENTS = SqlFile(__file__)
LAKE = "lake"  # in the comment of a table: where the rows are
LOCK_MILLISECONDS = "10000"
_Consumed = tuple[str, ...]
FUNCTIONS = {"integer": "drop_function_at_batch", "timestamp with time zone": "drop_function_at_time"}


class JobOnStream(StreamFactoryError):
    """The data of a stream cannot be dropped while a job is running on it.

    Try again when the job has ended; dagfactory runs status shows it.
    """

    code = "DF2005"
    retryable = True

    def __init__(self, stream_key: str) -> None:
        self.stream_key = stream_key
        super().__init__(f"stream {stream_key}", "a job is running on it", "Do it again when that has ended")


class StreamInLake(StreamFactoryError):
    """The data of a stream cannot be dropped by this command, because its rows are in a lake.

    Leave the stream retired; its tables in the lake can be dropped with the tools of the lake.
    """

    code = "DF2007"

    def __init__(self, stream_key: str) -> None:
        self.stream_key = stream_key
        todo = "Leave it retired: nothing reads or writes its tables any more"
        super().__init__(f"stream {stream_key}", "its rows are in a lake, where this command drops nothing", todo)


@dataclass
class StreamData:
    """The tables, functions and views of a stream, each with its schema; `bytes` is the size of the tables."""

    tables: list[tuple[str, str]] = field(default_factory=list)
    functions: list[tuple[str, str, str]] = field(default_factory=list)  # and its arguments
    views: list[tuple[str, str]] = field(default_factory=list)
    bytes: int = 0

    def is_archived(self, archive: str) -> bool:
        """Return whether all of its tables are in the archive."""
        return all(schema == archive for schema, _ in self.tables)

    def names(self) -> list[str]:
        """Return the names of all of it."""
        functions = [f"{schema}.{name}({arguments})" for schema, name, arguments in self.functions]
        return [*(f"{schema}.{name}" for schema, name in (*self.views, *self.tables)), *functions]


def stream_data(
    session: ControlSession, stream_keys: Collection[str], *, dataset: str | None = None, archived: bool = True
) -> dict[str, StreamData]:
    """Return what each of these streams has in the schema, in the archive and in consumers' schemas.

    With a `dataset` only what is of that; not `archived` leaves the archive out. Raises StreamInLake.
    """
    found = {key: StreamData() for key in stream_keys}
    owners: dict[tuple[str, str], StreamData] = {}
    schemas = [session.schema, *([names.archive_schema(session.platform)] if archived else [])]
    for schema, name, size, comment in session.run(STATEMENTS["tables"], {"schemas": schemas}):
        one = _of_stream(session, found, comment, dataset)
        if one is not None:
            if LAKE in parsed_comment(comment):
                raise StreamInLake(str(parsed_comment(comment).get("stream")))
            one.tables.append((schema, name))
            one.bytes += size
            owners[schema, name] = one
    consumed = _add_views(session, owners)
    for schema, name, arguments, comment in session.run(STATEMENTS["functions"]):
        one = _of_stream(session, found, comment, dataset) or consumed.get(_consumed(schema, comment))
        if one is not None and arguments in FUNCTIONS:
            one.functions.append((schema, name, arguments))
    return found


def _add_views(session: ControlSession, owners: Mapping[tuple[str, str], StreamData]) -> dict[_Consumed, StreamData]:
    """Add the views that read a table of a stream; return whose the dataset is that a consumer has of it."""
    consumed: dict[_Consumed, StreamData] = {}
    for schema, name, comment, table_schema, table in session.run(STATEMENTS["views"]):
        one = owners.get((table_schema, table))
        if one is not None and (schema, name) not in one.views:
            one.views.append((schema, name))
            consumed[_consumed(schema, comment)] = one
    return consumed


def _consumed(schema: str, comment: str) -> _Consumed:
    """Return which dataset of which dataset group an object in a consumer's schema is of, as its comment says."""
    of = parsed_comment(comment)
    return schema, *(str(of.get(key)) for key in ("platform", "group", "datastore", "dataset"))


def drop(session: ControlSession, stream_key: str, found: StreamData) -> None:
    """Drop it, and forget the stream's batches.

    Raises JobOnStream while a job is running on it, TableInUse for what others have built on a table or view of it.
    """
    lock_stream(session, stream_key)
    drop_objects(session, found)
    for table in _tables_with_keys(session):
        session.run(STATEMENTS["forget"], {"key": stream_key}, of=sql.Identifier(session.schema, table))


def lock_stream(session: ControlSession, stream_key: str) -> None:
    """Keep jobs from the stream until the transaction ends. Raises JobOnStream."""
    lock = stream_lock(session.schema, session.platform, stream_key)
    if not session.run(STATEMENTS["take_stream_lock"], {"lock": lock})[0][0]:
        raise JobOnStream(stream_key)


def open_batch(session: ControlSession, stream_key: str) -> int | None:
    """Return the number of the stream's batch that is staged and not merged; None if there is none."""
    if not session.has_table(names.batch_metrics_table(session.platform)):
        return None
    rows = session.run(STATEMENTS["open_batch"], {"key": stream_key})
    return int(rows[0][0]) if rows else None


def forget_maps(session: ControlSession, stream_key: str, datasets: Collection[str]) -> None:
    """Use the row maps of datasets no more, so that their next batch reads every row."""
    table = names.row_maps_table(session.platform)
    if session.has_table(table):
        values = {"key": stream_key, "datasets": list(datasets)}
        session.run(STATEMENTS["forget_maps"], values)


def drop_objects(session: ControlSession, found: StreamData) -> None:
    """Drop functions, views and tables. Raises TableInUse for what others have built on one of them."""
    session.run(STATEMENTS["set_lock_timeout"], {"milliseconds": LOCK_MILLISECONDS})
    for schema, name, arguments in found.functions:
        session.run(STATEMENTS[FUNCTIONS[arguments]], of=sql.Identifier(schema, name))
    for kind, of_kind in (("drop_view", found.views), ("drop_table", found.tables)):
        for schema, name in of_kind:
            _drop(session, kind, schema, name)


def _drop(session: ControlSession, kind: str, schema: str, name: str) -> None:
    try:
        session.run(STATEMENTS[kind], of=sql.Identifier(schema, name))
    except MergeStoreError as error:
        if error.pgcode != errorcodes.DEPENDENT_OBJECTS_STILL_EXIST:
            raise
        raise TableInUse(f"{schema}.{name}") from error


def _of_stream(
    session: ControlSession, found: Mapping[str, StreamData], comment: str, dataset: str | None
) -> StreamData | None:
    """Return the stream that a comment names, as those of tables and of as-of functions beside them do."""
    of = parsed_comment(comment)
    is_of = of.get("platform") == session.platform and dataset in (None, of.get("dataset"))
    return found.get(str(of.get("stream"))) if is_of else None


def _tables_with_keys(session: ControlSession) -> Iterator[str]:
    """Yield the platform's tables that have lines for each stream; none before the first run."""
    of = (
        *(names.batch_counter_table, names.batch_metrics_table, names.rejected_keys_table, names.row_maps_table),
        *(names.files_read_table, names.run_results_table, names.progress_table, names.source_checks_table),
    )
    yield from filter(session.has_table, (one(session.platform) for one in of))
