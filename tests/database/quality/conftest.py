"""A producer whose datasets have quality checks, merged by the harness of the database tests."""

from __future__ import annotations

from dataclasses import replace

import pytest


@pytest.fixture
def checked(merging):
    """A merging case whose datasets have checks: `checked(ddl, customers=(NotNull(...),))`."""

    def make(ddl: str, **checks):
        case = merging(ddl)
        give(case, **checks)
        return case

    return make


def give(case, **checks) -> None:
    """Let the datasets named have these checks, and the others none."""
    assert checks.keys() <= {dataset.name for dataset in case.datasets}
    case.datasets = tuple(replace(dataset, checks=tuple(checks.get(dataset.name, ()))) for dataset in case.datasets)


def violations(result, dataset: str) -> dict[str, int]:
    return {one.check: one.violations for one in result.datasets[dataset].quality}


@pytest.fixture
def violations_of():
    return violations


@pytest.fixture
def give_checks():
    return give
