"""What `dagfactory status --watch` says of a running job."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from airflow_plugin.cli.status_watch import progress_in_words
from airflow_plugin.control.batch_table import JobProgress

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JOB = JobProgress(
    *("Store1", "run", NOW - timedelta(seconds=70), "reading", NOW - timedelta(seconds=50)),
    *("customers", "rows", 250_000, 1_000_000, 8_000_000, NOW),
)


def test_rows_and_bytes_are_told_of_how_many_with_their_rate_and_since_when():
    assert progress_in_words(JOB) == (
        "Store1: reading customers, 250,000 of about 1,000,000 rows, 8.0 MB of about 32.0 MB, 5,000 rows/s, "
        "for 0:00:50, run for 0:01:10"
    )


def test_an_estimate_that_is_exceeded_is_left_out():
    more = progress_in_words(replace(JOB, expected=200_000))
    assert more.startswith("Store1: reading customers, 250,000 rows, 8.0 MB, 5,000 rows/s")


def test_a_phase_without_pieces_is_told_with_its_time():
    merging = replace(JOB, phase="merging", kind=None, done=None, expected=None, bytes=None)
    assert progress_in_words(merging) == "Store1: merging customers, for 0:00:50, run for 0:01:10"
