"""Chooses the strategy of a dataset's batch, and says why. Any doubt is a reason for a full batch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from config_schema.model import Cursor, Dataset
from merge_jobs.stores.postgres.cursors import CursorPosition, position_of
from merge_jobs.stores.postgres.row_maps import MapKind, RowMap
from merge_jobs.strategies.change_feed import CHANGE_FEED
from merge_jobs.strategies.cursor import CURSOR
from merge_jobs.strategies.full import FULL
from merge_jobs.strategies.guard import TableState, broken, cursor_broken, cursor_facts, meaning_changed
from merge_jobs.strategies.initial import INITIAL
from merge_jobs.strategies.initial_in_lake import INITIAL_IN_LAKE
from merge_jobs.strategies.key_hash_diff import KEY_HASH_DIFF
from merge_jobs.strategies.new_files import NEW_FILES
from merge_jobs.strategies.strategy import Strategy
from merge_jobs.strategies.version_diff import VERSION_DIFF

AUDIT_SECONDS = 86400


class StrategyOption(Enum):
    """The values of the option --strategy."""

    AUTO = "auto"
    FULL = "full"
    VERSION_DIFF = "version_diff"
    KEY_HASH_DIFF = "key_hash_diff"


@dataclass(frozen=True)
class ChosenStrategy:
    """A strategy, the reason for it, the map that it makes, whether it audits the existing map, or sweeps all keys."""

    strategy: str
    reason: str
    map_kind: MapKind | None = None
    audit: bool = False
    sweep: bool = False


@dataclass(frozen=True)
class Case:
    """What the choice depends on. `sight` is None for a source that cannot be mapped.

    `dataset` has a cursor if that is how the model wants its changes found: then there is no map, and no audit.

    `now` is by the merge store's clock, like the time of the last full batch. `has_feed` says whether the model asks
    for a change feed, `no_feed` why it does not tell what has changed.
    """

    name: str
    dataset: Dataset
    is_merged: bool
    last_batch: int
    wanted: StrategyOption
    known: RowMap | None
    sight: TableState | None
    now: datetime
    audit_interval: float = AUDIT_SECONDS
    has_feed: bool = False
    no_feed: str | None = None


STRATEGIES: dict[str, Strategy[Any]] = {
    strategy.name: strategy for strategy in (INITIAL, FULL, VERSION_DIFF, KEY_HASH_DIFF, CHANGE_FEED, CURSOR, NEW_FILES)
}


# Of platforms with a lake, where a strategy is another one there.
IN_LAKE: dict[str, Strategy[Any]] = {INITIAL_IN_LAKE.name: INITIAL_IN_LAKE}


def strategy_named(name: str, *, in_lake: bool = False) -> Strategy[Any]:
    """Return the strategy of that name."""
    return IN_LAKE.get(name, STRATEGIES[name]) if in_lake else STRATEGIES[name]


def choice(case: Case) -> ChosenStrategy:
    """Return the strategy of a dataset's batch, and why."""
    kind, no_map = _map_kind(case)
    if not case.is_merged:
        return ChosenStrategy(
            "initial", "the first load" if case.last_batch == 0 else "there is no merge table yet", kind
        )
    if case.dataset.reads_files_once:
        return ChosenStrategy(NEW_FILES.name, "each file is read once")
    if case.dataset.cursor is not None:
        return _by_cursor(case, case.dataset.cursor)
    why = _why_full(case, kind, no_map)
    if why is not None or kind is None:
        return ChosenStrategy("full", why or no_map, kind)
    assert case.known is not None
    if _audit_is_due(case, case.known):
        return ChosenStrategy("full", f"an audit, as the last full batch was at {case.known.full_at}", kind, audit=True)
    if kind is MapKind.VERSIONS and case.has_feed and case.wanted is StrategyOption.AUTO:
        if case.no_feed is None:
            return ChosenStrategy("change_feed", "the source's log tells what has changed", kind)
        return ChosenStrategy(kind.value, f"the change feed is not used: {case.no_feed}", kind)
    why = "row versions tell what has changed" if kind is MapKind.VERSIONS else _no_versions(case) or "asked for"
    return ChosenStrategy(kind.value, why, kind)


