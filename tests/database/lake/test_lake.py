"""Rows in Iceberg tables: what is kept where, who can read it, and what a platform with a lake refuses."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from airflow_plugin.control.connection import connect
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_data import StreamInLake, stream_data
from config_schema.model import ChangeFeed, Column, Milestoning, OnDelete, SourceKind
from config_schema.result import Counts
from merge_jobs.errors import KeysRejected, TooManyDeletes
from merge_jobs.run.job import run
from merge_jobs.schema_change import ChangedInLake
from merge_jobs.stores.lake.arrow_rows import CsvRows
from merge_jobs.stores.lake.catalog import LakeTableStands
from merge_jobs.stores.lake.writing import DatasetNotForLake, LakeFailed, LibrariesMissing
from merge_jobs.stores.postgres.tables import OfAnother
from tests.database import in_lake
from tests.warm_python import run_module

WATCHED = {"pyarrow", "pyiceberg", "duckdb", "merge_jobs.stores.lake.catalog"}
LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
TABLES = """
    CREATE TABLE a (id int PRIMARY KEY, word text); INSERT INTO a SELECT n, 'a' || n FROM generate_series(1, 300) n;
    CREATE TABLE b (id int PRIMARY KEY, word text); INSERT INTO b SELECT n, 'b' || n FROM generate_series(1, 50) n;
