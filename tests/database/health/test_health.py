"""What the health of streams is read from: batch tables that real jobs wrote, the history, and the stream table."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_plugin.control.batch_table import BatchTables
from airflow_plugin.control.connection import MergeStoreError
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_alerts import StreamAlerts
from airflow_plugin.control.stream_table import RowChange, StreamTable
from airflow_plugin.health.streams import platform_health, read_stored
from airflow_plugin.rows.last_good import KnownStream, LastGood, Row
from airflow_plugin.rows.last_good_file import write_snapshot
from airflow_plugin.settings import PlatformSettings
from config_schema.model import Milestoning
from config_schema.model.quality import NotNull, RowCount, Severity
from config_schema.result import MergeResult, ResultCode, result_from_dict
from config_schema.schemas import json_schema
from merge_jobs.errors import SourceTableMissing
from tests.row_settings import settings_of_row

EXAMPLE: dict[str, Any] = json_schema("stream")["examples"][0] | {"latency_seconds": 3600}
SETTINGS = settings_of_row(EXAMPLE)
TABLE = "yellowlive_airflow_dsg"
LIVE = Milestoning.LIVE


@pytest.fixture
def case(merging, monkeypatch, tmp_path):
    """A producer, a merge store with stream tables, and the factory's way to it."""
    made = merging("CREATE TABLE customers (id int PRIMARY KEY, word text); INSERT INTO customers VALUES (1, 'a')")
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", made.target.dsn)
    monkeypatch.setenv("DAGFACTORY_SNAPSHOT_DIR", str(tmp_path))
    with closing(made.target.connect()) as connection, connection:
        StreamTable(ControlSession(connection, "yellowlive")).create_tables()
    return made


def write(case, *rows: tuple[str, str], **changes: Any) -> None:
    """Rows of stream_key and status, as the tools write them."""
    changed = [RowChange(key, config(key, **changes), status, "test") for key, status in rows]
    with closing(case.target.connect()) as connection, connection:
        StreamTable(ControlSession(connection, "yellowlive")).write(changed, changed_by="test")


def config(key: str, **changes: Any) -> str:
    return json.dumps({**EXAMPLE, "stream_key": key, "store_name": key, **changes})


def looks(case, *keys: str) -> dict[str, Any]:
    with closing(case.target.connect()) as connection:
        return BatchTables(ControlSession(connection, "yellowlive")).last_looks(keys)


def test_before_the_first_job_there_are_no_looks_and_the_connection_goes_on(case):
    with closing(case.target.connect()) as connection:
        assert BatchTables(ControlSession(connection, "yellowlive")).last_looks(["Store1"]) == {}
        assert StreamTable(ControlSession(connection, "yellowlive")).select() == []


def test_a_look_is_the_last_commit_or_the_last_run_that_found_nothing(case):
    case.run(LIVE)
    first = looks(case, "Store1", "never")
    assert (first["Store1"].open_batch, first["never"].at) == (None, None)
    assert datetime.now(UTC) - first["Store1"].at < timedelta(minutes=5)
    case.run(LIVE)
    assert looks(case, "Store1")["Store1"].at > first["Store1"].at


def test_a_look_has_the_checks_of_severity_warn_that_its_run_found_broken(case):
    checks = (NotNull("word_is_set", Severity.WARN, ("word",)), RowCount("few", Severity.WARN, max=1))
    case.datasets = tuple(replace(dataset, checks=checks) for dataset in case.datasets)
    case.run(LIVE)
    assert looks(case, "Store1")["Store1"].warnings == ()
    case.execute("INSERT INTO customers VALUES (2, NULL), (3, NULL)")
    case.run(LIVE)
    assert [str(one) for one in looks(case, "Store1")["Store1"].warnings] == [
        "customers: word_is_set (not_null): 2 rows",
        "customers: few (row_count): the number of rows is not as demanded",
    ]
    write(case, ("Store1", "active"))
    assert platform_health(SETTINGS).quality_warnings == [
        "Store1 has a quality warning: 2 checks are broken by its last batch: "
        "customers: word_is_set (not_null): 2 rows; customers: few (row_count): the number of rows is not as demanded"
    ]
    assert platform_health(SETTINGS).problems == ()
    case.run(LIVE)  # nothing has changed: the rows that are checked are those that a batch brings, and their number
    assert [one.of.check for one in looks(case, "Store1")["Store1"].warnings] == ["few"]


@pytest.mark.parametrize(
    "odd",
    [
        "7",
        "{}",
        '{"datasets": 7}',
        '{"datasets": {"a": {"quality": [{"severity": "warn", '
        '"violations": 1, "check": 7, "kind": "range"}, {"severity": "warn", "violations": 1}]}}}',
    ],
)
def test_a_result_in_another_form_is_no_error_of_a_look(case, odd):
    case.run(LIVE)
    case.execute(f"UPDATE yellowlive_batch_counter SET last_result_json = '{odd}'", on=case.target)
    assert looks(case, "Store1")["Store1"].warnings == ()


def test_an_open_batch_is_reported_with_its_error(case):
    case.run(LIVE)
    case.execute("ALTER TABLE customers RENAME TO clients")
    with pytest.raises(SourceTableMissing):
        case.run(LIVE)
    look = looks(case, "Store1")["Store1"]
    assert (look.open_batch, look.open_status) == (2, "failed")
    assert "customers" in look.error


