"""What a namespace allows its pods: a quota, and limits that they get where they have none."""

from __future__ import annotations

from tests.kubernetes.world import World


def test_a_quota_that_is_used_up_is_named_in_the_tasks_error(world: World, cluster, fails, deferrable):
    words = "403 Forbidden.*exceeded quota: quota, requested: pods=1, used: pods=0, limited: pods=0"
    with cluster.limited(pods=0), fails(words):
        world.run(world.task(deferrable=deferrable))
    assert world.run(world.task(deferrable=deferrable))["code"] == 0


def test_a_pod_whose_platform_leaves_it_to_the_namespace_has_its_limits(world: World, cluster, fails, deferrable):
    with cluster.limited(defaults={"memory": "12Mi"}), world.locked(), fails(r"exit code 137 \(OOMKilled\)"):
        world.run(world.task(deferrable=deferrable, settings={"resources": {}}))


def test_a_row_has_its_own_limits_whatever_the_namespace_gives(world: World, cluster):
    own = {"limits": {"memory": "512Mi"}}
    with cluster.limited(defaults={"memory": "12Mi"}):
        assert world.run(world.task(resources=own))["code"] == 0


def test_requests_that_are_more_than_the_namespaces_limit_are_named_in_the_tasks_error(
    world: World, cluster, fails, deferrable
):
    words = r'422 .*requests: Invalid value: "128Mi": must be less than or equal to memory limit of 100Mi'
    with cluster.limited(defaults={"memory": "100Mi"}), fails(words):
        world.run(world.task(deferrable=deferrable))
