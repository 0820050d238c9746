"""Several people, or several clicks, that change one stream at once: one is accepted, the others are refused."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.airflow.conftest import config

AT_ONCE = 8
numbers = itertools.count(1)


@pytest.fixture
def stream(client) -> tuple[str, str]:
    """A new stream: its key, and its path."""
    key = f"Raced{next(numbers)}"
    assert client().post("/api/streams/yellowlive", json={"config": config("YellowLive", key)}).status_code == 201
    return key, f"/api/streams/yellowlive/{key}"


def at_once(client, acts: list[Callable[[httpx.Client], httpx.Response]]) -> list[httpx.Response]:
    clients = [client() for _ in acts]
    for one in clients:
        one.get("/api/me")  # connected
    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(lambda pair: pair[0](pair[1]), zip(acts, clients, strict=True)))


def put(path: str, key: str, version: int, **more: Any) -> Callable[[httpx.Client], httpx.Response]:
    body = {"config": config("YellowLive", key, **more), "version": version}
    return lambda client: client.put(path, json=body)


def versions(client, path: str) -> list[dict[str, Any]]:
    return client().get(f"{path}/history").json()["versions"]


def test_of_changes_to_one_version_one_is_made(client, stream):
    key, path = stream
    version = client().get(path).json()["version"]
    found = at_once(client, [put(path, key, version, retries=number) for number in range(1, AT_ONCE + 1)])
    assert Counter(one.status_code for one in found) == {200: 1, 409: AT_ONCE - 1}
    assert len(versions(client, path)) == 2
    (made,) = [number for number, one in enumerate(found, 1) if one.status_code == 200]
    assert client().get(path).json()["config"]["retries"] == made


def test_of_streams_of_one_key_one_is_created(client):
    key = f"Raced{next(numbers)}"
    body = {"config": config("YellowLive", key)}
    found = at_once(client, [lambda one: one.post("/api/streams/yellowlive", json=body)] * AT_ONCE)
    assert Counter(one.status_code for one in found) == {201: 1, 409: AT_ONCE - 1}
    assert len(versions(client, f"/api/streams/yellowlive/{key}")) == 1


def test_what_is_done_at_once_in_different_ways_is_done_one_after_the_other(client, stream, world):
    """Each change in the history begins where the one before it has ended: nothing was written over unseen."""
    key, path = stream
    version = client().get(path).json()["version"]
    acts = [
        *(put(path, key, version, retries=number) for number in (5, 6)),
        *(
            lambda one, act=act: one.post(f"{path}/actions/{act}", json={})
            for act in ("pause", "resume", "retire", "pause")
        ),
        lambda one: one.delete(path),
        lambda one: one.post(f"{path}/rollback", json={"to": version, "version": version}),
    ]
    found = at_once(client, acts)
    assert {one.status_code for one in found} <= {200, 204, 400, 404, 409}
    columns = "before_config_json, before_status, after_config_json, after_status"
    asked = f"SELECT {columns} FROM yellowlive_airflow_dsg_history WHERE stream_key = %s ORDER BY id"
    for earlier, later in itertools.pairwise(world.merge_store(asked, key)):
        assert earlier[2:] == later[:2]


@pytest.mark.parametrize("version", [0, -1, 10**30, None, "1", 1.5, True, [], {}])
def test_a_version_that_nobody_has_seen_changes_nothing(client, stream, version):
    key, path = stream
    answer = put(path, key, version, retries=9)(client())
    assert answer.status_code in (400, 409)
    assert len(versions(client, path)) == 1


def test_a_stream_that_went_and_came_again_is_another_version(client, stream):
    """A, B, A: the config is what it was, and whoever saw the first A is refused all the same."""
    key, path = stream
    seen = client().get(path).json()["version"]
    for more in ({"retries": 7}, {}):
        now = client().get(path).json()["version"]
        assert put(path, key, now, **more)(client()).status_code == 200
    assert put(path, key, seen, retries=8)(client()).status_code == 409
