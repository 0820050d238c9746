"""The merge job's batch tables, read only: what a run committed. The merge job creates and writes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from airflow_plugin.control.session import ControlSession
from config_schema import names
from config_schema.result import (
    DatasetCheck,
    MergeResult,
    RefusedDelete,
    known_checks,
    refused_delete_from_dict,
    result_from_dict,
)
from config_schema.sql import run_outcomes
from config_schema.sql.object_comments import parsed_comment
from config_schema.sql.statements import SqlFile
from config_schema.stream_health import FailedRuns

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

    `open_status` is started, ingested or failed; `error` is why it failed, and `retryable` whether a retry can help.
    `warnings` are the checks of severity `warn` that the last run that succeeded found broken, a hundred at most.
    """

    at: datetime | None = None
    open_batch: int | None = None
    open_status: str | None = None
    error: str | None = None
    last_batch: int | None = None  # the last one that was committed
    failed_at: datetime | None = None
    retryable: bool | None = None
    warnings: tuple[DatasetCheck, ...] = ()
    failed_runs: FailedRuns | None = None  # since the last run that succeeded, as jobs have written them down

    @property
    def failed(self) -> FailedRuns | None:
        """The runs that have failed in a row; where jobs write none down, the one that left its batch failed."""
        if self.failed_runs is None and self.open_status == "failed":
            return FailedRuns(1, self.failed_at, self.failed_at, self.error, self.retryable)
        return self.failed_runs


@dataclass(frozen=True)
class DeleteToApprove:
    """A delete that a stream's open batch was refused for; who approved it, and until when, if somebody has."""

    refused: RefusedDelete
    approved_by: str | None = None
    approved_until: datetime | None = None


@dataclass(frozen=True)
class JobProgress:
    """What a running job is doing, as it last reported at `written_at`.

    `done` and `expected` are pieces of a `kind`; `expected` is an estimate of rows, and `bytes` what came with them.
    """

    stream_key: str
    run_id: str
    started_at: datetime
    phase: str
    phase_started_at: datetime
    dataset: str | None
    kind: str | None
    done: int | None
    expected: int | None
    bytes: int | None
    written_at: datetime

    @property
    def whole(self) -> int | None:
        """How many pieces there are; None where that is not known, or the estimate is exceeded."""
        return self.expected if self.expected and (self.done or 0) <= self.expected else None

    @property
    def whole_bytes(self) -> int | None:
        """About how many bytes all pieces have, as those so far have."""
        if not (self.whole and self.done and self.bytes):
            return None
        return round(self.bytes * self.whole / self.done)

    @property
    def per_second(self) -> float | None:
        """How many pieces were done in a second, since the phase began."""
        seconds = (self.written_at - self.phase_started_at).total_seconds()
        return self.done / seconds if self.done and seconds > 0 else None


@dataclass(frozen=True)
class BatchTables:
    """A platform's batch tables and merge tables behind a session. Methods raise MergeStoreError and never commit."""

    session: ControlSession

    def result_of_run(self, stream_key: str, run_id: str) -> MergeResult | None:
        """Return the newest result that a run of the stream committed; None if there is none."""
        values = {"stream_key": stream_key, "run_id": run_id}
        rows = self.session.run_if_created(STATEMENTS["result_of_run"], values, where=self._counter)
        return next((result_from_dict(result) for _, result in rows if result is not None), None)

    def record_failure(self, failed: MergeResult) -> None:
        """Record the failure of a run whose job could not record it, and commit; a result of the job is kept.

        Nothing is recorded before the first job has made the table, or by a login that may not write it.
        """
        where = names.run_results_table(self.session.platform)
        values = {"stream_key": failed.stream_key, "run_id": failed.run_id, "result": json.dumps(failed.to_dict())}
        self.session.run_if_readable(STATEMENTS["record_failure"], values, where=where)
        self.session.commit(where)

    def last_looks(self, stream_keys: Sequence[str]) -> dict[str, LastLook]:
        """Return the last look at each of the streams; empty before the first job has run."""
        values = {"stream_keys": list(stream_keys)}
        rows = self.session.run_if_created(STATEMENTS["last_looks"], values, where=self._counter)
        return {key: replace(LastLook(*look), warnings=known_checks(found)) for key, *look, found in rows}

    def refused_delete(self, stream_key: str) -> DeleteToApprove | None:
        """Return what the stream's open batch was refused for deleting; None if it was not."""
        values = {"stream_key": stream_key}
        rows = self.session.run_if_created(STATEMENTS["refused_delete"], values, where=self._counter)
        for stored, approved_by, until in rows:
            refused = refused_delete_from_dict(stored)
            return None if refused is None else DeleteToApprove(refused, approved_by, until)
        return None

    def progress(self, stream_keys: Sequence[str] | None = None) -> list[JobProgress]:
        """Return what running jobs are at, of these streams or of all; none of a job that says nothing any more."""
        values = {"stream_keys": None if stream_keys is None else list(stream_keys)}
        where = names.progress_table(self.session.platform)
        rows = self.session.run_if_readable(STATEMENTS["progress"], values, where=where)
        return [JobProgress(*row) for row in rows]

    def failed_runs(self) -> dict[str, FailedRuns]:
        """Return the runs that have failed since the last success, for each stream of which there are any.

        Empty where the tables are of an older version, which keeps no results of runs.
        """
        where = names.run_results_table(self.session.platform)
        rows = self.session.run_if_created(run_outcomes.STATEMENTS["failed_runs"], where=where)
        return {key: FailedRuns(*rest) for key, *rest in rows}

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
        ours = [(owner, size) for owner, size in found if owner.get("platform") == platform and "stream" in owner]
        return [replace(size, stream=str(owner["stream"])) for owner, size in ours]

    def clock(self) -> datetime:
        """Return the time by the merge store's clock, which wrote the times of rows and batches."""
        ((now,),) = self.session.run(run_outcomes.STATEMENTS["clock"], where="merge store")
        assert isinstance(now, datetime)
        return now

    @property
    def _counter(self) -> str:
        return names.batch_counter_table(self.session.platform)
