"""Derived names: stable, within their limits, and different for what is different."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config_schema import names


def test_the_names_of_the_mvp():
    assert names.platform_name("YellowLive") == "yellowlive"
    assert names.stream_table("yellowlive") == "yellowlive_airflow_dsg"
    assert names.dag_id("yellowlive", "Store1") == "yellowlive__Store1_ingestion"
    assert names.dag_id("yellowlive", "Store1#customers") == "yellowlive__Store1__customers_ingestion"
    assert names.merge_table("yellowlive", "Store1", "customers") == "yellowlive_Store1_customers_merge"
    assert names.secret_variable("customer-db", "password") == "CUSTOMER_DB_PASSWORD"
    assert names.dsn_variable("yellow-live") == "DAGFACTORY_YELLOW_LIVE_DSN"


@pytest.mark.parametrize("dataset", ["customers", "x" * 63, "é" * 60])
def test_short_names_of_views_fit_and_end_with_what_they_are(dataset):
    found = {kind: names.short_view(dataset, kind) for kind in ("live", "full", "asof")}
    assert len(set(found.values())) == 3
    assert max(len(name.encode()) for name in found.values()) <= 63
    assert found["full"].endswith("_history")
    assert found["asof"].endswith("_as_of")


@given(st.text(min_size=1, max_size=200), st.text(min_size=1, max_size=200))
def test_a_shortened_name_fits_and_two_long_ones_stay_apart(one, other):
    assert len(names.shortened(one).encode()) <= 63
    if one != other:
        assert names.shortened(one + "x" * 60) != names.shortened(other + "x" * 60)


@given(st.text(st.characters(codec="ascii"), min_size=1, max_size=100).filter(lambda s: re.search("[A-Za-z0-9]", s)))
def test_a_platform_name_is_a_dns_label(original):
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", names.platform_name(original))


@pytest.mark.parametrize("stream", ["Store1", "Store_1#a b", "Ω" * 80, "x" * 255])
def test_a_pod_name_is_a_dns_label_with_room_for_a_suffix(stream):
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?", names.pod_name("yellowlive", stream))


def test_a_name_is_cut_between_characters_not_within_one():
    assert names.shortened("é" * 60).encode().decode()


def test_a_dataset_s_asset_is_the_same_however_a_row_names_it_and_whatever_it_is_called():
    assert names.dataset_asset("YellowLive", "Store1", "customers") == "x-stream://YellowLive/Store1/customers"
    assert names.asset_uri("YellowLive/Store1/customers") == "x-stream://YellowLive/Store1/customers"
    assert names.asset_uri("s3://landing/customers") == "s3://landing/customers"
    assert names.asset_uri("YellowLive/Store1/a b#c") == names.dataset_asset("YellowLive", "Store1", "a b#c")
    assert names.dataset_asset("Y", "S", "a/b") == "x-stream://Y/S/a%2Fb"
    assert len(names.dataset_asset("Y", "S", "é" * 255).encode()) <= 1500
    assert names.stream_alias("YellowLive", "Store1#customers") == "x-stream://YellowLive/Store1#customers"
