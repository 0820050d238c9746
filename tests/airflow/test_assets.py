"""Which events a merge task leaves for Airflow to record: those of datasets that really changed, with their counts."""

from __future__ import annotations

import json
import sys
import textwrap
from dataclasses import replace

import psycopg2
import pytest

from airflow_plugin.jobs.merge_job import MergeJob
from config_schema import names
from config_schema.result import Counts, DatasetResult, MergeResult, QualityResult, ResultCode

JOB = MergeJob(
    platform="YellowLive",
    platform_name="yellowlive",
    stream_key="Store1",
    arguments=(),
    secrets=(),
    datasets=("customers", "addresses"),
)
SAY = """
import json, os
from config_schema.result import result_from_dict, result_lines, termination_message
result = result_from_dict(json.loads({reported!r}))
print({said}(result, os.environ["DATASURFACE_RESULT_TOKEN"]){first})
"""


@pytest.fixture
def events(airflow_here, tmp_path):
    """Asset -> extra, after a merge task whose job tells this result."""
    from airflow.sdk.execution_time.context import OutletEventAccessors

    from airflow_plugin.operators.assets import stream_alias
    from airflow_plugin.operators.process import ProcessMergeOperator

    def run(result: MergeResult, *, cut_off: bool = False, job: MergeJob = JOB):
        program = tmp_path / "job.py"
        said, first = ("termination_message", "") if cut_off else ("result_lines", "[0]")
        program.write_text(textwrap.dedent(SAY).format(reported=json.dumps(result.to_dict()), said=said, first=first))
        alias = stream_alias(job.platform, job.stream_key)
        command = [sys.executable, str(program)]
        task = ProcessMergeOperator(task_id="snapshot_merge_job", job=job, command=command, outlets=[alias])
        accessors = OutletEventAccessors()
        task.execute({"run_id": result.run_id, "outlet_events": accessors})
        return {event.dest_asset_key.uri: event.extra for event in accessors[alias].asset_alias_events}

    return run


def result(**datasets: Counts) -> MergeResult:
    reported = {name: DatasetResult(counts) for name, counts in datasets.items()}
    return MergeResult(ResultCode.DONE, "run 1", "YellowLive", "Store1", batch_id=7, batches=1, datasets=reported)


def test_each_dataset_that_changed_has_an_event_with_its_counts_and_the_others_have_none(events):
    found = events(result(customers=Counts(1, 2, 3, 4, 10), addresses=Counts(unchanged=5, total=5)))
    assert found == {
        "x-stream://YellowLive/Store1/customers": {
            "inserted": 1,
            "updated": 2,
            "deleted": 3,
            "unchanged": 4,
            "total": 10,
            "quality": [],
            "batch_id": 7,
            "run_id": "run 1",
        }
    }


def test_an_event_has_what_the_quality_checks_of_its_dataset_found(events):
    checks = (QualityResult("email_is_set", "not_null", "warn", 3), QualityResult("email_once", "unique", "fail", 0))
    found = result(customers=Counts(1, 0, 0, 0, 1))
    datasets = {name: replace(of, quality=checks) for name, of in found.datasets.items()}
    (extra,) = events(replace(found, datasets=datasets)).values()
    assert extra["quality"] == [
        {"check": "email_is_set", "kind": "not_null", "severity": "warn", "violations": 3},
        {"check": "email_once", "kind": "unique", "severity": "fail", "violations": 0},
    ]


@pytest.mark.parametrize("counts", [Counts(inserted=1), Counts(updated=1), Counts(deleted=1)])
def test_any_kind_of_change_is_one(events, counts):
    assert list(events(result(addresses=counts))) == ["x-stream://YellowLive/Store1/addresses"]


def test_a_run_that_changed_nothing_has_no_event(events):
    assert events(result(customers=Counts(unchanged=5, total=5), addresses=Counts())) == {}


def many_datasets() -> MergeResult:
    """Too long for a termination message, which then has the totals only."""
    others = {f"unchanged {number}": Counts(unchanged=1, total=1) for number in range(100)}
    return result(customers=Counts(inserted=1, total=1), **others)


def test_datasets_of_a_result_that_was_cut_off_are_read_from_the_batch_row(events, new_database, monkeypatch):
    database = new_database("merge")
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", database.dsn)
    connection = psycopg2.connect(database.dsn)
    counter, metrics = names.batch_counter_table("yellowlive"), names.batch_metrics_table("yellowlive")
    with connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {counter} (key text, last_run_id text, last_result_json jsonb)")
        cursor.execute(
            f"CREATE TABLE {metrics} (key text, batch_id int, batch_status text, run_id text, result_json jsonb)"
        )
        reported = json.dumps(many_datasets().to_dict())
        cursor.execute(f"INSERT INTO {counter} VALUES ('Store1', 'run 1', %s)", (reported,))
    connection.close()
    found = events(many_datasets(), cut_off=True)
    assert {uri: extra["inserted"] for uri, extra in found.items()} == {"x-stream://YellowLive/Store1/customers": 1}


def test_where_that_cannot_be_read_either_every_dataset_of_the_stream_may_have_changed(events, monkeypatch):
    monkeypatch.delenv("DAGFACTORY_YELLOWLIVE_DSN", raising=False)
    run = {"batch_id": 7, "run_id": "run 1"}
    assert events(many_datasets(), cut_off=True) == {
        "x-stream://YellowLive/Store1/customers": run,
        "x-stream://YellowLive/Store1/addresses": run,
    }
