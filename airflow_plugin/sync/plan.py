"""The plan of a sync, platform by platform, as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_plugin.control.model_state import ModelState
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import RowChange, StreamRow, StreamTable
from airflow_plugin.health.changed import changed_rows
from airflow_plugin.sync.diff import StreamChange, SyncAction, stream_changes
from airflow_plugin.sync.graph import Streams
from airflow_plugin.sync.stores import ConnectedStore
from config_schema import names
from config_schema.gc_paused import gc_paused
from config_schema.model import Platform


@dataclass(frozen=True)
class PlatformPlan:
    """The changes of one platform's rows, and its jobs' commit before and after."""

    platform: str  # as in the model
    changes: tuple[StreamChange, ...]
    commit_before: str | None
    commit_after: str

    @property
    def writes(self) -> tuple[StreamChange, ...]:
        """The changes that write a row."""
        return tuple(change for change in self.changes if change.kind not in (SyncAction.UNCHANGED, SyncAction.DRIFT))

    @property
    def newly_found(self) -> list[str]:
        """The streams whose rows were changed past the tools, which no sync has found before."""
        found = ((change.stream_key, change.by_hand) for change in self.drift)
        return [key for key, by_hand in found if by_hand is not None and not by_hand.is_known]

    @property
    def drift(self) -> tuple[StreamChange, ...]:
        """Rows that were changed by hand and stay like that."""
        return tuple(change for change in self.changes if change.kind is SyncAction.DRIFT)

    @property
    def adopted(self) -> tuple[str, ...]:
        """The keys of rows that were changed by hand to what the model contains now."""
        return tuple(c.stream_key for c in self.changes if c.kind is SyncAction.UNCHANGED and c.by_hand is not None)

    @property
    def changes_anything(self) -> bool:
        """Whether the platform is written to at all."""
        return bool(self.writes or self.adopted) or self.commit_before != self.commit_after

    def counts(self) -> dict[str, int]:
        """Return how many streams each kind of change concerns."""
        found = Counter(change.kind for change in self.changes)
        return {kind.value: found[kind] for kind in SyncAction}


@dataclass(frozen=True)
class Plan:
    """The plan for one commit of the model, over all requested platforms."""

    commit: str
    platforms: tuple[PlatformPlan, ...]

    @property
    def changes_anything(self) -> bool:
        """Whether any platform is written to."""
        return any(platform.changes_anything for platform in self.platforms)

    @property
    def drifted(self) -> bool:
        """Whether rows were changed by hand and stay like that."""
        return any(platform.drift for platform in self.platforms)

    def counts(self) -> dict[str, int]:
        """Return how many streams each kind of change concerns, over all platforms."""
        total: Counter[str] = Counter()
        for platform in self.platforms:
            total.update(platform.counts())
        return {kind.value: total[kind.value] for kind in SyncAction}

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as --json shows it; unchanged streams are counted, not listed."""
        return {
            "commit": self.commit,
            "changes_anything": self.changes_anything,
            "counts": self.counts(),
            "platforms": [
                {
                    "platform": platform.platform,
                    "commit_before": platform.commit_before,
                    "counts": platform.counts(),
                    "changes": [_change(change) for change in (*platform.writes, *platform.drift)],
                }
                for platform in self.platforms
            ],
        }


def read_plan(
    stores: Iterable[ConnectedStore], graph: Mapping[str, Streams], commit: str, *, overwrite_drift: bool = False
) -> Plan:
    """Return the plan against the tables as they are now; missing tables count as empty."""
    found = [
        platform_plan(
            store.session(platform), platform.name, graph[platform.name], commit, overwrite_drift=overwrite_drift
        )
        for store in stores
        for platform in store.platforms
    ]
    for store in stores:
        store.connection.rollback()  # nothing was written; a person may now take time to read
    order = list(graph)
    return Plan(commit, tuple(sorted(found, key=lambda plan: order.index(plan.platform))))


def plan_against(
    rows: Mapping[str, Iterable[StreamRow]],
    graph: Mapping[str, Streams],
    platforms: Iterable[Platform],
    commit: str,
) -> Plan:
    """Return the plan against exported rows, without changes by hand and commits."""
    chosen = [platform.name for platform in platforms]
    found = [PlatformPlan(name, stream_changes(graph[name], rows.get(name, ()), {}), commit, commit) for name in chosen]
    return Plan(commit, tuple(found))


@gc_paused()
def platform_plan(
    session: ControlSession, platform: str, wanted: Streams, commit: str, *, overwrite_drift: bool = False
) -> PlatformPlan:
    """Return the plan of one platform, named as in the model.

    Raises ConfigDoesNotFit if an older table cannot hold a config.
    """
    table = StreamTable(session)
    rows, before = [], None
    if table.exists():
        rows = table.select(retired=True)
        before = ModelState(session).commit()
    changes = stream_changes(wanted, rows, table.changes_by_hand(), overwrite_drift=overwrite_drift)
    plan = PlatformPlan(platform, changes, before, commit)
    table.check_lengths(row_changes(plan))
    return plan


def row_changes(plan: PlatformPlan) -> list[RowChange]:
    """Return the rows that the plan writes, in the form of the stream table."""
    return [
        RowChange(change.stream_key, change.config_json, change.status, change.kind.value) for change in plan.writes
    ]


def changed_by_platform(plan: Plan) -> dict[str, dict[str, str | None]]:
    """Return the fingerprints of the rows that were written, by the platforms' derived names and by stream_key."""
    written = ((names.platform_name(one.platform), changed_rows(row_changes(one))) for one in plan.platforms)
    return {platform: rows for platform, rows in written if rows}


def commits_before(plan: Plan) -> dict[str, str]:
    """Return the other commits that platforms run now, each with the first platform that does."""
    found: dict[str, str] = {}
    for platform in plan.platforms:
        if platform.commit_before not in (None, plan.commit):
            found.setdefault(str(platform.commit_before), platform.platform)
    return found


def _change(change: StreamChange) -> dict[str, Any]:
    return {
        "kind": change.kind.value,
        "stream_key": change.stream_key,
        "status": change.status,
        "by_hand": str(change.by_hand) if change.by_hand else None,
        "fields": [vars(field) for field in change.fields],
    }
