"""Kubernetes' amounts compared exactly."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_plugin.rows.policy import quantity
from config_schema.schemas import json_schema

SUFFIXES = {"": 1, "m": Fraction(1, 1000)}
SUFFIXES |= {letter: 1000**power for power, letter in enumerate("kMGT", start=1)}
SUFFIXES |= {f"{letter}i": 1024**power for power, letter in enumerate("KMGT", start=1)}
PATTERN = json_schema("stream")["properties"]["resources"]["properties"]["limits"]["properties"]["cpu"]["pattern"]


@given(st.from_regex(PATTERN, fullmatch=True).filter(lambda text: text.isascii() and len(text) <= 20))
def test_every_amount_that_a_row_may_have_is_exact(text):
    number = text.rstrip("mkMGTKi")
    assert quantity(text) == Fraction(number) * SUFFIXES[text[len(number) :]] * 10**24


@pytest.mark.parametrize(
    ("small", "large"),
    [
        ("0.1", "101m"),
        ("1999m", "2"),
        ("1G", "1Gi"),
        ("1073741823", "1Gi"),
        ("0.000000000000000001", "0.000000000000000002"),
        ("9007199254740992", "9007199254740993"),  # beyond what a float tells apart
        ("1023.9Gi", "1Ti"),
    ],
)
def test_a_little_more_is_more(small, large):
    assert quantity(small) < quantity(large)


@pytest.mark.parametrize("text", ["", "-1", "1e3", "1 Gi", "Gi", "1gi", ".5", "1.", "١", "1\n", "NaN"])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ValueError, match="is no amount"):
        quantity(text)
