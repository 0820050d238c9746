"""A stream run by the factory beside its static DAG, for a trial: its row, and all that it leaves behind.

Its name has `__shadow`, so its DAG, its merge tables and its batches are its own; nobody else's are touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from psycopg2 import sql

from airflow_plugin.control.model_state import ModelState
from airflow_plugin.control.stream_table import RowChange
from airflow_plugin.streams.opening import PlatformStreams
from airflow_plugin.sync.diff import parsed
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.sql.object_comments import parsed_comment
from config_schema.sql.statements import SqlFile
from config_schema.stream import StreamConfig

STATEMENTS = SqlFile(__file__)
LOCK_MILLISECONDS = "10000"
FUNCTIONS = {"integer": "drop_function_at_batch", "timestamp with time zone": "drop_function_at_time"}


def shadow_key(stream_key: str) -> str:
    """Return the stream_key of a stream's shadow: `Store1__shadow#customers`."""
    store, _, dataset = stream_key.partition("#")
    return names.stream_key(names.shadow_store(store), dataset or None)


def shadow_config(config: StreamConfig) -> StreamConfig:
    """Return the same stream as a trial: triggered by hand, one batch a run, and never late."""
    return replace(
        config,
        stream_key=shadow_key(config.stream_key),
        shadow=True,
        schedule=None,
        schedule_assets=(),
        time_slice_seconds=0,
        latency_seconds=None,
    )


def shadow_change(config: StreamConfig) -> RowChange:
    """Return the row of a stream's shadow."""
    shadow = shadow_config(config)
    return RowChange(shadow.stream_key, shadow.to_json(), "active", "shadow")


class ModelNotSynced(StreamFactoryError):
    """No synced model is recorded for the platform, so that no job could run: jobs take theirs from it.

    Import extract's rows with --retired, which sync leaves alone, then run dagfactory sync.
    """

    code = "DF3204"

    def __init__(self, table: str, platform: str) -> None:
        self.platform = platform
        what = f"no synced model is recorded for {platform}, and jobs take theirs from it"
        todo = "Import extract's rows with --retired, which sync leaves alone, then run dagfactory sync"
        super().__init__(table, what, todo)


class NotShadow(StreamFactoryError):
    """A shadow is to be removed, and the row that is named is a stream's own.

    Name the shadow's stream_key; dagfactory streams retire retires a stream, and keeps its tables.
    """

    code = "DF3205"

    def __init__(self, table: str, stream_key: str) -> None:
        self.stream_key = stream_key
        todo = "Retire the stream: dagfactory streams retire; its tables are kept"
        super().__init__(table, f"{stream_key!r} is a stream, and no shadow", todo)


def check_model(table: PlatformStreams) -> None:
    """Raise ModelNotSynced if no model was synced: a job takes the model of the synced commit."""
    if ModelState(table.session).commit() is None:
        raise ModelNotSynced(table.name, table.platform)


def retired(table: PlatformStreams, stream_key: str) -> RowChange:
    """Return the retired row of a shadow. Raises NotShadow for any other row."""
    row = table.row(stream_key)
    if parsed(row.config_json).get("shadow") is not True:
        raise NotShadow(table.name, stream_key)
    return RowChange(stream_key, row.config_json, "retired", "unshadow")


def drop_tables(table: PlatformStreams, stream_key: str) -> list[str]:
    """Drop the tables and functions whose comments say that they are the shadow's, and forget its batches.

    In the open transaction; returns what is gone. Raises MergeStoreError where a job of the shadow is running.
    """
    assert names.SHADOW in stream_key, "only a shadow's tables are dropped"
    run, schema = table.session.run, table.session.schema
    run(STATEMENTS["set_lock_timeout"], {"milliseconds": LOCK_MILLISECONDS})
    gone = []
    for name, comment in run(STATEMENTS["tables"], {"schema": schema}):
        if _is_of(table, stream_key, comment):
            run(STATEMENTS["drop_table"], of=sql.Identifier(schema, name))
            gone.append(str(name))
    for name, arguments, comment in run(STATEMENTS["functions"], {"schema": schema}):
        if _is_of(table, stream_key, comment) and arguments in FUNCTIONS:
            run(STATEMENTS[FUNCTIONS[arguments]], of=sql.Identifier(schema, name))
            gone.append(f"{name}({arguments})")
    for name in _tables_with_keys(table):
        run(STATEMENTS["forget"], {"key": stream_key}, of=sql.Identifier(schema, name))
    return gone


def _is_of(table: PlatformStreams, stream_key: str, comment: str) -> bool:
    owner = parsed_comment(comment)
    return (owner.get("platform"), owner.get("stream")) == (table.settings.platform_name, stream_key)


def _tables_with_keys(table: PlatformStreams) -> Iterator[str]:
    """Yield the platform's tables that have lines for each stream; none before the first run."""
    session = table.session
    of = (names.batch_counter_table, names.batch_metrics_table, names.rejected_keys_table, names.row_maps_table)
    yield from filter(session.has_table, (one(session.platform) for one in of))
