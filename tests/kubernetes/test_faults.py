"""What happens to pods, streams and the API server, and what becomes of the task."""

from __future__ import annotations

import importlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
import pytest

from tests.kubernetes.faults import Refusal
from tests.kubernetes.rights import RIGHTS
from tests.kubernetes.test_attempts import until
from tests.kubernetes.world import LITTLE_MEMORY, LITTLE_STORAGE, MUCH_MEMORY, NO_IMAGE, NO_NODE, World
from tests.relay import Relay


def said(cluster: Any, words: str) -> bool:
    return any(words in line for pod in cluster.pods.values() for line in pod.lines)


@contextmanager
def when(condition: Callable[[], bool], act: Callable[[], None]) -> Iterator[None]:
    """Let something happen meanwhile, as soon as the condition holds."""

    over = threading.Event()

    def wait_and_act() -> None:
        until(lambda: over.is_set() or condition())
        if not over.is_set():
            act()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(60)


@pytest.mark.parametrize(("cuts", "late"), [([1, 0], False), ([1], True)], ids=["in the middle", "late"])
def test_a_stream_that_drops_loses_no_result(world: World, cluster, monkeypatch, cuts, late):
    monkeypatch.delenv("DAGFACTORY_YELLOWLIVE_DSN")
    cluster.faults.cut_streams, cluster.faults.cut_late = cuts, late
    cluster.faults.no_message = True
    assert world.run(world.task())["code"] == 0


@pytest.mark.parametrize("cuts", [[1], [3, 2], [4, 0, 0, 3]], ids=["once", "twice", "often"])
def test_a_stream_that_drops_loses_no_line_and_repeats_none(world: World, cluster, capsys, cuts):
    cluster.faults.cut_streams, cluster.faults.says_first = cuts, ("the same", "the same", "another", "the same")
    assert world.run(world.task())["code"] == 0
    said = capsys.readouterr().out
    assert [said.count(line) for line in ("the same ", "another ", "batch", "DATASURFACE_RESULT_CODE")][:2] == [3, 1]
    assert said.count("DATASURFACE_RESULT_CODE=0") == 1
    assert "might get duplicated" not in said
    assert "Waiting for container" not in said


def test_an_end_that_its_node_reports_late_repeats_no_line_and_is_waited_for_in_silence(world: World, cluster, capsys):
    cluster.faults.status_lag = 1.5  # which a real node has anyway
    assert world.run(world.task())["code"] == 0
    said = capsys.readouterr().out
    assert said.count("DATASURFACE_RESULT_CODE=0") == 1
    assert [line for line in said.splitlines() if "interrupted" in line or "Waiting for" in line] == []


def test_a_pod_has_ended_well_with_its_container_whenever_its_node_says_so(world: World, cluster, deferrable):
    cluster.faults.no_phase = True
    assert world.run(world.task(deferrable=deferrable))["code"] == 0
    assert not cluster.pods


def test_connections_that_are_refused_while_policies_do_not_know_the_pod_yet_are_made_a_little_later(
    world: World, cluster, capsys
):
    with closing(Relay(world.server.port, world.host)) as relay:
        cluster.faults.at_start = relay.listen_not
        with when(lambda: said(cluster, "Connecting is tried again for up to"), relay.listen):
            assert world.run(world.task(postgres_port=relay.port))["code"] == 0
    assert "Connecting is tried again for up to" in capsys.readouterr().out


def test_a_stream_that_is_half_open_holds_nothing_up(world: World, cluster, monkeypatch):
    manager = importlib.import_module("airflow_plugin.operators.pod_manager")
    monkeypatch.setattr(manager, "SILENCE_SECONDS", 1.0)
    monkeypatch.delenv("DAGFACTORY_YELLOWLIVE_DSN")
    cluster.faults.half_open = cluster.faults.no_message = True
    assert world.run(world.task())["code"] == 0
    assert cluster.endured == 0


def test_a_log_whose_end_does_not_come_holds_nothing_up(world: World, cluster, monkeypatch):
    reading = importlib.import_module("airflow_plugin.operators.pod_reading")
    monkeypatch.setattr(reading, "TAIL_SECONDS", 0.5)
    monkeypatch.delenv("DAGFACTORY_YELLOWLIVE_DSN")
    cluster.faults.half_open_tail = True
    assert world.run(world.task(deferrable=True))["code"] == 0
    assert cluster.endured == 0


def test_a_pod_that_vanishes_fails_the_task_and_says_so(world: World, cluster, fails, deferrable):
    cluster.faults.vanish = "early"
    with world.locked(), fails("its pod is gone"):
        world.run(world.task(deferrable=deferrable))