def test_streams_are_gone_that_the_history_knows_and_the_table_has_not_but_not_those_that_were_retired(case):
    write(case, ("deleted", "active"), ("here", "active"), ("retired", "active"), ("paused", "paused"))
    write(case, ("retired", "retired"))
    case.execute(f"DELETE FROM {TABLE} WHERE stream_key <> 'here'", on=case.target)
    with closing(case.target.connect()) as connection:
        assert StreamTable(ControlSession(connection, "yellowlive")).gone_streams() == ["deleted", "paused"]
    case.execute("DROP TABLE yellowlive_airflow_dsg_history", on=case.target)
    with closing(case.target.connect()) as connection:
        assert StreamTable(ControlSession(connection, "yellowlive")).gone_streams() == []


def test_a_platform_is_fine_and_then_has_one_problem_after_the_other(case, tmp_path):
    write(case, ("Store1", "active"), ("Store2", "paused"))
    case.run(LIVE)
    assert platform_health(SETTINGS).problems == ()

    age = "UPDATE {} SET {} = now() - interval '2 hours'"
    case.execute(age.format(TABLE, "updated_at"), on=case.target)
    assert platform_health(SETTINGS).problems == ()
    case.execute(age.format("yellowlive_batch_counter", "last_checked_at"), on=case.target)
    case.execute(age.format("yellowlive_batch_metrics", "batch_end_time"), on=case.target)
    (late,) = platform_health(SETTINGS).problems
    assert (late.stream_key, late.problem.path) == ("Store1", "latency_seconds")
    assert "late by 36" in late.problem.what

    write(case, ("Store2", "paused"), schedule="0 0 30 2 *")
    row = Row("active", config("Store9"))
    write_snapshot(
        tmp_path / "yellowlive.snapshot", "yellowlive", LastGood("", {"Store9": KnownStream("Store9", row, row)})
    )
    assert platform_health(SETTINGS).streams == ["Store1", "Store2", "Store9"]


def test_a_snapshot_that_cannot_be_used_here_is_no_problem_of_the_streams(case, tmp_path, caplog):
    write(case, ("Store1", "active"))
    (tmp_path / "yellowlive.snapshot").write_text("not one")
    assert platform_health(SETTINGS).problems == ()
    assert "The last-good snapshot on this machine is not looked at" in caplog.text


def test_a_table_made_elsewhere_alone_and_without_times_is_judged(case):
    case.execute(
        f"DROP TABLE yellowlive_airflow_dsg_history; ALTER TABLE {TABLE} ALTER updated_at DROP NOT NULL;"
        f"INSERT INTO {TABLE} VALUES ('Store1', '{config('Store1')}', 'active', now(), NULL)",
        on=case.target,
    )
    assert platform_health(SETTINGS).problems == ()


def test_without_a_right_or_a_table_it_says_which(case, monkeypatch):
    case.execute("DROP TABLE yellowlive_airflow_dsg_history", on=case.target)
    case.target.server.create_role("watcher", "word")
    case.execute(f"GRANT CONNECT ON DATABASE {case.target.name} TO watcher", on=case.target)
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", case.target.server.dsn(case.target.name, "watcher", "word"))
    with pytest.raises(MergeStoreError, match="permission denied for table yellowlive_airflow_dsg"):
        read_stored(SETTINGS)
    elsewhere = PlatformSettings(original_platform_name="YellowLive", merge_store_schema="nowhere")
    with pytest.raises(MergeStoreError, match="nowhere"):
        read_stored(elsewhere)


def test_a_run_whose_job_never_started_has_failed_and_a_result_that_a_job_left_stays(case):
    write(case, ("Store1", "active"))
    with closing(case.target.connect()) as connection:
        batches = BatchTables(ControlSession(connection, "yellowlive"))
        failed = MergeResult(ResultCode.ERROR, "first", "YellowLive", "Store1", error="no such image", retryable=True)
        batches.record_failure(failed)  # before there is a table
        assert batches.failed_runs() == {}
        done = case.run(LIVE, "done")
        for run_id in ("done", "one", "one", "two", "three"):
            batches.record_failure(replace(failed, run_id=run_id))
        found = batches.failed_runs()["Store1"]
    assert (found.count, found.error, found.retryable) == (3, "no such image", True)
    ((result,),) = case.query("SELECT result_json FROM yellowlive_run_results WHERE run_id = 'done'")
    assert result_from_dict(result) == done
    (problem,) = platform_health(SETTINGS).problems
    assert "its last 3 runs have failed since" in str(problem)
    assert "no such image" in str(problem)


def test_what_was_reported_is_kept_until_it_is_forgotten(case):
    with closing(case.target.connect()) as connection:
        alerts = StreamAlerts(ControlSession(connection, "yellowlive"))
        alerts.record({"Store1": "failing", "Store2": "failing"}, [])
        first = alerts.sent()["Store1"].at
        alerts.record({"Store1": "quality warning"}, ["Store2", "never reported"])
        (key,), (last,) = zip(*alerts.sent().items(), strict=True)
    assert (key, last.state, last.at > first) == ("Store1", "quality warning", True)


def test_what_a_login_may_not_read_makes_streams_unknown_and_not_fine(case, monkeypatch):
    write(case, ("Store1", "active"))
    case.run(LIVE)
    assert platform_health(SETTINGS).problems == ()
    case.target.server.create_role("watcher", "word")
    case.execute(
        f"""GRANT CONNECT ON DATABASE {case.target.name} TO watcher; GRANT SELECT ON {TABLE}, {TABLE}_history,
            yellowlive_batch_counter, yellowlive_batch_metrics TO watcher""",
        on=case.target,
    )
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", case.target.server.dsn(case.target.name, "watcher", "word"))
    (problem,) = platform_health(SETTINGS).problems
    assert "it cannot be judged: yellowlive_run_results: permission denied for table" in str(problem)
