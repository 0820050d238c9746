"""What happens to pods, streams and the API server, and what becomes of the task."""

from __future__ import annotations

import importlib
from contextlib import closing
from functools import partial

import psycopg2
import pytest

from tests.kubernetes.faults import Refusal
from tests.kubernetes.rights import RIGHTS
from tests.kubernetes.world import World
from tests.relay import Relay


@pytest.fixture
def fails(airflow_exceptions):
    """That the task fails, in words, in a way that a retry may help."""

    def expecting(words: str):
        return pytest.raises(airflow_exceptions.AirflowException, match=words, check=_may_be_retried)

    def _may_be_retried(error: BaseException) -> bool:
        return not isinstance(error, airflow_exceptions.AirflowFailException) and "Traceback" not in str(error)

    return expecting


@pytest.mark.parametrize(("cuts", "late"), [([1, 0], False), ([1], True)], ids=["in the middle", "late"])
def test_a_stream_that_drops_loses_no_result(world: World, stand_in, monkeypatch, cuts, late):
    monkeypatch.delenv("DAGFACTORY_YELLOWLIVE_DSN")
    stand_in.faults.cut_streams, stand_in.faults.cut_late = cuts, late
    stand_in.faults.no_message = True
    assert world.run(world.task())["code"] == 0


@pytest.mark.parametrize("cuts", [[1], [3, 2], [4, 0, 0, 3]], ids=["once", "twice", "often"])
def test_a_stream_that_drops_loses_no_line_and_repeats_none(world: World, stand_in, capsys, cuts):
    stand_in.faults.cut_streams, stand_in.faults.says_first = cuts, ("the same", "the same", "another", "the same")
    assert world.run(world.task())["code"] == 0
    said = capsys.readouterr().out
    assert [said.count(line) for line in ("the same ", "another ", "batch", "DATASURFACE_RESULT_CODE")][:2] == [3, 1]
    assert said.count("DATASURFACE_RESULT_CODE=0") == 1
    assert "might get duplicated" not in said
    assert "Waiting for container" not in said


def test_an_end_that_its_node_reports_late_repeats_no_line_and_is_waited_for_in_silence(world: World, stand_in, capsys):
    stand_in.faults.status_lag = 1.5
    assert world.run(world.task())["code"] == 0
    said = capsys.readouterr().out
    assert said.count("DATASURFACE_RESULT_CODE=0") == 1
    assert [line for line in said.splitlines() if "interrupted" in line or "Waiting for" in line] == []


def test_connections_that_are_refused_while_policies_do_not_know_the_pod_yet_are_made_a_little_later(
    world: World, stand_in, capsys
):
    with closing(Relay(world.server.port)) as relay:
        stand_in.faults.at_start = partial(relay.listen_not, 3)
        assert world.run(world.task(postgres_port=relay.port))["code"] == 0
    assert "Connecting is tried again for up to" in capsys.readouterr().out


def test_a_stream_that_is_half_open_holds_nothing_up(world: World, stand_in, monkeypatch):
    manager = importlib.import_module("airflow_plugin.operators.pod_manager")
    monkeypatch.setattr(manager, "SILENCE_SECONDS", 1.0)
    monkeypatch.delenv("DAGFACTORY_YELLOWLIVE_DSN")
    stand_in.faults.half_open = stand_in.faults.no_message = True
    assert world.run(world.task())["code"] == 0
    assert stand_in.endured == 0


def test_a_log_whose_end_does_not_come_holds_nothing_up(world: World, stand_in, monkeypatch):
    reading = importlib.import_module("airflow_plugin.operators.pod_reading")
    monkeypatch.setattr(reading, "TAIL_SECONDS", 0.5)
    monkeypatch.delenv("DAGFACTORY_YELLOWLIVE_DSN")
    stand_in.faults.half_open_tail = True
    assert world.run(world.task(deferrable=True))["code"] == 0
    assert stand_in.endured == 0


