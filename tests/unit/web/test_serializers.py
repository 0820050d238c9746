"""What a run did for a dataset, as the API shows it."""

from __future__ import annotations

from airflow_plugin.web.schemas.runs import DatasetShape
from airflow_plugin.web.serializers import dataset_dicts
from config_schema.result import Counts, DatasetResult, MergeResult, ResultCode


def test_it_is_said_of_which_datasets_only_a_part_was_read():
    datasets = {
        "orders": DatasetResult(Counts(1, 0, 0, 9, 10), "cursor", "changed_at tells what has changed"),
        "pets": DatasetResult(Counts(0, 0, 0, 2, 2), "full", "asked for"),
    }
    result = MergeResult(ResultCode.DONE, "run", "P", "S", datasets=datasets, partly_read=("orders",))
    reported = [DatasetShape(**one) for one in dataset_dicts(result)]
    assert [(one.name, one.strategy, one.partly_read) for one in reported] == [
        ("orders", "cursor", True),
        ("pets", "full", False),
    ]
    assert dataset_dicts(None) == []
