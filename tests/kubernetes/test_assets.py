"""The pod runner's events on assets, also where the task comes back from the triggerer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kubernetes.world import World


def test_a_run_that_changed_a_dataset_has_an_event_and_one_that_did_not_has_none(world: World, deferrable: bool):
    events(world, f"whatever came before {deferrable}", deferrable)
    world.produce("INSERT INTO customers SELECT max(id) + 1, 'new' FROM customers")
    ((asset, extra),) = events(world, f"with news {deferrable}", deferrable).items()
    assert asset == "x-stream://YellowLive/Store1/customers"
    assert (extra["inserted"], extra["updated"], extra["deleted"]) == (1, 0, 0)
    assert (extra["total"], extra["run_id"]) == (world.merged(), f"with news {deferrable}")
    assert events(world, f"without news {deferrable}", deferrable) == {}


def events(world: World, run_id: str, deferrable: bool) -> dict[str, Any]:
    """Asset -> extra, after a run of the task."""
    from airflow.sdk import AssetAlias

    context = world.context(run_id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "context", lambda *_: context)
        world.run(world.task(deferrable=deferrable), run_id)
    found = context["outlet_events"][AssetAlias("x-stream://YellowLive/Store1")].asset_alias_events
    return {event.dest_asset_key.uri: event.extra for event in found}
