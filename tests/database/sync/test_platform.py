"""`dagfactory platform retire`: streams retired, tables aside, and dropped only on a second, explicit word."""

from __future__ import annotations

import os
import subprocess

import pytest
from typer.testing import CliRunner

from airflow_plugin.cli.program import app
from config_schema import names
from tests.warm_python import run_module

from .conftest import EXAMPLES

MERGE, BATCHES = "yellowlive_store1_customers_merge", "yellowlive_batch_metrics"
MARK = '{"kind": "merge", "platform": "yellowlive", "stream": "Store1", "dataset": "customers"}'


@pytest.fixture
def platform(synced, tmp_path):
    """A function that runs `dagfactory platform retire` on YellowLive, which has a merge table and batches."""
    made = CliRunner().invoke(app, ["bootstrap", "--model", str(EXAMPLES), "--out", str(tmp_path)])
    assert made.exit_code == 0
    synced.sync("c1")
    synced.execute(f"CREATE TABLE {MERGE} AS SELECT 1 AS id, 'Ada' AS name")
    synced.execute(f"COMMENT ON TABLE {MERGE} IS '{MARK}'")
    synced.execute(f"CREATE TABLE {BATCHES} AS SELECT 1 AS batch_id")
    environment = {
        "PATH": os.environ["PATH"],
        "DAGFACTORY_SETTINGS_DIR": str(tmp_path / "settings"),
        "DAGFACTORY_YES": "1",
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = run_module(
            "airflow_plugin", "platform", "retire", "YellowLive", *arguments, env=environment | synced.environment
        )
        assert "Traceback" not in done.stderr
        return done

    return run


def where(synced, table: str) -> list[str]:
    query = "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = %s"
    return [schema for (schema,) in synced.execute(query, table)]


def test_streams_are_retired_and_their_tables_put_aside_with_all_that_is_in_them(platform, synced):
    shown = platform("--dry-run")
    assert shown.returncode == 0
    assert "Store1" in shown.stdout
    assert [row.status for row in synced.rows()] == ["active"]
    assert where(synced, MERGE) == ["public"]

    done = platform()
    assert done.returncode == 0, done.stderr
    assert "YellowLive is retired. Its factory files (yellowlive_factory*.py) and yellowlive.settings.json can go" in (
        done.stdout
    )
    assert [row.status for row in synced.rows()] == ["retired"]
    assert where(synced, MERGE) == [names.archive_schema("yellowlive")]
    assert synced.execute(f"SELECT * FROM yellowlive_archive.{MERGE}") == [(1, "Ada")]
    assert where(synced, BATCHES) == ["public"]
    assert [row.status for row in synced.rows("yellowforensic")] == ["active"]
    assert platform().returncode == 0


def test_only_the_platform_s_name_as_a_second_word_drops_its_tables_and_no_others(platform, synced):
    early = platform("--drop", "YellowLive")
    assert early.returncode == 1
    assert "1 of its streams are not retired, Store1 for one" in early.stderr
    platform()
    wrong = platform("--drop", "YellowForensic")
    assert wrong.returncode == 1
    assert "To drop all its tables: --drop YellowLive" in wrong.stderr
    assert f"yellowlive_archive.{MERGE} would be dropped" in platform("--drop", "YellowLive", "--dry-run").stdout
    assert where(synced, MERGE) == ["yellowlive_archive"]

    done = platform("--drop", "YellowLive")
    assert done.returncode == 0, done.stderr
    left = [table for table in synced.tables() if table.startswith("yellowlive")]
    assert (where(synced, MERGE), left) == ([], [])
    assert [row.status for row in synced.rows("yellowforensic")] == ["active"]
    again = platform("--drop", "YellowLive")
    assert again.returncode == 1
    assert "yellowlive_airflow_dsg" in again.stderr


def test_what_others_built_on_its_tables_stops_the_dropping_and_nothing_is_gone(platform, synced):
    platform()
    synced.execute(f"CREATE VIEW theirs AS SELECT * FROM {BATCHES}")
    done = platform("--drop", "YellowLive")
    assert done.returncode == 1
    assert f"public.{BATCHES}: views or other things stand on it. Run dagfactory views reconcile" in done.stderr
    assert where(synced, MERGE) == ["yellowlive_archive"]
    assert [row.status for row in synced.rows()] == ["retired"]


def test_a_merge_table_that_is_not_archived_is_not_dropped(platform, synced):
    synced.execute("UPDATE yellowlive_airflow_dsg SET status = 'retired'")
    done = platform("--drop", "YellowLive")
    assert done.returncode == 1
    assert f"1 of its merge tables are not archived, {MERGE} for one" in done.stderr
    assert where(synced, MERGE) == ["public"]
