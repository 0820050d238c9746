"""Files of which each is read once: which one a batch reads, and which ones batches have read.

A file is written down in the transaction that merges it. The row map's description says that the list is valid: where
that is forgotten, as for a dataset that is to be loaded again, all files are read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from merge_jobs.database.together import Lookup
from merge_jobs.sources import FoundFile
from merge_jobs.stores.postgres.tables import DatasetTables


@dataclass(frozen=True)
class NextFile:
    """The file that a batch reads, None if none is new; how many are left after it; whether all are read `again`."""

    file: FoundFile | None
    left: int
    again: bool

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return asdict(self)


def next_file_of(guard: Mapping[str, Any] | None) -> NextFile | None:
    """Return which file a batch has read, from what it has stored; None if its files are not each read once."""
    stored = ((guard or {}).get("cursor") or {}).get("next_file")
    if stored is None:
        return None
    file = None if stored["file"] is None else FoundFile(**stored["file"])
    return NextFile(file, stored["left"], stored["again"])


def finding_read(tables: DatasetTables) -> Lookup[dict[str, FoundFile]]:
    """Look for the files of the dataset that were read, by name."""
    (rows,) = yield [tables.query("files_read.find", _line(tables))]
    return {name: FoundFile(name, size, modified, tag) for name, size, modified, tag in rows}


def record(tables: DatasetTables, done: NextFile, batch_id: int) -> None:
    """Write down that a file was read. The caller commits."""
    if done.again:
        tables.run("files_read.forget", _line(tables))
    if done.file is not None:
        tables.run("files_read.record", {**_line(tables), **asdict(done.file), "batch_id": batch_id})


def _line(tables: DatasetTables) -> dict[str, Any]:
    return {"key": tables.store.stream.key, "dataset": tables.name}
