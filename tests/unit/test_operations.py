"""The conf of an operations run: what is let through, and everything that is wrong with another in one go."""

from __future__ import annotations

import subprocess
import sys

import pytest

from airflow_plugin.jobs.operations import Action, Operation, operation
from config_schema.errors import ProblemsFound

GOOD = [
    Operation(Action.RESET_BATCH, "alice", "Store1", reason="the source was restored"),
    Operation(Action.ALLOW_DELETES, "alice", "Store1#customers"),
    Operation(Action.TRUST, "alice", "Store1", dataset="customers"),
    Operation(Action.CHECK_SOURCE, "alice", "Store1"),
    Operation(Action.PURGE, "alice", "Store1", reason="nobody misses it"),
    Operation(Action.RECONCILE_VIEWS, "alice"),
    Operation(Action.APPROVE_DELETE, "alice", "Store1"),
    Operation(Action.ASK_DELETE, "the merge task", "Store1", dataset="customers", batch=7, rows=249),
]


@pytest.mark.parametrize("asked", GOOD, ids=str)
def test_what_is_asked_for_comes_back_from_its_conf(asked):
    assert operation(asked.to_conf()) == asked


@pytest.mark.parametrize(
    ("conf", "reported"),
    [
        (None, ["conf: it is no object but a NoneType"]),
        ({}, ["action: it is missing", "by: it is missing"]),
        (
            {"action": "reset_batches", "by": "alice", "stream_key": "Store1"},
            ["action: 'reset_batches' is no action. Did you mean 'reset_batch'?"],
        ),
        ({"action": ["trust"], "by": "alice"}, ["action: ['trust'] is no action"]),
        ({"action": "trust", "by": "alice"}, ["stream_key: trust wants a stream"]),
        ({"action": "check_source", "by": "alice"}, ["stream_key: check_source wants a stream"]),
        (
            {"action": "purge", "by": "alice", "dataset": "customers"},
            ["stream_key: purge wants a stream", "dataset: purge is of all datasets of a stream"],
        ),
        (
            {"action": "reconcile_views", "by": "alice", "stream_key": "Store1", "dataset": "customers"},
            ["stream_key: reconcile_views is of the whole platform", "dataset: reconcile_views is of all datasets"],
        ),
        (
            {"action": "approve_delete", "by": "alice", "stream_key": "Store1", "batch": True, "rows": 0},
            ["batch: it is no number", "rows: it is no number"],
        ),
        (
            {"action": "trust", "by": "alice", "stream_key": "Store1", "rows": 3},
            ["rows: trust is about no refused delete"],
        ),
        (
            {"action": "show_changes", "by": "alice", "stream_key": "Store1", "keys": 21, "rows": 1},
            ["rows: show_changes is about no refused", "keys: it is no number", "batch: it is missing"],
        ),
        (
            {"action": "purge", "by": "alice", "stream_keys": ["a", "a"]},
            ["stream_keys: it is no list of streams"],
        ),
        ({"action": "purge", "by": "alice", "stream_keys": []}, ["stream_keys: it is no list of streams"]),
        ({"action": "purge", "by": "alice", "stream_keys": ["a\nb"]}, ["stream_keys: it is no list of streams"]),
        (
            {"action": "purge", "by": "alice", "stream_keys": [str(n) for n in range(101)]},
            ["stream_keys: it is no list of streams. Give 1 to 100 different keys"],
        ),
        (
            {"action": "purge", "by": "alice", "stream_keys": ["a"], "stream_key": "b"},
            ["stream_keys: there is a stream_key too"],
        ),
        (
            {"action": "trust", "by": "alice", "stream_keys": ["a"]},
            ["stream_keys: trust is of one stream, or of none"],
        ),
        (
            {"action": "trust", "by": "alice", "stream_key": "Store1", "batch": 3, "keys": 3},
            ["batch: trust is about no batch", "keys: trust shows no values"],
        ),
        ({"action": "trust", "by": "alice", "stream_key": "a\nb"}, ["stream_key: it is no line of text"]),
        ({"action": "trust", "by": " ", "stream_key": "x" * 256}, ["stream_key: it is no", "by: it is no line"]),
        ({"action": "trust", "by": {"name": "alice"}, "stream_key": "Store1"}, ["by: it is no line of text"]),
        (
            {"action": "trust", "by": "alice", "stream": "Store1"},
            ["stream: unknown key", "stream_key: trust wants a stream"],
        ),
    ],
)
def test_everything_wrong_with_a_conf_is_reported_at_once(conf, reported):
    with pytest.raises(ProblemsFound) as raised:
        operation(conf)
    found = [str(problem) for problem in raised.value.problems]
    assert len(found) == len(reported)
    for problem, wanted in zip(found, reported, strict=True):
        assert wanted in problem


def test_the_check_loads_nothing_of_airflow():
    program = (
        "import sys; import airflow_plugin.jobs.operations; "
        "sys.exit(bool({'airflow', 'psycopg2'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
