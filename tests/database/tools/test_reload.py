"""`dagfactory streams reload`: the next batch compares every row, or loads one dataset again; the others stay."""

from __future__ import annotations

import json
from contextlib import closing
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from airflow_plugin.cli.program import app
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import RowChange, StreamTable
from config_schema.model import Milestoning
from config_schema.sql.locks import stream_lock

TABLES = """
    CREATE TABLE customers (id int PRIMARY KEY, word text);
    INSERT INTO customers SELECT n, 'word' FROM generate_series(1, 200) n;
    CREATE TABLE orders (id int PRIMARY KEY, customer int);
    INSERT INTO orders SELECT n, 1 FROM generate_series(1, 10) n;
"""
FORENSIC = Milestoning.FORENSIC
SHORT = "yellowforensic"
MERGE = 'public."yellowforensic_Store1_{}_merge"'


@pytest.fixture
def case(merging, tmp_path, monkeypatch):
    """A forensic stream of two datasets with a change of each."""
    made = merging(TABLES)
    made.run(FORENSIC)
    made.execute("UPDATE customers SET word = 'other' WHERE id = 1; UPDATE orders SET customer = 2 WHERE id = 1")
    made.run(FORENSIC)
    monkeypatch.setenv("DAGFACTORY_YELLOWFORENSIC_DSN", made.target.dsn)
    monkeypatch.setenv("DAGFACTORY_SETTINGS_DIR", str(tmp_path))
    with closing(made.target.connect()) as connection:
        table = StreamTable(ControlSession(connection, SHORT))
        table.create_tables()
        config = json.dumps({"datasets": ["customers", "orders"]})
        table.write([RowChange("Store1", config, "active", "create")], changed_by="test")
        connection.commit()
    return made


def reload(*arguments: str) -> SimpleNamespace:
    done = CliRunner().invoke(app, ["streams", "reload", "Store1", "--platform", "YellowForensic", *arguments])
    return SimpleNamespace(code=done.exit_code, out=done.stdout, error=f"{done.stderr}{done.exception or ''}")


def count(case, dataset: str) -> int:
    return case.query(f"SELECT count(*) FROM {MERGE.format(dataset)}")[0][0]


def test_one_dataset_is_loaded_again_and_the_other_goes_on_from_where_it_was(case):
    assert (count(case, "customers"), count(case, "orders")) == (201, 11)
    shown = reload("--dataset", "customers", "--dry-run")
    assert f"public.{SHORT}_Store1_customers_merge: would be dropped" in shown.out
    assert "orders" not in shown.out
    assert count(case, "customers") == 201

    done = reload("--dataset", "customers", "--yes")
    assert (done.code, done.error) == (0, "")
    assert done.out.endswith("Store1: the next batch loads every row of customers\n")
    case.execute("ALTER TABLE customers ALTER word TYPE varchar(5)")  # narrower: no merge table could follow
    case.describe()
    result = case.run(FORENSIC)
    assert {name: one.strategy for name, one in result.datasets.items()} == {
        "customers": "initial",
        "orders": "version_diff",
    }
    assert (count(case, "customers"), count(case, "orders")) == (200, 11)
    assert case.run(FORENSIC).batches == 0


def test_with_history_kept_every_row_is_compared_and_what_somebody_changed_by_hand_is_mended(case):
    case.execute(
        f"UPDATE {MERGE.format('customers')} SET word = 'by hand' WHERE id = 2 AND ds_batch_out = 2147483647",
        case.target,
    )
    assert case.run(FORENSIC).batches == 0  # row versions do not tell it
    done = reload("--keep-history")
    assert (done.code, done.error) == (0, "")
    assert done.out == "Store1: the next batch compares every row of customers, orders\n"
    result = case.run(FORENSIC)
    assert {one.strategy for one in result.datasets.values()} == {"full"}
    assert result.datasets["customers"].counts.updated == 1
    assert (count(case, "customers"), count(case, "orders")) == (202, 11)
    assert case.run(FORENSIC).datasets["customers"].strategy == "version_diff"


def test_it_asks_before_it_drops_and_the_history_says_who_did_it(case):
    refused = reload("--dataset", "customers")
    assert (refused.code, "there is no terminal to ask on" in refused.error) == (1, True)
    assert count(case, "customers") == 201
    reload("--dataset", "customers", "--yes")
    reload("--keep-history")
    history = case.query(f"SELECT change, changed_by LIKE '%@%' FROM {SHORT}_airflow_dsg_history ORDER BY id")
    assert history == [("create", False), ("load_again", True), ("compare_in_full", True)]


def test_what_is_not_there_retired_staged_running_or_built_on_is_refused_and_all_stays(case, left_ingested):
    assert "Did you mean 'customers'?" in reload("--dataset", "custmers", "--yes").error
    case.execute(f"CREATE VIEW of_a_stranger AS SELECT id FROM {MERGE.format('customers')}", case.target)
    assert "views or other things stand on it" in reload("--dataset", "customers", "--yes").error
    case.execute("DROP VIEW of_a_stranger", case.target)
    with closing(case.target.connect()) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (stream_lock("public", SHORT, "Store1"),))
        assert "a job is running on it" in reload("--yes").error
    case.execute("UPDATE customers SET word = 'third' WHERE id = 1")
    left_ingested(case, FORENSIC)
    assert "batch 3 is staged and not merged yet" in reload("--yes").error
    assert case.run(FORENSIC).batches == 1
    case.execute(f"UPDATE {SHORT}_airflow_dsg SET status = 'retired'", case.target)
    assert "it is retired, and loads nothing" in reload("--yes").error
    assert count(case, "customers") == 202


def test_before_the_first_batch_there_is_nothing_to_drop(case):
    case.execute(";".join(f"DROP TABLE {MERGE.format(name)}" for name in ("customers", "orders")), case.target)
    done = reload("--yes")
    assert (done.code, "Store1: the next batch loads every row of customers, orders" in done.out) == (0, True)
