"""Which changes of a model its merge tables cannot follow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import config_schema
from airflow_plugin.sync.safety import incompatible_changes
from config_schema.load import load_model
from config_schema.model import Column, Dataset, Ecosystem

MODEL = load_model(Path(config_schema.__file__).parent / "examples").ecosystem


def changed(**changes: object) -> Ecosystem:
    """The example with another dataset Store1.customers."""
    (store,) = MODEL.datastores
    datasets = tuple(replace(one, **changes) if one.name == "customers" else one for one in store.datasets)
    return replace(MODEL, datastores=(replace(store, datasets=datasets),))


def customers() -> Dataset:
    return next(one for one in MODEL.datastores[0].datasets if one.name == "customers")


def columns(kind: str) -> tuple[Column, ...]:
    first, *others = customers().columns
    last = others.pop()
    return (first, *others, replace(last, type=kind))


def reported(before: Ecosystem, after: Ecosystem) -> list[tuple[str, str]]:
    return [(found.dataset, found.what) for found in incompatible_changes(before, after)]


def test_what_tables_can_follow_is_no_problem():
    assert reported(MODEL, MODEL) == []
    more = (*customers().columns, Column("shoe_size", "integer"))
    assert reported(MODEL, changed(columns=more)) == []
    assert reported(changed(columns=more), MODEL) == []  # a column that leaves the model stays in its table
    assert reported(changed(columns=columns("varchar(20)")), changed(columns=columns("text"))) == []
    assert reported(changed(columns=columns("int")), changed(columns=columns("bigint"))) == []


@pytest.mark.parametrize(("before", "after"), [("text", "varchar(20)"), ("bigint", "int"), ("date", "text")])
def test_a_column_that_does_not_hold_every_value_any_more_is_named_with_both_types(before, after):
    ((dataset, what),) = reported(changed(columns=columns(before)), changed(columns=columns(after)))
    assert dataset == "Store1.customers"
    assert f"column {customers().columns[-1].name} was" in what


def test_another_key_is_named():
    name = customers().columns[1].name
    ((dataset, what),) = reported(MODEL, changed(primary_key=(name,)))
    assert (dataset, what) == ("Store1.customers", f"its primary key was (id) and is ({name})")


def test_a_dataset_that_goes_is_a_problem_only_where_a_workspace_used_it():
    without = replace(MODEL, datastores=())
    assert {dataset for dataset, _ in reported(MODEL, without)} == {"Store1.customers", "Store1.addresses"}
    assert reported(replace(MODEL, workspaces=()), without) == []
