"""The moment of a kill: any, or just after some job has said how far it is, for what lasts only milliseconds."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from random import Random
from threading import Event

ANY = ""
SAID = (ANY, ANY, "batch", "have changed", "ingested", "ingested", "committed")
AFTER_SECONDS = 0.06
LONGEST_SECONDS = 10.0  # that a job may be silent


@dataclass
class Aim:
    """Hears what jobs say, and waits for the moment."""

    random: Random
    _word: str = ANY
    _heard: Event = field(default_factory=Event)
    _child: subprocess.Popen[str] | None = None

    def hear(self, child: subprocess.Popen[str], line: str) -> None:
        """A line of a job's log."""
        if self._word and self._word in line and not self._heard.is_set():
            self._child = child
            self._heard.set()

    def moment(self) -> subprocess.Popen[str] | None:
        """Return when it has come, with the job that it is a moment of; None: it is any moment."""
        self._child = None
        self._heard.clear()
        self._word = self.random.choice(SAID)
        if self._word:
            self._heard.wait(LONGEST_SECONDS)
            Event().wait(self.random.uniform(0, AFTER_SECONDS))
        return self._child
