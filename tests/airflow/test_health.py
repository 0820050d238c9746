"""The health DAG of a platform: there whatever becomes of rows, and red with a list where streams need a hand."""

from __future__ import annotations

import json
from contextlib import closing, suppress
from types import SimpleNamespace

import psycopg2
import pytest

from airflow_plugin.control.migrations import run_missing_migrations
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import RowChange, StreamTable
from config_schema import names
from config_schema.sql.versions import Part
from tests.row_settings import settings_of_row

HEALTH = "yellowlive_health"
NOBODY = "postgresql://reader:secret%20word@127.0.0.1:1/merge"


def stored_hash(real_airflow) -> str:
    ((found,),) = real_airflow.query(
        "SELECT dag_hash FROM serialized_dag WHERE dag_id = %s ORDER BY last_updated DESC LIMIT 1", HEALTH
    )
    return found


def test_the_health_dag_is_there_with_an_empty_table_and_without_a_database_and_stays_the_same(
    real_airflow, streams, config
):
    streams.settle("YellowLive", runners=("process",))
    streams.write_text("YellowLive")
    real_airflow.parse()
    assert real_airflow.import_errors() == []
    assert real_airflow.all_dag_ids() == [HEALTH, "yellowlive_infrastructure", "yellowlive_operations"]
    (row,) = real_airflow.query(
        "SELECT timetable_summary, is_paused, max_active_runs FROM dag WHERE dag_id = %s", HEALTH
    )
    assert row == ("*/5 * * * *", False, 1)
    first = stored_hash(real_airflow)

    streams.write("YellowLive", config("YellowLive"))
    real_airflow.parse(DAGFACTORY_YELLOWLIVE_DSN=NOBODY)
    assert HEALTH in real_airflow.all_dag_ids()
    assert stored_hash(real_airflow) == first
    assert real_airflow.versions()[HEALTH] == 1


@pytest.fixture
def platform(airflow_here, new_database, config, monkeypatch, tmp_path):
    """YellowLive's settings, and its stream table in a database: `write(stream_key=config_json)`."""
    from airflow_plugin.factory import publishing

    dsn = new_database("merge").dsn
    monkeypatch.setenv("DAGFACTORY_SETTINGS_DIR", str(tmp_path))
    monkeypatch.setenv("DAGFACTORY_SNAPSHOT_DIR", str(tmp_path / "snapshots"))
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", dsn)
    (tmp_path / names.settings_file("yellowlive")).write_text(settings_of_row(config("YellowLive")).to_json())

    def write(**configs: str) -> None:
        changes = [RowChange(key, text, "active", "test") for key, text in configs.items()]
        with closing(psycopg2.connect(dsn)) as connection, connection:
            table = StreamTable(ControlSession(connection, "yellowlive"))
            table.create_tables()
            table.write(changes, changed_by="test")

    def execute(statement: str, *values: object) -> None:
        with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)

    def make_batch_tables() -> None:
        with closing(psycopg2.connect(dsn)) as connection, connection:
            run_missing_migrations(ControlSession(connection, "yellowlive"), Part.BATCHES)

    def published(dag_id: str | None = None, shard: str | None = None):
        """The DAGs of the platform's file, in the dag-processor or in the worker of a DAG."""
        monkeypatch.setattr(publishing, "get_parsing_context", lambda: SimpleNamespace(dag_id=dag_id))
        namespace: dict = {}
        publishing.publish_dags(namespace, "YellowLive", shard)
        return namespace

    return SimpleNamespace(
        write=write,
        execute=execute,
        make_batch_tables=make_batch_tables,
        published=published,
        monkeypatch=monkeypatch,
    )


def test_who_hears_of_failures_hears_when_the_health_dag_turns_red(platform, config, tmp_path):
    settings = settings_of_row(config("YellowLive"), notifiers={"slack": {"connection": "slack_ops"}})
    (tmp_path / names.settings_file("yellowlive")).write_text(settings.to_json())
    (task,) = platform.published(HEALTH)[HEALTH].tasks
    (reported,) = task.on_failure_callback
    assert (str(reported.notifier), reported.once) == ("slack_ops", True)


