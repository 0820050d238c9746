"""The health of a platform's streams, from what was read of them: what is reported, how, and what is not."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_plugin.control.batch_table import LastLook
from airflow_plugin.control.stream_table import StreamRow
from airflow_plugin.health.stored import Stored
from airflow_plugin.health.streams import Age, Health, health
from airflow_plugin.rows.last_good import KnownStream, LastGood, Row
from config_schema.schemas import json_schema
from config_schema.stream_health import FailedRuns, HealthState
from tests.row_settings import settings_of_row

EXAMPLE: dict[str, Any] = json_schema("stream")["examples"][0]
SETTINGS = settings_of_row(EXAMPLE)
NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _snapshot_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGFACTORY_SNAPSHOT_DIR", str(tmp_path))


def row(store: str = "Store1", status: str = "active", **changes: Any) -> StreamRow:
    config = {**EXAMPLE, "store_name": store, "stream_key": store, **changes}
    return StreamRow(store, json.dumps(config), status, NOW - 5 * HOUR, NOW - 5 * HOUR)


def snapshot(*streams: KnownStream, seen: float = 0.0) -> LastGood:
    return LastGood("token", {one.stream_key: one for one in streams}, time.time() - seen)


def judge(*rows: StreamRow, gone: list[str] | None = None, known: LastGood | None = None, **looks: LastLook) -> Health:
    return health(SETTINGS, Stored(list(rows), gone or [], looks), known, NOW)


def said(found: Health) -> list[tuple[str, str]]:
    return [(one.stream_key, str(one)) for one in found.problems]


def test_streams_that_are_fine_are_reported_in_one_line():
    found = judge(
        row(latency_seconds=600),
        row("Store2"),
        row("Store3", status="paused"),
        row("Store4", status="retired"),
        Store1=LastLook(NOW),
    )
    fine = "3 of 3 streams are fine: 2 active, 1 paused; 1 of them have a latency need, and meet it; 1 have never run"
    assert (found.problems, found.fine, found.ages) == ((), fine, {"Store1": Age(0.0, 0.0)})
    states = {key: one.state.value for key, one in found.verdicts.items()}
    assert states == {"Store1": "ok", "Store2": "never_run", "Store3": "paused"}


def test_the_age_of_the_data_is_reported_for_each_active_stream_and_how_late_it_is():
    looks = {"Store1": LastLook(NOW - timedelta(minutes=30)), "Store2": LastLook(NOW - timedelta(minutes=5))}
    rows = (row(latency_seconds=600), row("Store2"), row("Store3", status="paused"))
    found = judge(*rows, **looks, Store3=LastLook(NOW))
    assert found.ages == {"Store1": Age(1800.0, 1200.0), "Store2": Age(300.0, 0.0)}
    assert (len(found.verdicts), found.late, found.count(HealthState.LATE)) == (3, 1, 1)


def test_a_platform_without_rows_is_fine():
    assert judge().fine.startswith("0 of 0 streams are fine")


def test_a_broken_row_is_reported_with_stream_path_what_and_what_to_do():
    found = judge(row(schedule="0 0 30 2 *", timezone="Europe/Zurigo"), row("Store2"))
    assert found.streams == ["Store1"]
    assert said(found) == [
        (
            "Store1",
            "yellowlive_airflow_dsg[Store1]: schedule: '0 0 30 2 *' names no time (failed to find next date). "
            "Correct it [DF2210]",
        ),
        (
            "Store1",
            "yellowlive_airflow_dsg[Store1]: timezone: 'Europe/Zurigo' is no time zone here. "
            "Write an IANA name, for example 'Europe/Zurich' [DF2211]",
        ),
    ]
    assert found.fine.startswith("1 of 2 streams are fine: 1 active, 0 paused")


def test_late_data_of_an_active_stream_is_reported_with_its_open_batch():
    look = LastLook(NOW - 2 * HOUR, 7, "failed", "nobody listens there")
    found = judge(row(latency_seconds=3600), Store1=look)
    assert said(found) == [
        (
            "Store1",
            "yellowlive_airflow_dsg[Store1]: latency_seconds: late by 3600 s: nothing since 2027-01-01 10:00:00 UTC; "
            "batch 7 is failed (nobody listens there). "
            "Look at the runs of yellowlive__Store1_ingestion, and whether it is paused in Airflow [DF2603]",
        )
    ]
    assert found.fine.startswith("0 of 1 streams are fine: 0 active, 0 paused; 0 of them have a latency need")


def test_a_stream_whose_runs_fail_is_reported_though_nobody_demands_a_latency():
    for_good = LastLook(NOW, 7, "failed", "no such table", retryable=False)
    again = LastLook(
        NOW, failed_runs=FailedRuns(25, NOW - HOUR, NOW, "CUSTOMER_DB_PASSWORD is missing", retryable=True)
    )
    once = LastLook(NOW, failed_runs=FailedRuns(1, NOW, NOW, "nobody listens there", retryable=True))
    found = judge(row(), row("Store2"), row("Store3"), Store1=for_good, Store2=again, Store3=once)
    assert said(found) == [
        (
            "Store1",
            "yellowlive_airflow_dsg[Store1]: its last run has failed: no such table (No retry can help). "
            "Correct that, then trigger yellowlive__Store1_ingestion [DF2605]",
        ),
        (
            "Store2",
            "yellowlive_airflow_dsg[Store2]: its last 25 runs have failed since 2027-01-01 11:00:00 UTC: "
            "CUSTOMER_DB_PASSWORD is missing. Correct that, then trigger yellowlive__Store2_ingestion [DF2605]",
        ),
    ]
    assert found.fine.startswith("1 of 3 streams are fine")


def test_a_stream_of_which_not_all_can_be_read_is_unknown_and_not_fine():
    found = health(SETTINGS, Stored([row()], [], {"Store1": LastLook(NOW)}, NOW, "no right"), None, NOW)
    assert said(found) == [
        (
            "Store1",
            "yellowlive_airflow_dsg[Store1]: it cannot be judged: no right. Run dagfactory doctor [DF2606]",
        )
    ]
    assert found.fine.startswith("0 of 1 streams are fine")


def test_a_stream_that_was_never_ingested_is_late_too():
    (one,) = judge(row(latency_seconds=3600)).problems
    assert "late by 14400 s: it has never been ingested, and its row is of 2027-01-01 07:00:00 UTC" in str(one)


@pytest.mark.parametrize("status", ["paused", "retired"])
def test_only_active_streams_can_be_late(status):
    assert judge(row(status=status, latency_seconds=60)).problems == ()


def test_a_broken_row_whose_dag_goes_on_as_it_was_is_judged_by_the_latency_of_that():
    good = Row("active", row(latency_seconds=60).config_json)
    broken = row(latency_seconds="soon")
    found = judge(broken, known=snapshot(KnownStream("Store1", good, good)))
    assert [one.problem.path for one in found.problems] == ["latency_seconds", "latency_seconds"]
    assert "late by" in str(found.problems[1])
    assert len(judge(broken).problems) == 1


def test_a_row_that_is_gone_is_reported_from_the_snapshot_or_without_one_from_the_history():
    good = Row("active", row("Store2").config_json)
    of_snapshot = judge(row(), gone=["Store3"], known=snapshot(KnownStream("Store2", good, good)))
    of_history = judge(row(), gone=["Store3"])
    assert [(one.stream_key, one.problem.what) for one in of_snapshot.problems] == [
        ("Store2", "the row is gone, though its stream was never retired")
    ]
    ((stream_key, text),) = said(of_history)
    assert stream_key == "Store3"
    assert text.endswith("or retire the stream by a row with the status retired [DF2602]")
    assert "1 of 2 streams are fine" in of_history.fine


def test_a_snapshot_that_nobody_renews_is_reported():
    assert judge(known=snapshot(seen=500)).problems == ()
    (one,) = judge(known=snapshot(seen=4000)).problems
    assert one.stream_key == ""
    assert "yellowlive.snapshot: the stream table was last seen 4000 s ago by the dag-processor" in str(one)
