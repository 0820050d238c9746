"""What the API says of quality checks: of each batch, of a run, and of a stream as its last run left it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from psycopg2.extras import Json

from config_schema.result import Counts, DatasetResult, MergeResult, QualityResult, ResultCode

SET = QualityResult("email_is_set", "not_null", "warn", 3)
ONCE = QualityResult("email_once", "unique", "fail", 0)
STREAM, RUN = "/api/streams/yellowlive/New", "/api/runs/yellowlive__New_ingestion/run_New_901"
OF_ROWS = {"dataset": "customers", "is_measured": False, "value": None, "wanted": "", "keys": []}
WARNED = {"check": "email_is_set", "kind": "not_null", "severity": "warn", "violations": 3, **OF_ROWS}
PASSED = {"check": "email_once", "kind": "unique", "severity": "fail", "violations": 0, **OF_ROWS}
SHARE = QualityResult("mostly", "completeness", "warn", 1, 0.25, "at least 0.5")
MEASURED = {**vars(SHARE), "dataset": "customers", "is_measured": True, "keys": []}


@pytest.fixture(scope="module")
def checked(world):
    """A batch that was merged with a warning, and one that failed for a check."""
    now = datetime.now(UTC)
    datasets = {"customers": DatasetResult(Counts(3, 0, 0, 0, 3), "full", quality=(ONCE, SET, SHARE))}
    result = MergeResult(ResultCode.DONE, "run_New_901", "YellowLive", "New", 901, 1, datasets=datasets)
    world.batch("YellowLive", "New", 901, now, result_json=Json(result.to_dict()))
    failed = {"customers": [vars(ONCE) | {"violations": 2}], "odd": [{"check": 7}, None], "none": None}
    more = {"batch_status": "failed", "error": "quality checks failed", "result_json": None}
    world.batch("YellowLive", "New", 902, now, state=Json({"quality": failed}), **more)
    world.run("yellowlive__New_ingestion", "run_New_901", "success", now)
    world.let_it_see()
    yield
    world.merge_store("DELETE FROM yellowlive_batch_metrics WHERE batch_id > 900")
    world.merge_store("DELETE FROM yellowlive_batch_counter WHERE key = 'New'")


def test_each_batch_has_its_checks_the_broken_ones_first_and_so_has_one_that_failed_for_them(client, checked):
    failed, merged, *_ = client().get(f"{STREAM}/batches").json()["batches"]
    assert merged["quality"] == [WARNED, MEASURED, PASSED]
    assert failed["quality"] == [PASSED | {"violations": 2}]
    assert failed["datasets"] == []


def test_a_run_has_what_its_checks_found(client, checked):
    assert client().get(RUN).json()["quality"] == [WARNED, MEASURED, PASSED]


def test_a_stream_has_the_warnings_of_its_last_run(client, checked):
    assert client().get(STREAM).json()["quality_warnings"] == [WARNED, MEASURED]


def test_a_stream_without_checks_has_none(client):
    assert client().get("/api/streams/yellowlive/Store1").json()["quality_warnings"] == []
    assert [one["quality"] for one in client().get("/api/streams/yellowlive/Store1/batches").json()["batches"]] == [
        []
    ] * 5