def test_a_pod_that_vanishes_when_its_work_is_done_has_done_it(world: World, cluster, deferrable):
    world.produce("INSERT INTO customers SELECT max(id) + 1, 'new' FROM customers")
    cluster.faults.vanish = "late"
    assert world.run(world.task(deferrable=deferrable))["total"]["inserted"] > 0


def test_a_job_that_takes_too_much_memory_fails_the_task_and_says_so(world: World, cluster, fails, deferrable):
    with world.locked(), fails(r"exit code 137 \(OOMKilled\)"):
        world.run(world.task(deferrable=deferrable, resources=LITTLE_MEMORY))


@pytest.mark.parametrize(("deferrable", "on_failed_pod"), [(False, "keep"), (True, "keep"), (True, "delete")])
def test_an_image_that_cannot_be_pulled_is_named_and_its_pod_is_gone(
    world: World, cluster, fails, deferrable, on_failed_pod
):
    with fails(f"Image cannot be pulled.*{NO_IMAGE}.*connect: connection refused"):
        world.run(world.task(deferrable=deferrable, on_failed_pod=on_failed_pod, datasurface_docker_image=NO_IMAGE))
    assert not cluster.pods


def test_a_pod_that_never_starts_is_a_failed_run_of_its_stream(world: World, cluster, fails):
    world.run(world.task())  # which makes the tables
    with fails("connection refused"):
        world.run(world.task(datasurface_docker_image=NO_IMAGE), run_id="never started")
    failures = "SELECT result_json ->> 'error' FROM yellowlive_run_results WHERE run_id = 'never started'"
    with closing(psycopg2.connect(world.store_dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(failures)
        ((error,),) = cursor.fetchall()
    assert "connection refused" in error


@pytest.mark.parametrize(("deferrable", "on_failed_pod"), [(False, "keep"), (True, "keep"), (False, "delete")])
@pytest.mark.parametrize(
    ("wants", "why"),
    [
        ({"resources": MUCH_MEMORY}, "Insufficient memory"),
        ({"node_selector": NO_NODE}, r"node\(s\) didn't match Pod's node affinity/selector"),
    ],
    ids=["memory", "node"],
)
def test_a_pod_that_is_never_scheduled_is_given_up_and_gone(
    world: World, cluster, fails, deferrable, on_failed_pod, capsys, wants, why
):
    with fails(rf"too long to be scheduled.*Unschedulable: 0/(\d+) nodes are available: \1 {why}"):
        world.run(world.task(deferrable=deferrable, on_failed_pod=on_failed_pod, **wants))
    assert not cluster.pods
    assert re.search(rf"0/\d+ nodes are available: \d+ {why}\.", capsys.readouterr().out)


def test_a_pod_that_outgrows_its_scratch_space_is_evicted_and_fails_the_task(world: World, cluster, fails, deferrable):
    with world.locked(), fails(r"Evicted.*storage usage exceeds the total limit of containers 1Ki"):
        world.run(world.task(deferrable=deferrable, resources=LITTLE_STORAGE))


def test_a_pod_that_is_evicted_before_it_starts_fails_the_task(world: World, stand_in, fails, deferrable):
    stand_in.faults.evicted = True
    with fails("Evicted.*The node was low on resource: memory"):
        world.run(world.task(deferrable=deferrable))


def test_a_pod_that_a_drain_evicts_fails_the_task_in_a_way_that_a_retry_may_help(
    world: World, cluster, fails, deferrable
):
    def evict() -> None:
        for name in list(cluster.pods):
            cluster.evict(name)

    with world.locked(), when(lambda: said(cluster, "started"), evict), fails("ended by SIGTERM|its pod is gone"):
        world.run(world.task(deferrable=deferrable), f"drained {deferrable}")
    assert world.run(world.task(deferrable=deferrable), f"drained {deferrable}", try_number=2)["code"] == 0


@pytest.mark.parametrize(("deferrable", "status"), [(False, 500), (False, 429), (True, 500)])
def test_an_api_server_that_stumbles_is_asked_again(world: World, cluster, deferrable, status):
    cluster.faults.refusals = [Refusal(verb, resource, status, times=2) for verb, resource in RIGHTS]
    assert world.run(world.task(deferrable=deferrable))["code"] == 0
    assert len(cluster.created) == 1
    assert not cluster.pods


def test_a_pod_whose_creation_was_not_answered_is_found(world: World, cluster):
    cluster.faults.refusals = [Refusal("create", "pods", done=True)]
    assert world.run(world.task())["code"] == 0
    assert len(cluster.created) == 1


def test_what_the_api_server_refuses_is_reported_in_its_words(world: World, cluster, fails, deferrable):
    cluster.faults.refusals = [Refusal("create", "pods", 403)]
    with fails("the Kubernetes API answered 403 Forbidden. the server is not well"):
        world.run(world.task(deferrable=deferrable))
