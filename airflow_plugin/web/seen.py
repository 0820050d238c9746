"""Whether Airflow has stored what the rows of streams say, or why it has not yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from airflow.utils.session import create_session
from sqlalchemy.orm import Session

from airflow_plugin.health.dag_owners import is_of_factory
from airflow_plugin.web.stored import DagFiles, StoredDag, dag_files, has_dag_processor, stored_dags
from config_schema import names
from config_schema.problem import Problem

SeenState = Literal["stored", "waiting", "blocked"]
# A parse that ends so much later than a change began after it: Airflow allows 50 s for one, and clocks differ.
PARSE_SECONDS = 60


class Wanted(NamedTuple):
    """What the row of a stream wants Airflow to have: a DAG with this fingerprint, or with None no DAG.

    `problems` are what the factory has against the row, `changed_at` is by the clock of Airflow's machines.
    """

    dag_id: str
    fingerprint: str | None
    problems: tuple[Problem, ...] = ()
    changed_at: datetime | None = None


@dataclass(frozen=True)
class Seen:
    """`waiting` ends by itself; `blocked` does not, as far as is known. Both say why, and what to do."""

    state: SeenState
    what: str | None = None
    todo: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {"state": self.state, "what": self.what, "todo": self.todo}


STORED = Seen("stored")


def seen_of(platform: str, wanted: Sequence[Wanted]) -> list[Seen]:
    """Return for each whether Airflow has stored what is needed."""
    with create_session(scoped=False) as session:
        found = stored_dags(session, {one.dag_id for one in wanted})
        are_stored = [is_stored(platform, one, found.get(one.dag_id)) for one in wanted]
        about = None if all(are_stored) else About.read(session, platform)
    return [
        STORED if about is None or stored else about.why(one, found.get(one.dag_id))
        for one, stored in zip(wanted, are_stored, strict=True)
    ]


def is_stored(platform: str, wanted: Wanted, dag: StoredDag | None) -> bool:
    """Return whether Airflow has what is needed; a DAG that another file has is no DAG of the stream."""
    is_there = dag is not None and not dag.is_stale and dag.file is not None and is_of_factory(platform, dag.file.path)
    if wanted.fingerprint is None and not wanted.problems:
        return not is_there
    return is_there and dag is not None and wanted.fingerprint is not None and dag.fingerprint == wanted.fingerprint


def unstored(session: Session, platform: str, fingerprints: Mapping[str, str | None]) -> set[str]:
    """Return those of the DAGs that Airflow does not have as they are needed."""
    found = stored_dags(session, fingerprints)
    return {
        dag_id
        for dag_id, fingerprint in fingerprints.items()
        if not is_stored(platform, Wanted(dag_id, fingerprint), found.get(dag_id))
    }


@dataclass(frozen=True)
class About:
    """What may keep Airflow from storing a DAG of a platform."""

    files: DagFiles
    is_parsing: bool

    @classmethod
    def read(cls, session: Session, platform: str) -> About:
        """Ask Airflow's metadata database."""
        return cls(dag_files(session, platform), has_dag_processor())

    def why(self, wanted: Wanted, dag: StoredDag | None) -> Seen:
        """Return why Airflow does not have what is needed."""
        for problem in wanted.problems:
            return Seen("blocked", f"its row is quarantined: {problem.what}", problem.todo)
        if broken := self._broken(wanted.dag_id, dag):
            todo = "See the import errors, on Airflow's home page"
            return Seen("blocked", f"{broken} has an import error in Airflow", todo)
        if not self.is_parsing:
            return Seen("blocked", "no dag-processor is alive", "Start one: airflow dag-processor; see its log")
        if not self.files.known:
            what = f"Airflow has no factory file of {self.files.platform} yet"
            return Seen("blocked", what, "Put it into the dags folder, or set the bundle: dagfactory bootstrap")
        if wanted.fingerprint is None:
            todo = "It goes at a parse that is a minute younger than the last that had it (stale_dag_threshold)"
            return Seen("waiting", "Airflow still has its DAG", todo)
        return self._unparsed(wanted, dag)

    def _broken(self, dag_id: str, dag: StoredDag | None) -> str | None:
        """Return the file with an import error that is that of the stream, or may be."""
        own = {dag.file} if dag is not None and dag.file is not None else set(self.files.of_stream(dag_id))
        broken = self.files.broken & own if own else self.files.broken
        return min(broken).name if broken else None

    def _unparsed(self, wanted: Wanted, dag: StoredDag | None) -> Seen:
        file = self._file(wanted.dag_id, dag)
        at, changed = dag and dag.parsed_at, wanted.changed_at
        if at and changed and at > changed + timedelta(seconds=PARSE_SECONDS):
            what = f"Airflow has parsed {file} since the change, and the DAG is as before"
            health = names.health_dag_id(self.files.platform)
            return Seen("waiting", what, f"See task check_streams of {health}, and the dag-processor's log")
        todo = "It shows at the file's next parse: in seconds where that is asked for, else at the file's next pass"
        return Seen("waiting", f"Airflow has not parsed {file} since the change", todo)

    def _file(self, dag_id: str, dag: StoredDag | None) -> str:
        if dag is not None and dag.file is not None and not dag.is_stale:
            return dag.file.name
        return next((file.name for file in self.files.of_stream(dag_id)), "its file")
