"""What was last reported of streams, so that people hear of a change of state once, and not with each run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from airflow_plugin.control.session import ControlSession
from config_schema import names
from config_schema.sql.statements import SqlFile

STATEMENTS = SqlFile(__file__)


@dataclass(frozen=True)
class SentAlert:
    """What was reported of a stream, in a word, and when, by the control database's clock."""

    state: str
    at: datetime


@dataclass(frozen=True)
class StreamAlerts:
    """The table behind a session. Methods raise MergeStoreError; `record` commits."""

    session: ControlSession

    def sent(self) -> dict[str, SentAlert]:
        """Return what was last reported of each stream; streams that are fine are left out."""
        rows = self.session.run(STATEMENTS["select_sent"], where=self._where)
        return {key: SentAlert(*rest) for key, *rest in rows}

    def record(self, sent: Mapping[str, str], forgotten: Collection[str]) -> None:
        """Write down what was reported of streams, and forget the others named, with which all is well."""
        self.session.run_for_each(STATEMENTS["record_sent"], [{"key": k, "state": s} for k, s in sent.items()])
        if forgotten:
            self.session.run(STATEMENTS["forget_sent"], {"keys": list(forgotten)}, where=self._where)
        self.session.commit(self._where)

    @property
    def _where(self) -> str:
        return names.stream_alerts_table(self.session.platform)
