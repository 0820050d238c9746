"""Runs of streams: listed, sorted, paged, and one of them with what it did."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from psycopg2.extras import Json

from config_schema.result import Counts, DatasetResult, MergeResult, ResultCode

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


@pytest.mark.parametrize("run_id", ["none", "a%00", "a%0ab", "%F0%9F%98%80", "x" * 250])
def test_a_request_that_nobody_has_made_is_a_404(client, run_id):
    assert client().get(f"/api/streams/yellowlive/Store1/requests/{run_id}").status_code == 404


# --- results and failures under the run's id


def put_result(world, run_id, result, stream_key="Store1"):
    """As the merge job writes it down."""
    world.merge_store(
        "INSERT INTO yellowforensic_run_results VALUES (%s, %s, now(), now() + interval '30 days', %s)",
        *(stream_key, run_id, Json(result.to_dict())),
    )


@pytest.fixture
def run(world):
    """A run of Store1 that has ended so, with its result."""

    def add(run_id, state, **of):
        datasets = {"customers": DatasetResult(Counts(0, 0, 0, 8, 8), "version_diff", "row versions tell", 0.1)}
        code = ResultCode.ERROR if of.get("error") else ResultCode.DONE
        put_result(world, run_id, MergeResult(code, run_id, "YellowForensic", "Store1", 5, datasets=datasets, **of))
        world.run("yellowforensic__Store1_ingestion", run_id, state, datetime.now(UTC))
        return f"/api/runs/yellowforensic__Store1_ingestion/{run_id}"

    yield add
    world.merge_store("DELETE FROM yellowforensic_run_results")


COUNTS = {"inserted": 1, "updated": 0, "deleted": 0, "unchanged": 0, "total": 1}


@pytest.mark.parametrize(
    ("name", "odd"),
    [
        ("part", {"total": COUNTS | {"inserted": 1.5}}),
        ("nothing", {"total": COUNTS | {"inserted": None}}),
        ("much", {"total": COUNTS | {"inserted": 10**40}}),
        ("number", {"datasets": {"a": {"counts": COUNTS, "strategy": 5}}}),
        ("long", {"datasets": {"a": {"counts": COUNTS, "seconds": 10**400}}}),
        ("list", {"datasets": {"a": {"counts": COUNTS, "reason": ["r"]}}}),
    ],
)
def test_a_result_that_no_job_has_written_ends_no_answer(client, world, run, name, odd):
    """A worker's login may write one."""
    run_id = f"odd_{name}"
    path = run(run_id, "failed")
    whole = {"code": 0, "run_id": run_id, "platform": "YellowForensic", "stream_key": "Store1", "batches": 1, **odd}
    world.merge_store("UPDATE yellowforensic_run_results SET result_json = %s WHERE run_id = %s", Json(whole), run_id)
    (listed,) = client().get(f"/api/runs?platform=yellowforensic&q={run_id}").json()["runs"]
    assert not any((listed["counts"] or {}).values())
    assert client().get(path).json()["datasets"] == []


def test_a_run_that_found_nothing_keeps_its_result_after_the_next_ones(client, run):
    path = run("found_nothing", "success")
    run("found_nothing_either", "success")
    reported = client().get(path).json()
    assert (reported["result"], reported["result_code"], reported["error"]) == ("done", 0, None)
    assert [(one["name"], one["unchanged"]) for one in reported["datasets"]] == [("customers", 8)]
    listed = client().get("/api/runs?platform=yellowforensic&q=found_nothing").json()["runs"]
    assert [(one["result"], one["counts"]["total"]) for one in listed] == [("done", 8)] * 2


def test_a_run_that_failed_before_it_had_a_batch_says_why_on_its_page_and_in_the_list(client, run):
    why = "secret 'producer': PRODUCER_PASSWORD is not set. Give the job PRODUCER_PASSWORD in its environment [DF1004]"
    path = run("no_secret", "failed", error=why)
    run("later", "success")
    reported = client().get(path).json()
    assert (reported["result"], reported["error"]["what"]) == ("error", why)
    (listed,) = client().get("/api/runs?platform=yellowforensic&q=no_secret").json()["runs"]
    assert (listed["result"], listed["error"]["what"]) == ("error", why)


def test_a_run_that_is_tried_again_says_why_its_last_try_failed(client, run, world):
    path = run("tried", "running", error="the source is down", retryable=True)
    world.real.query("UPDATE dag_run SET end_date = NULL WHERE run_id = 'tried'")
    assert client().get(path).json()["error"]["what"] == "the source is down"


