"""The bundle of streams in Airflow's settings: which platforms have it, and whether it is looked at often enough."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_plugin.doctor.finding import Area, Finding
from airflow_plugin.factory.bundle_config import (
    INTERVALS,
    LIST,
    SECTION,
    SORT_MODE,
    configured,
    of_platform,
)
from airflow_plugin.settings import PlatformSettings
from config_schema.problem import Rule

BUNDLE_LIST_IS_VALID = Rule("DF3625", "`dag_bundle_config_list` is a JSON list of bundles.")

ONE_BUNDLE = Rule("DF3621", "A platform is in one bundle.")
FILES_SORTED_BY_TIME = Rule("DF3622", "Airflow parses the files that changed last first.")
FILES_PARSED_SELDOM = Rule("DF3623", "Airflow parses files that have not changed seldom.")
CHANGES_SEEN_SOON = Rule("DF3624", "Airflow looks for changes of the bundle at least every two seconds.")

BOOTSTRAP = "Set what dagfactory bootstrap --bundle prints"
AREA = "bundle"


def bundles() -> list[dict[str, Any]]:
    """Return the bundles that are configured in the Airflow here; empty without one. Raises ValueError."""
    try:
        from airflow_plugin.airflow_versions import conf
    except ImportError:
        return []
    return configured(conf.get(SECTION, LIST, fallback=None))


def bundle_findings(settings: PlatformSettings, found: list[dict[str, Any]]) -> Iterator[Finding]:
    """Yield findings on the platform's bundle; none if it has no bundle."""
    name = settings.original_platform_name
    area = Area(AREA, name)
    having = of_platform(found, name)
    if not having:
        return
    if len(having) > 1:
        yield area.error(
            ONE_BUNDLE, f"{len(having)} bundles have it, and each parse moves its DAGs", "Keep it in one of them"
        )
    else:
        yield area.ok(f"it is in the bundle {having[0].get('name')}")
    yield from _settings_findings(area, having[0])


def _settings_findings(area: Area, bundle: dict[str, Any]) -> Iterator[Finding]:
    from airflow_plugin.airflow_versions import conf

    mode = conf.get(SECTION, SORT_MODE[0], fallback=SORT_MODE[1])
    if mode != SORT_MODE[1]:
        what = f"{SORT_MODE[0]} is {mode}: a changed row waits for min_file_process_interval"
        yield area.error(FILES_SORTED_BY_TIME, what, f"Set it to {SORT_MODE[1]}")
    interval = conf.getint(SECTION, "min_file_process_interval", fallback=30)
    if interval < INTERVALS["min_file_process_interval"] / 6:
        what = f"min_file_process_interval is {interval} s: all files are parsed as often, changed or not"
        yield area.warning(FILES_PARSED_SELDOM, what, BOOTSTRAP)
    check = conf.getint(SECTION, "bundle_refresh_check_interval", fallback=5)
    refresh = (bundle.get("kwargs") or {}).get("refresh_interval", 0)
    slowest = max(check, refresh)
    if slowest > 2:
        what = f"changes are looked for each {slowest} s (bundle_refresh_check_interval, refresh_interval)"
        yield area.warning(CHANGES_SEEN_SOON, what, BOOTSTRAP)
