"""The columns of a stream's datasets: by the synced model, in the source, in the merge tables; and who sees them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_plugin.control.job_model import JobModelTable
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.source_checks import SourceChecks
from airflow_plugin.web.queries import MergeColumn, merge_columns
from airflow_plugin.web.streams import StreamFacts
from config_schema import names
from config_schema.model import Dataset, Datastore, Workspace
from config_schema.model.mapping import DsgMapping, mapping_of
from config_schema.model.plain_data import structured
from config_schema.model.sql_types import long_name

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)  # of a row that a hand has broken


@dataclass(frozen=True)
class Consumer:
    """A dataset group of a workspace that gets a dataset; `masked` are the columns that are NULL in its views.

    `view` is the view of its current rows, in the workspace's schema `in_schema`.
    """

    workspace: str
    group: str
    in_schema: str
    view: str
    masked: tuple[str, ...]


@dataclass(frozen=True)
class Described:
    """What the synced model says of a stream: its datasets, and who gets them; None where nobody knows it."""

    datasets: tuple[Dataset, ...] | None
    consumers: Mapping[str, tuple[Consumer, ...]] | None


def stream_schema(session: ControlSession, platform: str, stream: StreamFacts) -> dict[str, Any]:
    """Return the schema of a stream as the API shows it; `platform` is the name in the model.

    Raises MergeStoreError. A rollback may end the session's transaction.
    """
    tables = {name: names.merge_table(session.platform, stream.store, name) for name in stream.datasets}
    merged = merge_columns(session, list(tables.values()))
    look = SourceChecks(session).recorded([stream.stream_key]).get(stream.stream_key)
    source = {} if look is None else {one.name: dict(one.columns) for one in look.check.datasets}
    described = _described(JobModelTable(session).of_stream(stream.stream_key), platform, stream.store)
    modelled = {one.name: one for one in described.datasets or ()}
    return {
        "is_modelled": described.datasets is not None,
        "source_seen_at": look and look.at,
        "datasets": [
            {
                "name": name,
                "source_table": modelled[name].source_table if name in modelled else None,
                "merge_table": tables[name],
                "columns": list(_columns(modelled.get(name), source.get(name, {}), merged.get(tables[name], ()))),
                "consumers": None
                if described.consumers is None
                else [vars(one) | {"masked": list(one.masked)} for one in described.consumers.get(name, ())],
            }
            for name in stream.datasets
        ],
    }


def _columns(
    dataset: Dataset | None, source: Mapping[str, str], merged: Iterable[MergeColumn]
) -> Iterator[dict[str, Any]]:
    """Yield the columns of the model in its order, then those that only the source or the merge table has."""
    modelled = {} if dataset is None else {column.name: column for column in dataset.columns}
    in_merge_table = {column.name: column.type for column in merged}
    for name in dict.fromkeys([*modelled, *source, *in_merge_table]):
        column = modelled.get(name)
        yield {
            "name": name,
            "type": column and long_name(column.type),
            "is_key": dataset is not None and name in dataset.primary_key,
            "nullable": column and (column.nullable and dataset is not None and name not in dataset.primary_key),
            "classification": column and column.classification.value,
            "source_type": source.get(name),
            "merge_type": in_merge_table.get(name),
        }


def modelled_datasets(rows: Mapping[str, str]) -> tuple[Dataset, ...] | None:
    """Return the stream's datasets by the rows of the job model, by their kinds; None where nobody knows them."""
    try:
        return structured(json.loads(rows["stream"])["datastore"], Datastore).datasets if "stream" in rows else None
    except UNREADABLE:
        return None


def _described(rows: Mapping[str, str], platform: str, store: str) -> Described:
    """Return what the rows of the job model say, by their kinds."""
    datasets, consumers = modelled_datasets(rows), None
    try:
        if datasets is not None and "consumers" in rows:
            found = json.loads(rows["consumers"])
            workspaces = {one["name"]: structured(one, Workspace) for one in found["workspaces"]}
            mappings = [mapping_of(one) for one in found["mappings"]]
            consumers = {one.name: tuple(_consumers(one, store, workspaces, mappings, platform)) for one in datasets}
    except UNREADABLE:
        return Described(datasets, None)
    return Described(datasets, consumers)


def _consumers(
    dataset: Dataset, store: str, workspaces: Mapping[str, Workspace], mappings: Iterable[DsgMapping], platform: str
) -> Iterator[Consumer]:
    for mapping in mappings:
        workspace = workspaces[mapping.workspace]
        group = {one.name: one for one in workspace.dataset_groups}[mapping.dsg_name]
        sinks = {(sink.datastore, sink.dataset) for sink in group.sinks}
        if platform in mapping.serving and (store, dataset.name) in sinks:
            masked = [one.name for one in dataset.columns if one.classification not in workspace.may_see]
            short = names.platform_name(platform)
            view = workspace.view_name(short, group.name, store, dataset.name, "live")
            schema = names.workspace_schema(workspace.name)
            yield Consumer(workspace.name, group.name, schema, view, tuple(masked))
