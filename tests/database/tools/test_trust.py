"""`merge-job trust`: version diff, which an audit has put off, is used again."""

from __future__ import annotations

import json

import pytest

from config_schema.model import Milestoning
from merge_jobs.stores.postgres import row_maps
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.row_maps import MapKind
from merge_jobs.stores.postgres.tables import DatasetTables

LIVE = Milestoning.LIVE
FLAGS = ("--platform=YellowLive", "--store=Store1")
REASON = "an audit found 3 changes that it would have missed"
TABLES = """
    CREATE TABLE customers (id int PRIMARY KEY, word text); INSERT INTO customers SELECT generate_series(1, 10);
    CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders SELECT generate_series(1, 10);
"""


@pytest.fixture
def case(merging):
    made = merging(TABLES)
    made.merge(LIVE)
    return made


def distrust(case, *datasets):
    job = case.job(LIVE)
    with MergeStore(job.store, job.stream, "test") as store:
        for dataset in job.stream.datasets:
            if dataset.name in datasets:
                row_maps.distrust(DatasetTables(store, dataset), MapKind.VERSIONS, REASON)
        store.commit()


def strategies(case):
    case.execute(
        "UPDATE customers SET word = coalesce(word, '') || 'x'; INSERT INTO orders SELECT max(id) + 1 FROM orders"
    )
    return {name: (of.strategy, of.reason) for name, of in case.merge(LIVE).datasets.items()}


def test_version_diff_is_used_again(case, merge_job):
    distrust(case, "customers")
    assert strategies(case)["customers"][0] == "full"
    assert strategies(case)["customers"][0] == "key_hash_diff"
    done = merge_job(case, "trust", *FLAGS)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"YellowLive Store1 customers: version diff is on again; it was off, as {REASON}\n"
    assert strategies(case)["customers"][0] == "full", "row versions are to be mapped first"
    assert strategies(case)["customers"][0] == "version_diff"


def test_status_says_where_version_diff_is_off(case, merge_job):
    distrust(case, "orders")
    reported = json.loads(merge_job(case, "status", "--platform=YellowLive", "--json").stdout)
    assert reported[0]["streams"][0]["version_diff_off"] == {"orders": REASON}
    shown = merge_job(case, "status", "--platform=YellowLive").stdout
    assert f"Store1 orders: version diff is off: {REASON}\n  dagfactory runs trust lets it in again\n" in shown


def test_only_the_dataset_that_is_named_is_trusted(case, merge_job):
    distrust(case, "customers", "orders")
    assert "Store1 orders: version diff is on again" in merge_job(case, "trust", *FLAGS, "--dataset=orders").stdout
    [(left,)] = case.query("SELECT dataset FROM yellowlive_row_maps WHERE distrusted IS NOT NULL")
    assert left == "customers"


def test_where_nothing_is_distrusted_there_is_nothing_to_do(case, merge_job):
    for platform in ("YellowLive", "YellowForensic"):
        done = merge_job(case, "trust", f"--platform={platform}", "--store=Store1")
        assert (done.returncode, done.stdout) == (0, f"{platform} Store1: no strategy was off, nothing to do\n")


def test_a_stream_that_a_job_is_working_on_is_not_touched(case, merge_job):
    distrust(case, "customers")
    job = case.job(LIVE, "running")
    with MergeStore(job.store, job.stream, "running") as store:
        store.lock_stream(0)
        done = merge_job(case, "trust", *FLAGS)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the stream is held by pid" in done.stderr


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--store=Shop"], "--store: there is no datastore 'Shop'"),
        (["--dataset=order"], "--dataset: there is no dataset 'order' in Store1. Did you mean 'orders'?"),
    ],
)
def test_what_does_not_exist_is_named(case, merge_job, flags, what):
    done = merge_job(case, "trust", *FLAGS, *flags)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"error: {what}" in done.stderr
