"""A platform's schedule is valid, and runs often enough for the platform's dataset groups."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from zoneinfo import available_timezones

from config_schema.cron import longest_wait, schedule_fault, timezone_exists
from config_schema.errors import choose_from, did_you_mean
from config_schema.model import DatasetGroup, Ecosystem, Platform
from config_schema.model.mapping import DsgMapping
from config_schema.problem import Finding
from config_schema.rules.parts import assigned


def schedules_hold(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield schedules that are not valid, and unknown time zones."""
    for i, platform in enumerate(ecosystem.platforms):
        if schedule_fault(platform.schedule) is not None:
            todo = "Write five fields such as '*/10 * * * *', or a preset such as @hourly"
            yield f"platforms[{i}].schedule", f"{platform.schedule!r} is no schedule", todo
        if not timezone_exists(platform.timezone):
            todo = f"{did_you_mean(platform.timezone, available_timezones())}Write an IANA name such as Europe/Zurich"
            yield f"platforms[{i}].timezone", f"{platform.timezone!r} is no time zone", todo


def schedules_meet_latencies(ecosystem: Ecosystem, mappings: tuple[DsgMapping, ...]) -> Iterator[Finding]:
    """Yield schedules that run too seldom for a group's latency; the time that a run takes is unknown."""
    by_asset = {store.name for store in ecosystem.datastores if store.schedule_assets}
    for one in assigned(ecosystem, mappings):
        if all(sink.datastore in by_asset for sink in one.group.sinks) or _meets(one.platform, one.group):
            continue
        wait = longest_wait(one.platform.schedule or "")
        seldom = "once" if wait == inf else f"up to {wait:g} s apart"
        runs = f"{one.platform.name} runs {seldom} ({one.platform.schedule})"
        what = f"{one.group.name} needs changes within {one.group.latency_seconds} s, and {runs}"
        fitting = [platform.name for platform in ecosystem.platforms if _meets(platform, one.group)]
        yield (
            f"{one.path}.dataPlatform",
            what,
            f"Correct schedule or latency_seconds. {choose_from(one.platform.name, fitting)}",
        )


def _meets(platform: Platform, group: DatasetGroup) -> bool:
    if platform.schedule is None or group.latency_seconds is None or schedule_fault(platform.schedule):
        return True
    return longest_wait(platform.schedule) <= group.latency_seconds
