"""A run for OpenLineage: the producer's tables are its inputs, the merge tables its outputs. For workers only.

The names of databases and tables follow OpenLineage's naming conventions, so that they match those of other tools.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from airflow.providers.openlineage.extractors import OperatorLineage
from attrs import define, fields_dict
from openlineage.client.event_v2 import Dataset, InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    DatasetFacet,
    InputDatasetFacet,
    OutputDatasetFacet,
    RunFacet,
    column_lineage_dataset,
    data_quality_assertions_dataset,
    dataset_version_dataset,
    input_statistics_input_dataset,
    output_statistics_output_dataset,
    schema_dataset,
)

from airflow_plugin.control.batch_table import BatchTables
from airflow_plugin.control.session import control_session
from airflow_plugin.jobs.merge_job import MergeJob
from airflow_plugin.operators.result_handling import committed_result
from airflow_plugin.settings import merge_store_dsn
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.result import DatasetResult, MergeResult, QualityResult

BATCH_FACET = "streamFactory_batch"
SCHEMES = {"postgresql": "postgres", "mysql": "mysql", "mssql": "mssql", "oracle": "oracle", "sqlite": "sqlite"}

log = logging.getLogger(__name__)


@define
class BatchRunFacet(RunFacet):
    """What no facet of OpenLineage has for a run: its result, without rows and without the error's text."""

    platform: str
    stream: str
    result: str
    batchId: int
    batches: int
    retryable: bool
    modelCommit: str | None
    sourceSnapshotTime: str | None
    datasets: dict[str, dict[str, Any]]


def lineage(job: MergeJob, outcome: MergeResult | None) -> OperatorLineage[Dataset, RunFacet]:
    """Return the datasets of a stream, and what a run did with them if it is over.

    There are no datasets if the merge store cannot be read; a run never fails for that.
    """
    if outcome is not None and outcome.truncated:
        outcome = committed_result(job, outcome.run_id) or outcome
    facets: dict[str, Any] = {} if outcome is None else {BATCH_FACET: _batch(job, outcome)}
    try:
        origin, columns = _known(job)
    except StreamFactoryError as error:
        log.warning("%s: no datasets are sent to OpenLineage: %s", job, error)
        return OperatorLineage(run_facets=facets)
    inputs: list[Dataset] = []
    outputs: list[Dataset] = []
    for name, of in (origin or {}).get("datasets", {}).items():
        assert origin is not None
        merge_table = names.merge_table(job.platform_name, job.store, name)
        merged = columns.get(merge_table, {})
        read = {column: merged[column] for column in of["columns"] if column in merged}
        result = None if outcome is None else outcome.datasets.get(name)
        source = _name(origin, of["table"])
        inputs.append(_input(source, read, result))
        outputs.append(_output(_name(_merge_store(job), merge_table), merged, source, read, outcome, result))
    return OperatorLineage(inputs=inputs, outputs=outputs, run_facets=facets)


def _known(job: MergeJob) -> tuple[dict[str, Any] | None, dict[str, dict[str, str]]]:
    """Return the origin of the rows, and the columns of the merge tables. Raises StreamFactoryError."""
    dsn, where = merge_store_dsn(job.platform_name)
    tables = [names.merge_table(job.platform_name, job.store, dataset) for dataset in job.datasets]
    with control_session(dsn, where, job.platform_name, job.schema) as session:
        batches = BatchTables(session)
        return batches.origin(job.stream_key), batches.columns(tables)


def _merge_store(job: MergeJob) -> dict[str, Any]:
    """Return the merge store of the job, from its own arguments."""
    given = dict(one.removeprefix("--postgres-").split("=", 1) for one in job.arguments if "--postgres-" in one)
    return {"kind": "postgresql", "schema": job.schema, **{key: given[key] for key in ("host", "port", "database")}}


