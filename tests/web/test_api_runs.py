"""Runs of streams: listed, sorted, paged, and one of them with what it did."""

from __future__ import annotations

import pytest

ONE = "/api/runs/yellowforensic__Store1_ingestion/run_Store1_3"


def run_ids(answer):
    return [one["run_id"] for one in answer.json()["runs"]]


def test_runs_are_reported_with_what_the_merge_job_did(client):
    (run,) = client().get("/api/runs?platform=yellowforensic&q=run_store1_3").json()["runs"]
    assert run["stream_key"] == "Store1"
    assert run["result"] == "done"
    assert run["counts"] == {"inserted": 3, "updated": 1, "deleted": 0, "total": 16}
    assert run["seconds"] == 3


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("stream=Store2&sort=-start&limit=2", ["run_Store2_5", "run_Store2_4"]),
        ("stream=Store2&sort=start&limit=2&offset=1", ["run_Store2_2", "run_Store2_3"]),
        ("state=failed", ["run_Failing_1"]),
        ("q=failing&sort=duration", ["run_Failing_1"]),
        ("q=%25", []),
        ("stream=None", []),
    ],
)
def test_runs_are_filtered_sorted_and_paged(client, query, wanted):
    assert run_ids(client().get(f"/api/runs?platform=yellowforensic&{query}")) == wanted


def test_total_counts_all_that_match(client):
    reported = client().get("/api/runs?platform=yellowforensic&stream=Store2&limit=1").json()
    assert (reported["total"], len(reported["runs"])) == (5, 1)


def test_one_sees_only_runs_of_dags_one_may_read(client):
    assert {one["dag_id"] for one in client("narrow").get("/api/runs").json()["runs"]} == {
        "yellowlive__Store1_ingestion"
    }
    assert client("nobody").get("/api/runs").json() == {"total": 0, "next": None, "runs": []}


def test_a_run_is_reported_with_each_dataset_and_where_its_log_is(client):
    reported = client().get(ONE).json()
    assert reported["result_code"] == 0
    assert reported["error"] is None
    by_name = {one["name"]: one for one in reported["datasets"]}
    assert (by_name["customers"]["inserted"], by_name["customers"]["strategy"]) == (3, "full")
    assert by_name["addresses"]["why"] == "it is the first"
    assert reported["log_url"] == "/dags/yellowforensic__Store1_ingestion/runs/run_Store1_3/tasks/snapshot_merge_job"
    assert [one["batch_id"] for one in reported["batches"]] == [3]


def test_a_run_that_failed_says_what_to_do(client):
    reported = client().get("/api/runs/yellowforensic__Failing_ingestion/run_Failing_1").json()
    assert reported["result"] == "error"
    assert reported["error"] == {"what": "the source is down", "todo": "Correct that, then trigger the stream again"}


@pytest.mark.parametrize(
    "path", ["yellowforensic__Store1_ingestion/none", "yellowforensic__None_ingestion/x", "other/x", "a%00/b"]
)
def test_a_run_that_is_not_there_is_a_404(client, path):
    assert client().get(f"/api/runs/{path}").status_code == 404
