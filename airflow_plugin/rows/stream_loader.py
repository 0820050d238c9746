"""Loads settings and streams; if file or table cannot be read or lack them, those of the last-good snapshot."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from airflow_plugin.control.unforeseen import unforeseen_in
from airflow_plugin.rows.last_good import (
    KnownStream,
    LastGood,
    merged,
    updated_streams,
)
from airflow_plugin.rows.last_good_file import (
    confirm,
    still_there,
    usable_snapshot,
    write_snapshot,
    writing,
)
from airflow_plugin.rows.reading import TableRow, candidate_keys, read_rows, read_table, retired_before_gone
from airflow_plugin.settings import (
    PlatformSettings,
    SettingsMissing,
    platform_settings,
    settings_from_json,
    snapshot_path,
)
from config_schema import names
from config_schema.errors import StreamFactoryError

WORKER_SECONDS = 20.0  # how long a worker without a snapshot tries to read its row
WORKER_PAUSE = 1.0
BOOTSTRAP = "Run dagfactory bootstrap, and put its settings file there"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Known:
    """The streams, and their origin: `age` (seconds) and `trouble` if they are from the snapshot."""

    now: LastGood
    before: LastGood | None = None
    trouble: StreamFactoryError | None = None

    @property
    def streams(self) -> Mapping[str, KnownStream]:
        """The streams as they are now."""
        return self.now.streams

    @property
    def age(self) -> float:
        """Seconds since the table last had this state."""
        return self.now.age


def settings_for_parse(original: str) -> tuple[PlatformSettings, StreamFactoryError | None]:
    """Return the platform's settings, or those of the last parse and the error in their file.

    Raises StreamFactoryError if the file cannot be used and there is no snapshot.
    """
    trouble: StreamFactoryError
    try:
        settings = platform_settings(original)
        if settings.missing_file is None:
            return settings, None
        trouble = SettingsMissing(settings.missing_file, "there is no such settings file", BOOTSTRAP)
    except StreamFactoryError as error:
        settings, trouble = None, error
    platform = names.platform_name(original)
    path = snapshot_path(platform)
    snapshot = usable_snapshot(path, platform)
    if snapshot is not None and snapshot.settings:
        return settings_from_json(snapshot.settings, original, str(path)), trouble
    if settings is None:
        raise trouble
    return settings, trouble


def all_streams(settings: PlatformSettings, *, cached: bool = True) -> Known:
    """Return the platform's streams, for a parse; `cached`: as `cache_ttl` allows, without asking the table.

    Raises StreamFactoryError if neither table nor snapshot can be read.
    """
    platform = settings.platform_name
    before = usable_snapshot(snapshot_path(platform), platform)
    if cached and before is not None and before.is_younger_than(settings.cache_ttl):
        return Known(before, before)
    try:
        with unforeseen_in(names.stream_table(platform)):
            table = read_table(settings, before.token if before else "")
    except StreamFactoryError as error:
        if before is None:
            raise _without_snapshot(error) from error
        return Known(before, before, error)
    seen = before.streams if before else {}
    if table.rows is not None:
        seen = _updated(settings, seen, table.rows)
    return Known(LastGood(table.token, seen, time.time()), before)


def one_stream(settings: PlatformSettings, dag_id: str, last_good: bool) -> Known:
    """Return the stream of a DAG id, for a worker, from its row; with `last_good` also from the snapshot.

    The snapshot contains all streams, so reading it takes longer the more there are. It is always read if the table
    cannot be read. Raises StreamFactoryError if neither has the row.
    """
    keys = candidate_keys(settings.platform_name, dag_id)
    if not keys:
        return all_streams(settings)
    path, platform = snapshot_path(settings.platform_name), settings.platform_name
    snapshot = usable_snapshot(path, platform) if last_good else None
    give_up = time.monotonic() + WORKER_SECONDS
    while True:
        try:
            with unforeseen_in(names.stream_table(platform)):
                rows = read_rows(settings, keys)
        except StreamFactoryError as error:
            snapshot = snapshot or usable_snapshot(path, platform)
            if snapshot is not None:
                return Known(replace(snapshot, streams=_those(keys, snapshot)), snapshot, error)
            if time.monotonic() > give_up:
                raise
            log.warning("%s, of which there is no snapshot here: %s; trying again", dag_id, error)
            time.sleep(WORKER_PAUSE)
        else:
            known = _those(keys, snapshot) if snapshot else {}
            return Known(LastGood("", _updated(settings, known, rows), time.time()))


def _updated(
    settings: PlatformSettings, known: Mapping[str, KnownStream], rows: Sequence[TableRow]
) -> dict[str, KnownStream]:
    """Return the streams of the rows, without those that were purged after they were retired.

    The history is read only if a row is gone.
    """
    gone = known.keys() - {row.stream_key for row in rows}
    if not gone:
        return updated_streams(known, rows)
    try:
        with unforeseen_in(names.stream_history_table(settings.platform_name)):
            purged = retired_before_gone(settings, sorted(gone))
    except StreamFactoryError as error:  # a table made elsewhere has no history; what is known of the stream stays
        log.info("%s: whether they were purged is not known: %s", ", ".join(sorted(gone)[:3]), error)
        purged = frozenset()
    return updated_streams(known, rows, purged)


def _those(keys: Iterable[str], snapshot: LastGood) -> dict[str, KnownStream]:
    return {key: snapshot.streams[key] for key in keys if key in snapshot.streams}


def keep(settings: PlatformSettings, known: Known, own: Mapping[str, KnownStream]) -> None:
    """Store the streams for a parse that cannot read the table; `own` are the evaluated ones of this shard."""
    platform, path = settings.platform_name, snapshot_path(settings.platform_name)
    try:
        with writing(path):
            before = known.before
            # Another shard may have written meanwhile; reading all again would be the most of what a shard does.
            current = before if before and still_there(path, before) else usable_snapshot(path, platform)
            wanted = replace(merged(current, known.now, own), settings=_settings_to_keep(settings, current))
            if current is None or replace(current, confirmed_at=wanted.confirmed_at) != wanted:
                write_snapshot(path, platform, wanted)
            confirm(path, known.now.confirmed_at)
    except OSError as error:
        log.warning("%s: the last-good snapshot %s is not written: %s", settings.original_platform_name, path, error)


def _settings_to_keep(settings: PlatformSettings, current: LastGood | None) -> str:
    if settings.missing_file is None:
        return settings.to_json()
    return current.settings if current else ""


def _without_snapshot(error: StreamFactoryError) -> StreamFactoryError:
    return error.reworded(f"{error.what}, and there is no last-good snapshot yet")
