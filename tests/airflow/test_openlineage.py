"""What real runs of a stream tell OpenLineage: events that hold to its schema, with datasets, columns and counts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_plugin.jobs.merge_job import MergeJob
from config_schema.result import Counts, DatasetResult, MergeResult, QualityResult, ResultCode
from tests.airflow.conftest import DAGS
from tests.airflow.openlineage_receiver import Receiver, problems, receiving

DAG = "yellowlive__Store1_ingestion"
TASK = "snapshot_merge_job"
PRODUCER = """
CREATE TABLE clients (id int PRIMARY KEY, name varchar(50), email text);
INSERT INTO clients SELECT n, 'name ' || n, nullif('n' || n, 'n3') FROM generate_series(1, 5) n;
"""
HOSTILE = """
CREATE FUNCTION tell() RETURNS int LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the row of %', (SELECT name FROM customers_of_old LIMIT 1); END $$;
CREATE VIEW clients AS SELECT tell() AS id, name, email FROM customers_of_old;
"""
DATASET = {
    "name": "customers",
    "table": "clients",
    "primary_key": ["id"],
    "columns": [
        {"name": "id", "type": "integer", "nullable": False},
        {"name": "name", "type": "varchar(50)"},
        {"name": "email", "type": "text"},
    ],
    "checks": [{"name": "email_is_set", "kind": "not_null", "columns": ["email"], "severity": "warn"}],
}
MAPPING = [
    {
        "dsgName": "Live",
        "workspace": "Consumer1",
        "assignments": [
            {
                "dataPlatform": "YellowLive",
                "documentation": "Clients",
                "productionStatus": "PRODUCTION",
                "deprecationsAllowed": "NEVER",
                "status": "PROVISIONED",
            }
        ],
    }
]
GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


@pytest.fixture
def stream(real_airflow, new_database, tmp_path):
    """A producer and a merge store, the model between them synced, and its DAG; gives back a way to run that."""
    source, target = new_database("source"), new_database("merge")
    execute(source, PRODUCER)
    folder = tmp_path / "model"
    write_model(folder, source, target)
    secrets = {
        "POSTGRES_USERNAME": target.user,
        "POSTGRES_PASSWORD": target.password,
        "PRODUCER_USERNAME": source.user,
        "PRODUCER_PASSWORD": source.password,
        "DAGFACTORY_YELLOWLIVE_DSN": target.dsn,
    }
    dagfactory(folder, secrets, "bootstrap", f"--model={folder}", f"--out={tmp_path}", "--create-tables")
    dagfactory(folder, secrets, "sync", str(folder), "--yes")
    shutil.copytree(tmp_path / "settings", real_airflow.home / "settings")
    shutil.copy(DAGS / "yellowlive_factory.py", real_airflow.dags_folder)

    def run(receiver: Receiver, at: str) -> None:
        transport = {"type": "http", "url": receiver.url, "endpoint": "api/v1/lineage"}
        lineage = {"AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport), "AIRFLOW__OPENLINEAGE__NAMESPACE": "test"}
        real_airflow.airflow("dags", "test", DAG, at, **secrets, **lineage)

    run.source, run.target = source, target
    return run


def write_model(folder: Path, source: Any, target: Any) -> None:
    """The model in a git repository of its own."""
    platform = {
        "name": "YellowLive",
        "milestoning": "live",
        "runner": "process",
        "namespace": "ns",
        "image": "image",
        "merge_store": place(target, "postgres"),
        "model": {"url": str(folder), "branch": "main"},
        "streams": {"retries": 0},
    }
    store = {"name": "Store1", "source": place(source, "producer"), "datasets": [DATASET]}
    group = {"name": "Live", "retention": "live", "sinks": [{"datastore": "Store1", "dataset": "customers"}]}
    consumer = {"name": "Consumer1", "dataset_groups": [group]}
    model = {"name": "Test", "platforms": [platform], "datastores": [store], "workspaces": [consumer]}
    folder.mkdir()
    (folder / "ecosystem.yaml").write_text(yaml.safe_dump(model))
    (folder / "dsg_platform_mapping.json").write_text(json.dumps(MAPPING))
    author = ("-c", "user.name=test", "-c", "user.email=test@example.test")
    for command in (("init", "-q", "-b", "main"), ("add", "."), (*author, "commit", "-q", "-m", "The model")):
        subprocess.run(["git", *command], cwd=folder, env=os.environ | GIT, check=True)


def place(of: Any, credential: str) -> dict[str, Any]:
    return {"host": of.server.host, "port": of.server.port, "database": of.name, "credential": credential}


def dagfactory(folder: Path, environment: dict[str, str], *arguments: str) -> None:
    command = [sys.executable, "-m", "airflow_plugin", *arguments]
    home = {"AIRFLOW_HOME": str(folder.parent / "no-airflow"), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=home | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def execute(database: Any, statements: str) -> None:
    connection = database.connect()
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statements)
    finally:
        connection.close()


def fields_of_an_assertion() -> set[str]:
    """What the OpenLineage client here can say of a check; that of Airflow 3.1 knows neither name nor number."""
    from attrs import fields_dict
    from openlineage.client.facet_v2 import data_quality_assertions_dataset

    return set(fields_dict(data_quality_assertions_dataset.Assertion))


def comes_from(dataset: dict[str, Any]) -> dict[str, list[tuple[str, str, str]]]:
    """Of each column of a dataset the columns that it comes from: namespace, table, column."""
    fields = dataset["facets"]["columnLineage"]["fields"]
    return {
        name: [(one["namespace"], one["name"], one["field"]) for one in of["inputFields"]]
        for name, of in fields.items()
    }


def test_a_run_tells_its_datasets_with_columns_and_counts_and_a_failed_one_says_so(stream, receiver):
    stream(receiver, "2026-01-01")
    execute(stream.source, "ALTER TABLE clients RENAME TO customers_of_old")
    with pytest.raises(AssertionError, match="ended with 1"):
        stream(receiver, "2026-01-02")
    assert receiver.problems == []
    server = f"postgres://{stream.source.server.host}:{stream.source.server.port}"
    source = (server, f"{stream.source.name}.public.clients")
    merge = (server, f"{stream.target.name}.public.yellowlive_Store1_customers_merge")

    done = receiver.of_task(TASK)["COMPLETE"]
    (read,), (written,) = done["inputs"], done["outputs"]
    assert (read["namespace"], read["name"]) == source
    assert (written["namespace"], written["name"]) == merge
    columns = {"id": "integer", "name": "character varying(50)", "email": "text"}
    assert {one["name"]: one["type"] for one in read["facets"]["schema"]["fields"]} == columns
    assert {one["name"]: one["type"] for one in written["facets"]["schema"]["fields"]} == columns
    assert read["inputFacets"]["inputStatistics"]["rowCount"] == 5
    assert written["outputFacets"]["outputStatistics"]["rowCount"] == 5
    assert written["facets"]["version"]["datasetVersion"] == "1"
    (check,) = read["inputFacets"]["dataQualityAssertions"]["assertions"]
    expected = {"name": "email_is_set", "assertion": "not_null", "success": False, "severity": "warn", "actual": "1"}
    known = fields_of_an_assertion()
    assert {key: check.get(key) for key in expected} == {
        key: expected[key] if key in known else None for key in expected
    }
    assert comes_from(written) == {name: [(*source, name)] for name in columns}
    batch = done["run"]["facets"]["streamFactory_batch"]
    assert (batch["result"], batch["batchId"], batch["batches"]) == ("DONE", 1, 1)
    assert batch["datasets"]["customers"] == {
        "inserted": 5,
        "updated": 0,
        "deleted": 0,
        "unchanged": 0,
        "total": 5,
        "strategy": "initial",
    }

    failed = receiver.of_task(TASK)["FAIL"]
    assert failed["run"]["facets"]["streamFactory_batch"]["result"] == "ERROR"
    assert "there is no table 'clients'" in failed["run"]["facets"]["errorMessage"]["message"]
    assert [(one["namespace"], one["name"]) for one in failed["inputs"]] == [source]
    assert "inputStatistics" not in failed["inputs"][0].get("inputFacets", {})

    # An error that a producer's function raises with a row in it.
    execute(stream.source, HOSTILE)
    with pytest.raises(AssertionError, match="ended with 1"):
        stream(receiver, "2026-01-03")
    assert "raise_exception" in receiver.of_task(TASK)["FAIL"]["run"]["facets"]["errorMessage"]["message"]
    reported = json.dumps(receiver.events)
    for secret in (stream.source.password, stream.target.password, "the row of", "name 1"):
        assert secret not in reported


# --- in this process: what the events are made of

JOB = MergeJob(
    platform="YellowLive",
    platform_name="yellowlive",
    stream_key="Store1",
    arguments=("merge", "--postgres-host=pg-data", "--postgres-port=5432", "--postgres-database=store"),
    secrets=(),
    datasets=("customers",),
)
ORIGIN = {"kind": "mysql", "host": "shop", "port": 3306, "database": "crm", "schema": "public"}
DONE = MergeResult(
    ResultCode.DONE,
    "run 1",
    "YellowLive",
    "Store1",
    batch_id=7,
    batches=1,
    datasets={"customers": DatasetResult(Counts(1, 2, 3, 4, 10), quality=(QualityResult("c", "range", "fail", 0),))},
)


@pytest.mark.parametrize(
    ("kind", "database", "named"),
    [
        ("rest", "/v2", ("https://shop:3306", "v2/customers")),
        ("rest", "/", ("https://shop:3306", "customers")),
        ("files", "/data/in", ("file", "/data/in/customers")),
        ("files", "s3://bucket/in/", ("s3://bucket", "in/customers")),
        ("mysql", "crm", ("mysql://shop:3306", "crm.customers")),
    ],
)
def test_a_source_has_the_name_that_other_tools_give_it(kind, database, named):
    from airflow_plugin.operators import openlineage

    assert openlineage._name({**ORIGIN, "kind": kind, "database": database}, "customers") == named


@pytest.fixture
def store(airflow_here, new_database, monkeypatch):
    """A merge store whose last batch was of a producer on MySQL, and whose table has a column that left the model."""
    database = new_database("merge")
    execute(
        database,
        """CREATE TABLE yellowlive_batch_counter (key text, last_run_id text, last_result_json jsonb);
        CREATE TABLE yellowlive_batch_metrics
            (key text, batch_id int, batch_status text, run_id text, result_json jsonb, state jsonb);
        CREATE TABLE "yellowlive_Store1_customers_merge" (id int, name text, gone text)""",
    )
    origin = {**ORIGIN, "datasets": {"customers": {"table": "clients", "columns": ["id", "name"]}}}
    rows = [(1, {"origin": {"kind": "postgresql"}}), (7, {"origin": origin}), (8, {})]  # the last: of an older version
    for batch, state in rows:
        reported = json.dumps(state)
        row = f"'Store1', {batch}, 'committed', 'run {batch}', NULL, '{reported}'"
        execute(database, f"INSERT INTO yellowlive_batch_metrics VALUES ({row})")
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", database.dsn)
    return database


def test_a_column_that_has_left_the_model_comes_from_nowhere(store):
    from openlineage.client.serde import Serde

    from airflow_plugin.operators.openlineage import lineage

    (written,) = (Serde.to_dict(one) for one in lineage(JOB, DONE).outputs)
    assert [one["name"] for one in written["facets"]["schema"]["fields"]] == ["id", "name", "gone"]
    source = ("mysql://shop:3306", "crm.clients")
    assert comes_from(written) == {name: [(*source, name)] for name in ("id", "name")}


def test_a_run_that_is_not_over_has_datasets_and_no_numbers(store):
    from airflow_plugin.operators.openlineage import lineage

    begun = lineage(JOB, None)
    (read,), (written,) = begun.inputs, begun.outputs
    assert (read.namespace, read.name) == ("mysql://shop:3306", "crm.clients")
    assert (written.namespace, written.name) == (
        "postgres://pg-data:5432",
        "store.public.yellowlive_Store1_customers_merge",
    )
    assert (read.inputFacets, written.outputFacets, begun.run_facets) == ({}, {}, {})
    assert "version" not in written.facets


def test_a_result_that_was_cut_off_is_read_from_the_batch_row(store):
    from airflow_plugin.operators.openlineage import lineage

    execute(store, f"INSERT INTO yellowlive_batch_counter VALUES ('Store1', 'run 1', '{json.dumps(DONE.to_dict())}')")
    cut_off = replace(DONE, datasets={}, truncated=True)
    (read,) = lineage(JOB, cut_off).inputs
    assert read.inputFacets["inputStatistics"].rowCount == 10
    (check,) = read.inputFacets["dataQualityAssertions"].assertions
    assert (check.success, check.severity) == (True, "error")


@pytest.mark.parametrize("dsn", ["postgresql://nobody@127.0.0.1:1/nowhere", ""])
def test_where_the_merge_store_is_away_the_run_is_reported_all_the_same(airflow_here, monkeypatch, dsn):
    from airflow_plugin.operators.openlineage import BATCH_FACET, lineage

    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", dsn)
    reported = lineage(JOB, DONE)
    assert (reported.inputs, reported.outputs) == ([], [])
    assert reported.run_facets[BATCH_FACET].batchId == 7


def test_before_the_first_batch_there_are_no_datasets(airflow_here, new_database, monkeypatch):
    from airflow_plugin.operators.openlineage import lineage

    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", new_database("empty").dsn)
    assert lineage(JOB, None).inputs == []


def test_the_receiver_sees_what_the_schema_does_not_admit():
    event = {
        "eventTime": "yesterday",
        "eventType": "DONE",
        "producer": "https://producer.example",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": "1", "facets": {"mine": {"_producer": "p", "_schemaURL": "https://nowhere.example"}}},
        "job": {"name": "job"},
        "inputs": [{"namespace": "n", "name": 7}],
    }
    found = "\n".join(problems(event))
    for wrong in ("$.eventType: 'DONE'", "$.job: 'namespace'", "$.inputs: ", "$.run.runId: ", "run.mine: "):
        assert wrong in found
