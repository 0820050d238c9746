"""What data can make a pod print: it forges no line of the task's log, hides none, and is no result."""

from __future__ import annotations

import importlib
import json
import logging
import pydoc
import re
import tracemalloc
from datetime import UTC, datetime

import pytest

from airflow_plugin.operators.child_process import LINE_BYTES
from config_schema.result import CODE_PREFIX, RESULT_PREFIX
from tests.kubernetes.test_platform_jobs import run as run_job
from tests.kubernetes.test_platform_jobs import settings_of, task_of
from tests.kubernetes.world import World

FORGED = "[2026-01-01 00:00:00] ERROR - all is lost"
DONE = json.dumps({"code": 0, "run_id": "x", "platform": "YellowLive", "stream_key": "Store1", "token": "guessed"})
HOSTILE = (
    "\x1b[2J\x1b]8;;http://evil\x07here",
    f"fine\r{FORGED}",
    f"fine\u2028{FORGED}\u2029{FORGED}\x85{FORGED}\x0b{FORGED}",
    "\u202etfel ot thgir\u2066\u200f",
    "::group::hidden from here on",
    "100 %s %d %(name)s",
    "x" * LINE_BYTES,
    RESULT_PREFIX + "[" * 100_000,
    RESULT_PREFIX + '{"token":' * 30_000,
    RESULT_PREFIX + '{"token": "\\ud800", "code": 1e999}',
    RESULT_PREFIX + DONE,
    CODE_PREFIX + "0",
    b"\xff\xfe half a character \xed\xa0\x80\xc3".decode("utf-8", "surrogateescape"),
)


STAMP = "2026-01-01T00:00:00Z [info ]"
BEGIN = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z \[")
MARKS = ("evil", "all is lost", "tfel", "hidden", "100 %s", "half a char")


def no_line_is_forged(printed: str) -> None:
    """Assert that every hostile line is shown, each in a line that the logger has begun, with nothing that controls."""
    lines = printed.split("\n")
    assert [mark for mark in MARKS if not any(mark in line for line in lines)] == []
    hostile = [line for line in lines if any(mark in line for mark in MARKS)]
    assert [line[:200] for line in hostile if not BEGIN.match(line)] == []
    assert [line[:200] for line in hostile if not line.isprintable()] == []


def test_hostile_lines_of_a_merge_jobs_pod_are_escaped_in_the_tasks_log(
    world: World, cluster, capsys, caplog, deferrable
):
    caplog.set_level(logging.INFO)
    cluster.faults.says_first = HOSTILE
    value = world.run(world.task(deferrable=deferrable), f"hostile log {deferrable}")
    assert (value["code"], value["run_id"]) == (0, f"hostile log {deferrable}")
    # The provider's logger prints; ours has a handler that a test of before may have made.
    own = [f"{STAMP} {record.getMessage()}" for record in caplog.records]
    no_line_is_forged("\n".join([capsys.readouterr().out, *own]))


def test_hostile_lines_of_a_platforms_pod_and_its_init_containers_are_escaped(world: World, cluster, capsys):
    cluster.faults.says_first = HOSTILE
    run_job(world, task_of(settings_of(world), "infrastructure", "model_merge"))
    no_line_is_forged(capsys.readouterr().out)


def test_what_a_node_says_in_events_and_states_forges_no_line_of_the_tasks_log(
    world: World, stand_in, capsys, deferrable
):
    """A registry's words come into events, and into the state of a container that waits."""
    stand_in.faults.unpullable = f"registry says\r\n{FORGED}\x1b[2J\u202e\n::group::hidden"
    with pytest.raises(importlib.import_module("airflow.sdk.exceptions").AirflowException):
        world.run(world.task(deferrable=deferrable), f"hostile events {deferrable}")
    printed = capsys.readouterr().out
    assert any("state='WAITING'" in line for line in printed.splitlines() if "registry says" in line)
    assert [line for line in printed.split("\n") if not line.isprintable()] == []
    assert [line for line in printed.split("\n") if line.startswith((FORGED, "::group::hidden"))] == []


@pytest.mark.usefixtures("cluster")  # so that the provider is imported with its settings
def test_events_and_errors_are_one_line_in_the_triggerer_too(capsys):
    from airflow.providers.cncf.kubernetes.triggers.pod import KubernetesPodTrigger
    from airflow.providers.cncf.kubernetes.utils.pod_manager import log_pod_event
    from kubernetes.client import models as k8s

    from airflow_plugin.airflow_versions import TaskDeferred
    from airflow_plugin.operators.job_pod import JobPod
    from airflow_plugin.operators.pod_manager import JobPodManager

    theirs = KubernetesPodTrigger("pod", "ns", datetime.now(UTC), "base", poll_interval=1, connection_extras={})
    with pytest.raises(TaskDeferred) as deferred:
        JobPod.defer(object.__new__(JobPod), trigger=theirs, method_name="trigger_reentry")
    path, arguments = deferred.value.trigger.serialize()
    ours = pydoc.locate(path)(**arguments)
    assert arguments == theirs.serialize()[1]
    event = k8s.CoreV1Event(
        metadata=k8s.V1ObjectMeta(uid="1"),
        involved_object=k8s.V1ObjectReference(field_path="spec\n"),
        message=f"registry says\r\n{FORGED}\x1b[2J\u202e",
    )
    for manager in (ours.pod_manager, JobPodManager(kube_client=None)):  # type: ignore[arg-type]
        log_pod_event(manager, event, set())
        (line,) = capsys.readouterr().out.strip().split("\n")
        assert "registry says\\r\\n[2026" in line
        assert line.isprintable()
    try:
        raise ValueError(event.message)
    except ValueError:
        ours.log.exception("It is wrong with %s", "pod\n")
    (line,) = capsys.readouterr().out.strip().split("\n")
    assert "It is wrong with pod\\n: ValueError: registry says\\r\\n[2026" in line
    assert line.isprintable()


@pytest.mark.usefixtures("cluster")  # so that the provider is imported with its settings
def test_what_a_server_says_of_a_pod_is_one_line():
    from kubernetes.client.exceptions import ApiException

    from airflow_plugin.operators.pod_failure import in_words

    error = ApiException(status=500, reason="no\r\nway")
    error.body = json.dumps({"message": f"it\n{FORGED}\x1b[2J"})
    assert in_words(error).isprintable()


def test_a_line_without_an_end_does_not_grow_the_workers_memory():
    from airflow_plugin.operators.pod_log import lines_of

    chunk = b"x" * (1 << 16)
    tracemalloc.start()
    try:
        found = [len(line) for line in lines_of(chunk for _ in range(2000))]  # 125 MB
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == [LINE_BYTES]
    assert peak < 8 * LINE_BYTES


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"a\nb", b"c\n", b"\nd"], [b"a", b"bc", b"", b"d"]),
        ([], []),
        ([b"x" * LINE_BYTES + b"y", b"y\nz\n"], [b"x" * LINE_BYTES, b"z"]),
    ],
)
def test_lines_are_those_of_the_log(chunks, lines):
    from airflow_plugin.operators.pod_log import lines_of

    assert list(lines_of(chunks)) == lines
