"""Which stream a command means, and when staged rows of one model are not those of another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config_schema.errors import OptionMissing, UnknownName
from config_schema.model import (
    Column,
    Consistency,
    Database,
    Dataset,
    Datastore,
    Ecosystem,
    GitRepository,
    Milestoning,
    Platform,
)
from merge_jobs.stream import stream_of

PLACE = Database("localhost", "db", "secret")
ORDERS = Dataset("orders", (Column("id", "integer"), Column("what", "text")), ("id",))
LINES = replace(ORDERS, name="lines")
LIVE = Platform("YellowLive", Milestoning.LIVE, PLACE, GitRepository("url"), "ns", "image")


def ecosystem(consistency=Consistency.MULTI_DATASET, datasets=(ORDERS, LINES), platform=LIVE) -> Ecosystem:
    return Ecosystem("E", (platform,), (Datastore("Shop", PLACE, datasets, consistency),))


def test_all_datasets_of_a_multi_dataset_store_are_one_stream():
    stream = stream_of(ecosystem(), "YellowLive", "Shop")
    assert (stream.key, stream.platform_name) == ("Shop", "yellowlive")
    assert [dataset.name for dataset in stream.datasets] == ["lines", "orders"], "in the order that locks are taken"


def test_the_assigned_datasets_may_be_fewer():
    assert stream_of(ecosystem(), "YellowLive", "Shop", datasets=["orders", "orders"]).datasets == (ORDERS,)


@pytest.mark.parametrize("how", [{"dataset": "orders"}, {"datasets": ["orders"]}])
def test_a_single_dataset_store_has_a_stream_for_each(how):
    stream = stream_of(ecosystem(Consistency.SINGLE_DATASET), "YellowLive", "Shop", **how)
    assert (stream.key, stream.datasets) == ("Shop#orders", (ORDERS,))


@pytest.mark.parametrize("how", [{}, {"datasets": ["orders", "lines"]}, {"dataset": "order"}])
def test_a_single_dataset_store_wants_one_dataset(how):
    with pytest.raises((OptionMissing, UnknownName), match="orders"):
        stream_of(ecosystem(Consistency.SINGLE_DATASET), "YellowLive", "Shop", **how)


def test_where_no_versions_are_kept_nothing_says_from_when_they_are_valid():
    dated = replace(ORDERS, valid_from="at")
    assert stream_of(ecosystem(datasets=(dated,)), "YellowLive", "Shop").datasets == (ORDERS,)
    forensic = replace(LIVE, milestoning=Milestoning.FORENSIC)
    there = stream_of(ecosystem(datasets=(dated,), platform=forensic), "YellowLive", "Shop")
    assert there.datasets == (dated,)
    assert (
        there.fingerprint
        != stream_of(ecosystem(datasets=(ORDERS,), platform=forensic), "YellowLive", "Shop").fingerprint
    )


def test_rows_staged_for_another_model_are_recognised_by_the_fingerprint():
    platform = replace(LIVE, documentation="new words")
    same = stream_of(ecosystem(platform=platform), "YellowLive", "Shop").fingerprint
    ours = stream_of(ecosystem(), "YellowLive", "Shop").fingerprint
    assert same == ours
    others = [
        ecosystem(datasets=(ORDERS,)),
        ecosystem(datasets=(ORDERS, replace(LINES, primary_key=("what",)))),
        ecosystem(datasets=(ORDERS, replace(LINES, table="other"))),
        ecosystem(datasets=(ORDERS, replace(LINES, columns=ORDERS.columns[:1]))),
        ecosystem(datasets=(ORDERS, replace(LINES, columns=(Column("id", "bigint"), Column("what", "text"))))),
        ecosystem(platform=replace(LIVE, milestoning=Milestoning.FORENSIC)),
    ]
    assert ours not in {stream_of(other, "YellowLive", "Shop").fingerprint for other in others}
