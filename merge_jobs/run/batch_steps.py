"""All steps of a batch, in the order in which `merge_jobs.run.job` performs them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from merge_jobs.run.begin import BEGIN_STEPS
from merge_jobs.run.ingest import LOOK_STEPS, NAME_STEPS, SNAPSHOT_STEPS, STAGED_STEPS
from merge_jobs.run.merge import DROP_STEPS, JUDGE_STEPS, PREPARE_STEPS, WRITE_STEPS
from merge_jobs.strategies.step import Step
from merge_jobs.strategies.strategy import Strategy


def steps_of(strategy: Strategy[Any]) -> Iterator[Step[Any]]:
    """Yield the steps of a batch of one dataset, which is read by the strategy.

    Of more datasets, the look at what is known and the strategy's first steps are taken for each in turn, and then the
    strategy's second steps for each.
    """
    yield from BEGIN_STEPS
    yield from NAME_STEPS
    yield from SNAPSHOT_STEPS
    yield from LOOK_STEPS
    yield from strategy.stage_steps
    yield from STAGED_STEPS
    yield from PREPARE_STEPS
    yield from strategy.apply_steps
    yield from JUDGE_STEPS
    yield from WRITE_STEPS
    yield from DROP_STEPS
