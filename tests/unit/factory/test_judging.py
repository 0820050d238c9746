"""Streams judged: by their rows, or by what was last good of them; one never spoils another."""

from __future__ import annotations

import json
from typing import Any

from airflow_plugin.rows.evaluation import evaluate_streams
from airflow_plugin.rows.last_good import KnownStream, Row
from airflow_plugin.rows.plan import DagPlan
from config_schema.schemas import json_schema
from tests.row_settings import settings_of_row

EXAMPLE: dict[str, Any] = json_schema("stream")["examples"][0]
SETTINGS = settings_of_row(EXAMPLE, runners=("kubernetes", "process"))


def row(store: str, status: str = "active", **changes: Any) -> Row:
    config = {**EXAMPLE, "store_name": store, "stream_key": store, **changes}
    return Row(status, json.dumps({key: value for key, value in config.items() if value is not None}))


def judge(*streams: KnownStream):
    return evaluate_streams(streams, SETTINGS, lambda plan: plan)


def schedules(found) -> dict[str, str | None]:
    return {plan.job.stream_key: plan.schedule for plan in found.made.values()}


def test_a_good_row_is_what_counts_and_becomes_the_last_good_one():
    old, new = row("A", schedule="@daily"), row("A", schedule="@hourly")
    found = judge(KnownStream("A", new, old))
    assert schedules(found) == {"A": "@hourly"}
    assert found.streams == {"A": KnownStream("A", new, new)}
    assert found.quarantined == {}


def test_a_broken_row_leaves_the_last_good_config_at_work_and_says_so():
    for broken in (Row("active", "{"), Row("activ", row("A").config_json), row("A", shedule="@daily"), row("B")):
        found = judge(KnownStream("A", broken, row("A", schedule="@daily")), KnownStream("C", row("C")))
        assert schedules(found) == {"A": "@daily", "C": EXAMPLE["schedule"]}
        assert found.quarantined["A"].kept
        assert found.quarantined["A"].problems[0].file == "yellowlive_airflow_dsg[A]"
        assert found.streams["A"] == KnownStream("A", broken, row("A", schedule="@daily"))


def test_a_broken_row_that_never_was_good_has_no_dag():
    found = judge(KnownStream("A", Row("active", "[]")), KnownStream("C", row("C")))
    assert schedules(found).keys() == {"C"}
    assert not found.quarantined["A"].kept


def test_a_stream_whose_row_is_gone_keeps_its_dag_and_is_reported():
    found = judge(KnownStream("A", None, row("A", "paused")))
    assert [plan.job.paused for plan in found.made.values()] == [True]
    assert found.quarantined["A"].kept
    assert "platform last-good --forget" in found.quarantined["A"].problems[0].todo


def test_what_was_last_good_is_checked_like_a_row():
    found = judge(KnownStream("A", None, row("A", runner="rocket")))
    assert found.made == {}
    assert not found.quarantined["A"].kept


def test_of_two_streams_with_one_dag_id_the_one_that_had_it_keeps_it():
    changes = {"store_name": "A", "single_dataset": True, "datasets": ["b"]}
    newcomer = KnownStream("A#b", row("A#b", **changes))
    for first, second in ((newcomer, KnownStream("A__b", row("A__b"), row("A__b"))),):
        for order in ((first, second), (second, first)):
            found = judge(*order)
            assert [plan.job.stream_key for plan in found.made.values()] == ["A__b"]
            assert "another stream has the DAG id" in found.quarantined["A#b"].problems[0].what


def test_a_row_that_breaks_what_is_made_of_it_is_set_aside_too():
    def make(plan: DagPlan) -> str:
        if plan.schedule == "@hourly":
            raise RuntimeError("Airflow does not like this")
        return plan.dag_id

    bad = KnownStream("A", row("A", schedule="@hourly"), row("A", schedule="@daily"))
    found = evaluate_streams([bad, KnownStream("B", row("B", schedule="@hourly"))], SETTINGS, make)
    assert found.made == {"yellowlive__A_ingestion": "yellowlive__A_ingestion"}
    assert [found.quarantined[key].kept for key in "AB"] == [True, False]
    assert "RuntimeError" in found.quarantined["B"].problems[0].what
