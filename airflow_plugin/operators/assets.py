"""Reports a run to the rest of Airflow: an event, with counts, on the asset of each dataset that has changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions.asset import Asset, AssetAlias

from airflow_plugin.jobs.merge_job import MergeJob
from airflow_plugin.operators.result_handling import committed_result
from config_schema import names

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

CHANGES = ("inserted", "updated", "deleted")


def stream_alias(platform: str, stream_key: str) -> AssetAlias:
    """Return the merge task's only outlet; an event on any of the stream's datasets is an event on it too."""
    return AssetAlias(names.stream_alias(platform, stream_key))


def announce(task: BaseOperator, job: MergeJob, value: Mapping[str, Any], context: Context) -> None:
    """Add an event for each dataset in which the run changed something, if the task has the stream's alias as outlet.

    And one on what consumers' views are made of, where that has changed: the operations DAG waits for it.

    `value` is what the task returns. Airflow records the events when the task has succeeded.
    """
    alias = stream_alias(job.platform, job.stream_key)
    if alias not in task.outlets:
        return
    events = context["outlet_events"][alias]
    run = {"batch_id": value["batch_id"], "run_id": value["run_id"]}
    if value["shape_changed"]:
        events.add(Asset(names.shape_asset(job.platform)), extra=run)
    for dataset, found in _changed(job, value):
        events.add(Asset(names.dataset_asset(job.platform, job.store, dataset)), extra={**found, **run})


def _changed(job: MergeJob, value: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield datasets, their counts and quality checks; without both if only the totals of a result are left."""
    from config_schema.result import Counts  # a parse loads as few modules as it can

    if not _any(value["total"]):
        return
    datasets = value["datasets"]
    if value["truncated"]:
        whole = committed_result(job, value["run_id"])
        datasets = {name: asdict(of) for name, of in whole.datasets.items()} if whole is not None else {}
    if not datasets:
        yield from ((name, {}) for name in job.datasets)
    for name, of in datasets.items():
        if _any(of["counts"]):
            counts = {key: of["counts"][key] for key in asdict(Counts())}
            yield name, {**counts, "quality": [dict(check) for check in of.get("quality", ())]}


def _any(counts: Mapping[str, int]) -> bool:
    return any(counts[key] for key in CHANGES)
