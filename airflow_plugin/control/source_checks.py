"""What was found when the sources of streams were looked at last, as `merge-job check-source` records it; read only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from airflow_plugin.control.session import ControlSession
from config_schema import names
from config_schema.source_check import SourceCheck, source_check_from_dict
from config_schema.sql import run_outcomes
from config_schema.sql.statements import SqlFile
from config_schema.stream_health import SourceError

STATEMENTS = SqlFile(__file__)


class RecordedCheck(NamedTuple):
    """A look at a source, and when it was, by the control database's clock."""

    at: datetime
    check: SourceCheck


@dataclass(frozen=True)
class SourceChecks:
    """The table behind a session. Empty where no job has made it yet, or this login may not read it."""

    session: ControlSession

    def recorded(self, stream_keys: Sequence[str] | None = None) -> dict[str, RecordedCheck]:
        """Return the last look at the source of each of these streams, or of all. Raises MergeStoreError.

        A rollback may end the session's transaction: it is the last that is read.
        """
        values = {"stream_keys": None if stream_keys is None else list(stream_keys)}
        rows = self.session.run_if_readable(STATEMENTS["select_checks"], values, where=self._where)
        return {key: RecordedCheck(at, source_check_from_dict(found)) for key, at, found in rows}

    def errors(self) -> dict[str, SourceError]:
        """Return what stops batches, by the last look at each source. Raises, and rolls back, as above."""
        rows = self.session.run_if_readable(run_outcomes.STATEMENTS["source_errors"], where=self._where)
        return {key: SourceError(at, error) for key, at, error in rows}

    @property
    def _where(self) -> str:
        return names.source_checks_table(self.session.platform)
