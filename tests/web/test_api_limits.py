"""Answers have an end in rows and in bytes, and a stream's history grows no faster than people work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from psycopg2.extras import Json

from airflow_plugin.streams.changing import MOST_CHANGES
from tests.airflow.conftest import config

MOST_ANSWER = 3 << 20  # bytes
MOST_LIST = (1 << 20) + 20_000
BIG = 200_000  # characters of a config


@pytest.fixture
def long(client, world):
    """A stream with 60 changes by a sync, of 24 MB in all."""
    made = client().post("/api/streams/yellowlive", json={"config": config("YellowLive", "Long")})
    if made.status_code == 201:
        world.merge_store(
            "INSERT INTO yellowlive_airflow_dsg_history (stream_key, change, changed_by, changed_at, model_commit,"
            " before_config_json, before_status, after_config_json, after_status)"
            " SELECT 'Long', 'update', 'sync', now(), 'c', c, 'active', c, 'active'"
            " FROM generate_series(1, 60) n,"
            " LATERAL (VALUES (jsonb_build_object('n', n, 'x', repeat('x', %s))::text)) t (c)",
            BIG,
        )
    return "/api/streams/yellowlive/Long"


def test_a_history_comes_in_pages_that_are_bounded_in_bytes_and_leave_nothing_out(client, long):
    seen, before = [], {}
    for _ in range(100):
        answer = client().get(f"{long}/history", params=before)
        assert len(answer.content) < MOST_ANSWER
        page = answer.json()
        seen += [one["version"] for one in page["versions"]]
        if not page["more"]:
            break
        before = {"before": seen[-1]}
    assert len(seen) == 61
    assert seen == sorted(set(seen), reverse=True)
    assert len(client().get(f"{long}/history?limit=2").json()["versions"]) == 2
    assert client().get(f"{long}/history?limit=501").status_code == 400


def test_two_versions_of_a_long_history_are_compared_and_gone_back_to_without_reading_all(client, long):
    newest, *_, oldest = client().get(f"{long}/history").json()["versions"]
    reported = client().get(f"{long}/diff?from={oldest['version']}&to={newest['version']}").json()["changes"]
    assert "n" in [one["path"] for one in reported]


def test_a_stream_that_is_changed_too_often_by_hand_is_refused_and_can_still_be_retired(client, world):
    made = client().post("/api/streams/yellowlive", json={"config": config("YellowLive", "Hasty")}).json()
    path = "/api/streams/yellowlive/Hasty"
    world.merge_store(
        "INSERT INTO yellowlive_airflow_dsg_history (stream_key, change, changed_by, changed_at,"
        " after_config_json, after_status, before_config_json, before_status)"
        " SELECT 'Hasty', 'trigger', 'ann', now() - interval '1 minute', config_json, status, config_json, status"
        " FROM yellowlive_airflow_dsg, generate_series(2, %s) WHERE stream_key = 'Hasty'",
        MOST_CHANGES,
    )
    changed = {"config": made["config"] | {"retries": 3}, "version": made["version"]}
    answer = client().put(path, json=changed)
    assert answer.status_code == 429
    assert f"changed by hand {MOST_CHANGES} times in the last ten minutes" in answer.json()["detail"]
    assert client().post(f"{path}/actions/trigger", json={}).status_code in (409, 429)
    assert client().get(path).json()["config"].get("retries") != 3
    world.merge_store(
        "UPDATE yellowlive_airflow_dsg_history SET changed_at = changed_at - interval '11 minutes'"
        " WHERE stream_key = 'Hasty'"
    )
    assert client().put(path, json=changed).status_code == 200
    assert client().delete(path).status_code == 200


@pytest.mark.parametrize("action", ["reset_batch", "trust", "allow_deletes"])
def test_what_the_operations_dag_has_waiting_is_not_asked_for_again(client, world, action):
    """All streams of a platform wait in one queue: who may edit one stream does not fill it."""
    path = f"/api/streams/yellowlive/Store2/actions/{action}"
    with ThreadPoolExecutor(4) as threads:
        reported = list(threads.map(lambda _: client().post(path, json={}), range(8)))
    assert sorted(one.status_code for one in reported) == [200] + [409] * 7
    refused = next(one.json()["error"] for one in reported if one.status_code == 409)
    assert f"{action} of Store2 is asked for already, by the run manual__" in refused["what"]
    assert client().post(path.replace("Store2", "Store1"), json={}).status_code == 200
    world.real.query("UPDATE dag_run SET state = 'failed' WHERE dag_id = 'yellowlive_operations'")
    assert client().post(path, json={}).status_code == 200


def test_batches_with_large_results_come_in_pages_that_are_bounded_in_bytes(client, world):
    counts = {"inserted": 1, "updated": 0, "deleted": 0, "unchanged": 0, "total": 1}
    datasets = {
        f"dataset_{n}": {
            "counts": counts,
            "strategy": f"s{n * 7919}",
            "reason": f"because {n * 104729}",
            "seconds": 0.1,
        }
        for n in range(3000)
    }
    result = {"code": 0, "run_id": "r", "platform": "YellowLive", "stream_key": "Store1", "datasets": datasets}
    for number in range(1000, 1030):
        more = {"result_json": Json(result), "batch_status": "failed", "error": "e" * 100_000}
        world.batch("YellowLive", "Store1", number, datetime.now(UTC), **more)
    seen, before = [], 2**31 - 1
    try:
        while page := client().get(f"/api/streams/yellowlive/Store1/batches?limit=500&before={before}"):
            reported = page.json()["batches"]
            assert len(page.content) < MOST_ANSWER
            if not reported:
                break
            seen += [one["batch_id"] for one in reported]
            before = seen[-1]
    finally:
        world.merge_store("DELETE FROM yellowlive_batch_metrics WHERE batch_id >= 1000")
    assert seen[:30] == list(range(1029, 999, -1))
    assert seen == sorted(set(seen), reverse=True)


@pytest.fixture
def many(world):
    """2,000 streams of 400 KB each, 800 MB in all; what lists show of them is as long as it can be in JSON."""
    world.merge_store(
        "INSERT INTO yellowlive_airflow_dsg (stream_key, config_json, status)"
        " SELECT 'Many' || n, json_build_object('stream_key', 'Many' || n, 'store_name', repeat(chr(1), 2000),"
        " 'schedule', repeat(chr(1), 2000), 'x', repeat('many', 97000))::text, 'active' FROM generate_series(1, 2000) n"
    )
    world.let_it_see()
    yield [f"Many{n}" for n in range(1, 2001)]
    world.merge_store("DELETE FROM yellowlive_airflow_dsg WHERE stream_key ~ '^Many'")
    world.let_it_see()


def peak_of(process: int) -> int:
    """Return the most memory that a process and its children have had, in bytes."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    status = Path(f"/proc/{process}/status").read_text()
    own = int(status.partition("VmHWM:")[2].split()[0]) << 10
    return own + sum(peak_of(int(child)) for child in children)


