"""What was made of a plan, by Airflow or without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

RUN_ID = "<run id>"


@dataclass(frozen=True)
class ShownTask:
    """A task and those that may follow it; `operator` is empty where only the plan is known."""

    task_id: str
    operator: str
    downstream: tuple[str, ...]


@dataclass(frozen=True)
class Built:
    """What was made of a plan, and `by` what; `pod` is the manifest as Kubernetes gets it, None where it is unknown."""

    by: str
    tasks: tuple[ShownTask, ...]
    pod: dict[str, Any] | None
