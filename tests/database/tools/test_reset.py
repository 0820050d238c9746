"""`merge-job reset`: what it takes back, what it refuses, and that the next run goes through."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from config_schema.model import Consistency, Milestoning
from config_schema.result import Counts
from merge_jobs.database.together import in_step
from merge_jobs.errors import BatchLost, SourceTableMissing
from merge_jobs.stores.postgres import batches
from merge_jobs.stores.postgres.batches import LeftBatch
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stream import stream_of

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
PLATFORM = {LIVE: "YellowLive", FORENSIC: "YellowForensic"}
TABLES = """
    CREATE TABLE customers (id int PRIMARY KEY, word text);
    INSERT INTO customers SELECT n, 'word' FROM generate_series(1, 10) n;
    CREATE TABLE orders (id int PRIMARY KEY, customer int);
    INSERT INTO orders SELECT n, 1 FROM generate_series(1, 10) n;
"""
CHANGED = "UPDATE customers SET word = 'new' WHERE id = 1; UPDATE orders SET customer = 2 WHERE id = 1"
NOTHING_LEFT = LeftBatch(accepts_source=False, delete_approvals={}, ingested=None)
STAGING = "SELECT relname FROM pg_class WHERE relname LIKE '%staging' ORDER BY 1"


@pytest.fixture
def case(merging):
    return merging(TABLES)


@pytest.fixture
def reset(case, merge_job):
    def run(kind, *flags, of=None, environment=None):
        flags = (f"--platform={PLATFORM[kind]}", "--store=Store1", *flags)
        return merge_job(of or case, "reset", *flags, environment=environment)

    return run


def row(case, kind):
    table = f"{PLATFORM[kind].lower()}_batch_metrics"
    columns = "batch_status, state, error, retryable, batch_end_time, source_snapshot_time, strategy"
    return case.query(f"SELECT {columns} FROM {table} ORDER BY batch_id DESC LIMIT 1")[0]


@pytest.mark.parametrize("kind", Milestoning)
def test_an_ingested_batch_is_started_again_with_the_schema_of_the_changed_model(case, reset, left_ingested, kind):
    case.merge(kind)
    case.execute(CHANGED)
    left_ingested(case, kind)
    before = row(case, kind)
    assert before[0] == "ingested"
    staging = {name for (name,) in case.query(STAGING)}
    platform = PLATFORM[kind].lower()
    assert {f"{platform}_Store1_{table}_staging" for table in ("customers", "orders")} <= staging
    case.execute("ALTER TABLE customers ADD age int; UPDATE customers SET age = 40 WHERE id = 2")
    case.describe()

    done = reset(kind)
    assert (done.returncode, done.stderr) == (0, "")
    reported, _, dropped = done.stdout.removesuffix("\n").partition("; staging tables dropped: ")
    assert reported == f"{PLATFORM[kind]} Store1 batch 2: is reset to started (was ingested, run killed)"
    assert set(dropped.split(", ")) == staging
    assert case.query(STAGING) == []
    status, state, *others = row(case, kind)
    assert status == "started"
    assert state["schema"] == stream_of(case.ecosystem, PLATFORM[kind], "Store1").fingerprint != before[1]["schema"]
    assert state["datasets"] == {}
    assert others == [None] * 5
    assert case.current_batch(kind) == 1

    result = case.merge(kind)
    assert result.datasets["customers"].counts == Counts(0, 2, 0, 8, 10)
    assert result.batch_id == 2


def test_a_failed_batch_is_started_again_without_its_error(case, reset):
    case.merge(LIVE)
    case.execute("ALTER TABLE orders RENAME TO sales")
    with pytest.raises(SourceTableMissing):
        case.run(LIVE)
    assert row(case, LIVE)[0] == "failed"
    done = reset(LIVE)
    assert done.returncode == 0
    assert "Store1 batch 2: is reset to started (was failed, run run-" in done.stdout
    assert row(case, LIVE)[0] == "started"
    assert row(case, LIVE)[2:] == (None,) * 5
    case.execute("ALTER TABLE sales RENAME TO orders; DELETE FROM orders WHERE id = 1")
    assert case.merge(LIVE).total.deleted == 1


def test_the_first_batch_of_a_stream_can_be_reset(case, reset):
    case.execute("ALTER TABLE orders RENAME TO sales")
    with pytest.raises(SourceTableMissing):
        case.run(LIVE)
    assert "batch 1: is reset to started (was failed" in reset(LIVE).stdout
    case.execute("ALTER TABLE sales RENAME TO orders")
    assert case.merge(LIVE).total.inserted == 20


def test_a_reset_batch_can_be_reset_again(case, reset, left_ingested):
    case.merge(LIVE)
    case.execute(CHANGED)
    left_ingested(case, LIVE)
    assert "(was ingested, run killed)" in reset(LIVE).stdout
    again = reset(LIVE)
    assert (again.returncode, again.stdout.count("(was started, run killed); staging tables dropped: none")) == (0, 1)


def test_staging_of_a_dataset_that_has_left_the_model_goes_too(case, reset, left_ingested):
    case.merge(LIVE)
    case.execute(CHANGED)
    left_ingested(case, LIVE)
    case.datasets = tuple(dataset for dataset in case.datasets if dataset.name == "customers")
    assert reset(LIVE).returncode == 0
    assert case.query(STAGING) == []


def test_staging_of_another_stream_stays(case, reset, left_ingested):
    for kind in Milestoning:
        case.merge(kind)
        case.execute("DELETE FROM orders WHERE id = (SELECT max(id) FROM orders)")
    case.execute(CHANGED)
    left_ingested(case, FORENSIC)
    left_ingested(case, LIVE)
    case.execute(
        """CREATE TABLE somebodys_staging (id int); COMMENT ON TABLE somebodys_staging IS '{"kind": "staging"';
           CREATE TABLE their_staging (id int); COMMENT ON TABLE their_staging IS '{"kind": "staging"}'""",
        on=case.target,
    )
    assert reset(LIVE).returncode == 0
    left = {name for (name,) in case.query(STAGING)}
    assert {"somebodys_staging", "their_staging"} < left
    assert {"yellowforensic_Store1_customers_staging", "yellowforensic_Store1_orders_staging"} < left
    assert not any(name.startswith("yellowlive") for name in left)


def test_staging_of_another_stream_of_the_platform_stays(merging, reset, left_ingested):
    case = merging(TABLES, consistency=Consistency.SINGLE_DATASET)
    for dataset in ("customers", "orders"):
        case.run(LIVE, dataset=dataset)
        case.execute(CHANGED)
        left_ingested(case, LIVE, f"--dataset={dataset}")
    assert reset(LIVE, "--dataset=orders", of=case).returncode == 0
    left = {name for (name,) in case.query(STAGING)}
    assert "yellowlive_Store1_customers_staging" in left
    assert not any("orders" in name for name in left)


def test_dry_run_shows_what_would_be_reset_and_does_nothing(case, reset, left_ingested):
    case.merge(LIVE)
    case.execute(CHANGED)
    left_ingested(case, LIVE)
    before = row(case, LIVE)
    done = reset(LIVE, "--dry-run")
    assert done.returncode == 0
    assert "batch 2: would be reset (was ingested, run killed); staging tables to drop: yellowlive_" in done.stdout
    assert row(case, LIVE) == before
    assert case.query(STAGING)


def test_a_platform_of_an_older_version_can_be_reset(case, reset):
    """It lacks tables that the next run makes."""
    case.merge(LIVE)
    case.execute("ALTER TABLE orders RENAME TO sales")
    with pytest.raises(SourceTableMissing):
        case.run(LIVE)
    case.execute("DROP TABLE yellowlive_rejected_keys", on=case.target)
    assert "batch 2: is reset" in reset(LIVE).stdout
    case.execute("ALTER TABLE sales RENAME TO orders; DELETE FROM orders WHERE id = 1")
    assert case.merge(LIVE).total.deleted == 1


# --- refused


def test_a_committed_batch_is_not_reset(case, reset):
    case.merge(LIVE)
    before = case.query("SELECT * FROM yellowlive_batch_metrics")
    done = reset(LIVE)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: YellowLive Store1 batch 1: Batch is COMMITTED and cannot be reset. "
        "Nothing is open: the next run begins batch 2 [DF5207]\n"
    )
    assert case.query("SELECT * FROM yellowlive_batch_metrics") == before


def test_a_stream_without_a_batch_has_nothing_to_reset(case, reset):
    for _ in ("no batch tables yet", "no batch of this stream"):
        done = reset(LIVE)
        assert (done.returncode, done.stdout) == (0, "YellowLive Store1: there is no batch, nothing to reset\n")
        assert case.query("SELECT relname FROM pg_class WHERE relname LIKE 'yellowlive%metrics'") == []
        case.merge(FORENSIC)


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--store=Shop"], "--store: there is no datastore 'Shop'. Choose from: Store1"),
        (["--platform=Yellow"], "--platform: there is no platform 'Yellow'. "),
        (["--dataset=customers"], "--dataset: 'customers' is one dataset, and Store1 is a multi_dataset store. "),
        (["--postgres-database=nowhere"], 'database "nowhere" does not exist'),
        (["--git-repo-url=file:///x"], "--model: it is given together with --git-repo-url"),
    ],
)
def test_what_does_not_exist_is_named(reset, flags, what):
    done = reset(LIVE, *flags)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"error: {what}" in done.stderr or what in done.stderr


def test_an_option_that_does_not_exist_ends_with_2(reset):
    assert reset(LIVE, "--force").returncode == 2


def test_a_stream_of_one_dataset_is_named_by_it(merging, reset):
    case = merging(TABLES, consistency=Consistency.SINGLE_DATASET)
    assert "--dataset is not given: a single_dataset store" in reset(LIVE, of=case).stderr
    assert "there is no dataset 'order' in Store1" in reset(LIVE, "--dataset=order", of=case).stderr
    case.run(LIVE, dataset="customers")
    case.run(LIVE, dataset="orders")
    case.execute("DROP TABLE orders")
    with pytest.raises(SourceTableMissing):
        case.run(LIVE, dataset="orders")
    assert "Store1#customers batch 1: Batch is COMMITTED" in reset(LIVE, "--dataset=customers", of=case).stderr
    assert "Store1#orders batch 2: is reset" in reset(LIVE, "--dataset=orders", of=case).stdout


def test_a_stream_that_a_job_is_working_on_is_not_touched(case, reset):
    case.merge(LIVE)
    job = case.job(LIVE, "running")
    with MergeStore(job.store, job.stream, "running") as store:
        store.lock_stream(0)
        batches.start(store, 2, "running", None, NOTHING_LEFT)
        store.commit()
        before = row(case, LIVE)
        done = reset(LIVE)
        assert (done.returncode, done.stdout) == (1, "")
        assert "error: YellowLive Store1: the stream is held by pid " in done.stderr
        assert "(merge-job yellowlive Store1 running)" in done.stderr
        assert row(case, LIVE) == before
    assert "batch 2: is reset to started (was started, run running)" in reset(LIVE, "--lock-wait=30").stdout


def test_a_job_that_lost_the_stream_cannot_commit_what_was_reset(case, reset):
    """Behind a proxy that pools transactions a job may believe to hold a stream that it does not."""
    first = case.merge(LIVE)
    job = case.job(LIVE, "lost")
    with MergeStore(job.store, job.stream, "lost") as store:
        batch = replace(batches.start(store, 2, "lost", None, NOTHING_LEFT), snapshot_time=datetime.now(UTC))
        store.commit()
        assert reset(LIVE).returncode == 0
        batches.mark_committed(store, batch, first, {"inserted": 0, "updated": 0, "deleted": 0, "total": 0}, {})
        with pytest.raises(BatchLost):
            in_step([batches.checking_committed(store, batch)], store.together)
    assert row(case, LIVE)[0] == "started"
    assert case.current_batch(LIVE) == 1


def test_a_row_map_that_is_gone_is_named(case, reset, left_ingested):
    case.merge(LIVE)
    case.execute("UPDATE customers SET word = 'new' WHERE id = 1")
    left_ingested(case, LIVE)
    case.execute('DROP TABLE "yellowlive_Store1_customers_map"', case.target)
    gone = "; row maps that are gone, so that all rows are read: customers\n"
    assert reset(LIVE, "--dry-run").stdout.endswith(gone)
    assert reset(LIVE).stdout.endswith(gone)
    done = case.run(LIVE).datasets
    assert (done["customers"].strategy, done["customers"].counts.updated) == ("full", 1)
    assert done["orders"].strategy == "version_diff"
