"""Quality checks of a batch: what they need of its delta is copied before it is applied; they run after all datasets.

So references and unique columns see every dataset as the batch leaves it, in any order of applying. A check that fails
rolls the transaction back, so that nothing is merged.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from config_schema.model import Dataset
from config_schema.model.quality import (
    MeasuredCheck,
    Reference,
    RowCheck,
    RowCount,
    Severity,
    columns_checked,
)
from config_schema.result import LARGEST, DatasetResult, MergeResult, QualityResult
from merge_jobs.errors import QualityFailed
from merge_jobs.quality.measures import OF_THE_DATA, Earlier, held_values, judged, measured_value, wanted
from merge_jobs.quality.violations import (
    Applied,
    NotCalculable,
    changed_rows_table,
    columns_of,
    earlier_values_table,
    keys_of_violations,
    violations,
)
from merge_jobs.stores.postgres import batches
from merge_jobs.stores.postgres.batches import MOST_KEPT, Batch
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.tables import DatasetTables

log = logging.getLogger(__name__)

Found = dict[str, tuple[QualityResult, ...]]  # by dataset


@dataclass
class Findings:
    """What the checks of a batch found.

    `data` has by dataset and check what only those may see who may see data: values and keys. `measured` is what the
    next batch need not measure again, by dataset and check.
    """

    results: Found = field(default_factory=dict)
    data: dict[str, dict[str, Any]] = field(default_factory=dict)
    measured: dict[str, dict[str, Any]] = field(default_factory=dict)


def keep_delta(tables: DatasetTables) -> None:
    """Copy what the checks need of the delta and the staged rows; a strategy calls this once it has found its delta.

    The merge table must not have been changed yet. A first load has no delta: all its rows are new.
    """
    checks = [check for check in tables.dataset.checks if isinstance(check, RowCheck)]
    read = {name for check in checks for name in columns_checked(check)}
    if any(check.sample for check in checks):
        read.update(tables.dataset.primary_key)
    checked = _in_order(tables.dataset, read)
    if checked:
        kept = changed_rows_table(tables)
        tables.run("quality.keep_changed_rows", changed_rows=kept, checked_columns=columns_of(checked, "s"))
        tables.run("quality.analyze_kept", kept=kept)
    referred = _in_order(tables.dataset, _referred_by_others(tables))
    if referred:
        kept = earlier_values_table(tables)
        tables.run("quality.keep_earlier_values", earlier_values=kept, referred_columns=columns_of(referred, "m"))
        tables.run("quality.analyze_kept", kept=kept)


def needs_delta(tables: DatasetTables) -> bool:
    """Return whether a check needs to know which rows of the dataset a batch changes."""
    return bool(tables.dataset.checks) or any(_referred_by_others(tables))


def _referred_by_others(tables: DatasetTables) -> Iterator[str]:
    for dataset in tables.store.stream.datasets:
        for check in dataset.checks:
            if isinstance(check, Reference) and check.dataset == tables.name:
                yield from check.dataset_columns


def evaluate_checks(store: MergeStore, batch: Batch, applied: Mapping[str, DatasetResult]) -> Findings:
    """Return every check of the batch, after all its datasets are applied and before it is committed.

    Raises QualityFailed with everything found if a check of severity `fail` is broken.
    """
    checked = [dataset for dataset in store.stream.datasets if dataset.checks]
    references, measured = batches.judged_before(store) if checked else ({}, {})
    findings = Findings()
    for dataset in checked:
        rows = applied[dataset.name].counts.total
        of = Applied(DatasetTables(store, dataset), batch.staged, rows, references.get(dataset.name, {}))
        unchanged = not of.all_is_new and not applied[dataset.name].counts.changed
        assert batch.snapshot_time is not None
        earlier = Earlier(batch.batch_id, batch.snapshot_time, measured.get(dataset.name, {}), unchanged)
        findings.results[dataset.name] = tuple(_results(of, earlier, findings))
    failing = [
        f"{name}: {one.check} ({one.kind}): {_in_words(one, applied[name].counts.total)}"
        for name, results in findings.results.items()
        for one in results
        if one.violations and one.severity == Severity.FAIL.value
    ]
    if failing:
        raise QualityFailed(
            f"{store.stream}",
            f"quality checks failed: {'; '.join(failing)}",
            "Correct the rows in the source, or the check in the model; nothing was merged",
            findings.results,
            findings.data,
        )
    return findings


def then(earlier: tuple[QualityResult, ...], later: tuple[QualityResult, ...]) -> tuple[QualityResult, ...]:
    """Return the checks of two consecutive batches, with summed counts of rows; what is measured is the later one's."""
    before = {one.check: one.violations for one in earlier if not one.is_measured}
    return tuple(replace(one, violations=before.get(one.check, 0) + one.violations) for one in later)


