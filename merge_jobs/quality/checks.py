"""Quality checks of a batch: what they need of its delta is copied before it is applied; they run after all datasets.

So references and unique columns see every dataset as the batch leaves it, in any order of applying. A check that fails
rolls the transaction back, so that nothing is merged.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from config_schema.model import Dataset
from config_schema.model.quality import (
    Reference,
    RowCount,
    Severity,
    columns_checked,
)
from config_schema.result import DatasetResult, MergeResult, QualityResult
from merge_jobs.errors import QualityFailed
from merge_jobs.quality.violations import (
    Applied,
    changed_rows_table,
    columns_of,
    earlier_values_table,
    violations,
)
from merge_jobs.stores.postgres import batches
from merge_jobs.stores.postgres.batches import Staged
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.tables import DatasetTables

log = logging.getLogger(__name__)

Found = dict[str, tuple[QualityResult, ...]]  # by dataset


def keep_delta(tables: DatasetTables) -> None:
    """Copy what the checks need of ds_delta and the staged rows; a strategy calls this once it has found its delta.

    The merge table must not have been changed yet. A first load has no delta: all its rows are new.
    """
    checked = _in_order(tables.dataset, (name for check in tables.dataset.checks for name in columns_checked(check)))
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


def evaluate_checks(store: MergeStore, staged: Mapping[str, Staged]) -> Found:
    """Return every check of the batch, after all its datasets are applied and before it is committed.

    Raises QualityFailed with everything found if a check of severity `fail` is broken.
    """
    checked = [dataset for dataset in store.stream.datasets if dataset.checks]
    held = batches.references_held(store) if store.stream.references else {}
    applied = [Applied(DatasetTables(store, dataset), staged, held.get(dataset.name, {})) for dataset in checked]
    found = {of.tables.name: tuple(_results(of)) for of in applied}
    failing = [
        f"{name}: {one.check} ({one.kind}): {_in_words(one, staged[name].rows)}"
        for name, results in found.items()
        for one in results
        if one.violations and one.severity == Severity.FAIL.value
    ]
    if failing:
        raise QualityFailed(
            f"{store.stream}",
            f"quality checks failed: {'; '.join(failing)}",
            "Correct the rows in the source, or the check in the model; nothing was merged",
            found,
        )
    return found


def then(earlier: tuple[QualityResult, ...], later: tuple[QualityResult, ...]) -> tuple[QualityResult, ...]:
    """Return the checks of two consecutive batches, with summed counts; a row count is the later one's."""
    before = {one.check: one.violations for one in earlier if one.kind != RowCount.kind.value}
    return tuple(replace(one, violations=before.get(one.check, 0) + one.violations) for one in later)


def with_quality(result: MergeResult, found: Found) -> MergeResult:
    """Return the result of a run whose next batch failed its checks; its counts stay those of committed batches."""
    datasets = {name: replace(result.datasets.get(name, DatasetResult()), quality=of) for name, of in found.items()}
    return replace(result, datasets={**result.datasets, **datasets})


def _in_order(dataset: Dataset, wanted: Iterable[str]) -> list[str]:
    """Return the dataset's columns named, each once."""
    found = set(wanted)
    return [column.name for column in dataset.columns if column.name in found]


def _results(of: Applied) -> Iterator[QualityResult]:
    in_stream = {dataset.name for dataset in of.tables.store.stream.datasets}
    for check in of.tables.dataset.checks:
        if isinstance(check, Reference) and check.dataset not in in_stream:
            log.warning(
                "quality: %s: %s is not checked: %s is not merged here", of.tables.name, check.name, check.dataset
            )
            continue
        result = QualityResult(check.name, check.kind.value, check.severity.value, violations(of, check))
        shown = (of.tables.name, check.name, result.kind, result.severity, _in_words(result, of.rows))
        log.log(logging.WARNING if result.violations else logging.INFO, "quality: %s: %s (%s) %s: %s", *shown)
        yield result


def _in_words(result: QualityResult, rows: int) -> str:
    if result.kind == RowCount.kind.value:
        return f"{rows} rows in the source"
    return f"{result.violations} row{'' if result.violations == 1 else 's'}"
