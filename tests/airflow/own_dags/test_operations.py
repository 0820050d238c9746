"""What people ask of a platform through its operations DAG, with a real merge store and real jobs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.airflow.platform_world import PlatformWorld

ASKED = {"stream_key": "Store1", "by": "alice"}


@pytest.fixture
def merged(world: PlatformWorld) -> PlatformWorld:
    """Synced, and merged once."""
    sync(world)
    world.merge()
    return world


def sync(world: PlatformWorld) -> None:
    command = [sys.executable, "-m", "airflow_plugin", "sync", f"--git-repo-url={world.git.url}", "--yes"]
    subprocess.run(command, env=dict(os.environ), check=True, capture_output=True)


def refused(world: PlatformWorld, conf: object) -> str:
    from airflow_plugin.airflow_versions import AirflowFailException

    with pytest.raises(AirflowFailException) as raised:
        world.run(world.task("operations", "check_request"), conf)
    return str(raised.value)


def history(world: PlatformWorld) -> list[tuple[str, str]]:
    """What people have asked for, and who."""
    found = world.query("SELECT change, changed_by FROM yellowlive_airflow_dsg_history ORDER BY id")
    return [(change, by) for change, by in found if change != "create"]


def test_a_conf_that_asks_for_nothing_there_is_fails_the_first_task_and_says_why(world):
    reported = refused(world, {"action": "drop_tables", "stream_key": "Store1"})
    assert "conf: action: 'drop_tables' is no action. Choose from: allow_deletes, approve_delete" in reported
    assert "conf: by: it is missing" in reported
    assert "action: it is missing" in refused(world, None)
    assert "it is no object but a list" in refused(world, ["reset_batch"])


def test_a_stream_that_is_not_there_fails_the_first_task(merged):
    reported = refused(merged, {**ASKED, "action": "reset_batch", "stream_key": "Store2'; DROP TABLE x"})
    assert reported.startswith('YellowLive: yellowlive_airflow_dsg: there is no stream "Store2\'; DROP TABLE x"')


def test_the_second_task_checks_its_conf_too(world):
    from airflow_plugin.airflow_versions import AirflowFailException

    with pytest.raises(AirflowFailException, match="is no action"):
        world.run(world.task("operations", "perform"), {"action": "rm -rf", "by": "alice"})


def test_an_open_batch_is_reset_and_the_history_says_who_asked(merged):
    merged.query("ALTER TABLE \"yellowlive_Store1_customers_merge\" ADD CONSTRAINT bad CHECK (name <> 'bad')")
    merged.produce("UPDATE customers SET name = 'bad' WHERE id = 1")
    with pytest.raises(Exception, match="check_violation"):
        merged.merge()
    conf = {**ASKED, "action": "reset_batch", "reason": "the constraint is gone"}
    merged.run(merged.task("operations", "check_request"), conf)
    merged.run(merged.task("operations", "perform"), conf)
    assert merged.query("SELECT batch_status FROM yellowlive_batch_metrics ORDER BY batch_id DESC LIMIT 1") == [
        ("started",)
    ]
    assert history(merged) == [("reset_batch", "alice")]


def test_what_the_job_refuses_is_the_message_of_the_failed_task(merged):
    from airflow.sdk.exceptions import AirflowException

    with pytest.raises(AirflowException) as raised:
        merged.run(merged.task("operations", "perform"), {**ASKED, "action": "reset_batch"})
    assert str(raised.value) == (
        "YellowLive perform: YellowLive Store1 batch 1: Batch is COMMITTED and cannot be reset. "
        "Nothing is open: the next run begins batch 2 [DF5207] (exit code 1)"
    )
    assert history(merged) == []


def test_large_deletes_are_let_through_by_a_run_of_the_stream_itself(merged):
    from airflow_plugin.airflow_versions import DagRunTriggerException

    merged.produce("INSERT INTO customers SELECT i, '' FROM generate_series(11, 1000) i")
    merged.merge()
    merged.produce("DELETE FROM customers WHERE id > 1")
    with pytest.raises(Exception, match="999 of 1000 rows are gone"):
        merged.merge()
    conf = {**ASKED, "action": "allow_deletes"}
    merged.run(merged.task("operations", "check_request"), conf)
    with pytest.raises(DagRunTriggerException) as triggered:
        merged.run(merged.task("operations", "perform"), conf)
    assert triggered.value.trigger_dag_id == "yellowlive__Store1_ingestion"
    assert triggered.value.conf == {"allow_deletes": True, "by": "alice"}
    assert merged.merge(conf=triggered.value.conf)["total"]["deleted"] == 999
    assert history(merged) == [("allow_deletes", "alice")]


def test_a_refused_delete_that_is_approved_goes_on_with_a_run_of_the_stream_itself(merged, caplog):
    from airflow_plugin.airflow_versions import DagRunTriggerException

    merged.produce("INSERT INTO customers SELECT i, '' FROM generate_series(11, 1000) i")
    merged.merge()
    merged.produce("DELETE FROM customers WHERE id > 1")
    with pytest.raises(Exception, match="999 of 1000 rows are gone"):
        merged.merge()
    assert "no run of yellowlive_operations asks for an approval" in caplog.text  # no Airflow is at work here
    conf = {**ASKED, "action": "approve_delete", "batch": 3, "dataset": "customers", "rows": 999, "reason": "moved"}
    merged.run(merged.task("operations", "check_request"), conf)
    merged.run(merged.task("operations", "ask_a_person"), conf)
    with pytest.raises(Exception, match="what was approved is out of date: batch 3 would delete 999"):
        merged.run(merged.task("operations", "perform"), {**conf, "rows": 998})
    with pytest.raises(DagRunTriggerException) as triggered:
        merged.run(merged.task("operations", "perform"), conf)
    assert (triggered.value.trigger_dag_id, triggered.value.conf) == ("yellowlive__Store1_ingestion", {})
    assert merged.merge()["total"]["deleted"] == 999
    assert history(merged) == [("approve_delete", "alice")]


@pytest.mark.parametrize(
    ("conf", "reported"),
    [
        ({"allow_deletes": "yes", "by": "alice"}, "conf: allow_deletes: 'yes' is not true"),
        ({"allow_deletes": True}, "conf: by: it is no line of text"),
        ({"allow_deletes": True, "by": "a\nb"}, "conf: by: it is no line of text"),
    ],
)
def test_a_run_of_a_stream_that_says_it_otherwise_does_nothing(merged, conf, reported):
    with pytest.raises(Exception, match=reported):
        merged.merge(conf=conf)
    assert history(merged) == []


def test_large_deletes_of_a_stream_that_does_not_run_are_refused(merged):
    merged.query("UPDATE yellowlive_airflow_dsg SET status = 'paused'")
    reported = refused(merged, {**ASKED, "action": "allow_deletes"})
    assert "stream 'Store1' is paused, so it does not run. Set it to active first" in reported


def test_row_versions_are_trusted_again(merged):
    merged.query("UPDATE yellowlive_row_maps SET distrusted = 'an audit found 3 changes'")
    merged.run(merged.task("operations", "perform"), {**ASKED, "action": "trust", "dataset": "customers"})
    assert merged.query("SELECT distrusted FROM yellowlive_row_maps") == [(None,)]
    assert history(merged) == [("trust", "alice")]


PURGE = {**ASKED, "action": "purge", "reason": "nobody misses it"}


def test_a_retired_stream_goes_for_good_with_the_job_s_login_and_the_history_says_why(merged):
    assert "stream 'Store1' is active, not retired. Retire it first" in refused(merged, PURGE)
    merged.query("UPDATE yellowlive_airflow_dsg SET status = 'retired'")
    merged.run(merged.task("operations", "check_request"), PURGE)
    merged.run(merged.task("operations", "perform"), PURGE)
    assert merged.query("SELECT count(*) FROM yellowlive_airflow_dsg") == [(0,)]
    assert merged.query("SELECT count(*) FROM yellowlive_batch_metrics") == [(0,)]
    assert merged.query("SELECT count(*) FROM pg_class WHERE relname LIKE 'yellowlive!_Store1!_%' ESCAPE '!'") == [(0,)]
    last = merged.query(
        "SELECT change, changed_by, reason FROM yellowlive_airflow_dsg_history ORDER BY id DESC LIMIT 1"
    )
    assert last == [("purge", "alice", "nobody misses it")]


def test_many_retired_streams_go_in_one_run_and_one_that_stays_says_why(merged):
    merged.query("UPDATE yellowlive_airflow_dsg SET status = 'retired'")
    merged.query(
        "INSERT INTO yellowlive_airflow_dsg (stream_key, config_json, status)"
        " VALUES ('Other', '{}', 'retired'), ('Busy', '{}', 'active')"
    )
    asked = {"action": "purge", "by": "alice", "reason": "spring", "stream_keys": ["Store1", "Busy", "Other"]}
    merged.run(merged.task("operations", "check_request"), asked)
    with pytest.raises(Exception, match="it is active, not retired"):
        merged.run(merged.task("operations", "perform"), asked)
    assert merged.query("SELECT stream_key FROM yellowlive_airflow_dsg") == [("Busy",)]
    found = merged.query(
        "SELECT stream_key, change, reason FROM yellowlive_airflow_dsg_history WHERE changed_by = 'alice'"
    )
    assert set(found) == {
        ("Store1", "purge", "spring"),
        ("Other", "purge", "spring"),
        ("Busy", "not_purged", "it is active, not retired. Retire it first: dagfactory streams retire"),
    }


CHECK = {**ASKED, "action": "check_source"}


def look(world: PlatformWorld) -> list[tuple[str, str]]:
    """Have the source looked at; the error, and what was found, of each stream."""
    world.run(world.task("operations", "check_request"), CHECK)
    assert world.run(world.task("operations", "perform"), CHECK) is None  # what is returned would be an XCom
    found = world.query("SELECT error, check_json FROM yellowlive_source_checks")
    return [(error, found) for error, found in found]


def test_a_source_is_looked_at_with_the_streams_own_login_and_doctor_and_health_say_what_was_found(merged, capfd):
    from airflow_plugin.doctor.examine import examine_producers
    from airflow_plugin.health.streams import platform_health
    from airflow_plugin.settings import platform_settings

    merged.produce("INSERT INTO customers VALUES (900, 'a value that nobody may see')")
    assert [error for error, _ in look(merged)] == [None]
    assert [str(one.problem) for one in platform_health(platform_settings("YellowLive")).problems] == []
    merged.produce("ALTER TABLE customers RENAME name TO words")
    ((error, check),) = look(merged)
    assert error.startswith("dataset customers: ")
    assert [(one["level"], one["code"]) for one in check["findings"]] == [("error", "DF5103"), ("note", "DF5603")]
    (problem,) = platform_health(platform_settings("YellowLive")).problems
    assert "its source was looked at" in str(problem)
    assert problem.stream_key == "Store1"
    found = examine_producers(["YellowLive"])
    assert [(one.level.value, one.code) for one in found] == [("error", "DF5103"), ("ok", "DF5603")]
    assert "looked at" in found[0].what
    printed = capfd.readouterr()
    assert "a value that nobody may see" not in printed.out + printed.err
    merged.produce("ALTER TABLE customers RENAME words TO name")
    merged.merge()  # which is younger than the look
    assert platform_health(platform_settings("YellowLive")).problems == ()
    assert history(merged) == []


def test_a_source_that_nobody_has_looked_at_is_a_warning_of_doctor(merged):
    from airflow_plugin.doctor.examine import examine_producers
    from config_schema.errors import UnknownName

    (found,) = examine_producers(["YellowLive"])
    assert (found.level.value, found.code) == ("warning", "DF3694")
    assert "Store1: nobody has looked at its source yet" in found.what
    with pytest.raises(UnknownName):
        examine_producers(["Elsewhere"])


def test_no_password_is_sent_to_a_source_that_the_settings_do_not_admit(merged):
    merged.bootstrap(source_hosts=("elsewhere:5432",))
    ((error, _),) = look(merged)
    assert "is not allowed by the platform's settings" in error
    merged.bootstrap(source_credential_secret_names=("another",))
    with pytest.raises(Exception, match="source_credential_secret_name"):
        look(merged)


def test_the_source_of_a_paused_stream_is_looked_at_and_of_a_retired_one_not(merged):
    merged.query("UPDATE yellowlive_airflow_dsg SET status = 'paused'")
    assert [error for error, _ in look(merged)] == [None]
    merged.query("UPDATE yellowlive_airflow_dsg SET status = 'retired'")
    assert "stream 'Store1' is retired" in refused(merged, CHECK)


def test_what_a_batch_changed_is_kept_with_it_and_no_value_is_logged(merged, capfd):
    merged.produce("UPDATE customers SET name = 'a value that nobody may log' WHERE id = 1")
    merged.merge()
    asked = {**ASKED, "action": "show_changes", "batch": 2, "keys": 5, "reason": "a ticket"}
    merged.run(merged.task("operations", "check_request"), asked)
    assert merged.run(merged.task("operations", "perform"), asked) is None  # what is returned would be an XCom
    # A live table has no earlier rows: there is nothing that its batch has not kept itself.
    assert merged.query("SELECT state ? 'values' FROM yellowlive_batch_metrics WHERE batch_id = 2") == [(False,)]
    printed = capfd.readouterr()
    assert "a value that nobody may log" not in printed.out + printed.err
    assert history(merged) == [("show_changes", "alice")]
    with pytest.raises(Exception, match="'7' is no committed batch of YellowLive Store1"):
        merged.run(merged.task("operations", "perform"), {**asked, "batch": 7})


def test_views_are_made_by_themselves_after_a_batch_that_changed_their_shape(world):
    sync(world)
    assert "x-shape://YellowLive" in world.merge()["assets"]
    operations = world.dags()["yellowlive_operations"]
    assert operations.timetable.asset_condition.uri == "x-shape://YellowLive"
    for task in ("check_request", "perform"):
        world.run(operations.get_task(task), {}, run_type="asset_triggered")
    view = '"ws_Consumer1"."yellowlive_Consumer1_LiveDSG_Store1_customers_view_live"'
    assert world.query(f"SELECT count(*) FROM {view}") == [(10,)]
    world.produce("UPDATE customers SET name = 'new' WHERE id = 1")
    assert world.merge()["assets"] == ["x-stream://YellowLive/Store1/customers"], "the shape is the same"


def test_columns_that_come_and_go_are_a_change_of_shape_reported_once(merged):
    merged.produce("ALTER TABLE customers ADD email text")
    merged.columns["email"] = "text"
    merged.push()
    sync(merged)
    assert merged.merge()["shape_changed"] is True
    assert merged.merge()["shape_changed"] is False
    del merged.columns["name"]
    merged.push()
    sync(merged)
    assert [merged.merge()["shape_changed"] for _ in range(2)] == [True, False]


def test_a_reconciler_that_fails_fails_its_own_task_with_a_message(merged):
    from airflow.sdk.exceptions import AirflowException

    merged.query('CREATE SCHEMA "ws_Consumer1"')
    with pytest.raises(AirflowException, match="schema ws_Consumer1: it is there, and ") as reported:
        merged.run(merged.task("operations", "perform"), {"action": "reconcile_views", "by": "alice"})
    assert "exit code 1" in str(reported.value)
    merged.produce("DELETE FROM customers WHERE id = 1")
    assert merged.merge()["total"]["deleted"] == 1