def with_quality(result: MergeResult, found: Found) -> MergeResult:
    """Return the result of a run whose next batch failed its checks; its counts stay those of committed batches."""
    datasets = {name: replace(result.datasets.get(name, DatasetResult()), quality=of) for name, of in found.items()}
    return replace(result, datasets={**result.datasets, **datasets})


def _in_order(dataset: Dataset, wanted: Iterable[str]) -> list[str]:
    """Return the dataset's columns named, each once."""
    found = set(wanted)
    return [column.name for column in dataset.columns if column.name in found]


def _results(of: Applied, earlier: Earlier, findings: Findings) -> Iterator[QualityResult]:
    name = of.tables.name
    in_stream = {dataset.name for dataset in of.tables.store.stream.datasets}
    values: dict[str, float | None] = {}
    for check in of.tables.dataset.checks:
        if isinstance(check, Reference) and check.dataset not in in_stream:
            log.warning("quality: %s: %s is not checked: %s is not merged here", name, check.name, check.dataset)
            continue
        if isinstance(check, RowCheck):
            result, seen = _of_rows(of, check)
        else:
            result, seen = _of_value(of, check, earlier, values)
        if seen and sum(len(str(one)) for one in findings.data.values()) + len(str(seen)) <= MOST_KEPT:
            findings.data.setdefault(name, {})[check.name] = seen
        shown = (name, check.name, result.kind, result.severity, _in_words(result, of.rows))
        log.log(logging.WARNING if result.violations else logging.INFO, "quality: %s: %s (%s) %s: %s", *shown)
        yield result
    held = held_values(of, values)
    if held:
        findings.measured[name] = held


def _of_rows(of: Applied, check: RowCheck) -> tuple[QualityResult, dict[str, Any]]:
    """Return how many rows break a check, and keys of such rows for those who may see data."""
    try:
        number = violations(of, check)
    except NotCalculable as error:
        wanted = f"calculable for every row ({error})"
        return QualityResult(check.name, check.kind.value, check.severity.value, 1, wanted=wanted), {}
    keys = keys_of_violations(of, check) if number else []
    return QualityResult(check.name, check.kind.value, check.severity.value, number), {"keys": keys} if keys else {}


def _of_value(
    of: Applied, check: MeasuredCheck, earlier: Earlier, values: dict[str, float | None]
) -> tuple[QualityResult, dict[str, Any]]:
    """Return whether a value is as wanted, and the value for those who may see data; add it to `values`."""
    values[check.name] = value = measured_value(of, check, earlier)
    found = judged(of, check, value, earlier, values)
    said = (check.name, check.kind.value, check.severity.value, int(found.broken))
    if isinstance(check, RowCount):
        return QualityResult(*said), {}
    shown = found.value if found.value is not None and math.isfinite(found.value) else None
    if shown is not None and abs(shown) >= LARGEST:
        shown = None
    if isinstance(check, OF_THE_DATA):
        is_kept = shown is not None and check.column in of.tables.dataset.kept_columns
        return QualityResult(*said, wanted=wanted(check)), {"value": shown} if is_kept else {}
    return QualityResult(*said, shown, wanted(check)), {}


def _in_words(result: QualityResult, rows: int) -> str:
    return f"{rows} rows in the source" if result.kind == RowCount.kind.value else str(result)
