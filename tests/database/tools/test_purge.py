"""`dagfactory streams purge`: retired streams go with all they had, nothing of others does; the history says it."""

from __future__ import annotations

import json
from contextlib import closing
from types import SimpleNamespace

import pytest
from psycopg2.extensions import parse_dsn
from typer.testing import CliRunner

from airflow_plugin.cli.program import app
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import RowChange, StreamTable
from airflow_plugin.rows.last_good import KnownStream, LastGood, Row
from airflow_plugin.rows.last_good_file import write_snapshot
from airflow_plugin.rows.stream_loader import all_streams, one_stream
from airflow_plugin.settings import PlatformSettings, snapshot_path
from config_schema import names
from config_schema.model import Consistency, Milestoning
from config_schema.sql.locks import stream_lock

TABLES = """
    CREATE TABLE customers (id int PRIMARY KEY, word text);
    INSERT INTO customers SELECT n, 'word' FROM generate_series(1, 10) n;
    CREATE TABLE orders (id int PRIMARY KEY, customer int);
    INSERT INTO orders SELECT n, 1 FROM generate_series(1, 10) n;
"""
SHORT = "yellowforensic"
CUSTOMERS, ORDERS = "Store1#customers", "Store1#orders"
MERGE = "yellowforensic_Store1_{}_merge"
WITH_KEYS = ("batch_counter", "batch_metrics", "row_maps")


@pytest.fixture
def case(merging, tmp_path, monkeypatch):
    """Two forensic streams of a dataset each, both with a batch, customers retired."""
    made = merging(TABLES)
    made.consistency = Consistency.SINGLE_DATASET
    for dataset in ("customers", "orders"):
        made.run(Milestoning.FORENSIC, dataset=dataset)
    monkeypatch.setenv("DAGFACTORY_YELLOWFORENSIC_DSN", made.target.dsn)
    monkeypatch.setenv("DAGFACTORY_SETTINGS_DIR", str(tmp_path))
    monkeypatch.setenv("DAGFACTORY_SNAPSHOT_DIR", str(tmp_path / "snapshots"))
    with closing(made.target.connect()) as connection:
        table = StreamTable(ControlSession(connection, SHORT))
        table.create_tables()
        rows = [RowChange(CUSTOMERS, "{}", "retired", "create"), RowChange(ORDERS, "{}", "active", "create")]
        table.write(rows, changed_by="test", model_commit="c1")
        connection.commit()
    return made


def streams(*arguments: str) -> SimpleNamespace:
    done = CliRunner().invoke(app, ["streams", *arguments, "--platform", "YellowForensic"])
    assert done.exception is None or isinstance(done.exception, Exception | SystemExit)
    return SimpleNamespace(code=done.exit_code, out=done.stdout, error=f"{done.stderr}{done.exception or ''}")


def objects(case, like: str) -> list[str]:
    """Return the tables, views and functions of the merge store with this in their names."""
    found = case.query(
        f"SELECT relname FROM pg_class WHERE relkind IN ('r', 'v') AND relname LIKE '%{like}%' "
        f"UNION SELECT proname FROM pg_proc WHERE proname LIKE '%{like}%'"
    )
    return sorted(name for (name,) in found)


def view(case, name: str, dataset: str, *, ours: bool = True) -> None:
    mark = {"kind": "consumers' view", "ecosystem": "Test", "workspace": "W", "platform": "YellowForensic"}
    mark |= {"group": "G", "datastore": "Store1", "dataset": dataset, "is": "live"}
    case.execute(f'CREATE VIEW {name} AS SELECT id FROM "{MERGE.format(dataset)}"', case.target)
    if ours:
        text = json.dumps(mark).replace("'", "''")
        case.execute(f"COMMENT ON VIEW {name} IS '{text}'", case.target)


