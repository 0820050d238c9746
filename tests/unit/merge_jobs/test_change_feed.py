"""What a producer's server says of its log and its slots is repeated only where it is one of PostgreSQL's words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from config_schema.model import ChangeFeed
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.sources.postgres.change_feed import FeedSession

ABOUT = [False, "logical", "d", True, 10, 1, "server"]
SLOT = {"slot_name": "geheim", "plugin": "pgoutput", "database": "d", "active": False}


class Says(FeedSession):
    """A session with a server of somebody's own making, which gives these answers."""

    def __init__(self, about: list[Any], slot: dict[str, Any]) -> None:
        place = ConnectionInfo("h", 1, "d", "public", "u", "p")
        super().__init__(place, ChangeFeed("changes"), "ours", "test")
        answers = [[about], [(slot, 1, 1)]]
        self.server = SimpleNamespace(server_version=180000, together=lambda _: answers, rollback=lambda: None)

    @property
    def _session(self) -> Any:
        return self.server


@pytest.mark.parametrize(
    ("about", "slot", "wrong"),
    [
        (ABOUT, SLOT, None),
        ([False, "replica", *ABOUT[2:]], SLOT, "wal_level of the source is replica"),
        ([False, "geheim", *ABOUT[2:]], SLOT, "wal_level of the source is not logical"),
        (ABOUT, SLOT | {"plugin": "geheim"}, "the slot ours is one of another plugin or database"),
        (ABOUT, SLOT | {"two_phase": "geheim"}, "the slot ours decodes prepared transactions"),
        (ABOUT, SLOT | {"active": "geheim"}, "another session uses the slot ours"),
        (ABOUT, SLOT | {"invalidation_reason": "rows_removed"}, "has invalidated the slot ours: rows_removed"),
        (ABOUT, SLOT | {"invalidation_reason": "geheim"}, "has invalidated the slot ours: it says why itself"),
        (ABOUT, SLOT | {"wal_status": "lost"}, "has invalidated the slot ours: its WAL was removed"),
    ],
)
def test_a_slot_is_refused_in_words_of_ours(about, slot, wrong):
    found = Says(about, slot).look()
    assert (found.wrong is None) if wrong is None else (found.wrong or "").endswith(wrong)
    assert "geheim" not in f"{found.wrong}{found.name}"
