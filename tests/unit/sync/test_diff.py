"""What the wanted streams change in the rows."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_plugin.control.stream_table import HandChange, StreamRow
from airflow_plugin.sync.diff import FieldChange, SyncAction, stream_changes
from config_schema import stream
from config_schema.schemas import json_schema
from config_schema.stream import StreamConfig

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EXAMPLE = stream.from_dict(json_schema("stream")["examples"][0])


def config(key: str = "Store1", **changed) -> StreamConfig:
    return replace(EXAMPLE, stream_key=key, store_name=key, **changed)


def row(config_json: str, status: str = "active", key: str = "Store1") -> StreamRow:
    return StreamRow(key, config_json, status, NOW, NOW)


def only_change(wanted: StreamConfig | None, present: StreamRow | None, by_hand: HandChange | None = None, **options):
    changes = stream_changes(
        {} if wanted is None else {wanted.stream_key: wanted},
        [] if present is None else [present],
        {} if by_hand is None else {"Store1": by_hand},
        **options,
    )
    return changes[0] if changes else None


HOURLY = config(schedule="@hourly")


@pytest.mark.parametrize(
    ("wanted", "present", "kind", "status"),
    [
        (config(), None, SyncAction.CREATE, "active"),
        (config(), row(config().to_json()), SyncAction.UNCHANGED, "active"),
        (config(), row(config().to_json(), "paused"), SyncAction.UNCHANGED, "paused"),
        (HOURLY, row(config().to_json()), SyncAction.UPDATE, "active"),
        (HOURLY, row(config().to_json(), "paused"), SyncAction.UPDATE, "paused"),
        (config(), row(config().to_json(), "retired"), SyncAction.REVIVE, "active"),
        (HOURLY, row(config().to_json(), "retired"), SyncAction.REVIVE, "active"),
        (None, row(config().to_json()), SyncAction.RETIRE, "retired"),
        (None, row(config().to_json(), "paused"), SyncAction.RETIRE, "retired"),
        (None, row("not json"), SyncAction.RETIRE, "retired"),
    ],
)
def test_what_becomes_of_a_row(wanted, present, kind, status):
    change = only_change(wanted, present)
    assert (change.kind, change.status) == (kind, status)


def test_a_retired_row_that_nobody_wants_is_no_change():
    assert only_change(None, row(config().to_json(), "retired")) is None


def test_an_update_names_each_key_that_differs_and_no_other():
    before = config(schedule="* * * * *", priority=3)
    after = config(schedule="@hourly", retries=5)
    change = only_change(after, row(before.to_json()))
    assert set(change.fields) == {
        FieldChange("schedule", "* * * * *", "@hourly"),
        FieldChange("retries", None, 5),
        FieldChange("priority", 3, None),
    }
    assert change.config_json == after.to_json()


def test_a_retired_row_keeps_its_config():
    assert only_change(None, row('{"by": "hand"}')).config_json == '{"by": "hand"}'


def test_another_order_or_spacing_of_keys_is_no_change():
    text = json.dumps(dict(reversed(config().to_dict().items())), indent=2)
    assert only_change(config(), row(text)).kind is SyncAction.UNCHANGED


@pytest.mark.parametrize("broken", ["", "not json", "[]", "null", "[" * 100_000, '{"stream_key": 1'])
def test_a_row_that_is_no_json_object_is_mended(broken):
    change = only_change(config(), row(broken))
    assert change.kind is SyncAction.UPDATE
    assert change.config_json == config().to_json()


@pytest.mark.parametrize("wrong", [True, 1.0, "1"])
def test_a_value_of_another_type_is_a_change_even_where_python_finds_it_equal(wrong):
    wanted = config(priority=1)
    change = only_change(wanted, row(json.dumps(wanted.to_dict() | {"priority": wrong})))
    assert change.fields == (FieldChange("priority", wrong, 1),)


states = st.dictionaries(
    st.sampled_from(["A", "B", "C", "D"]),
    st.tuples(st.sampled_from([None, "@hourly", "@daily"]), st.sampled_from(stream.STATUSES)),
)


@given(wanted=st.dictionaries(st.sampled_from(["A", "B", "C", "D"]), st.sampled_from([None, "@hourly"])), rows=states)
def test_after_the_changes_the_rows_are_what_was_wanted_and_there_is_nothing_more_to_do(wanted, rows):
    configs = {key: config(key, schedule=schedule) for key, schedule in wanted.items()}
    present = {key: row(config(key, schedule=s).to_json(), status, key) for key, (s, status) in rows.items()}

    changes = stream_changes(configs, present.values(), {})
    after = present | {
        change.stream_key: row(change.config_json, change.status, change.stream_key) for change in changes
    }

    served = {key: one for key, one in after.items() if one.status != "retired"}
    assert {key: one.config_json for key, one in served.items()} == {key: c.to_json() for key, c in configs.items()}
    assert present.keys() <= after.keys()
    assert all(change.kind is SyncAction.UNCHANGED for change in stream_changes(configs, after.values(), {}))
    paused = {key for key, one in present.items() if one.status == "paused" and key in configs}
    assert all(after[key].status == "paused" for key in paused)


@pytest.mark.parametrize(
    ("wanted", "present", "kind"),
    [
        (config(), row(HOURLY.to_json()), SyncAction.UPDATE),
        (config(), row(config().to_json(), "retired"), SyncAction.REVIVE),
        (None, row(config().to_json()), SyncAction.RETIRE),
    ],
)
def test_what_was_changed_by_hand_is_drift_unless_it_is_to_be_overwritten(wanted, present, kind):
    by_hand = HandChange("ann@host", NOW)
    drift = only_change(wanted, present, by_hand)
    assert (drift.kind, drift.by_hand) == (SyncAction.DRIFT, by_hand)
    assert drift.fields == only_change(wanted, present).fields
    assert only_change(wanted, present, by_hand, overwrite_drift=True).kind is kind


def test_what_was_changed_by_hand_to_what_the_model_says_is_no_drift():
    change = only_change(config(), row(config().to_json()), HandChange(None, None, NOW))
    found = f"changed by hand in the database, found at {NOW:%Y-%m-%d %H:%M:%S%z}"
    assert (change.kind, str(change.by_hand)) == (SyncAction.UNCHANGED, found)
