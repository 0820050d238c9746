"""A job of a platform as a whole: a command of the merge job's image, and what its lines say of its end. No Airflow."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from airflow_plugin.jobs.merge_job import SecretVariable
from config_schema.printable import printable

MERGE_JOB, DAGFACTORY = "merge-job", "dagfactory"
ERROR = "error: "  # how both programs begin what is wrong
BOX_BEGINS, BOX_SIDE = "╭", "│"
ERRORS_SHOWN = 10
MOST_SAID = 4000  # characters of a line: the task's error is stored, and goes to the notifier


@dataclass(frozen=True)
class PlatformJob:
    """A program of the image and its arguments, which reach it through no template and no shell."""

    platform: str
    platform_name: str
    task: str
    program: str
    arguments: tuple[str, ...]
    secrets: tuple[SecretVariable, ...]
    environment: str | None = None  # of the model
    variables: tuple[tuple[str, str], ...] = ()  # that are no secrets
    # The arguments of `dagfactory model fetch` where the job's pod is to compile a model first, and its git token.
    fetch: tuple[str, ...] = ()
    fetch_secret: SecretVariable | None = None

    @property
    def kind(self) -> tuple[str, str]:
        """A label for the job's pods: its key and its value."""
        return "task", self.task

    def __str__(self) -> str:
        return f"{self.platform} {self.task}"


class LastWords:
    """What a job's lines say of its end: the errors among them, else what stands in the last box, else the last line.

    A program that does not know an option, as an older image may not, says so in a box.
    """

    def __init__(self) -> None:
        self._errors: deque[str] = deque(maxlen=ERRORS_SHOWN)
        self._boxed: deque[str] = deque(maxlen=ERRORS_SHOWN)
        self._last = ""

    def feed(self, line: str) -> None:
        """Read a line of the job's log."""
        line = printable(line.strip(), MOST_SAID)
        self._last = line or self._last
        if line.startswith(ERROR) and line not in self._errors:
            self._errors.append(line)
        if line.startswith(BOX_BEGINS):
            self._boxed.clear()
        elif line.startswith(BOX_SIDE):
            self._boxed.append(line.strip(f"{BOX_SIDE} "))

    def __str__(self) -> str:
        errors = "; ".join(line.removeprefix(ERROR) for line in self._errors)
        return errors or " ".join(self._boxed) or self._last
