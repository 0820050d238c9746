"""A config before it is saved: the same problems as everywhere, its DAG, and what it changes."""

from __future__ import annotations

from tests.airflow.conftest import config

VALIDATE, PREVIEW = "/api/validate/yellowlive", "/api/preview/yellowlive"


def test_a_sound_config_has_no_problems(client):
    answer = client("viewer").post(VALIDATE, json={"config": config("YellowLive", "Sound")})
    assert answer.json() == {"problems": []}


def test_problems_are_told_all_at_once_by_key(client):
    wrong = config("YellowLive", "Wrong", schedule="often", retries="many", runner="kubernetes")
    told = client("viewer").post(VALIDATE, json={"config": wrong}).json()["problems"]
    assert {one["path"] for one in told} == {"schedule", "retries"}
    told = client().post(VALIDATE, json={"config": config("YellowLive", "Wrong", runner="kubernetes")}).json()
    assert [one["path"] for one in told["problems"]] == ["runner"]


def test_a_stream_that_would_have_the_dag_of_another_is_a_problem(client):
    told = client().post(VALIDATE, json={"config": config("YellowLive", "Store1__customers")}).json()["problems"]
    assert [one["path"] for one in told] == ["stream_key"]
    assert "has the DAG id" in told[0]["what"]


def test_a_preview_shows_the_dag_and_what_changes(client):
    changed = config("YellowLive", "Store2", latency_seconds=600, schedule="0 6 * * *")
    told = client("viewer").post(PREVIEW, json={"config": changed}).json()
    assert told["problems"] == []
    assert told["dag"]["dag_id"] == "yellowlive__Store2_ingestion"
    assert [one["task_id"] for one in told["dag"]["tasks"]][:2] == ["snapshot_merge_job", "check_result"]
    assert len(told["dag"]["next_runs"]) == 3
    assert told["dag"]["pod"] is None
    assert told["changes"] == [{"path": "schedule", "before": "*/5 * * * *", "after": "0 6 * * *"}]


def test_a_preview_of_a_config_with_problems_has_no_dag(client):
    told = client().post(PREVIEW, json={"config": {"stream_key": "Store2"}}).json()
    assert told["dag"] is None
    assert len(told["problems"]) > 5