def test_a_worker_gets_the_health_dag_without_a_database(platform):
    platform.monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", NOBODY)
    built = platform.published(HEALTH)
    assert list(built) == [HEALTH]
    (task,) = built[HEALTH].tasks
    assert (task.task_id, task.retries, built[HEALTH].catchup) == ("check_streams", 1, False)


def test_only_the_first_of_several_files_has_it(platform):
    platform.write()
    assert [HEALTH in platform.published(shard=f"{number}/3") for number in (1, 2, 3)] == [True, False, False]


def check(platform) -> None:
    platform.published(HEALTH)[HEALTH].get_task("check_streams").execute({})


def test_check_streams_says_in_one_line_what_is_fine(platform, config, capsys):
    platform.write(Store1=json.dumps(config("YellowLive")))
    check(platform)
    assert "YellowLive: 1 of 1 streams are fine: 1 active, 0 paused" in capsys.readouterr().out


def test_check_streams_fails_with_a_line_for_each_problem(platform, config, capsys):
    from airflow_plugin.airflow_versions import AirflowFailException

    late = config("YellowLive", "Store2", latency_seconds=60)
    platform.write(
        Store1=json.dumps(config("YellowLive")),
        Store2=json.dumps(late),
        Store3=json.dumps(config("YellowLive", "Store3", shedule="@daily")),
        Store4="{",
    )
    with pytest.raises(AirflowFailException) as raised:
        check(platform)
    assert str(raised.value) == "YellowLive: 2 problems, listed above, with: Store3, Store4"
    reported = capsys.readouterr().out
    assert "yellowlive_airflow_dsg[Store3]: shedule: unknown key 'shedule'. Did you mean 'schedule'?" in reported
    assert "yellowlive_airflow_dsg[Store4]: not JSON" in reported
    assert "YellowLive: 2 of 4 streams are fine" in reported


def test_a_merge_store_that_is_away_is_one_problem_without_a_secret(platform, capsys):
    from airflow_plugin.airflow_versions import AirflowFailException

    platform.monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", NOBODY)
    with pytest.raises(AirflowFailException) as raised:
        check(platform)
    assert "the streams cannot be judged: DAGFACTORY_YELLOWLIVE_DSN: nobody listens there" in str(raised.value)
    assert raised.value.__suppress_context__
    assert "secret" not in str(raised.value) + capsys.readouterr().out


def test_check_streams_names_the_static_file_that_has_a_streams_dag_id(platform, config, capsys, tmp_path):
    from airflow_plugin.airflow_versions import AirflowFailException, conf

    platform.write(Store1=json.dumps(config("YellowLive")))
    file = tmp_path / "dags" / "victim.py"
    file.parent.mkdir()
    file.write_text('from airflow.sdk import DAG\nwith DAG("yellowlive__Store1_ingestion"):\n    pass\n')
    of_airflow = conf.get
    folder = {("core", "dags_folder"): str(file.parent)}
    platform.monkeypatch.setattr(conf, "get", lambda *key, **more: folder.get(key) or of_airflow(*key, **more))
    with pytest.raises(AirflowFailException, match="1 problem, listed above, with: Store1"):
        check(platform)
    reported = f"the DAG id yellowlive__Store1_ingestion is that of a DAG in {file}, which the stream's would take over"
    assert reported in capsys.readouterr().out
    file.unlink()
    check(platform)


def test_the_key_of_a_row_forges_no_line_of_a_log(platform, capsys, caplog):
    from airflow_plugin.airflow_versions import AirflowFailException

    platform.write(**{"Store1\nforged \x1b[2J": "{"})
    platform.published()
    (aside,) = [record.getMessage() for record in caplog.records if "is quarantined" in record.getMessage()]
    assert "stream Store1\\nforged" in aside
    assert aside.isprintable()
    with pytest.raises(AirflowFailException) as raised:
        check(platform)
    assert str(raised.value).isprintable()
    shown = capsys.readouterr().out
    assert "Store1\\nforged" in shown
    assert [line for line in shown.splitlines() if line.startswith("forged") or not line.isprintable()] == []