def test_a_pod_that_vanishes_fails_the_task_and_says_so(world: World, stand_in, fails, deferrable):
    stand_in.faults.vanish = "early"
    with world.locked(), fails("its pod is gone"):
        world.run(world.task(deferrable=deferrable))


def test_a_pod_that_vanishes_when_its_work_is_done_has_done_it(world: World, stand_in, deferrable):
    world.produce("INSERT INTO customers SELECT max(id) + 1, 'new' FROM customers")
    stand_in.faults.vanish = "late"
    assert world.run(world.task(deferrable=deferrable))["total"]["inserted"] > 0


def test_a_job_that_takes_too_much_memory_fails_the_task_and_says_so(world: World, stand_in, fails, deferrable):
    stand_in.faults.out_of_memory = True
    with world.locked(), fails(r"exit code 137 \(OOMKilled\)"):
        world.run(world.task(deferrable=deferrable))


@pytest.mark.parametrize(("deferrable", "on_failed_pod"), [(False, "keep"), (True, "keep"), (True, "delete")])
def test_an_image_that_cannot_be_pulled_is_named_and_its_pod_is_gone(
    world: World, stand_in, fails, deferrable, on_failed_pod
):
    stand_in.faults.unpullable = "manifest for registry.example/merge-job:0.1.0 not found"
    with fails("Image cannot be pulled.*\\\\nmanifest for registry.example/merge-job:0.1.0 not found"):
        world.run(world.task(deferrable=deferrable, on_failed_pod=on_failed_pod))
    assert not stand_in.pods


def test_a_pod_that_never_starts_is_a_failed_run_of_its_stream(world: World, stand_in, fails):
    world.run(world.task())  # which makes the tables
    stand_in.faults.unpullable = "no such image"
    with fails("no such image"):
        world.run(world.task(), run_id="never started")
    failures = "SELECT result_json ->> 'error' FROM yellowlive_run_results WHERE run_id = 'never started'"
    with closing(psycopg2.connect(world.store_dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(failures)
        ((error,),) = cursor.fetchall()
    assert "no such image" in error


@pytest.mark.parametrize(("deferrable", "on_failed_pod"), [(False, "keep"), (True, "keep"), (False, "delete")])
def test_a_pod_that_is_never_scheduled_is_given_up_and_gone(
    world: World, stand_in, fails, deferrable, on_failed_pod, capsys
):
    stand_in.faults.unscheduled = True
    with fails("too long to be scheduled.*Unschedulable: 0/3 nodes are available: 3 Insufficient memory"):
        world.run(world.task(deferrable=deferrable, on_failed_pod=on_failed_pod))
    assert not stand_in.pods
    assert "0/3 nodes are available: 3 Insufficient memory." in capsys.readouterr().out


def test_a_pod_that_is_evicted_fails_the_task(world: World, stand_in, fails, deferrable):
    stand_in.faults.evicted = True
    with fails("Evicted.*The node was low on resource: memory"):
        world.run(world.task(deferrable=deferrable))


@pytest.mark.parametrize(("deferrable", "status"), [(False, 500), (False, 429), (True, 500)])
def test_an_api_server_that_stumbles_is_asked_again(world: World, stand_in, deferrable, status):
    stand_in.faults.refusals = [Refusal(verb, resource, status, times=2) for verb, resource in RIGHTS]
    assert world.run(world.task(deferrable=deferrable))["code"] == 0
    assert len(stand_in.created) == 1
    assert not stand_in.pods


def test_a_pod_whose_creation_was_not_answered_is_found(world: World, stand_in):
    stand_in.faults.refusals = [Refusal("create", "pods", done=True)]
    assert world.run(world.task())["code"] == 0
    assert len(stand_in.created) == 1


def test_what_the_api_server_refuses_is_reported_in_its_words(world: World, stand_in, fails, deferrable):
    stand_in.faults.refusals = [Refusal("create", "pods", 403)]
    with fails("the Kubernetes API answered 403 Forbidden. the server is not well"):
        world.run(world.task(deferrable=deferrable))