def test_a_retired_stream_goes_with_its_tables_functions_views_and_batches_and_others_stay(case):
    view(case, "customers_view", "customers")
    view(case, "orders_view", "orders")
    others = objects(case, "orders")
    mine = objects(case, "customers")
    assert {MERGE.format("customers"), f"{MERGE.format('customers')}_as_of", "customers_view"} <= set(mine)
    shown = streams("purge", CUSTOMERS, "--dry-run")
    assert (shown.code, f"{CUSTOMERS}: would be purged: public.customers_view, " in shown.out) == (0, True)
    assert objects(case, "customers") == mine

    done = streams("purge", CUSTOMERS, "--yes")
    assert (done.code, done.error) == (0, "")
    assert "1 stream purged, " in done.out
    assert objects(case, "customers") == []
    assert objects(case, "orders") == others
    for table in WITH_KEYS:
        assert case.query(f"SELECT DISTINCT key FROM {SHORT}_{table}") == [(ORDERS,)]
    assert case.query(f"SELECT stream_key FROM {SHORT}_airflow_dsg") == [(ORDERS,)]
    case.run(Milestoning.FORENSIC, dataset="orders")


def test_the_history_says_who_purged_it_and_it_can_come_back(case):
    streams("purge", CUSTOMERS, "--yes")
    history = json.loads(streams("history", CUSTOMERS, "--json").out)["history"]
    assert [(one["change"], one["after_status"]) for one in history] == [("purge", "retired"), ("create", "retired")]
    assert "@" in history[0]["changed_by"]
    with closing(case.target.connect()) as connection:
        assert StreamTable(ControlSession(connection, SHORT)).gone_streams() == []
    assert case.run(Milestoning.FORENSIC, dataset="customers").datasets["customers"].strategy == "initial"


def test_with_go_on_one_that_cannot_go_stops_no_other_and_its_history_says_why(case):
    case.execute(f"UPDATE {SHORT}_airflow_dsg SET status = 'retired'", case.target)
    view(case, "theirs", "orders", ours=False)
    asked = ("--yes", "--go-on", "--by", "alice")
    done = streams("purge", ORDERS, CUSTOMERS, "Store1#gone", *asked)
    assert done.code == 1
    assert f"{CUSTOMERS}: purged: " in done.out
    assert "1 stream purged, " in done.out
    assert f"{ORDERS}: purged" not in done.out
    assert f"error: {ORDERS}: " in done.error
    assert "let who built the others take them away" in done.error
    assert "there is no stream 'Store1#gone'" in done.error
    assert objects(case, "customers") == []
    assert MERGE.format("orders") in objects(case, "orders")
    assert case.query(f"SELECT stream_key FROM {SHORT}_airflow_dsg") == [(ORDERS,)]
    last = f"SELECT change, changed_by, reason FROM {SHORT}_airflow_dsg_history ORDER BY id DESC LIMIT 1"
    ((change, by, why),) = case.query(last)
    assert (change, by, "let who built the others" in why) == ("not_purged", "alice", True)
    case.execute(f"UPDATE {SHORT}_airflow_dsg SET status = 'active'", case.target)
    assert streams("purge", ORDERS, *asked).code == 1
    ((_, _, why),) = case.query(last)
    assert why == "it is active, not retired. Retire it first: dagfactory streams retire"
    assert streams("purge", ORDERS, "--yes").code == 1
    assert case.query(f"SELECT count(*) FROM {SHORT}_airflow_dsg_history WHERE change = 'not_purged'") == [(2,)]


@pytest.mark.parametrize(
    ("status", "said"), [("active", "it is active, not retired"), ("paused", "it is paused, not retired")]
)
def test_a_stream_that_is_not_retired_is_refused(case, status, said):
    case.execute(f"UPDATE {SHORT}_airflow_dsg SET status = '{status}'", case.target)
    before = objects(case, "Store1")
    refused = streams("purge", CUSTOMERS, "--yes")
    assert (refused.code, said in refused.error, "[DF3109]" in refused.error) == (1, True, True)
    assert "Did you mean 'Store1#customers'?" in streams("purge", "Store1#custmers", "--yes").error
    assert objects(case, "Store1") == before


def test_a_job_names_the_merge_store_who_asks_and_why(case, monkeypatch):
    monkeypatch.delenv("DAGFACTORY_YELLOWFORENSIC_DSN")
    parts = parse_dsn(case.target.dsn)
    monkeypatch.setenv("STORE_LOGIN_USERNAME", parts["user"])
    store = [
        f"--postgres-{key}={parts[of]}" for key, of in (("host", "host"), ("port", "port"), ("database", "dbname"))
    ]
    asked = ["purge", "--yes", "--by=alice", "--reason=nobody misses it", *store, "--postgres-credential=store-login"]
    missing = streams(*asked, CUSTOMERS)
    assert (missing.code, "STORE_LOGIN_PASSWORD" in missing.error) == (1, True)
    monkeypatch.setenv("STORE_LOGIN_PASSWORD", parts.get("password", ""))
    assert streams(*asked, CUSTOMERS).code == 0
    assert objects(case, "customers") == []
    last = case.query(f"SELECT change, changed_by, reason FROM {SHORT}_airflow_dsg_history ORDER BY id DESC LIMIT 1")
    assert last == [("purge", "alice", "nobody misses it")]


