"""Batches, runs, results and pages of lists as the API returns them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from airflow_plugin.web.queries import BatchRow
from airflow_plugin.web.runs import DagRunRow
from airflow_plugin.web.stream_status import instant
from config_schema.result import MergeResult, ResultCode, result_from_dict

WORDS = {ResultCode.DONE: "done", ResultCode.KEEP_WORKING: "keep_working", ResultCode.ERROR: "error"}


def batch_dict(batch: BatchRow, sees_data: bool) -> dict[str, Any]:
    """Return a batch as the API shows it. `rows_per_second` counts changed rows.

    `said` can hold values of rows: only a user who `sees_data` gets it.
    """
    seconds = max(0.0, (batch.end - batch.start).total_seconds()) if batch.end else None
    rows_changed = None if batch.inserted is None else batch.inserted + (batch.updated or 0) + (batch.deleted or 0)
    return {
        "batch_id": batch.batch_id,
        "state": batch.status,
        "start": instant(batch.start),
        "end": instant(batch.end),
        "seconds": seconds,
        "rows_per_second": round(rows_changed / seconds, 1) if rows_changed is not None and seconds else None,
        "inserted": batch.inserted,
        "updated": batch.updated,
        "deleted": batch.deleted,
        "total": batch.total,
        "strategy": batch.strategy,
        "run_id": batch.run_id,
        "error": batch.error,
        "said": batch.said if sees_data else None,
        "datasets": dataset_dicts(merge_result(batch.result)),
    }


def merge_result(stored: dict[str, Any] | None) -> MergeResult | None:
    """Return the result; None also for one that another version of the product wrote."""
    try:
        return None if stored is None else result_from_dict(stored)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def dataset_dicts(result: MergeResult | None) -> list[dict[str, Any]]:
    """Return what a run did for each dataset."""
    return [
        {"name": name, **vars(of.counts), "strategy": of.strategy, "why": of.reason, "seconds": of.seconds}
        for name, of in (result.datasets if result else {}).items()
    ]


def run_dict(run: DagRunRow, platform: str, stream_key: str, result: MergeResult | None) -> dict[str, Any]:
    """Return a run as the API shows it.

    `result` is the merge job's result in a word; `error` for a run that failed without one.
    """
    word = WORDS[result.code] if result else "error" if run.state == "failed" else None
    total = result.total if result else None
    return {
        "platform": platform,
        "stream_key": stream_key,
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "state": run.state,
        "start": instant(run.start),
        "end": instant(run.end),
        "seconds": run.seconds,
        "run_type": run.run_type,
        "result": word,
        "counts": total and {key: getattr(total, key) for key in ("inserted", "updated", "deleted", "total")},
    }


MOST_BYTES = 1 << 20
Item = TypeVar("Item")


def fitting(items: Iterable[Item], most: int = MOST_BYTES) -> list[Item]:
    """Return the first of the items, as many as have `most` bytes of JSON together; one at least, if there is one."""
    found: list[Item] = []
    left = most
    for item in items:
        text = json.dumps(item, ensure_ascii=False, separators=(",", ":"))
        left -= len(text.encode(errors="replace")) + 1
        if left < 0 and found:
            break
        found.append(item)
    return found


def page(name: str, items: Sequence[dict[str, Any]], total: int, offset: int) -> dict[str, Any]:
    """Return a page of a list under its name: those of the items that fit, and the offset of the next one, if any."""
    found = fitting(items)
    end = offset + len(found)
    return {"total": total, "next": end if found and end < total else None, name: found}
