"""How a stream is, from what was read of it: late, failing, never run, unknown; and which of them is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from config_schema.schemas import json_schema
from config_schema.stream_health import (
    FAILING_AFTER_RUNS,
    FailedRuns,
    HealthState,
    SourceError,
    StreamReading,
    failure,
    judge,
    late,
)

NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("latency", "look", "row_changed", "over"),
    [
        (600, ago(660), None, None),  # the minute that is let pass
        (600, ago(661), None, 61),
        (600, ago(4200), None, 3600),
        (600, None, ago(660), None),  # new, and not yet ingested
        (600, None, ago(700), 100),
        (600, ago(4200), ago(60), None),  # it was paused, or its config was another one
        (600, ago(60), ago(90_000), None),
        (None, ago(1_000_000), None, None),  # nobody said how fresh it must be
        (600, ago(-7200), ago(9000), 8400),  # the clock was set back: a look that lies ahead of it says nothing
        (600, ago(-7200), ago(-7200), 0),  # and nor does the row: late until it is looked at again
        (600, ago(60), ago(-7200), None),
        (600, ago(-59), ago(9000), None),  # but not of a moment
        (600, None, None, None),  # a table made elsewhere, without times, and no batch
    ],
)
def test_a_stream_is_late_where_it_was_not_looked_at_for_longer_than_its_need_and_a_minute(
    latency, look, row_changed, over
):
    found = late(latency, look, row_changed, NOW)
    assert (found.seconds if found else None) == over


def test_a_stream_that_never_had_a_batch_is_reported_as_such():
    found = late(60, None, ago(3600), NOW)
    assert found is not None
    assert (found.never, found.since) == (True, ago(3600))
    found = late(60, ago(7200), ago(3600), NOW)
    assert found is not None
    assert (found.never, found.since) == (False, ago(3600))


FOR_GOOD = FailedRuns(1, ago(60), ago(60), "permission denied", retryable=False)
ONCE = FailedRuns(1, ago(60), ago(60), "nobody listens there", retryable=True)
AGAIN = FailedRuns(3, ago(600), ago(60), "nobody listens there", retryable=True)
NOBODY_KNOWS = FailedRuns(1)
LOOKED_BEFORE = SourceError(ago(60), "no SELECT on table customers")
LOOKED_SINCE = SourceError(ago(30), "no SELECT on table customers")


@pytest.mark.parametrize(
    ("reading", "state"),
    [
        (StreamReading(fresh_at=ago(60)), "ok"),
        (StreamReading(), "never_run"),
        (StreamReading(fresh_at=ago(60), failed=ONCE), "ok"),  # the next run may well succeed
        (StreamReading(fresh_at=ago(60), failed=NOBODY_KNOWS), "ok"),
        (StreamReading(fresh_at=ago(60), failed=FOR_GOOD), "failing"),
        (StreamReading(fresh_at=ago(60), failed=AGAIN), "failing"),
        (StreamReading(failed=ONCE), "never_succeeded"),
        (StreamReading(failed=FOR_GOOD), "failing"),
        (StreamReading(fresh_at=ago(900), latency_seconds=60), "late"),
        (StreamReading(fresh_at=ago(900), latency_seconds=60, failed=AGAIN), "failing"),
        (StreamReading(row_changed=ago(900), latency_seconds=60, failed=ONCE), "late"),
        (StreamReading(fresh_at=ago(60), unread="no right"), "unknown"),
        (StreamReading(fresh_at=ago(900), latency_seconds=60, unread="no right"), "late"),  # so much is known
        (StreamReading(fresh_at=ago(60), failed=AGAIN, is_quarantined=True), "set_aside"),
        (StreamReading("paused", failed=FOR_GOOD), "paused"),
        (StreamReading("paused", source_error=LOOKED_SINCE), "paused"),
        (StreamReading(fresh_at=ago(45), source_error=LOOKED_SINCE), "failing"),
        (StreamReading(fresh_at=ago(45), source_error=LOOKED_BEFORE), "ok"),  # a batch has succeeded since
        (StreamReading(source_error=LOOKED_SINCE), "failing"),
        (StreamReading(failed=ONCE, source_error=LOOKED_SINCE), "failing"),
        (StreamReading("paused", is_quarantined=True), "set_aside"),
        (StreamReading("retired", failed=FOR_GOOD, is_quarantined=True), "retired"),
    ],
)
def test_the_worst_that_applies_is_the_state(reading, state):
    found = judge(reading, NOW)
    assert found.state.value == state
    assert bool(found.what) is found.state.is_problem


def test_what_else_is_wrong_is_said_beside_the_state():
    found = judge(StreamReading(fresh_at=ago(900), latency_seconds=60, failed=AGAIN, is_quarantined=True), NOW)
    assert (found.state, found.failed) == (HealthState.SET_ASIDE, AGAIN)
    assert found.late is not None
    assert judge(StreamReading(fresh_at=ago(60), failed=ONCE), NOW).failed is None


def test_how_many_failed_runs_are_failing_is_a_setting():
    reading = StreamReading(fresh_at=ago(900), failed=ONCE)
    assert [judge(reading, NOW, failing_after=number).state.value for number in (1, 2)] == ["failing", "ok"]
    default = json_schema("settings")["properties"]["failing_after_runs"]["examples"][0]
    from airflow_plugin.settings import PlatformSettings

    assert PlatformSettings.failing_after_runs == default == FAILING_AFTER_RUNS


def test_a_failure_is_said_with_how_many_since_when_why_and_whether_a_retry_can_help():
    assert failure(FOR_GOOD, ago(900)) == "its last run has failed: permission denied (No retry can help)"
    assert failure(AGAIN, None) == (
        "its last 3 runs have failed since 2027-01-01 11:50:00 UTC, and none has ever succeeded: nobody listens there"
    )
    assert failure(NOBODY_KNOWS, ago(900)) == "its last run has failed"