def test_without_a_terminal_tables_must_be_archived_or_yes_given(case, merge_job):
    refused = streams("purge", CUSTOMERS)
    assert (refused.code, "tables of 1 streams are not archived" in refused.error) == (1, True)
    assert merge_job(case, "archive", "--platform=YellowForensic").returncode == 0
    done = streams("purge", CUSTOMERS)
    assert (done.code, f"{names.archive_schema(SHORT)}.{MERGE.format('customers')}" in done.out) == (0, True)
    assert objects(case, "customers") == []


def test_what_others_have_built_and_a_running_job_keep_a_stream_whole(case):
    view(case, "of_a_stranger", "customers", ours=False)
    before = objects(case, "customers")
    refused = streams("purge", CUSTOMERS, "--yes")
    assert (refused.code, "views or other things stand on it" in refused.error) == (1, True)
    assert (objects(case, "customers"), case.query(f"SELECT count(*) FROM {SHORT}_airflow_dsg")) == (before, [(2,)])
    case.execute("DROP VIEW of_a_stranger", case.target)
    with closing(case.target.connect()) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (stream_lock("public", SHORT, CUSTOMERS),))
        assert "a job is running on it" in streams("purge", CUSTOMERS, "--yes").error
    assert streams("purge", CUSTOMERS, "--yes").code == 0


def test_many_go_by_a_pattern_that_takes_retired_ones_only(case):
    case.execute(
        f"INSERT INTO {SHORT}_airflow_dsg "
        "SELECT 'Shop' || n, '{}', CASE WHEN n > 45 THEN 'active' ELSE 'retired' END FROM generate_series(1, 50) n",
        case.target,
    )
    done = json.loads(streams("purge", "--match", "Shop*", "--yes", "--json").out)
    assert (len(done["streams"]), done["streams"][0]) == (45, {"stream": "Shop1", "bytes": 0, "dropped": []})
    left = [key for (key,) in case.query(f"SELECT stream_key FROM {SHORT}_airflow_dsg ORDER BY 1")]
    assert left == ["Shop46", "Shop47", "Shop48", "Shop49", "Shop50", CUSTOMERS, ORDERS]
    assert "is like no stream's key" in streams("purge", "--match", "Nothing*", "--yes").error
    assert streams("purge").code == 2


def test_a_last_good_copy_that_still_has_the_stream_forgets_it_and_keeps_one_that_was_lost(case):
    settings = PlatformSettings(original_platform_name="YellowForensic")
    path = snapshot_path(SHORT)
    path.parent.mkdir()
    known = {key: KnownStream(key, Row("active", "{}"), Row("active", "{}")) for key in (CUSTOMERS, ORDERS)}
    write_snapshot(path, SHORT, LastGood("", known))
    streams("purge", CUSTOMERS, "--yes")
    case.execute(f"DELETE FROM {SHORT}_airflow_dsg", case.target)  # orders by an accident
    assert {key: one.row for key, one in all_streams(settings).streams.items()} == {ORDERS: None}
    assert one_stream(settings, names.dag_id(SHORT, CUSTOMERS), last_good=True).streams == {}
    assert one_stream(settings, names.dag_id(SHORT, ORDERS), last_good=True).streams[ORDERS].good is not None
    case.execute(f"DROP TABLE {SHORT}_airflow_dsg_history", case.target)
    assert all_streams(settings).streams.keys() == {CUSTOMERS, ORDERS}  # nobody can tell: both stay


def test_lists_leave_retired_streams_out_until_they_are_asked_for(case):
    assert "1 stream, 1 retired left out (--all)" in streams("list").out
    for asked in (["--all"], ["--status", "retired"]):
        assert CUSTOMERS in streams("list", *asked).out
    assert [one["stream_key"] for one in json.loads(streams("list", "--json").out)["streams"]] == [ORDERS]
