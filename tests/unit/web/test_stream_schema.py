"""Who sees a stream's datasets, by the rows that sync wrote, and by one that a hand has broken."""

from __future__ import annotations

import json
from pathlib import Path

import config_schema
from airflow_plugin.web.stream_schema import _described
from config_schema.job_model import JobModels
from config_schema.load import load_model

EXAMPLES = Path(config_schema.__file__).parent / "examples"


def rows() -> dict[str, str]:
    return {row.kind.value: row.document for row in JobModels(load_model(EXAMPLES)).of("YellowLive")}


def test_the_consumers_of_a_dataset_are_those_of_the_synced_model():
    described = _described(rows(), "YellowLive", "Store1")
    assert [one.name for one in described.datasets or ()] == ["customers", "addresses"]
    assert described.consumers is not None
    assert all(described.consumers[name] for name in ("customers", "addresses"))


def test_a_mapping_of_a_group_that_is_not_there_leaves_the_consumers_unknown():
    broken = rows()
    consumers = json.loads(broken["consumers"])
    consumers["mappings"][0]["dsgName"] = "Gone"
    broken["consumers"] = json.dumps(consumers)
    described = _described(broken, "YellowLive", "Store1")
    assert (described.datasets is not None, described.consumers) == (True, None)
