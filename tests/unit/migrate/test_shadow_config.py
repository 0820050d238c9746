"""A shadow's row: its names, what it may not have, and what its job is given."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import config_schema
from airflow_plugin.control.stream_table import StreamRow
from airflow_plugin.migrate.shadow import shadow_config
from airflow_plugin.rows.plan import dag_plan
from airflow_plugin.sync.diff import stream_changes
from config_schema.errors import ProblemsFound, ValueWrong
from config_schema.load import load_model
from config_schema.schemas import json_schema
from config_schema.stream import from_dict
from merge_jobs.stream import Tables, stream_of, tables_key, with_tables
from tests.row_settings import settings_of_row

EXAMPLE: dict[str, Any] = json_schema("stream")["examples"][0]
SINGLE = {**EXAMPLE, "stream_key": "Store1#customers", "single_dataset": True, "datasets": ["customers"]}
ECOSYSTEM = load_model(Path(config_schema.__file__).parent / "examples").ecosystem


@pytest.mark.parametrize(
    ("config", "key", "dag_id"),
    [
        (EXAMPLE, "Store1__shadow", "yellowlive__Store1__shadow_ingestion"),
        (SINGLE, "Store1__shadow#customers", "yellowlive__Store1__shadow__customers_ingestion"),
    ],
)
def test_a_shadow_has_its_own_names_no_schedule_and_a_job_that_knows(config, key, dag_id):
    shadow = shadow_config(from_dict({**config, "latency_seconds": 60, "time_slice_seconds": 30}))
    assert (shadow.stream_key, shadow.dag_id) == (key, dag_id)
    again = from_dict(json.loads(shadow.to_json()))
    assert again == shadow
    plan = dag_plan(again, settings_of_row(config))
    assert (plan.schedule, plan.deadline) == (None, None)
    assert "--tables=shadow" in plan.job.arguments
    assert "--store=Store1" in plan.job.arguments
    assert "--time-slice-seconds=0" in plan.job.arguments
    assert "shadow" in plan.tags
    # The job and the row call it the same.
    dataset = "customers" if config is SINGLE else None
    assert tables_key("Store1", dataset, Tables.SHADOW) == key


def test_a_stream_that_is_no_shadow_is_merged_as_ever():
    plan = dag_plan(from_dict(EXAMPLE), settings_of_row(EXAMPLE))
    assert not [one for one in plan.job.arguments if "tables" in one]
    assert "shadow" not in plan.tags


@pytest.mark.parametrize(
    ("changes", "reported"),
    [
        ({"shadow": True}, "'Store1' is not the key of store 'Store1__shadow'"),
        ({"shadow": True, "stream_key": "Store1__shadow"}, "a shadow has no schedule"),
        ({"stream_key": "Store1__shadow"}, "'Store1__shadow' is not the key of store 'Store1'"),
        ({"stream_key": "Store1__shadow", "store_name": "Store1__shadow"}, "has the name of a shadow"),
    ],
)
def test_nothing_else_can_have_a_shadows_name(changes, reported):
    with pytest.raises(ProblemsFound) as caught:
        from_dict({**EXAMPLE, "schedule": "@hourly", **changes})
    assert reported in str(caught.value)


def test_a_model_with_a_datastore_of_a_shadows_name_is_refused_by_the_job():
    other = replace(ECOSYSTEM.datastores[0], name="Store1__shadow")
    with_other = replace(ECOSYSTEM, datastores=(*ECOSYSTEM.datastores, other))
    found = stream_of(ECOSYSTEM, "YellowLive", "Store1")
    with pytest.raises(ValueWrong, match="the datastore 'Store1__shadow'") as caught:
        with_tables(found, Tables.SHADOW, with_other)
    assert caught.value.option == "--tables"
    shadow = with_tables(found, Tables.SHADOW, ECOSYSTEM)
    assert (shadow.store.name, shadow.key) == ("Store1__shadow", "Store1__shadow")
    assert shadow.store.source == found.store.source
    assert shadow.fingerprint == found.fingerprint


@pytest.mark.parametrize("shadow", [True, False])
def test_sync_retires_what_left_the_model_and_no_trial(shadow):
    config = shadow_config(from_dict(EXAMPLE)) if shadow else from_dict(EXAMPLE)
    row = StreamRow(config.stream_key, config.to_json(), "active", None, None)
    assert len(stream_changes({}, [row], {})) == (0 if shadow else 1)
