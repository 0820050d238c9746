"""What the task asks of Kubernetes, and what it shows: the least rights, and no secret anywhere."""

from __future__ import annotations

import json

import pytest

from tests.airflow.of_version import serialized
from tests.kubernetes.rights import RIGHTS
from tests.kubernetes.world import World


def test_secrets_reach_the_job_and_nothing_else(world: World, cluster, capsys, caplog):
    task = world.task()
    assert world.run(task)["code"] == 0
    written = json.dumps(cluster.created) + json.dumps(serialized(task.dag))
    shown = "".join(capsys.readouterr()) + caplog.text
    for secret in (world.password, world.git.token):
        assert secret not in written
        assert secret not in shown
    env = cluster.created[0]["spec"]["containers"][0]["env"]
    assert {one["name"] for one in env if "value" in one} == {"HOME", "DATASURFACE_RESULT_TOKEN"}


def test_a_pod_tells_whose_it_is_by_name_and_labels(world: World, cluster):
    world.run(world.task(), "by hand 1")
    metadata = cluster.created[0]["metadata"]
    assert metadata["name"].startswith("yellowlive-store1-merge-")
    assert metadata["labels"].items() >= {
        ("stream-factory/platform", "yellowlive"),
        ("stream-factory/stream", "Store1"),
        ("stream-factory/run", "by_hand_1"),
    }


def test_the_cases_need_all_rights_and_no_others(cluster, request):
    """Last of all: every case was held to RIGHTS, and together they have used each of them."""
    modules = {item.path.name for item in request.session.items}
    if not {"test_results.py", "test_faults.py", "test_attempts.py"} <= modules:
        pytest.skip("only all cases together use all of them")
    assert cluster.calls == RIGHTS
