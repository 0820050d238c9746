"""When data is late: judged from what was committed, with a minute let pass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_plugin.control.batch_table import LastLook
from airflow_plugin.health.freshness import late

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
    found = late(latency, LastLook(look), row_changed, NOW)
    assert (found.seconds if found else None) == over


def test_a_stream_that_never_had_a_batch_is_reported_as_such():
    found = late(60, LastLook(None), ago(3600), NOW)
    assert found is not None
    assert (found.never, found.since) == (True, ago(3600))
    found = late(60, LastLook(ago(7200)), ago(3600), NOW)
    assert found is not None
    assert (found.never, found.since) == (False, ago(3600))
