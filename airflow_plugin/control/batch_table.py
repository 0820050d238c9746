"""The merge job's batch tables, read only: what a run committed. The merge job creates and writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from airflow_plugin.control.session import ControlSession
from config_schema import names
from config_schema.result import MergeResult, result_from_dict
from config_schema.sql.object_comments import parsed_comment
from config_schema.sql.statements import SqlFile

STATEMENTS = SqlFile(__file__)


@dataclass(frozen=True)
class TableSize:
    """A merge table: of which stream, in which schema, with its indexes, and about how many rows it has."""

    stream: str
    schema: str
    size: int  # bytes
    rows: int


@dataclass(frozen=True)
class LastLook:
    """When a stream's merge table was last made equal to its source, or seen to be; and the batch that is open, if any.

    `open_status` is started, ingested or failed; `error` is why it failed.
    """

    at: datetime | None = None
    open_batch: int | None = None
    open_status: str | None = None
    error: str | None = None
    last_batch: int | None = None  # the last one that was committed


@dataclass(frozen=True)
class BatchTables:
    """A platform's batch tables and merge tables behind a session. Methods raise MergeStoreError and never commit."""

    session: ControlSession

    def result_of_run(self, stream_key: str, run_id: str) -> MergeResult | None:
        """Return the newest result that a run of the stream committed; None if there is none."""
        values = {"stream_key": stream_key, "run_id": run_id}
        rows = self.session.run_if_created(STATEMENTS["result_of_run"], values, where=self._counter)
        return next((result_from_dict(result) for _, result in rows if result is not None), None)

    def last_looks(self, stream_keys: Sequence[str]) -> dict[str, LastLook]:
        """Return the last look at each of the streams; empty before the first job has run."""
        values = {"stream_keys": list(stream_keys)}
        rows = self.session.run_if_created(STATEMENTS["last_looks"], values, where=self._counter)
        return {key: LastLook(*rest) for key, *rest in rows}

    def origin(self, stream_key: str) -> dict[str, Any] | None:
        """Return where the rows of the stream's newest batch come from, as the merge job wrote it down."""
        where = names.batch_metrics_table(self.session.platform)
        rows = self.session.run(STATEMENTS["origin"], {"stream_key": stream_key}, where=where)
        return rows[0][0] if rows else None

    def columns(self, tables: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return, for each merge table that is there, the type of each column, in the table's order."""
        values = {"schema": self.session.schema, "tables": list(tables)}
        found: dict[str, dict[str, str]] = {}
        for table, column, kind in self.session.run(STATEMENTS["columns"], values, where="merge tables"):
            found.setdefault(table, {})[column] = kind
        return found

    def merge_table_sizes(self) -> list[TableSize]:
        """Return the size of each merge table of the platform, archived ones too."""
        platform = self.session.platform
        values = {"schemas": [self.session.schema, names.archive_schema(platform)]}
        rows = self.session.run(STATEMENTS["table_sizes"], values, where="merge tables")
        found = [(parsed_comment(comment), TableSize("", *rest)) for comment, *rest in rows]
        return [replace(size, stream=owner["stream"]) for owner, size in found if owner.get("platform") == platform]

    def clock(self) -> datetime:
        """Return the time by the merge store's clock, which wrote the times of rows and batches."""
        ((now,),) = self.session.run(STATEMENTS["clock"], where="merge store")
        assert isinstance(now, datetime)
        return now

    @property
    def _counter(self) -> str:
        return names.batch_counter_table(self.session.platform)
