"""The infrastructure DAG on a real git server, merge store and jobs: pushes come through, or nothing changes."""

from __future__ import annotations

import itertools
import re
import threading
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
import pytest

from tests.airflow.of_version import cron_of
from tests.airflow.platform_world import PlatformWorld
from tests.kubernetes.git_server import git

TASKS = ["model_merge", "reconcile_tables", "reconcile_views", "apply_grants", "collect_metrics", "archive_retired"]
VIEW = '"ws_Consumer1"."yellowlive_Consumer1_LiveDSG_Store1_customers_view_live"'
STREAM = "yellowlive__Store1_ingestion"


def run_all(world: PlatformWorld) -> None:
    for task in TASKS:
        world.run(world.task("infrastructure", task))


def model_commit(world: PlatformWorld) -> str:
    ((commit,),) = world.query("SELECT model_commit FROM yellowlive_model_state")
    return commit


@contextmanager
def failing() -> Any:
    from airflow.sdk.exceptions import AirflowException

    with pytest.raises(AirflowException) as raised:
        yield raised


def test_the_tasks_stand_in_their_order_and_failures_reach_the_run(world):
    from airflow_plugin.platform_dags.dags import platform_dags
    from airflow_plugin.settings import platform_settings

    dag = platform_dags(platform_settings("YellowLive"))["yellowlive_infrastructure"]
    assert [task.task_id for task in dag.topological_sort()] == [*TASKS, "all_done"]
    (last,) = dag.leaves
    assert (last.task_id, last.trigger_rule.value) == ("all_done", "all_success")
    assert last.upstream_task_ids == set(TASKS)
    for before, task in itertools.pairwise(map(dag.get_task, TASKS)):
        assert (task.upstream_task_ids, task.trigger_rule.value) == ({before.task_id}, "all_done")
    assert cron_of(dag.timetable)[0] == "0 0 * * *"


def test_a_schedule_that_is_none_leaves_the_dag_to_triggers(world, caplog):
    world.bootstrap(infrastructure_schedule="99 * * * *")
    assert world.task("infrastructure", "model_merge").dag.schedule is None
    assert "infrastructure_schedule" in caplog.text


def test_a_push_reaches_rows_dags_and_views_and_so_does_the_next(world):
    world.run(world.task("infrastructure", "model_merge"))
    assert world.rows() == {"Store1": "active"}
    assert STREAM in world.dags()
    world.merge()
    run_all(world)
    assert world.query(f"SELECT count(*) FROM {VIEW}") == [(10,)]

    world.produce("CREATE TABLE orders (id integer PRIMARY KEY, name text); INSERT INTO orders VALUES (1, 'first')")
    world.stores["Store2"] = "orders"
    world.bootstrap()
    pushed = world.push()
    run_all(world)
    assert model_commit(world) == pushed
    assert world.rows() == {"Store1": "active", "Store2": "active"}
    assert "yellowlive__Store2_ingestion" in world.dags()
    world.merge("Store2")
    run_all(world)
    assert world.query("SELECT relname FROM pg_class WHERE relname LIKE '%%Store2_orders_view_live'", 1) != []


def test_a_broken_model_changes_nothing_and_the_task_says_why(world):
    world.run(world.task("infrastructure", "model_merge"))
    before = (model_commit(world), world.rows(), sorted(world.dags()))
    world.push(world.text().replace("type: text", "type: tekst").replace('"type": "text"', '"type": "tekst"'))
    with failing() as raised:
        world.run(world.task("infrastructure", "model_merge"))
    assert str(raised.value).startswith("YellowLive model_merge: ")
    assert "tekst" in str(raised.value)
    assert "(exit code 1)" in str(raised.value)
    world.push("name: [")
    with failing() as raised:
        world.run(world.task("infrastructure", "model_merge"))
    assert "not YAML" in str(raised.value)
    assert (model_commit(world), world.rows(), sorted(world.dags())) == before
    assert world.merge()["total"]["inserted"] == 10


def test_pushes_while_syncs_run_end_with_the_newest_and_mix_nothing(world):
    commits = [world.push() for _ in range(2)]
    sync, errors = world.task("infrastructure", "model_merge"), []

    def run() -> None:
        try:
            world.run(world.task("infrastructure", "model_merge"))
        except Exception as error:
            errors.append(str(error))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
        world.stores[f"Store{len(commits)}"] = "customers"
        commits.append(world.push())
    for thread in threads:
        thread.join()
    # Of syncs at once one may find its plan outdated, or the other's commit newer; what it says is that.
    assert all("rows have changed" in reported or "does not descend" in reported for reported in errors)
    world.run(sync)
    assert model_commit(world) == commits[-1]
    active = [key for key, status in world.rows().items() if status == "active"]
    assert active == sorted(world.stores)


