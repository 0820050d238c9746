"""Batches, runs, results and pages of lists as the API returns them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from airflow_plugin.control.batch_table import DeleteToApprove, JobProgress
from airflow_plugin.jobs.merge_job import MERGE_TASK
from airflow_plugin.web.queries import BatchRow
from airflow_plugin.web.runs import DagRunRow
from airflow_plugin.web.stream_status import instant
from config_schema.result import DatasetCheck, MergeResult, ResultCode, known_checks, result_from_dict

WORDS = {ResultCode.DONE: "done", ResultCode.KEEP_WORKING: "keep_working", ResultCode.ERROR: "error"}


def batch_dict(batch: BatchRow, sees_data: bool) -> dict[str, Any]:
    """Return a batch as the API shows it. `rows_per_second` counts changed rows.

    `said` can hold values of rows, and so can what quality checks have seen: only a user who `sees_data` gets them.
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
        "quality": quality_dicts(_found(batch), batch.quality_data if sees_data else None),
    }


def _found(batch: BatchRow) -> Mapping[str, Any]:
    """Return what the checks of a batch found, by dataset, as the job has stored it."""
    if batch.quality is not None:
        return batch.quality
    datasets = (batch.result or {}).get("datasets")
    return {name: of.get("quality") for name, of in datasets.items()} if isinstance(datasets, dict) else {}


def merge_result(stored: dict[str, Any] | None) -> MergeResult | None:
    """Return the result; None also for one that another version of the product wrote."""
    try:
        return None if stored is None else result_from_dict(stored)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def dataset_dicts(result: MergeResult | None) -> list[dict[str, Any]]:
    """Return what a run did for each dataset."""
    if result is None:
        return []
    return [
        {
            "name": name,
            **vars(of.counts),
            "strategy": of.strategy,
            "why": of.reason,
            "seconds": of.seconds,
            "partly_read": name in result.partly_read,
        }
        for name, of in result.datasets.items()
    ]


def quality_dicts(found: Mapping[str, Any], seen: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return each quality check with its dataset, the broken ones first; none that another version has written.

    `seen` has the values and keys that checks have seen, by dataset and check, for a user who may see data.
    """
    stored = [(name, check) for name, of in found.items() for check in of or ()]
    checks = [check_dict(one, _seen_by(seen, one)) for one in known_checks(stored)]
    return sorted(checks, key=lambda one: not one["violations"])


def _seen_by(seen: Mapping[str, Any] | None, check: DatasetCheck) -> Any:
    of_dataset = (seen or {}).get(check.dataset)
    return of_dataset.get(check.of.check) if isinstance(of_dataset, dict) else None


def check_dict(check: DatasetCheck, seen: Any = None) -> dict[str, Any]:
    """Return a quality check as the API shows it, with what it has `seen` for a user who may see data."""
    shown = {"dataset": check.dataset, **vars(check.of), "is_measured": check.of.is_measured, "keys": []}
    if isinstance(seen, dict):
        if type(seen.get("value")) in (int, float):
            shown["value"] = seen["value"]
        keys = seen.get("keys")
        shown["keys"] = [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []
    return shown


def run_dict(
    run: DagRunRow,
    platform: str,
    stream_key: str,
    result: MergeResult | None,
    failure: str | None,
    longest: int | None = None,
    *,
    is_unread: bool = False,
) -> dict[str, Any]:
    """Return a run as the API shows it.

    `result` is the merge job's result in a word; `error` for a run that failed without one. `failure` is why a task
    failed, for where the job has not said it; of a longer one than `longest` the start. `is_unread`: the merge store,
    which has the result, cannot be read now.
    """
    word = WORDS[result.code] if result else "error" if run.state == "failed" and not is_unread else None
    did_nothing = result is None or (result.code is ResultCode.ERROR and not result.batches)
    total = None if did_nothing or result is None else result.total
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
        "error": _error(run, result, failure, longest, is_unread),
    }


def _error(
    run: DagRunRow, result: MergeResult | None, failure: str | None, longest: int | None, is_unread: bool
) -> dict[str, str] | None:
    what = (result.error if result else None) or failure
    if run.state == "success":
        return None
    if what:
        return {"what": what[:longest], "todo": "Correct that, then trigger the stream again"}
    if run.state != "failed":
        return None
    if is_unread:
        what = "why it failed is unknown while the merge store cannot be read"
        return {"what": what, "todo": "See the platform on the overview"}
    if result is None or result.code is ResultCode.ERROR:
        return {"what": "no reason was recorded", "todo": f"Read the log of its task {MERGE_TASK}"}
    return {"what": "the merge is done, and another task of the run failed", "todo": "Look at the run in Airflow"}


def progress_dict(progress: JobProgress) -> dict[str, Any]:
    """Return what a job is at as the API shows it."""
    return {
        "run_id": progress.run_id,
        "since": instant(progress.started_at),
        "phase": progress.phase,
        "phase_since": instant(progress.phase_started_at),
        "dataset": progress.dataset,
        "kind": progress.kind,
        "done": progress.done,
        "expected": progress.whole,
        "bytes": progress.bytes,
        "bytes_expected": progress.whole_bytes,
        "per_second": progress.per_second,
        "seen_at": instant(progress.written_at),
    }


def refused_dict(found: DeleteToApprove) -> dict[str, Any]:
    """Return a delete that a batch was refused for as the API shows it."""
    return {**vars(found.refused), "approved_by": found.approved_by, "approved_until": instant(found.approved_until)}


MOST_BYTES = 1 << 20
LONGEST_FAILURE = 1000  # characters
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
