"""A config before it is saved: the same problems as everywhere, its DAG, and what it changes."""

from __future__ import annotations

from tests.airflow.conftest import config

VALIDATE, PREVIEW = "/api/validate/yellowlive", "/api/preview/yellowlive"


def test_a_sound_config_has_no_problems(client):
    answer = client("viewer").post(VALIDATE, json={"config": config("YellowLive", "Sound")})
    assert answer.json() == {"problems": []}


def test_problems_are_reported_all_at_once_by_key(client):
    wrong = config("YellowLive", "Wrong", schedule="often", retries="many", runner="kubernetes")
    reported = client("viewer").post(VALIDATE, json={"config": wrong}).json()["problems"]
    assert {one["path"] for one in reported} == {"schedule", "retries"}
    reported = client().post(VALIDATE, json={"config": config("YellowLive", "Wrong", runner="kubernetes")}).json()
    assert [one["path"] for one in reported["problems"]] == ["runner"]


def test_a_stream_that_would_have_the_dag_of_another_is_a_problem(client):
    reported = client().post(VALIDATE, json={"config": config("YellowLive", "Store1__customers")}).json()["problems"]
    assert [one["path"] for one in reported] == ["stream_key"]
    assert "has the DAG id" in reported[0]["what"]


def test_a_preview_shows_the_dag_and_what_changes(client):
    changed = config("YellowLive", "Store2", latency_seconds=600, schedule="0 6 * * *")
    reported = client("viewer").post(PREVIEW, json={"config": changed}).json()
    assert reported["problems"] == []
    assert reported["dag"]["dag_id"] == "yellowlive__Store2_ingestion"
    assert [one["task_id"] for one in reported["dag"]["tasks"]][:2] == ["snapshot_merge_job", "check_result"]
    assert len(reported["dag"]["next_runs"]) == 3
    assert reported["dag"]["pod"] is None
    assert reported["changes"] == [{"path": "schedule", "before": "*/5 * * * *", "after": "0 6 * * *"}]


def test_a_preview_of_a_config_with_problems_has_no_dag(client):
    reported = client().post(PREVIEW, json={"config": {"stream_key": "Store2"}}).json()
    assert reported["dag"] is None
    assert len(reported["problems"]) > 5
