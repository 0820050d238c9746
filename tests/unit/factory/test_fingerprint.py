"""The fingerprint in a DAG's text: the same for the row, the plan and what Airflow has stored of it."""

from __future__ import annotations

import json

import pytest

from airflow_plugin.rows.evaluation import plan_of
from airflow_plugin.rows.fingerprint import fingerprint_of_doc, fingerprint_of_row
from airflow_plugin.rows.last_good import Row
from config_schema.schemas import json_schema
from tests.row_settings import settings_of_row

EXAMPLE = json_schema("stream")["examples"][0]


def doc_of(status: str, config: dict) -> str:
    row = Row(status, json.dumps(config))
    return plan_of(config["stream_key"], row, settings_of_row(EXAMPLE), "").doc


@pytest.mark.parametrize("status", ["active", "paused"])
@pytest.mark.parametrize("change", [{}, {"schedule": "1 2 * * *"}, {"tags": ["é", "Config `000000000000` in `x`"]}])
def test_a_row_and_the_text_of_its_dag_have_one_fingerprint(status, change):
    config = EXAMPLE | change
    assert fingerprint_of_doc(doc_of(status, config)) == fingerprint_of_row(status, json.dumps(config))


def test_each_change_of_what_a_row_says_is_another_one_and_its_spelling_is_none():
    def of(status: str = "active", **change: object) -> str | None:
        return fingerprint_of_row(status, json.dumps(EXAMPLE | change))

    found = [of(), of("paused"), of(schedule="1 2 * * *"), of(retries=9), of("paused", retries=9)]
    assert None not in found
    assert len(set(found)) == len(found)
    spelled = json.dumps(dict(reversed(EXAMPLE.items())), indent=4)
    assert fingerprint_of_row("active", spelled) == of()


@pytest.mark.parametrize(("status", "text"), [("retired", json.dumps(EXAMPLE)), ("active", "{"), ("active", "{}")])
def test_a_row_that_wants_no_dag_or_cannot_be_read_has_none(status, text):
    assert fingerprint_of_row(status, text) is None


def test_the_text_of_another_dag_has_none():
    assert fingerprint_of_doc("") is None
    assert fingerprint_of_doc("See `Config `0123456789ab` in `x`") is None
