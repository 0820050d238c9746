"""A real Airflow and stream tables, and on them every way of having so many streams, one after the other."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from airflow_plugin.demo.postgres import EmbeddedPostgres
from config_schema import names
from tests.airflow.real_airflow import RealAirflow, airflow_environment
from tests.benchmarks.factory import streams
from tests.benchmarks.factory.dag_factory_package import WITHOUT_TELEMETRY
from tests.benchmarks.factory.dag_files import ONE_FILE, DagFiles, Kind, write_files
from tests.benchmarks.factory.full_pass import Pass, full_pass, metadata
from tests.benchmarks.factory.parsing import ROOT, Costs, costs
from tests.benchmarks.factory.results import Result
from tests.benchmarks.factory.standing import KINDS, Measured, TablesVersion, Way
from tests.benchmarks.running import write

OWNER = "bench"
WORKER_REPEATS = 5
TASKS = 4  # in each DAG, whatever made it


def new_airflow(postgres: EmbeddedPostgres, home: Path) -> RealAirflow:
    """An Airflow without DAGs, whose platform's settings admit the rows."""
    home.mkdir()
    postgres.create_role(OWNER, OWNER)
    postgres.create_database("airflow", OWNER)
    dsn = postgres.dsn("airflow")
    real = RealAirflow(home, dsn, airflow_environment(home, dsn) | WITHOUT_TELEMETRY | {"PYTHONPATH": str(ROOT)})
    with contextlib.redirect_stdout(io.StringIO()):
        real.airflow("db", "migrate")
    write(home / "settings" / names.settings_file(streams.PLATFORM_NAME), streams.settings().to_json())
    return real


@dataclass(frozen=True)
class Bed:
    """`passes` are the kinds that the dag-processor runs over too; `once` measures without repeating."""

    postgres: EmbeddedPostgres
    real: RealAirflow
    kinds: Sequence[Kind]
    passes: Sequence[Kind]
    python_path: Mapping[Kind, tuple[Path, ...]]
    once: bool
    say: Callable[[str], None]
    standing: Sequence[Way] = ()
    idle_seconds: float = 120.0
    changes: int = 20

    def measured(self, size: int) -> tuple[list[Result], list[Measured]]:
        """All ways of having `size` streams, by their passes and by a dag-processor that goes on."""
        self._write_streams(size)
        folder = self.real.home
        ways = [
            write_files(kind, folder / f"{kind.value}_{size}", size, self.python_path.get(kind, ()))
            for kind in self.kinds
        ]
        repeats = self._repeats(size)
        self.say(f"{size:,} streams: parsing, {repeats} x, and in a worker")
        measured = costs(ways, self.real.environment, repeats, 1 if self.once else WORKER_REPEATS)
        _check(measured, size)
        results = [Result(size, way.kind, len(way.files), measured[way.kind], *self._passes(way, size)) for way in ways]
        return results, list(self._standing(ways, size))

    def _standing(self, ways: Sequence[DagFiles], size: int) -> Iterator[Measured]:
        """Others than the bundle up to ONE_FILE streams only: they take hours for more."""
        watched = TablesVersion(self.real, self.idle_seconds, self.changes, self.say)
        files = {way.kind: way for way in ways}
        for way in self.standing:
            if way is Way.BUNDLE:
                yield watched.measured(way, size, None)
            elif size <= ONE_FILE and KINDS[way] in files:
                yield watched.measured(way, size, files[KINDS[way]])

    def _write_streams(self, size: int) -> None:
        database = f"streams_{size}"
        self.postgres.create_database(database, OWNER)
        dsn = self.postgres.dsn(database, OWNER, OWNER)
        streams.write_rows(dsn, size)
        self.real.environment[names.dsn_variable(streams.PLATFORM_NAME)] = dsn

    def _repeats(self, size: int) -> int:
        if self.once or size > 1000:
            return 1
        return 3 if size > 100 else 5

    def _passes(self, way: DagFiles, size: int) -> list[Pass]:
        """A first pass, and for ours one that finds nothing changed."""
        if way.kind not in self.passes:
            return []
        self.say(f"{size:,} streams: dag-processor, {way.kind.value}")
        with metadata(self.real, f"airflow_{way.kind.value}_{size}") as fresh:
            return [full_pass(fresh, way) for _ in range(1 if self.once or way.kind is not Kind.OURS else 2)]


def _check(measured: Mapping[Kind, Costs], size: int) -> None:
    """Raises RuntimeError if the ways did not make the same of the streams, as far as they can."""
    for kind, found in measured.items():
        if (found.first.dags, found.first.tasks) != (size, size * TASKS):
            raise RuntimeError(f"{kind.value}: {found.first.dags} DAGs with {found.first.tasks} tasks in all")
    same = [measured[kind].first.digest for kind in (Kind.OURS_SAME_OPERATORS, Kind.DAG_FACTORY) if kind in measured]
    if len(set(same)) > 1:
        raise RuntimeError("dag-factory's tasks are not the same as ours")