def _by_cursor(case: Case, cursor: Cursor) -> ChosenStrategy:
    known = case.known
    position = None if known is None else position_of(known.guard)
    if case.wanted is StrategyOption.FULL:
        return ChosenStrategy("full", "asked for")
    if known is None or position is None or position.value is None:
        return ChosenStrategy("full", "no cursor is known yet")
    if (position.column, position.tie_breaker) != (cursor.column, cursor.tie_breaker):
        return ChosenStrategy("full", f"the model has another cursor since batch {known.batch_id}")
    why = cursor_broken(known.guard, cursor_facts(case.dataset, case.sight))
    if why is not None:
        return ChosenStrategy("full", f"{why} since batch {known.batch_id}")
    if _sweep_is_due(position, cursor, case.now):
        return ChosenStrategy("cursor", f"{cursor.column} tells what has changed, and a sweep what is gone", sweep=True)
    if not case.dataset.source_lists_all:
        return ChosenStrategy("cursor", f"{cursor.column} tells what has changed; what is not listed stays")
    deletes = "" if cursor.deleted_at is None else ", except by deleted_at"
    until = "a full batch" if cursor.delete_sweep is None else "the next sweep"
    return ChosenStrategy("cursor", f"{cursor.column} tells what has changed; deletes wait for {until}{deletes}")


def _sweep_is_due(position: CursorPosition, cursor: Cursor, now: datetime) -> bool:
    if cursor.delete_sweep is None:
        return False
    # A sweep that lies ahead is one of a clock that was set back.
    return not timedelta(0) <= now - datetime.fromisoformat(position.swept_at) < timedelta(seconds=cursor.delete_sweep)


def later_strategy(dataset: Dataset, sight: TableState | None) -> tuple[str, str]:
    """Return which strategy a table allows for the batches after the first, and why not a cheaper one."""
    if dataset.cursor is not None:
        return CURSOR.name, "the model says so"
    if dataset.reads_files_once:
        return NEW_FILES.name, "the model says so"
    case = Case("", dataset, True, 1, StrategyOption.AUTO, None, sight, datetime.min)
    kind, no_map = _map_kind(case)
    if kind is None:
        return FULL.name, no_map
    return kind.value, _no_versions(case) or ""


def _map_kind(case: Case) -> tuple[MapKind | None, str]:
    """Return the kind of row map that a dataset should have, or None and the reason."""
    if case.dataset.cursor is not None:
        return None, "its changes are found by a cursor"
    if case.sight is None:
        return None, "the source is not PostgreSQL"
    if case.sight.no_keys is not None:
        return None, case.sight.no_keys
    if case.wanted is not StrategyOption.KEY_HASH_DIFF and _no_versions(case) is None:
        return MapKind.VERSIONS, ""
    off = _why_off(case, MapKind.KEY_HASHES)
    return (MapKind.KEY_HASHES, "") if off is None else (None, off)


def _no_versions(case: Case) -> str | None:
    """Return why row versions cannot be mapped; None if they can."""
    if case.sight is not None and case.sight.no_versions is not None:
        return case.sight.no_versions
    return _why_off(case, MapKind.VERSIONS)


def _why_off(case: Case, kind: MapKind) -> str | None:
    """Return why an audit has switched off the strategy of such maps; None if none has."""
    reason = None if case.known is None else case.known.distrusted.get(kind)
    return None if reason is None else f"{kind.words} is off: {reason}"


def _why_full(case: Case, kind: MapKind | None, no_map: str) -> str | None:
    if case.wanted is StrategyOption.FULL:
        return "asked for"
    if kind is None:
        return no_map
    known, sight = case.known, case.sight
    if known is not None and known.is_lost:
        return "the map of its rows is gone"
    if known is None or known.kind is None:
        return "there is no map of its rows"
    if known.kind is not kind:
        return f"its map is for {known.kind.value}"
    assert sight is not None
    check = broken if kind is MapKind.VERSIONS else meaning_changed
    why = check(known.guard, sight.facts)
    return None if why is None else f"{why} since batch {known.batch_id}"


def _audit_is_due(case: Case, known: RowMap) -> bool:
    """Return whether an audit is due: one per interval; the intervals of each dataset begin at another time."""
    if case.audit_interval <= 0:
        return False
    if known.full_at is None:
        return True
    digest = hashlib.sha256(case.name.encode()).digest()
    offset = int.from_bytes(digest[:8], "big") / 2**64 * case.audit_interval
    # In another interval, not in a later one: the last audit lies ahead of a clock that was set back.
    return _interval(case.now, offset, case.audit_interval) != _interval(known.full_at, offset, case.audit_interval)


def _interval(at: datetime, offset: float, seconds: float) -> int:
    return int((at - timedelta(seconds=offset)).timestamp() // seconds)
