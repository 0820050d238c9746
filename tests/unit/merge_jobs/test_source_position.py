"""Whether a source is behind the last batch: by timeline, log and transactions, of a primary and of a standby."""

from __future__ import annotations

from dataclasses import replace

import pytest

from merge_jobs.sources.postgres.position import Position, is_behind, position_from_dict

PRIMARY = Position("7000", 2, 1000, 50, standby=False)
STANDBY = replace(PRIMARY, standby=True)


@pytest.mark.parametrize(
    ("now", "behind"),
    [
        (PRIMARY, False),
        (STANDBY, False),
        (replace(STANDBY, wal=999), True),
        (replace(STANDBY, transaction=49), True),  # a commit whose log was not written yet when it was seen
        (replace(PRIMARY, transaction=49), False),  # a crash lost such a commit: this is the truth now
        (replace(PRIMARY, wal=999), True),  # a backup put back by copying files
        (replace(PRIMARY, timeline=1, wal=5000), True),  # the primary of before a failover
        (replace(STANDBY, timeline=1, wal=5000), False),  # a standby reports its timeline late
        (replace(STANDBY, timeline=1, wal=999), True),
        (replace(PRIMARY, timeline=3, wal=10, transaction=1), False),  # promoted, or restored to a point in time
        (replace(STANDBY, timeline=3, wal=10, transaction=1), False),
        (replace(PRIMARY, system="7001", timeline=1, wal=10), False),  # another server: nothing to compare
    ],
)
def test_a_source_is_behind(now, behind):
    assert is_behind(now, PRIMARY) is behind


def test_a_position_is_kept_as_json_and_read_by_other_versions():
    assert position_from_dict({**PRIMARY.to_dict(), "of a later version": 1}) == PRIMARY
    assert position_from_dict(None) is None
    assert str(replace(PRIMARY, wal=(3 << 32) + 255)) == "3/FF of timeline 2"