def test_a_failure_that_no_job_could_write_down_is_taken_from_airflow(client, world):
    dag_id = "yellowforensic__Store1_ingestion"
    world.run(dag_id, "no_image", "failed", datetime.now(UTC))
    world.keep_failure(dag_id, "no_image", "YellowForensic Store1: the image cannot be pulled")
    (listed,) = client().get("/api/runs?platform=yellowforensic&q=no_image").json()["runs"]
    assert listed["error"]["what"] == "YellowForensic Store1: the image cannot be pulled"
    assert client().get(f"/api/runs/{dag_id}/no_image").json()["error"] == listed["error"]


def test_a_run_of_an_older_job_that_left_no_result_says_what_its_last_batch_says(client, world):
    dag_id = "yellowforensic__Store1_ingestion"
    world.run(dag_id, "older", "failed", datetime.now(UTC))
    world.merge_store(
        """INSERT INTO yellowforensic_batch_metrics
               (key, batch_id, batch_start_time, batch_status, run_id, state, error)
           SELECT 'Store1', batch_id, now(), 'failed', 'older', '{}', 'error of ' || batch_id
           FROM generate_series(900, 901) batch_id"""
    )
    try:
        (listed,) = client().get("/api/runs?platform=yellowforensic&q=older").json()["runs"]
        assert (listed["result"], listed["error"]["what"]) == ("error", "error of 901")
        assert client().get(f"/api/runs/{dag_id}/older").json()["error"] == listed["error"]
    finally:
        world.merge_store("DELETE FROM yellowforensic_batch_metrics WHERE batch_id >= 900")


def test_a_failed_run_of_which_nothing_is_known_says_where_to_look(client, world):
    dag_id = "yellowforensic__Store1_ingestion"
    world.run(dag_id, "silent", "failed", datetime.now(UTC))
    reported = client().get(f"/api/runs/{dag_id}/silent").json()
    assert reported["error"]["todo"] == "Read the log of its task snapshot_merge_job"


@pytest.mark.parametrize("statement", ["ALTER TABLE {} RENAME TO away", "REVOKE SELECT ON {} FROM {} CASCADE"])
def test_results_of_batches_are_shown_without_the_table_of_results(client, world, statement):
    """An older job has made no such table, or a newer one has made it without the login's right."""
    tables = ("yellowforensic_run_results", "yellowforensic_progress")
    (roles,) = world.merge_store(
        "SELECT string_agg(quote_ident(rolname), ', ') FROM pg_roles WHERE rolname LIKE '%pages%'"
    )
    for table in tables:
        world.merge_store(statement.format(table, *roles) + f"_{table}" * statement.endswith("away"))
    try:
        assert client().get(ONE).json()["result"] == "done"
        assert client().get("/api/streams/yellowforensic/Store1").json()["progress"] == []
    finally:
        for table in tables:
            world.merge_store(
                f"ALTER TABLE away_{table} RENAME TO {table}"
                if statement.endswith("away")
                else f"GRANT SELECT ON {table} TO {roles[0]}"
            )


# --- what a running job is at


def test_a_running_run_says_what_its_job_is_at(client, world):
    dag_id = "yellowforensic__Store1_ingestion"
    world.run(dag_id, "now", "running", datetime.now(UTC), seconds=None)
    world.merge_store(
        "INSERT INTO yellowforensic_progress VALUES ('Store1', 'now', now() - interval '70 s', 'reading',"
        " now() - interval '50 s', 'customers', 'rows', 250000, 1000000, 8000000, now()),"
        " ('Store1', 'died', now(), 'merging', now(), 'customers', NULL, NULL, NULL, NULL, now() - interval '1 min')"
    )
    try:
        progress = client().get(f"/api/runs/{dag_id}/now").json()["progress"]
        (of_stream,) = client().get("/api/streams/yellowforensic/Store1").json()["progress"]
    finally:
        world.merge_store("DELETE FROM yellowforensic_progress")
    assert progress == of_stream
    assert (progress["phase"], progress["dataset"], progress["kind"]) == ("reading", "customers", "rows")
    assert (progress["done"], progress["expected"]) == (250000, 1000000)
    assert (progress["bytes"], progress["bytes_expected"], progress["per_second"]) == (8000000, 32000000, 5000)
    assert client().get(ONE).json()["progress"] is None
