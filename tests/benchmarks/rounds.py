"""The rounds of a table: first load, then deltas and looks that find nothing, each held to the truth."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from airflow_plugin.demo.postgres import EmbeddedPostgres
from tests.benchmarks import plain
from tests.benchmarks.customers import COLUMNS, Changes, Customers
from tests.benchmarks.job import MERGE_TABLES, OPEN_ROWS, PASSWORD, Ran, run_job, write_model


@dataclass(frozen=True)
class Row:
    """One timed run. `asked` is the strategy wanted, `strategy` the one that the result names."""

    rows: int
    mode: str
    strategy: str
    round: str
    keys: str
    changes: str
    seconds: float
    rss_mb: float
    cpu_seconds: float
    content_ok: bool
    asked: str
    reason: str
    raw_copy_seconds: float = 0.0
    startup_seconds: float = 0.0

    @property
    def ratio_to_copy(self) -> float:
        return self.seconds / self.raw_copy_seconds

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with the ratio."""
        fields = {name: round(value, 3) if isinstance(value, float) else value for name, value in vars(self).items()}
        return {**fields, "ratio_to_copy": round(self.ratio_to_copy, 3)}


@dataclass(frozen=True)
class Step:
    """A strategy to measure, and where in the table its delta is."""

    strategy: str
    changes: str


@dataclass
class Bed:
    """A source and a merge store for one kind of keys, and what was measured on them."""

    server: EmbeddedPostgres
    folder: Path
    keys: str
    rows: int
    modes: Sequence[str]
    say: Callable[[str], None]
    raw_copies: list[float] = field(default_factory=list)
    measured: list[Row] = field(default_factory=list)
    startups: list[float] = field(default_factory=list)
    runs: int = 0

    def perform(self, steps: Sequence[Step]) -> list[Row]:
        """All rounds; afterwards the databases are dropped."""
        self._make()
        for mode in self.modes:
            self._timed(mode, "initial", "initial", "none", Changes(inserted=self.rows))
        before = None
        for step in steps:
            if step.strategy != "full" and before not in (None, step.strategy):
                self._prime(step.strategy)
            for round_name in ("delta", "none"):
                changes = self._customers.change(self.rows, step.changes) if round_name == "delta" else Changes()
                for mode in self.modes:
                    self._timed(mode, step.strategy, round_name, step.changes, changes)
            before = step.strategy
        self._drop()
        raw, startup = statistics.median(self.raw_copies), statistics.median(self.startups)
        return [replace(row, raw_copy_seconds=raw, startup_seconds=startup) for row in self.measured]

    def _make(self) -> None:
        for database in self._databases:
            self.server.create_role(database, PASSWORD)
            self.server.create_database(database, database)
        source, store = self._databases
        write_model(self.folder, self.server, source, store, self.keys)
        self._customers = Customers(self._dsn(source), self.keys)
        size = self._customers.create(self.rows)
        self.say(f"{self.rows} customers with {self.keys} keys are there, {size} bytes a row")

    def _copy_raw(self) -> None:
        self._settle()
        source, store = self._databases
        self.raw_copies.append(plain.raw_copy_seconds(self._dsn(source), self._dsn(store), COLUMNS))
        self.say(f"raw copy: {self.raw_copies[-1]:.2f} s")

    def _prime(self, strategy: str) -> None:
        """What a strategy remembers is brought about before it is timed: another one has run last."""
        for mode in self.modes:
            ran = self._run(mode, strategy)
            self.say(f"{mode} {strategy}: made ready in {ran.seconds:.2f} s by {ran.strategy}, not counted")

    def _timed(self, mode: str, asked: str, round_name: str, where: str, changes: Changes) -> None:
        # Before each run one: the first reader of changed rows has more to do, and load comes and goes.
        self._copy_raw()
        self._settle()
        ran = self._run(mode, "auto" if asked == "initial" else asked)
        if asked == "initial" and ran.exit_code != 0:
            raise SystemExit(f"{mode}: the first load failed, so there is nothing to measure:\n{ran.log[-2000:]}")
        ok = self._is_true(mode, ran, changes)
        self.measured.append(
            Row(
                rows=self.rows,
                mode=mode,
                strategy=ran.strategy,
                round=round_name,
                keys=self.keys,
                changes=where,
                seconds=ran.seconds,
                rss_mb=ran.rss_mb,
                cpu_seconds=ran.cpu_seconds,
                content_ok=ok,
                asked=asked,
                reason=ran.reason,
            )
        )
        self.say(
            f"{mode} {asked} {round_name}: {ran.seconds:.2f} s by {ran.strategy} ({ran.reason}), "
            f"{ran.rss_mb:.0f} MB, {'as the source' if ok else 'NOT AS THE SOURCE'}"
        )
        if round_name == "initial":
            plain.run_statement(self.server.dsn(self._databases[1]), "VACUUM (ANALYZE)")
            self._settle()
            self.startups.append(self._repeated(mode).seconds)

    def _run(self, mode: str, strategy: str) -> Ran:
        self.runs += 1
        return run_job(self.folder, mode, f"run-{self.runs}", strategy)

    def _repeated(self, mode: str) -> Ran:
        """A run id that has been done: the job starts, reads the model, connects, and finds that nothing is to do."""
        return run_job(self.folder, mode, f"run-{self.runs}", "auto")

    def _is_true(self, mode: str, ran: Ran, changes: Changes) -> bool:
        """Whether the merge table has the source's rows, and the counts reported are the changes made."""
        if ran.exit_code != 0:
            return False
        source, store = self._databases
        truth = plain.digest(self._dsn(source), "customers", COLUMNS)
        merged = plain.digest(self._dsn(store), MERGE_TABLES[mode], COLUMNS, OPEN_ROWS[mode])
        counts_reported = all(ran.counted(name) == made for name, made in vars(changes).items())
        return merged == truth and counts_reported and ran.counted("total") == truth[0]

    def _settle(self) -> None:
        """What one step left to be written is no burden for the next."""
        plain.run_statement(self.server.dsn(), "CHECKPOINT")

    def _drop(self) -> None:
        for database in self._databases:
            plain.run_statement(self.server.dsn(), f"DROP DATABASE {database}")

    @property
    def _databases(self) -> tuple[str, str]:
        return f"source_{self.keys}", f"store_{self.keys}"

    def _dsn(self, database: str) -> str:
        return self.server.dsn(database, database, PASSWORD)


def steps_of(strategies: Sequence[str], changes: Sequence[str], keys: str) -> Iterator[Step]:
    """Every strategy with scattered changes; uuid keys and clustered changes with the first strategy only."""
    for where in changes:
        for strategy in strategies:
            if strategy == strategies[0] or (where == "scattered" and keys == "int"):
                yield Step(strategy, where)
