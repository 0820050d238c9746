"""The sources of a platform's streams, as jobs have looked at them: doctor has no secrets of producers."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_plugin.control.session import control_session
from airflow_plugin.control.source_checks import RecordedCheck, SourceChecks
from airflow_plugin.control.stream_table import StreamTable
from airflow_plugin.doctor.finding import Area, Finding, Level
from airflow_plugin.settings import PlatformSettings, merge_store_dsn
from config_schema.errors import StreamFactoryError
from config_schema.problem import Rule
from config_schema.source_check import CheckLevel
from config_schema.stream_health import in_utc

SOURCE_WAS_LOOKED_AT = Rule("DF3694", "The source of each stream was looked at.")
LEVELS = {CheckLevel.ERROR: Level.ERROR, CheckLevel.WARNING: Level.WARNING, CheckLevel.NOTE: Level.OK}


def producer_findings(settings: PlatformSettings) -> Iterator[Finding]:
    """Yield what the last look at each stream's source has found, and when it was; retired streams are left out."""
    platform = settings.original_platform_name
    try:
        text, where = merge_store_dsn(settings.platform_name)
        with control_session(
            text, where, settings.platform_name, settings.merge_store_schema, readonly=True
        ) as session:
            keys = [row.stream_key for row in StreamTable(session).select()]
            recorded = SourceChecks(session).recorded(keys)
    except StreamFactoryError as error:
        yield from Area("producers", platform).of_error(error)
        return
    for key in keys:
        yield from _of_stream(settings, key, recorded.get(key))


def _of_stream(settings: PlatformSettings, key: str, look: RecordedCheck | None) -> Iterator[Finding]:
    area = Area("producers", settings.original_platform_name)
    if look is None:
        todo = "Test the connection: on the stream's page, or by dagfactory runs check-source"
        yield area.warning(SOURCE_WAS_LOOKED_AT, f"{key}: nobody has looked at its source yet", todo)
        return
    at, check = look
    if not check.errors:
        yield area.ok(f"{key}: {check.source} can be read, looked at {in_utc(at)}")
    for one in check.findings:
        where = f"{key}: {check.source}: {f'dataset {one.dataset}: ' if one.dataset else ''}"
        what = f"{where}{one.what}; looked at {in_utc(at)}"
        yield Finding(LEVELS[one.level], area.platform, area.name, what, one.todo, one.code)
    if check.left_out:
        yield area.ok(f"{key}: {check.left_out} more findings are not kept")