def test_the_branch_may_not_go_back_unless_that_is_said(world):
    first = world.push()
    world.stores["Store2"] = "customers"
    world.push()
    world.run(world.task("infrastructure", "model_merge"))
    rows = world.rows()
    git(world.git.repository, "update-ref", "refs/heads/main", first)
    with failing() as raised:
        world.run(world.task("infrastructure", "model_merge"))
    assert "does not descend from" in str(raised.value)
    assert "--force-rollback" in str(raised.value)
    assert world.rows() == rows


def test_what_was_taken_back_by_a_new_commit_is_rolled_back(world):
    world.stores["Store2"] = "customers"
    world.push()
    world.run(world.task("infrastructure", "model_merge"))
    assert world.rows() == {"Store1": "active", "Store2": "active"}
    world.unused = {"Store2"}
    world.push()
    world.run(world.task("infrastructure", "model_merge"))
    assert world.rows() == {"Store1": "active", "Store2": "retired"}
    assert "yellowlive__Store2_ingestion" not in world.dags()


def test_tables_of_streams_that_are_retired_long_enough_are_put_aside(world):
    world.run(world.task("infrastructure", "model_merge"))
    world.merge()
    world.stores["Store9"] = "customers"
    world.unused = {"Store1"}
    world.push()
    world.run(world.task("infrastructure", "model_merge"))
    run_all(world)
    where = "SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = 'yellowlive_Store1_customers_merge'"
    assert world.query(where) == [("public",)]
    world.query("UPDATE yellowlive_airflow_dsg SET updated_at = now() - interval '91 days' WHERE status = 'retired'")
    run_all(world)
    assert world.query(where) == [("yellowlive_archive",)]


def test_nothing_is_put_aside_where_the_model_of_today_was_not_merged(world):
    world.run(world.task("infrastructure", "model_merge"))
    world.task_states["model_merge"] = "failed"
    with failing() as raised:
        world.run(world.task("infrastructure", "archive_retired"))
    assert "YellowLive archive_retired: not done, as model_merge has not succeeded in this run" in str(raised.value)


def test_a_stream_that_is_broken_or_odd_stops_no_work_for_the_others(world):
    """Each task is done for all that it can be done for, and fails naming the one that it cannot."""
    world.run(world.task("infrastructure", "model_merge"))
    world.merge()
    world.query(
        """INSERT INTO yellowlive_airflow_dsg (stream_key, config_json)
           VALUES ('A broken one', '{'), ('Store1__shadow', '{"shadow": true}'), ('Nowhere#a', '[]')"""
    )
    index = "yellowlive_Store1_customers_merge_key"
    world.query(f'DROP INDEX "{index}"')
    with failing() as raised:
        world.run(world.task("infrastructure", "reconcile_tables"))
    assert "stream A broken one" in str(raised.value)
    assert "stream Nowhere#a" in str(raised.value)
    assert "Store1" not in str(raised.value).replace("Choose from: Store1", "")
    assert world.query("SELECT count(*) FROM pg_class WHERE relname = %s", index) == [(1,)]
    for task in ("reconcile_views", "apply_grants", "collect_metrics", "archive_retired"):
        world.run(world.task("infrastructure", task))
    assert world.query(f"SELECT count(*) FROM {VIEW}") == [(10,)]


def test_metrics_are_collected_with_the_sums_in_the_log(world, capsys):
    world.run(world.task("infrastructure", "model_merge"))
    world.merge()
    capsys.readouterr()
    world.run(world.task("infrastructure", "collect_metrics"))
    reported = capsys.readouterr().out
    assert "YellowLive: 1 of 1 streams are fine: 1 active" in reported
    assert re.search(r"1 merge tables with about 10 rows in \d\.\d MB; archived: 0 merge tables", reported), reported


def test_no_secret_is_in_what_a_task_says(world, capsys, monkeypatch):
    monkeypatch.setenv("GIT_TOKEN", "another word")
    with failing() as raised:
        world.run(world.task("infrastructure", "model_merge"))
    assert "no access. Check the token in the git secret" in str(raised.value)
    said = capsys.readouterr()
    for secret in ("another word", world.store.password):
        assert secret not in str(raised.value) + said.out + said.err


def test_views_in_a_database_of_their_own_are_kept_by_the_logins_that_the_settings_name(
    world, new_database, monkeypatch
):
    there = new_database("consumers")
    with closing(psycopg2.connect(there.superuser_dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION postgres_fdw")
        cursor.execute(f"GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO {there.user}")
        cursor.execute(f"ALTER ROLE {there.user} CREATEROLE")
    for name, login in (("CONSUMER", there), ("READER", world.store)):
        monkeypatch.setenv(f"{name}_USERNAME", login.user)
        monkeypatch.setenv(f"{name}_PASSWORD", login.password)
    world.consumers = there
    world.push()
    world.bootstrap()
    world.run(world.task("infrastructure", "model_merge"))
    world.merge()
    for task in ("reconcile_views", "apply_grants"):
        world.run(world.task("infrastructure", task))
    assert world.query(f"SELECT count(*) FROM {VIEW}", database=there) == [(10,)]
    assert world.query("SELECT count(*) FROM pg_namespace WHERE nspname = 'ws_Consumer1'") == [(0,)]
