"""The result of building a plan, with or without Airflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

RUN_ID = "<run id>"


@dataclass(frozen=True)
class ShownTask:
    """A task and those that may follow it; `operator` is empty if only the plan is known."""

    task_id: str
    operator: str
    downstream: tuple[str, ...]


@dataclass(frozen=True)
class Built:
    """The result of building a plan, and `by` what; `pod` is the manifest for Kubernetes, None if it is unknown."""

    by: str
    tasks: tuple[ShownTask, ...]
    pod: dict[str, Any] | None
