"""A stream that the factory runs beside its static DAG for a trial: its row, and everything that it leaves.

Its name contains `__shadow`, so its DAG, merge tables and batches are its own; it changes nobody else's.
"""

from __future__ import annotations

from dataclasses import replace

from airflow_plugin.control.model_state import ModelState
from airflow_plugin.control.stream_data import drop, stream_data
from airflow_plugin.control.stream_table import RowChange
from airflow_plugin.streams.opening import PlatformStreams
from airflow_plugin.sync.diff import parsed
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.stream import StreamConfig


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
    """No synced model is recorded for the platform, so no job could run.

    Import extract's rows with --retired, which sync leaves alone, then run dagfactory sync.
    """

    code = "DF3204"

    def __init__(self, table: str, platform: str) -> None:
        self.platform = platform
        what = f"no synced model is recorded for {platform}, and jobs take theirs from it"
        todo = "Import extract's rows with --retired, which sync leaves alone, then run dagfactory sync"
        super().__init__(table, what, todo)


class NotShadow(StreamFactoryError):
    """The row that should be removed as a shadow is a normal stream.

    Name the shadow's stream_key; dagfactory streams retire retires a stream, and keeps its tables.
    """

    code = "DF3205"

    def __init__(self, table: str, stream_key: str) -> None:
        self.stream_key = stream_key
        todo = "Retire the stream: dagfactory streams retire; its tables are kept"
        super().__init__(table, f"{stream_key!r} is a stream, and no shadow", todo)


def check_model(table: PlatformStreams) -> None:
    """Raise ModelNotSynced if no model was synced: a job uses the model of the synced commit."""
    if ModelState(table.session).commit() is None:
        raise ModelNotSynced(table.name, table.platform)


def retired(table: PlatformStreams, stream_key: str) -> RowChange:
    """Return the retired row of a shadow. Raises NotShadow for any other row."""
    row = table.row(stream_key)
    if parsed(row.config_json).get("shadow") is not True:
        raise NotShadow(table.name, stream_key)
    return RowChange(stream_key, row.config_json, "retired", "unshadow")


def drop_tables(table: PlatformStreams, stream_key: str) -> list[str]:
    """Drop the tables, functions and views whose comments say that they are the shadow's, and forget its batches.

    In the open transaction; returns what is gone. Raises StreamFactoryError where a job of the shadow is running.
    """
    assert names.SHADOW in stream_key, "only a shadow's tables are dropped"
    found = stream_data(table.session, [stream_key])[stream_key]
    drop(table.session, stream_key, found)
    return found.names()
