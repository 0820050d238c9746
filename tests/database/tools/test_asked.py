"""Who asked for what by hand stands in the history of the stream's row, and does not count as a change of it."""

from __future__ import annotations

from contextlib import closing

import pytest

from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import RowChange, StreamTable
from config_schema.model import Milestoning
from merge_jobs.errors import TooManyDeletes
from merge_jobs.stores.postgres import row_maps
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.row_maps import MapKind
from merge_jobs.stores.postgres.tables import DatasetTables

LIVE = Milestoning.LIVE
FLAGS = ("--platform=YellowLive", "--store=Store1", "--by=alice")
HISTORY = "SELECT change, changed_by, before_status, after_config_json FROM yellowlive_airflow_dsg_history ORDER BY id"


@pytest.fixture
def case(merging):
    """A merged stream whose row sync has written."""
    made = merging("CREATE TABLE customers (id int PRIMARY KEY); INSERT INTO customers SELECT generate_series(1, 1000)")
    made.merge(LIVE)
    with closing(made.target.connect()) as connection, connection:
        table = StreamTable(ControlSession(connection, "yellowlive"))
        table.create_tables()
        row = RowChange("Store1", "{}", "active", "create")
        table.write([row], changed_by="sync", model_commit="a" * 40)
    return made


def asked(case):
    """What the history says after what sync has written."""
    with closing(case.target.connect()) as connection:
        assert StreamTable(ControlSession(connection, "yellowlive")).changes_by_hand() == {}
    return case.query(HISTORY)[1:]


def test_a_reset_is_written_down_with_who_asked_for_it(case, merge_job):
    case.execute("DELETE FROM customers WHERE id > 1")
    with pytest.raises(TooManyDeletes):
        case.run(LIVE)
    assert merge_job(case, "reset", *FLAGS, "--dry-run").returncode == 0
    assert asked(case) == []
    assert merge_job(case, "reset", *FLAGS).returncode == 0
    assert asked(case) == [("reset_batch", "alice", "active", "{}")]


@pytest.mark.parametrize("has_column", [True, False], ids=["", "in a history of an older program"])
def test_the_reason_stands_beside_it(case, merge_job, has_column):
    case.execute("DELETE FROM customers WHERE id > 1")
    with pytest.raises(TooManyDeletes):
        case.run(LIVE)
    if not has_column:
        case.execute("ALTER TABLE yellowlive_airflow_dsg_history DROP COLUMN reason", on=case.target)
    assert merge_job(case, "reset", *FLAGS, "--reason=100 % sure: it's gone").returncode == 0
    with closing(case.target.connect()) as connection:
        newest = StreamTable(ControlSession(connection, "yellowlive")).history("Store1")[0]
    assert (newest.change, newest.changed_by) == ("reset_batch", "alice")
    assert newest.reason == ("100 % sure: it's gone" if has_column else None)


def test_a_reset_that_is_refused_is_not(case, merge_job):
    assert merge_job(case, "reset", *FLAGS).returncode == 1
    assert asked(case) == []


def test_trust_and_allowed_deletes_are_written_down_too(case, merge_job, tmp_path):
    job = case.job(LIVE)
    with MergeStore(job.store, job.stream, "test") as store:
        row_maps.distrust(DatasetTables(store, job.stream.datasets[0]), MapKind.VERSIONS, "an audit found 3 changes")
        store.commit()
    assert merge_job(case, "trust", *FLAGS).returncode == 0
    case.execute("DELETE FROM customers")
    child = case.start_child(LIVE, tmp_path, "one", "--allow-deletes", "--by=bob")
    child.communicate(timeout=60)
    assert child.returncode == 0
    assert [(change, by) for change, by, *_ in asked(case)] == [("trust", "alice"), ("allow_deletes", "bob")]


def test_where_there_is_no_history_the_reset_is_done_and_says_so(case, merge_job):
    case.execute("DELETE FROM customers WHERE id > 1")
    with pytest.raises(TooManyDeletes):
        case.run(LIVE)
    with closing(case.target.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE yellowlive_airflow_dsg_history")
    done = merge_job(case, "reset", *FLAGS)
    assert done.returncode == 0
    assert "no row with a history, in which reset_batch by alice would stand" in done.stderr
