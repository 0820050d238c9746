"""The options of a run, with their defaults: the command line, a request and a job read them here."""

from __future__ import annotations

from dataclasses import dataclass

from merge_jobs.strategies.selection import AUDIT_SECONDS, StrategyOption


@dataclass(frozen=True)
class MergeOptions:
    """How a run merges its stream; times are in seconds."""

    strategy: StrategyOption = StrategyOption.AUTO
    time_slice_seconds: float = 0  # repeat batches so long; 0 is one batch
    max_delete_fraction: float = 0.5  # of a table; a batch that would delete more fails
    allow_deletes: bool = False  # one batch may delete more than that
    asked_by: str | None = None  # who allowed it
    lock_wait: float = 0
    audit_interval: float = AUDIT_SECONDS  # compare every row once in so long; 0 is never
