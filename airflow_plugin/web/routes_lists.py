"""Who one is, the platforms, the overview, all streams, and how fresh they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from airflow.utils.session import create_session
from fastapi import APIRouter, Query

from airflow_plugin.web import schemas
from airflow_plugin.web.error_responses import outage
from airflow_plugin.web.errors import NothingAnswers
from airflow_plugin.web.permissions import UserDep
from airflow_plugin.web.platforms import PlatformState, broken_platforms, known_platforms, platform_states
from airflow_plugin.web.runs import success_rates
from airflow_plugin.web.seen import Seen, seen_of
from airflow_plugin.web.serializers import fitting, page
from airflow_plugin.web.stream_status import (
    STATES,
    Card,
    State,
    count_states,
)
from airflow_plugin.web.throughput import rows_changed_of

FIRST = 20  # of a kind in the overview
WILDCARDS = frozenset("*?")
WORRYING: tuple[State, ...] = ("set_aside", "failing", "never_succeeded", "late", "unknown")
WORST_FIRST = (*WORRYING, *(state for state in STATES if state not in WORRYING))

router = APIRouter()

Text = Annotated[str, Query(max_length=255)]
Limit = Annotated[int, Query(ge=1, le=500)]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]


@router.get("/me", response_model=schemas.Me)
def me(user: UserDep) -> dict[str, Any]:
    """Return who asks."""
    return {"name": user.name, "can_create": user.can_create}


@router.get("/platforms", response_model=schemas.Platforms)
def platforms(user: UserDep) -> dict[str, Any]:
    """Return the platforms of which the user may see anything."""
    found = [*platform_states(user, known_platforms().values()), *broken_platforms(user)]
    return {"platforms": [one.to_dict() for one in found]}


@router.get("/overview", response_model=schemas.Overview)
def overview(user: UserDep) -> dict[str, Any]:
    """Return how many streams are in each state, those that need attention, and what was moved in the last day.

    Where a merge store cannot be read its platform has no counts: they are unknown.
    """
    found = [*platform_states(user, known_platforms().values()), *broken_platforms(user)]
    by_state: dict[State, list[tuple[Card, PlatformState]]] = defaultdict(list)
    for platform in found:
        for one in platform.cards:
            by_state[one.state].append((one, platform))
    return {
        "platforms": [
            one.to_dict() | {"streams": count_states(one.cards) if one.trouble is None else None} for one in found
        ],
        **{state: fitting(_shown(by_state[state][:FIRST])) for state in WORRYING},
        "moved": [rows_changed for one in found if one.trouble is None for rows_changed in rows_changed_of(one)],
    }


@router.get("/streams", response_model=schemas.StreamList)
def streams(
    user: UserDep,
    platform: Text = "",
    dag_id: Text = "",
    q: Text = "",
    status: Literal["", "current", "active", "paused", "retired"] = "",
    state: Literal["", State] = "",
    sort: schemas.Sorting = "stream_key",
    limit: Limit = 50,
    offset: Offset = 0,
) -> dict[str, Any]:
    """Return the streams that the user may see. `q` is any part of the stream's or the store's name.

    With `*` or `?` in it, it is a pattern that the stream_key is like, as `--match` of the commands, in any case.
    Sorted by `state`, those that need attention come first. `dag_id` is that of one stream's DAG. The status `current`
    is that of all streams that are not retired. `unknown` are the platforms whose streams cannot be read.
    """
    asked = [one for one in known_platforms().values() if not platform or one.platform_name == platform]
    found = [*platform_states(user, asked), *broken_platforms(user, platform)]
    _raise_if_all_are_away(found)
    wanted = [
        (one, platform)
        for platform in found
        for one in platform.cards
        if dag_id in ("", one.stream.dag_id)
        and _like(one, q.casefold())
        and _has_status(one, status)
        and state in ("", one.state)
    ]
    ordered = _sorted(wanted, sort)
    return page("streams", _shown(ordered[offset : offset + limit]), len(wanted), offset) | _unknown(found)


@router.get("/status", response_model=schemas.StatusList)
def status(user: UserDep, limit: Limit = 500, offset: Offset = 0) -> dict[str, Any]:
    """Return how fresh each active stream is, and whether that meets its need; `total` is how many there are.

    `unknown` are the platforms whose streams cannot be read.
    """
    found = [*platform_states(user, known_platforms().values()), *broken_platforms(user)]
    _raise_if_all_are_away(found)
    active = [one for platform in found for one in platform.cards if one.stream.status == "active"]
    asked = [
        {
            "platform": one.stream.platform,
            "stream_key": one.stream.stream_key,
            "state": one.state,
            **(one.freshness() or _UNKNOWN),
        }
        for one in active[offset : offset + limit]
    ]
    return page("streams", asked, len(active), offset) | _unknown(found)


def _unknown(found: Sequence[PlatformState]) -> dict[str, list[str]]:
    return {"unknown": [one.settings.platform_name for one in found if one.trouble is not None]}


_UNKNOWN = {"age_seconds": None, "latency_seconds": None, "met": None}


def _raise_if_all_are_away(found: Sequence[PlatformState]) -> None:
    """Raise Refused if no merge store answers: an empty list would mean that there are no streams."""
    if found and all(one.trouble for one in found) and found[0].trouble:
        error, unknown = outage(found[0].trouble, found[0].sees_servers), ", ".join(_unknown(found)["unknown"])
        what = error["what"] if len(found) == 1 else f"the streams of {unknown} are unknown: {error['what']}"
        raise NothingAnswers(what, error["todo"])


def _has_status(one: Card, status: str) -> bool:
    return status in ("", one.stream.status) or (status == "current" and one.stream.status != "retired")


def _like(one: Card, text: str) -> bool:
    if WILDCARDS & set(text):
        return fnmatchcase(one.stream.stream_key.casefold(), text)
    return text in one.stream.stream_key.casefold() or text in one.stream.store.casefold()


def _shown(cards: Iterable[tuple[Card, PlatformState]]) -> list[dict[str, Any]]:
    page = list(cards)
    with create_session(scoped=False) as session:
        rates = success_rates(session, [one.stream.dag_id for one, _ in page])
    seen = _seen([one for one, _ in page])
    return [
        one.to_dict(one.stream.dag_id in of.editable, rates.get(one.stream.dag_id), seen[one.place]) for one, of in page
    ]


def _seen(cards: Iterable[Card]) -> dict[tuple[str, str], Seen]:
    """Return for each stream whether Airflow has stored what its row says: a few queries for each platform."""
    by_platform: dict[str, list[Card]] = defaultdict(list)
    for one in cards:
        by_platform[one.stream.platform].append(one)
    return {
        one.place: seen
        for platform, of in by_platform.items()
        for one, seen in zip(of, seen_of(platform, [one.wanted for one in of]), strict=True)
    }


def _sorted(cards: list[tuple[Card, PlatformState]], sort: str) -> list[tuple[Card, PlatformState]]:
    """Return the cards in order; those without a value come last in either direction."""
    key = KEYS[sort.removeprefix("-")]
    valued = [pair for pair in cards if key(pair[0]) is not None]
    rest = [pair for pair in cards if key(pair[0]) is None]
    return sorted(valued, key=lambda pair: key(pair[0]), reverse=sort.startswith("-")) + rest


KEYS: dict[str, Callable[[Card], Any]] = {
    "stream_key": lambda one: (one.stream.stream_key.casefold(), one.stream.platform),
    "state": lambda one: (WORST_FIRST.index(one.state), one.stream.stream_key.casefold(), one.stream.platform),
    "start": lambda one: one.last_run and one.last_run.start,
    "age": lambda one: one.age_seconds,
    "next": lambda one: one.next_run,
}
