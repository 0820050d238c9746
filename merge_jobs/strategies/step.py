"""Steps of a batch. `perform` runs them and checks that they run only their statements; `merge-job sql` prints them.

So what is printed cannot differ from what runs. `.find_delta` is the statement of that name in live.sql, forensic.sql
or lake.sql, by the kind of merge table; the other files' statements are neither run nor printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Generic, TypeVar

from config_schema.model import Milestoning
from merge_jobs.sql import limit_to, statements_of

# What any step may run without naming it, and what is not printed: the settings that a transaction begins with, looks
# at the catalogue and the server, which change nothing, and the savepoint around a COPY out of a source.
UNNAMED = frozenset(
    [
        *("session", "lock_room", "batches.lock_is_held", "batches.store_stats_reset"),
        *("dataset.describe", "dataset.key_index_stands", "dataset.types_known"),
        *("dataset.type_in_sight", "dataset.schemas_of_type"),
        *("postgres_source.columns", "postgres_source.types_known", "postgres_source.estimated_rows"),
        *("postgres_source.before_a_copy", "postgres_source.after_a_copy"),
    ]
)

# With the statements that differ between kinds of merge tables.
FILES = (*(kind.value for kind in Milestoning), "lake")

State = TypeVar("State", contravariant=True)


class Side(Enum):
    """Which database a statement runs on."""

    SOURCE = "source"
    STORE = "merge store"


@dataclass(frozen=True)
class Section:
    """Statements that belong together, on one side; `opens` and `ends` are what the driver adds around them.

    It is printed for batches of these `strategies` (all if empty), with `postgresql` only for producers on
    PostgreSQL, and with a `milestoning` only on such platforms.
    """

    side: Side
    title: str
    statements: tuple[str, ...]
    opens: str = ""
    ends: str = ""
    strategies: frozenset[str] = frozenset()
    postgresql: bool = False
    milestoning: Milestoning | None = None


def on_source(
    title: str, *statements: str, opens: str = "", strategies: Iterable[str] = (), postgresql: bool = False
) -> Section:
    """Return a section of statements that run on the source."""
    return Section(Side.SOURCE, title, statements, opens, strategies=frozenset(strategies), postgresql=postgresql)


def on_store(
    title: str,
    *statements: str,
    ends: str = "",
    strategies: Iterable[str] = (),
    postgresql: bool = False,
    milestoning: Milestoning | None = None,
) -> Section:
    """Return a section of statements that run on the merge store."""
    return Section(Side.STORE, title, statements, "", ends, frozenset(strategies), postgresql, milestoning)


@dataclass(frozen=True)
class Condition(Generic[State]):
    """When a step is run. `words` precede its titles; they are empty if its sections say enough."""

    words: str
    holds: Callable[[State], bool]


@dataclass(frozen=True)
class Step(Generic[State]):
    """A function on the state that the steps of a part of a batch share, and the statements that it may run.

    `sections` are printed, in this order. `also` are statements that are not printed: alternatives, the model's
    quality checks, and what runs after a batch was refused. A name without a dot means all statements of that file.
    """

    run: Callable[[State], None]
    sections: tuple[Section, ...] = ()
    also: tuple[str, ...] = ()
    when: Condition[State] | None = None
    run_for_all: Callable[[Sequence[State]], None] | None = None  # in place of `run`, for several datasets at once

    @property
    def title(self) -> str:
        """What the step does, as `merge-job sql` prints it."""
        return self.sections[0].title if self.sections else str(self.run)

    @cached_property
    def named(self) -> frozenset[str]:
        """Return all statements that the step may run."""
        printed = (name for section in self.sections for name in section.statements)
        every = [full for name in (*printed, *self.also) for full in _in_full(name)]
        return UNNAMED.union(every)


def for_all(
    run: Callable[[Sequence[State]], None],
    sections: tuple[Section, ...] = (),
    also: tuple[str, ...] = (),
    when: Condition[State] | None = None,
) -> Step[State]:
    """Return a step that is taken for several datasets at once: their statements are sent together."""
    return Step(lambda state: run([state]), sections, also, when, run)


def perform(steps: Iterable[Step[State]], state: State) -> None:
    """Run the steps in order; each may run only its own statements (merge_jobs.sql.limit_to)."""
    perform_for_all(steps, [state], lambda _: nullcontext())


def perform_for_all(
    steps: Iterable[Step[State]], states: Sequence[State], each: Callable[[State], AbstractContextManager[None]]
) -> None:
    """Run each step for all states before the next step; `each` gives the context of what is done for one of them."""
    for step in steps:
        wanted = [state for state in states if step.when is None or step.when.holds(state)]
        if step.run_for_all is not None and len(states) > 1 and wanted:
            with limit_to(step.named, step.title):
                step.run_for_all(wanted)
            continue
        for state in wanted:
            with each(state), limit_to(step.named, step.title):
                step.run(state)


def _in_full(name: str) -> tuple[str, ...]:
    return tuple(file + name for file in FILES if name[1:] in statements_of(file)) if name.startswith(".") else (name,)