def _name(database: Mapping[str, Any], table: str) -> tuple[str, str]:
    """Return namespace and name of a table: `postgres://pg-data:5432`, `customer_db.public.customers`."""
    kind = database["kind"]
    if kind == "sqlite":
        return "sqlite", f"{database['database']}.{table}"
    if kind == "files":
        return _name_of_files(database["database"], table)
    if kind == "rest":
        path = f"{database['database'].strip('/')}/{table.strip('/')}"
        return f"https://{database['host']}:{database['port']}", path.lstrip("/")
    namespace = f"{SCHEMES.get(kind, kind)}://{database['host']}:{database['port']}"
    parts = [database["database"], *([] if kind == "mysql" else [database["schema"]]), table]
    return namespace, ".".join(parts)


def _name_of_files(place: str, pattern: str) -> tuple[str, str]:
    """Return namespace and name of files: `file`, `/data/in/*.csv`, or `s3://bucket`, `prefix/*.csv`."""
    if place.startswith("/"):
        return "file", f"{place.rstrip('/')}/{pattern}"
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    return f"s3://{bucket}", "/".join(filter(None, (prefix.rstrip("/"), pattern)))


def _input(source: tuple[str, str], columns: Mapping[str, str], result: DatasetResult | None) -> InputDataset:
    facets: dict[str, InputDatasetFacet] = {}
    if result is not None:
        rows = result.counts.total
        facets["inputStatistics"] = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rowCount=rows)
        if result.quality:
            facets["dataQualityAssertions"] = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
                assertions=[_assertion(check) for check in result.quality]
            )
    namespace, name = source
    return InputDataset(namespace, name, inputFacets=facets, facets=_schema(columns))


def _output(
    table: tuple[str, str],
    columns: Mapping[str, str],
    source: tuple[str, str],
    read: Mapping[str, str],
    outcome: MergeResult | None,
    result: DatasetResult | None,
) -> OutputDataset:
    facets = _schema(columns)
    if read:
        facets["columnLineage"] = column_lineage_dataset.ColumnLineageDatasetFacet(
            fields={column: _from(source, column) for column in read}
        )
    if outcome is not None and outcome.batch_id:
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=str(outcome.batch_id))
    written: dict[str, OutputDatasetFacet] = {}
    if result is not None:
        rows = result.counts.changed
        statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows)
        written["outputStatistics"] = statistics
    namespace, name = table
    return OutputDataset(namespace, name, outputFacets=written, facets=facets)


def _schema(columns: Mapping[str, str]) -> dict[str, DatasetFacet]:
    fields = [schema_dataset.SchemaDatasetFacetFields(name=name, type=kind) for name, kind in columns.items()]
    return {"schema": schema_dataset.SchemaDatasetFacet(fields=fields)} if fields else {}


def _from(source: tuple[str, str], column: str) -> column_lineage_dataset.Fields:
    namespace, name = source
    as_it_is = column_lineage_dataset.Transformation(type="DIRECT", subtype="IDENTITY")
    field = column_lineage_dataset.InputField(namespace, name, column, transformations=[as_it_is])
    return column_lineage_dataset.Fields(inputFields=[field])


def _assertion(check: QualityResult) -> data_quality_assertions_dataset.Assertion:
    # Older clients, such as that of Airflow 3.1, have fewer fields.
    known = fields_dict(data_quality_assertions_dataset.Assertion)
    actual = check.violations if check.value is None else check.value
    given: dict[str, Any] = {"name": check.check, "actual": str(actual)}
    if check.wanted:
        given["expected"] = check.wanted
    return data_quality_assertions_dataset.Assertion(
        assertion=check.kind,
        success=check.violations == 0,
        severity="error" if check.severity == "fail" else "warn",
        **{key: value for key, value in given.items() if key in known},
    )


def _batch(job: MergeJob, outcome: MergeResult) -> BatchRunFacet:
    return BatchRunFacet(
        platform=job.platform,
        stream=job.stream_key,
        result=outcome.code.name,
        batchId=outcome.batch_id,
        batches=outcome.batches,
        retryable=outcome.retryable,
        modelCommit=outcome.model_commit,
        sourceSnapshotTime=outcome.source_snapshot_time,
        datasets={name: {**asdict(of.counts), "strategy": of.strategy} for name, of in outcome.datasets.items()},
    )