FAILED = """INSERT INTO yellowlive_batch_metrics
    (key, batch_id, batch_start_time, batch_end_time, batch_status, state, run_id, error, retryable)
    VALUES ('Store1', 1, now(), now(), 'failed', '{}', 'r', 'no such table', %s)"""
LOOKED = """INSERT INTO yellowlive_batch_counter (key, current_batch, last_checked_at, last_run_id, last_result_json)
    VALUES ('Store1', 1, now(), 'r', %s) ON CONFLICT (key) DO UPDATE SET last_result_json = excluded.last_result_json"""
WARNED = {
    "datasets": {"customers": {"quality": [{"severity": "warn", "violations": 2, "check": "a", "kind": "range"}]}}
}


def test_check_streams_fails_for_a_stream_whose_runs_fail_though_nobody_demands_a_latency(platform, config, capsys):
    from airflow_plugin.airflow_versions import AirflowFailException

    platform.write(Store1=json.dumps(config("YellowLive")), Store2=json.dumps(config("YellowLive", "Store2")))
    platform.make_batch_tables()
    platform.execute(FAILED, False)
    with pytest.raises(AirflowFailException, match="1 problem, listed above, with: Store1"):
        check(platform)
    said = capsys.readouterr().out
    assert "[Store1]: its last run has failed, and none has ever succeeded: no such table (No retry can help)" in said
    assert "YellowLive: 1 of 2 streams are fine" in said


def test_people_hear_once_of_each_change_of_a_stream(platform, config, slack, tmp_path):
    from airflow_plugin.airflow_versions import AirflowFailException

    settings = settings_of_row(config("YellowLive"), notifiers={"slack": {"connection": "slack_ops"}})
    (tmp_path / names.settings_file("yellowlive")).write_text(settings.to_json())
    platform.write(Store1=json.dumps(config("YellowLive")), Store2=json.dumps(config("YellowLive", "Store2")))
    platform.make_batch_tables()
    heard: list[str] = []

    def hears(*texts: str) -> None:
        for _ in range(2):  # the second check has nothing new to say
            with suppress(AirflowFailException):
                check(platform)
        new = [line for text in slack.texts[len(heard) :] for line in text.splitlines()]
        assert [line.partition(":")[0] for line in new] == list(texts)
        heard.extend(slack.texts[len(heard) :])

    hears()
    platform.execute(FAILED, False)
    hears("YellowLive Store1 is failing")
    assert heard[0].endswith("and none has ever succeeded: no such table (No retry can help)")
    platform.execute("UPDATE yellowlive_stream_alerts SET sent_at = sent_at - interval '25 hours'")
    hears("YellowLive Store1 is still failing")
    platform.execute("DELETE FROM yellowlive_batch_metrics")
    platform.execute(LOOKED, json.dumps(WARNED))
    slack.status = 500
    check(platform)
    slack.posted.clear(), heard.clear()
    slack.status = 200
    hears("YellowLive Store1 has recovered", "YellowLive Store1 has a quality warning")
    platform.execute(LOOKED, "{}")
    hears()
    platform.execute(LOOKED, json.dumps(WARNED))
    hears("YellowLive Store1 has a quality warning")


def test_check_streams_names_the_quality_checks_that_are_broken_as_warnings_and_does_not_fail(platform, config, capsys):
    platform.write(Store1=json.dumps(config("YellowLive")))
    platform.make_batch_tables()
    platform.execute(LOOKED, json.dumps(WARNED))
    check(platform)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "quality" in line]
    assert "warning" in line
    assert "Store1 has a quality warning: 1 check is broken by its last batch: customers: a (range): 2 rows" in line


def test_where_nobody_can_be_notified_the_check_has_its_own_result_and_the_log_says_so(
    platform, config, slack, caplog, tmp_path
):
    settings = settings_of_row(config("YellowLive"), notifiers={"slack": {"connection": "slack_ops"}})
    (tmp_path / names.settings_file("yellowlive")).write_text(settings.to_json())
    platform.write(Store1=json.dumps(config("YellowLive")))
    platform.execute("DROP TABLE yellowlive_stream_alerts")
    check(platform)
    assert "yellowlive: nobody is notified of changes: " in caplog.text
    assert slack.texts == []
