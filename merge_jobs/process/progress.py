"""What a run is at: its phase, the dataset, how much of it is done. Pure; written by the run, read by a reporter."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum


class Phase(Enum):
    """What a run does. Its word stands in the progress table."""

    WAITING = "waiting"  # for the job that holds the stream
    STARTING = "starting"
    CONNECTING = "connecting"  # to the source, for its snapshot; a source that is behind is waited for
    READING = "reading"
    MERGING = "merging"
    CHECKING = "checking"  # the quality checks
    COMMITTING = "committing"
    IDLE = "idle"  # between two looks at the source


@dataclass(frozen=True)
class Work:
    """What is done in a phase: so many pieces of a kind, of those `expected`.

    `done` is None where the merge store's server counts them: it does for one long COPY, and for an index.
    """

    phase: Phase = Phase.STARTING
    dataset: str | None = None
    kind: str | None = None
    expected: int | None = None
    done: int | None = None
    began: float = field(default_factory=time.monotonic)


class Progress:
    """The work that a run is at now. One thread writes it; `now` is whole whenever another one reads it."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.now = Work()

    def enter(self, phase: Phase, dataset: str | None = None) -> None:
        """Begin a phase, of a dataset where it has one."""
        self.now = Work(phase, dataset)

    def at(self, phase: Phase, dataset: str) -> None:
        """Begin a phase of a dataset, unless that is what the run is at."""
        if (self.now.phase, self.now.dataset) != (phase, dataset):
            self.enter(phase, dataset)

    def read(self, dataset: str, kind: str, expected: int | None, done: int | None = None) -> None:
        """Begin to read pieces of a kind of a dataset, or say how many are done."""
        before = self.now
        same = (before.phase, before.dataset, before.kind) == (Phase.READING, dataset, kind)
        began = before.began if same else time.monotonic()
        self.now = Work(Phase.READING, dataset, kind, expected, done, began)
