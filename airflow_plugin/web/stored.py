"""What Airflow has stored of the DAGs of streams, and of the files that they come from: in its metadata database.

Which config a stored DAG was built from stands in its text. That text is read once for each version of a DAG; after
that a look is one query, by the hash that Airflow keeps beside the DAG.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from airflow.api.common.airflow_health import get_airflow_health
from airflow.models.dag import DagModel
from airflow.models.dag_version import DagVersion
from airflow.models.errors import ParseImportError
from airflow.models.serialized_dag import SerializedDagModel
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from airflow_plugin.factory.shards import Shard
from airflow_plugin.health.dag_owners import is_of_factory
from airflow_plugin.rows.fingerprint import fingerprint_of_doc

TOGETHER = 500  # DAGs in a query
MOST_KEPT = 100_000  # fingerprints, of 100 bytes

_fingerprints: dict[str, str | None] = {}  # by the hash of a stored DAG


class DagFile(NamedTuple):
    """A factory file of a platform, as Airflow knows it: its bundle, and its path in there."""

    bundle: str
    path: str

    @property
    def name(self) -> str:
        """Return the file's name without its folder."""
        return self.path.rpartition("/")[2]

    def part(self, platform: str) -> Shard | None:
        """Return which streams a file in a dags folder has; None for a file of `StreamBundle`, and for other files."""
        found = re.fullmatch(rf"{re.escape(platform)}_factory(?:_(\d+)_of_(\d+))?\.py", self.name)
        if found is None:
            return None
        return Shard(int(found[1]), int(found[2])) if found[1] else Shard()


class StoredDag(NamedTuple):
    """A DAG as Airflow has it; `fingerprint` is None where no config of a stream is in it."""

    is_stale: bool
    file: DagFile | None
    parsed_at: datetime | None
    fingerprint: str | None


class DagFiles(NamedTuple):
    """The factory files of a platform that Airflow has DAGs of, or an import error."""

    platform: str
    known: frozenset[DagFile]
    broken: frozenset[DagFile]

    def of_stream(self, dag_id: str) -> list[DagFile]:
        """Return the files in a dags folder that have the stream, or are to have it."""
        parts = ((file, file.part(self.platform)) for file in self.known)
        return sorted(file for file, part in parts if part is not None and part.has(dag_id))

    @property
    def are_of_bundle(self) -> bool:
        """Return whether a `StreamBundle` writes the files, and has them parsed by itself."""
        return any(file.part(self.platform) is None for file in self.known)


def stored_dags(session: Session, dag_ids: Collection[str]) -> dict[str, StoredDag]:
    """Return what Airflow has stored of the DAGs; those that it has never had are left out."""
    wanted = list(dag_ids)
    found: dict[str, StoredDag] = {}
    for start in range(0, len(wanted), TOGETHER):
        found |= dict(_stored(session, wanted[start : start + TOGETHER]))
    return found


def dag_files(session: Session, platform: str) -> DagFiles:
    """Return the factory files of a platform (derived name)."""
    starts = f"{platform}\\_%"
    found = session.execute(
        select(DagModel.bundle_name, DagModel.relative_fileloc)
        .where(DagModel.dag_id.like(starts, escape="\\"), DagModel.is_stale.is_(False))
        .distinct()
    )
    named = f"%{platform}\\_factory%"
    errors = session.execute(
        select(ParseImportError.bundle_name, ParseImportError.filename).where(
            ParseImportError.filename.like(named, escape="\\")
        )
    )
    broken = frozenset(_of_platform(errors, platform))
    return DagFiles(platform, frozenset(_of_platform(found, platform)) | broken, broken)


def dag_ids_in(session: Session, file: DagFile) -> set[str]:
    """Return the DAGs that Airflow has from a file, also those that have gone."""
    wanted = DagModel.bundle_name == file.bundle, DagModel.relative_fileloc == file.path
    return set(session.scalars(select(DagModel.dag_id).where(*wanted)))


def parsed_at(session: Session, file: DagFile) -> datetime | None:
    """Return when a DAG of the file was last stored."""
    wanted = DagModel.bundle_name == file.bundle, DagModel.relative_fileloc == file.path
    return session.scalar(select(func.max(DagModel.last_parsed_time)).where(*wanted))


def has_dag_processor() -> bool:
    """Return whether a dag-processor is alive, by its heartbeat."""
    return bool(get_airflow_health()["dag_processor"]["status"] == "healthy")


def _of_platform(rows: Iterable[Any], platform: str) -> Iterator[DagFile]:
    for bundle, path in rows:
        if bundle and path and is_of_factory(platform, path):
            yield DagFile(bundle, path)


def _stored(session: Session, dag_ids: Collection[str]) -> Iterator[tuple[str, StoredDag]]:
    newest = (
        select(DagVersion.dag_id, func.max(DagVersion.version_number).label("number"))
        .where(DagVersion.dag_id.in_(dag_ids))
        .group_by(DagVersion.dag_id)
        .subquery()
    )
    query = (
        select(
            DagModel.dag_id,
            DagModel.is_stale,
            DagModel.bundle_name,
            DagModel.relative_fileloc,
            DagModel.last_parsed_time,
            SerializedDagModel.id,
            SerializedDagModel.dag_hash,
        )
        .outerjoin(newest, newest.c.dag_id == DagModel.dag_id)
        .outerjoin(DagVersion, (DagVersion.dag_id == newest.c.dag_id) & (DagVersion.version_number == newest.c.number))
        .outerjoin(SerializedDagModel, SerializedDagModel.dag_version_id == DagVersion.id)
        .where(DagModel.dag_id.in_(dag_ids))
    )
    rows = session.execute(query).all()
    found = _fingerprints_of(session, {row.dag_hash: row.id for row in rows if row.dag_hash})
    for dag_id, is_stale, bundle, path, parsed, _, dag_hash in rows:
        file = DagFile(bundle, path) if bundle and path else None
        yield dag_id, StoredDag(bool(is_stale), file, parsed, found.get(dag_hash))


def _fingerprints_of(session: Session, ids: Mapping[str, Any]) -> Mapping[str, str | None]:
    """Return the fingerprint of each stored DAG, by its hash; `ids` are those of the rows that have the text."""
    missing = [ids[dag_hash] for dag_hash in ids if dag_hash not in _fingerprints]
    if missing:
        if len(_fingerprints) > MOST_KEPT:
            _fingerprints.clear()
        for dag in session.scalars(select(SerializedDagModel).where(SerializedDagModel.id.in_(missing))):
            doc = (dag.data or {}).get("dag", {}).get("doc_md")
            _fingerprints[dag.dag_hash] = fingerprint_of_doc(doc) if isinstance(doc, str) else None
    return {dag_hash: _fingerprints.get(dag_hash) for dag_hash in ids}
