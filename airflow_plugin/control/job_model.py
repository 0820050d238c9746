"""A platform's job model: its commit, and the rows that sync writes; the statements are in job_model.sql."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from psycopg2 import errorcodes

from airflow_plugin.control.connection import MergeStoreError
from airflow_plugin.control.session import ControlSession
from config_schema.sql.statements import SqlFile

if TYPE_CHECKING:
    from config_schema.job_model import JobModelRow, JobModelState

STATEMENTS = SqlFile(__file__)
NOT_MADE = (errorcodes.UNDEFINED_TABLE, errorcodes.UNDEFINED_COLUMN)


@dataclass(frozen=True)
class JobModelChange:
    """The numbers of rows that a sync wrote and deleted, and of all rows."""

    rows: int
    written: int
    deleted: int


@dataclass(frozen=True)
class JobModelTable:
    """The job model of a platform. Methods raise MergeStoreError, and never commit."""

    session: ControlSession

    def state(self) -> JobModelState | None:
        """Return what is recorded of the rows; None if nothing is, or if the tables are too old.

        The transaction is rolled back if they are.
        """
        from config_schema.job_model import JobModelState  # a parse reads rows, and loads no model

        try:
            rows = self.session.run(STATEMENTS["select_job_model_state"])
        except MergeStoreError as error:
            if error.pgcode not in NOT_MADE:
                raise
            self.session.connection.rollback()
            return None
        return JobModelState(*rows[0]) if rows and rows[0][0] is not None else None

    def digest(self) -> str | None:
        """Return the digest of the existing rows; None without a table."""
        rows = self.session.run_if_created(STATEMENTS["job_model_digest"])
        return str(rows[0][0]) if rows else None

    def environment(self) -> str | None:
        """Return the model's environment that the rows are for; None if they are for none, or there are no rows."""
        from config_schema.job_model import environment_of

        rows = self.session.run_if_readable(STATEMENTS["select_job_model_of_platform"])
        return environment_of(rows[0][0]) if rows else None

    def streams_without(self) -> list[str]:
        """Return the streams that are not retired and have no row."""
        return [key for (key,) in self.session.run(STATEMENTS["streams_without_job_model"])]

    def catalogue(self, store: str | None = None) -> list[tuple[str, str | None]]:
        """Return key and document of the streams' rows, or of those of one datastore, after an entry without any.

        Empty where the rows are not of the model that was synced last, or this login may not read them; that ends the
        session's transaction.
        """
        rows = self.session.run_if_readable(STATEMENTS["select_catalogue"], {"store": store})
        return [(key, document) for key, document in rows]

    def of_stream(self, stream_key: str) -> dict[str, str]:
        """Return the documents about a stream and about consumers, by kind; empty as above."""
        rows = self.session.run_if_readable(STATEMENTS["select_of_stream"], {"stream_key": stream_key})
        return dict(rows)

    def write(self, rows: Sequence[JobModelRow], state: JobModelState) -> JobModelChange:
        """Write the rows that differ, delete rows that are gone, and record the state."""
        existing = {
            (kind, key): digest if digest == of_document else None
            for kind, key, digest, of_document in self.session.run(STATEMENTS["select_job_model_digests"])
        }
        changed = [row for row in rows if existing.pop((row.kind.value, row.key), None) != row.digest]
        self.session.run_for_each(STATEMENTS["write_job_model_row"], [_values(row, state.commit) for row in changed])
        if existing:
            kinds, keys = zip(*existing, strict=True)
            self.session.run(STATEMENTS["delete_job_model_rows"], {"kinds": list(kinds), "keys": list(keys)})
        self.session.run(STATEMENTS["record_job_model_state"], asdict(state))
        return JobModelChange(len(rows), len(changed), len(existing))


def _values(row: JobModelRow, commit: str) -> dict[str, str]:
    of_row = {"kind": row.kind.value, "key": row.key, "digest": row.digest, "document": row.document}
    return of_row | {"model_commit": commit}