"""
CHANGES = (
    "UPDATE a SET word = 'new' WHERE id < 6; DELETE FROM b WHERE id = 7; INSERT INTO b VALUES (100, NULL), (101, '')"
)


@pytest.fixture
def case(merging, tmp_path):
    """A producer with two tables, and a lake."""
    return merging(TABLES, warehouse=tmp_path / "lake")


def catalog_of(case) -> SqlCatalog:
    """The catalogue as any tool opens it, with nothing of ours."""
    server = case.target.server
    login = f"{case.target.user}:{case.target.password}@{server.host}:{server.port}/{case.target.name}"
    return SqlCatalog("lake", uri=f"postgresql+psycopg2://{login}", init_catalog_tables="false")


def test_batches_change_what_they_must_and_rewrite_nothing(case):
    case.merge_both()
    case.execute(CHANGES)
    results = case.merge_both()
    assert {one.datasets["a"].strategy for one in results.values()} == {"version_diff"}
    assert {one.datasets["b"].counts for one in results.values()} == {Counts(2, 0, 1, 49, 51)}
    files = sorted((case.warehouse / "yellowlive").glob("*/data/*.parquet"))
    case.execute("UPDATE a SET word = NULL WHERE id < 2; INSERT INTO b VALUES (7, 'back')")
    case.merge_both()
    assert set(files) < set((case.warehouse / "yellowlive").glob("*/data/*.parquet"))


def test_the_merge_table_has_keys_only_and_no_value_of_a_row(case):
    case.execute("UPDATE a SET word = 'a secret word'")
    case.merge(LIVE)
    rows = case.query('SELECT * FROM "yellowlive_Store1_a_merge" WHERE id = 1')
    assert [(key, batch) for key, _, batch in rows] == [(1, 1)]
    columns = case.query(
        "SELECT attname FROM pg_attribute WHERE attrelid = '\"yellowlive_Store1_a_merge\"'::regclass AND attnum > 0"
    )
    assert columns == [("id",), ("ds_hash",), ("ds_batch_in",)]


def test_other_tools_read_the_catalogue(case):
    case.merge(FORENSIC)
    case.execute(CHANGES)
    case.merge(FORENSIC)
    with closing(catalog_of(case)) as catalog:
        tables = {name for _, name in catalog.list_tables("yellowforensic")}
        assert tables == {f"store1_{name}_{kind}" for name in "ab" for kind in ("versions", "closings")}
        versions = catalog.load_table("yellowforensic.store1_a_versions")
        assert versions.format_version == 2
        assert versions.scan().to_arrow().num_rows == 305
        closings = catalog.load_table("yellowforensic.store1_a_closings").scan().to_arrow().to_pylist()
        assert sorted(closings, key=lambda one: one["id"]) == [
            {"id": key, "ds_batch_in": 1, "ds_batch_out": 2} for key in range(1, 6)
        ]
        snapshot = versions.current_snapshot()
        assert snapshot is not None
        assert snapshot.summary is not None
        assert snapshot.summary["stream-factory.batch"] == "2"


def test_a_batch_is_written_in_pieces(case, monkeypatch):
    monkeypatch.setattr("merge_jobs.stores.lake.arrow_rows.PIECE_BYTES", 1000)
    case.merge_both(load_connections=4)
    case.execute("UPDATE a SET word = E'two\\nlines, \"' || id; DELETE FROM b WHERE id > 5")
    case.merge_both()


def test_old_snapshots_go_and_no_version(case, monkeypatch):
    monkeypatch.setattr("merge_jobs.stores.lake.catalog.KEPT_SNAPSHOTS", 2)
    for number in range(6):
        case.execute(f"UPDATE a SET word = '{number}' WHERE id = 1")
        case.run(FORENSIC)
    case.merge(FORENSIC)
    with closing(catalog_of(case)) as catalog:
        assert len(catalog.load_table("yellowforensic.store1_a_versions").snapshots()) in (2, 3)
    [dataset, _] = case.datasets
    assert len([key for key, *_ in case.versions(FORENSIC, dataset) if key == ("1",)]) == 6


def test_what_another_tool_changes_meanwhile_is_no_conflict(case, monkeypatch):
    case.merge(LIVE)
    case.execute("UPDATE a SET word = 'new' WHERE id < 6")
    flush = CsvRows.flush

    def after_another(self):
        # The batch has loaded the table, and has not moved it on: its row in the catalogue is not locked.
        with closing(catalog_of(case)) as catalog:
            table = catalog.load_table("yellowlive.store1_a_versions")
            if "of" not in table.properties:
                with table.transaction() as transaction:
                    transaction.set_properties({"of": "another tool"})
        flush(self)

    monkeypatch.setattr(CsvRows, "flush", after_another)
    case.merge(LIVE)
    with closing(catalog_of(case)) as catalog:
        assert catalog.load_table("yellowlive.store1_a_versions").properties["of"] == "another tool"


def test_a_dry_run_reports_what_a_run_would_do_and_leaves_nothing(case):
    dry = case.run(LIVE, dry_run=True)
    assert dry.total == Counts(inserted=350, total=350)
    assert case.query("SELECT count(*) FROM pg_class WHERE relname = 'iceberg_tables'") == [(0,)]
    case.merge(LIVE)
    case.execute(CHANGES)
    before = case.query("SELECT table_name, metadata_location FROM iceberg_tables ORDER BY 1")
    assert case.run(LIVE, dry_run=True).datasets["a"].counts == Counts(0, 5, 0, 295, 300)
    assert case.query("SELECT table_name, metadata_location FROM iceberg_tables ORDER BY 1") == before
    case.merge(LIVE)


def test_bad_keys_and_lost_rows_are_refused_before_anything_is_written(case):
    case.execute("ALTER TABLE a DROP CONSTRAINT a_pkey; INSERT INTO a VALUES (1, 'again')")
    with pytest.raises(KeysRejected):
        case.run(LIVE)
    assert list((case.warehouse / "yellowlive").glob("*/data/*")) == []
    case.execute("DELETE FROM a WHERE word = 'again'; ALTER TABLE a ADD PRIMARY KEY (id)")
    case.merge(LIVE)
    case.execute("DELETE FROM a WHERE id > 10")
    with pytest.raises(TooManyDeletes):
        case.run(LIVE)
    assert case.run(LIVE, allow_deletes=True).datasets["a"].counts.deleted == 290


def test_a_warehouse_that_cannot_be_written_is_named_and_the_next_run_goes_on(case):
    case.merge(LIVE)
    case.execute(CHANGES)
    data = case.warehouse / "yellowlive" / "store1_a_versions" / "metadata"
    data.rename(data.with_name("elsewhere"))
    data.write_text("a file where the folder was")
    with pytest.raises(LakeFailed) as caught:
        case.run(LIVE)
    assert caught.value.retryable
    data.unlink()
    data.with_name("elsewhere").rename(data)
    case.merge(LIVE)


# --- what is refused


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"on_delete": OnDelete.KEEP}, "on_delete"),
        ({"keep_changes": 10}, "keep_changes"),
        ({"columns": (Column("id", "int", nullable=False), Column("word", "interval"))}, "type interval"),
        ({"columns": (Column("id", "int", nullable=False), Column("word", "numeric"))}, "type numeric"),
        ({"columns": (Column("id", "int", nullable=False), Column("ID", "text"))}, "one name"),
        ({"columns": (Column("id", "jsonb", nullable=False), Column("word", "text"))}, "equal values may differ"),
    ],
)
def test_a_dataset_that_no_lake_can_hold_is_refused_by_the_job_too(case, change, said):
    case.datasets = tuple(replace(one, **change) for one in case.datasets)
    with pytest.raises(DatasetNotForLake, match=said):
        case.run(LIVE)
    assert not case.warehouse.exists()


def test_a_producer_of_another_kind_is_refused(case):
    job = case.job(LIVE)
    store = replace(job.stream.store, source=replace(job.stream.store.source, kind=SourceKind.MYSQL))
    with pytest.raises(DatasetNotForLake, match="rows of PostgreSQL only"):
        run(replace(job, stream=replace(job.stream, store=store)))


def test_a_producer_with_a_change_feed_is_refused(case):
    case.change_feed = ChangeFeed("changes")
    with pytest.raises(DatasetNotForLake, match="change_feed"):
        case.run(LIVE)


def test_a_job_without_the_libraries_says_what_to_install(case, monkeypatch):
    monkeypatch.delitem(sys.modules, "merge_jobs.stores.lake.catalog")
    monkeypatch.setitem(sys.modules, "pyiceberg.catalog", None)
    with pytest.raises(LibrariesMissing, match=r"airflow-stream-factory\[lake\]"):
        case.run(LIVE)


def test_a_merge_store_of_yesterday_has_the_lake_of_yesterday(case):
    case.merge(LIVE)
    yesterday = case.query("SELECT table_name, metadata_location FROM iceberg_tables")
    truth = {one.name: case.open_rows(LIVE, one) for one in case.datasets}
    for number in range(3):
        case.execute(f"UPDATE a SET word = '{number}' WHERE id < 9; DELETE FROM b WHERE id = {number + 1}")
        case.run(LIVE)
    for name, location in yesterday:
        case.execute(
            f"UPDATE iceberg_tables SET metadata_location = '{location}' WHERE table_name = '{name}'", case.target
        )
    assert {one.name: case.open_rows(LIVE, one) for one in case.datasets} == truth


def test_a_changed_model_is_refused_and_names_the_columns(case):
    case.merge(LIVE)
    case.execute("ALTER TABLE a ADD age int")
    case.describe()
    with pytest.raises(ChangedInLake) as caught:
        case.run(LIVE)
    assert caught.value.columns == ["age"]
    case.execute("ALTER TABLE a DROP age; ALTER TABLE a ALTER word TYPE varchar(100)")
    case.describe()
    with pytest.raises(ChangedInLake, match="word"):
        case.run(LIVE)


@pytest.mark.parametrize("first", [True, False], ids=["into a lake", "out of a lake"])
def test_a_platform_with_rows_does_not_change_its_kind_of_store(merging, tmp_path, first):
    case = merging(TABLES, warehouse=None if first else tmp_path / "lake")
    case.merge(LIVE)
    case.warehouse = tmp_path / "lake" if first else None
    with pytest.raises(OfAnother) as caught:
        case.run(LIVE)
    assert caught.value.part == "lake"


def test_a_table_of_somebody_else_in_the_catalogue_is_not_taken(case):
    case.merge(LIVE)
    case.execute('DROP TABLE "yellowlive_Store1_a_merge"', on=case.target)
    with pytest.raises(LakeTableStands):
        case.run(LIVE)


def test_commands_that_work_on_merge_tables_refuse(case, tmp_path):
    case.merge(LIVE)
    case.command(LIVE, tmp_path, "unused")
    places = ["--platform", "YellowLive", "--store", "Store1", "--model", tmp_path]
    keys = tmp_path / "keys.json"
    keys.write_text('[{"id": 1}]')
    erase = ["erase", "--dataset", "a", "--keys", str(keys)]
    for command in (["diff"], ["changes", "--batch", "1"], ["sql", "full"], erase):
        done = run_module("merge_jobs", *command, *places, env=case.environment)
        assert (done.returncode, "DF5306" in done.stderr) == (1, True), done.stderr
    for command in (["tables"], ["status"]):
        done = run_module("merge_jobs", *command, *places[:2], *places[4:], env=case.environment)
        assert done.returncode == 0, done
    shadow = run_module("merge_jobs", "merge", *places, "--tables", "shadow", "--run-id", "r", env=case.environment)
    assert "DF5306" in shadow.stdout


def test_merge_tables_of_a_lake_are_not_archived(case, tmp_path):
    case.merge(LIVE)
    case.execute("CREATE TABLE yellowlive_airflow_dsg (stream_key text, status text)", on=case.target)
    case.command(LIVE, tmp_path, "unused")
    done = run_module("merge_jobs", "archive", "--platform", "YellowLive", "--model", tmp_path, env=case.environment)
    assert "DF5307" in done.stderr, done


def test_airflow_s_side_drops_no_tables_of_a_lake(case):
    case.merge(LIVE)
    with closing(connect(case.target.dsn, "the test")) as connection:
        session = ControlSession(connection, "yellowlive", "public")
        with pytest.raises(StreamInLake):
            stream_data(session, ["Store1"])
        assert stream_data(session, ["Another"])["Another"].tables == []


# --- readers, and who need not load anything


def test_the_command_prints_views_that_duckdb_runs(case, tmp_path):
    case.command(FORENSIC, tmp_path, "unused")
    views = ["merge_jobs", "sql", "duckdb", "--platform", "YellowForensic", "--store", "Store1", "--model", tmp_path]
    nothing = run_module(*views, env=case.environment)
    assert (nothing.returncode, "DF5231" in nothing.stderr) == (1, True)
    case.merge(FORENSIC)
    case.execute(CHANGES)
    case.merge(FORENSIC)
    printed = run_module(*views, env=case.environment).stdout
    assert "as batch 2 has left it" in printed
    with closing(duckdb.connect()) as connection:
        connection.execute(printed)
        connection.execute(printed)
        assert connection.execute(
            'SELECT * FROM yellowforensic."Store1_b_live" WHERE id > 49 ORDER BY 1'
        ).fetchall() == [
            (50, "b50"),
            (100, None),
            (101, ""),
        ]
        assert connection.execute('SELECT * FROM yellowforensic."Store1_b_full" WHERE id = 7').fetchall() == [
            (7, "b7", 1, 2)
        ]


def test_what_is_not_committed_is_not_seen(case):
    case.merge(FORENSIC)
    before = in_lake.script_of(case, FORENSIC)
    case.execute(CHANGES)
    with case.target.connect() as other, other.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM iceberg_tables")
        case.merge(FORENSIC)
    after = in_lake.script_of(case, FORENSIC)
    with closing(duckdb.connect()) as connection:
        for script, rows in ((before, 300), (after, 305)):
            connection.execute(script)
            assert connection.execute('SELECT count(*) FROM yellowforensic."Store1_a_full"').fetchone() == (rows,)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads and their signals are seen in /proc")
def test_no_thread_that_the_libraries_start_gets_a_signal(case, tmp_path):
    command = case.command(LIVE, tmp_path, "the-run")
    code = """
import os, re, signal
from pathlib import Path
from merge_jobs.cli import main
try:
    main()
finally:
    masks = []
    for one in Path("/proc/self/task").glob("*/status"):
        if int(one.parent.name) != os.getpid():
            masks.append(int(re.search("SigBlk:(.*)", one.read_text())[1], 16) >> signal.SIGTERM - 1 & 1)
    print("THREADS", len(masks) > 2, set(masks))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, *command[3:]], env=case.environment, capture_output=True, text=True, check=False
    )
    assert re.search(r"^THREADS True \{1\}$", done.stdout, re.MULTILINE), done


def test_a_platform_without_a_lake_loads_nothing_for_one(merging, tmp_path):
    case = merging(TABLES)
    command = case.command(LIVE, tmp_path, "the-run")
    code = f"""
import sys
from merge_jobs.cli import main
try:
    main()
finally:
    print("LOADED", sorted(set(sys.modules) & {WATCHED}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, *command[3:]], env=case.environment, capture_output=True, text=True, check=False
    )
    assert re.search(r"^LOADED \[\]$", done.stdout, re.MULTILINE), done
    assert "DATASURFACE_RESULT_CODE=0" in done.stdout