def test_2000_streams_of_400_kb_are_listed_in_pages_that_are_bounded_and_leave_nothing_out(client, world, many):
    before = peak_of(world.server.pid)
    for path in ("streams", "status", "runs"):
        seen, offset = [], 0
        while offset is not None:
            answer = client().get(f"/api/{path}", params={"platform": "yellowlive", "limit": 500, "offset": offset})
            assert answer.status_code == 200, answer.text[:500]
            assert len(answer.content) < MOST_LIST
            reported = answer.json()
            seen += reported["runs" if path == "runs" else "streams"]
            offset = reported["next"]
        assert len(seen) == reported["total"]
        if path != "runs":
            assert {one["stream_key"] for one in seen} >= set(many)
            assert len({(one["platform"], one["stream_key"]) for one in seen}) == len(seen)
    assert len(client().get("/api/overview").content) < MOST_LIST
    (last,) = client().get("/api/streams?q=Many2000").json()["streams"]
    assert "among the longest of more than 64 MB of configs" in last["problem"]
    (usual,) = client().get("/api/streams?q=Store2&platform=yellowlive").json()["streams"]
    assert usual["problem"] is None or "longest" not in usual["problem"]
    assert len(client().get("/api/streams/yellowlive/Many2000").content) < MOST_ANSWER
    assert peak_of(world.server.pid) - before < 600 << 20


def test_the_status_of_streams_comes_in_pages(client):
    whole = client().get("/api/status").json()
    assert whole["total"] == len(whole["streams"])
    assert whole["next"] is None
    paged = [client().get(f"/api/status?limit=1&offset={n}").json()["streams"] for n in range(whole["total"])]
    assert [one for page in paged for one in without_ages(page)] == without_ages(whole["streams"])


def without_ages(streams):
    """Return the streams without what a second between two answers changes."""
    return [{key: value for key, value in one.items() if key != "age_seconds"} for one in streams]


def test_a_row_with_many_mistakes_of_any_length_gives_a_bounded_answer(client, world):
    wrong = config("YellowLive", "Mistaken", schedule="x" * 100_000) | {f"key_{n}": n for n in range(5000)}
    world.write("YellowLive", wrong)
    reported = client().get("/api/streams/yellowlive/Mistaken").json()
    assert len(reported["problems"]) <= 200
    assert all(len(one["what"]) < 1100 for one in reported["problems"])
    (listed,) = client().get("/api/streams?q=Mistaken").json()["streams"]
    assert len(listed["problem"]) <= 1000
    assert len(listed["schedule"]) <= 1000
