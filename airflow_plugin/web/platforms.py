"""The platforms with a settings file here, and the state of each."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from airflow_plugin.control.unforeseen import unforeseen_in
from airflow_plugin.settings import PlatformSettings, settings_dir, settings_in, snapshot_path
from airflow_plugin.web.error_responses import outage
from airflow_plugin.web.errors import NotThere, SettingsUnusable
from airflow_plugin.web.permissions import EDIT, READ, User
from airflow_plugin.web.runs import dags_of
from airflow_plugin.web.stream_status import Card, card, instant
from airflow_plugin.web.streams import StreamFacts, streams_of
from config_schema import names
from config_schema.errors import StreamFactoryError

TOGETHER = 8  # merge stores that are asked at the same time


@dataclass(frozen=True)
class PlatformState:
    """What a user may see of a platform: the cards of its streams, or why they cannot be read."""

    settings: PlatformSettings
    cards: tuple[Card, ...] = ()
    editable: frozenset[str] = frozenset()  # DAG ids
    trouble: StreamFactoryError | None = field(default=None, compare=False)
    sees_servers: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the platform as the API shows it."""
        return {
            "platform": self.settings.platform_name,
            "name": self.settings.original_platform_name,
            "milestoning": self.cards[0].stream.milestoning if self.cards else None,
            "database": {"ok": True}
            if self.trouble is None
            else {"ok": False, **outage(self.trouble, self.sees_servers)},
            "snapshot": _snapshot(self.settings),
        }


def known_platforms() -> dict[str, PlatformSettings]:
    """Return the platforms by derived name; those with a broken settings file are `broken_platforms`."""
    found = (settings for _, settings in _settings_files() if settings is not None)
    return {settings.platform_name: settings for settings in found}


def broken_platforms(user: User, platform: str = "") -> list[PlatformState]:
    """Return the platforms whose settings file cannot be used and of which the user may see anything; only `platform`.

    Nothing is known of their streams.
    """
    found = [path for path, settings in _settings_files() if settings is None]
    named = [(path.name.removesuffix(names.settings_file("")), path.name) for path in found]
    return [
        PlatformState(PlatformSettings(original_platform_name=name), trouble=SettingsUnusable(file))
        for name, file in named
        if platform in ("", name) and user.may(READ, {names.health_dag_id(name)})
    ]


def _settings_files() -> Iterator[tuple[Path, PlatformSettings | None]]:
    for path in sorted(settings_dir().glob(names.settings_file("*"))):
        with suppress(FileNotFoundError):  # just taken away
            state = path.stat()
            yield path, _settings(path, state.st_mtime_ns, state.st_size)


def named_platform(platform: str) -> PlatformSettings:
    """Return the platform of this derived name. Raises Refused."""
    found = known_platforms()
    if platform not in found:
        raise NotThere("there is no such platform", "See api/platforms")
    return found[platform]


def platform_states(user: User, platforms: Collection[PlatformSettings]) -> list[PlatformState]:
    """Return each platform of which the user may see anything.

    They are queried in parallel, so that one outage delays no other.
    """
    dags = dags_of(one.platform_name for one in platforms)
    with ThreadPoolExecutor(TOGETHER) as threads:
        asked = [(settings, threads.submit(streams_of, settings)) for settings in platforms]
    now, found = datetime.now(UTC), []
    for settings, answer in asked:
        streams, trouble = _answered(answer)
        # Whoever may see a stream of a platform that is down is to see that it is down.
        of_airflow = {dag_id for dag_id in dags if dag_id.startswith(f"{settings.platform_name}__")}
        readable = user.may(READ, of_airflow if trouble else {one.dag_id for one in streams})
        seen = [one for one in streams if one.dag_id in readable]
        if not readable and not user.may(READ, {names.health_dag_id(settings.platform_name)}):
            continue
        try:
            with unforeseen_in(names.stream_table(settings.platform_name)):
                cards = tuple(card(one, dags.get(one.dag_id), now) for one in seen)
        except StreamFactoryError as error:
            cards, trouble = (), error
        sees_servers = trouble is not None and user.may_see_servers(settings.platform_name)
        found.append(PlatformState(settings, cards, frozenset(user.may(EDIT, readable)), trouble, sees_servers))
    return found


def _answered(answer: Future[Mapping[str, StreamFacts]]) -> tuple[tuple[StreamFacts, ...], StreamFactoryError | None]:
    """Return the streams that were read, or why they were not."""
    try:
        return tuple(answer.result().values()), None
    except StreamFactoryError as error:
        return (), error


def _snapshot(settings: PlatformSettings) -> dict[str, Any] | None:
    """Return when this machine's dag-processor last read the table; None if it runs on another machine."""
    try:
        seen = snapshot_path(settings.platform_name).stat().st_mtime
    except OSError:
        return None
    return {
        "age_seconds": max(0, round(time.time() - seen)),
        "accepted_at": instant(datetime.fromtimestamp(seen, UTC)),
    }


@lru_cache
def _settings(path: Path, changed_at: int, size: int) -> PlatformSettings | None:
    """Read once in a version of the file."""
    try:
        with unforeseen_in(path.name):
            original = json.loads(path.read_text("utf-8"))["original_platform_name"]
            return settings_in(path, original)
    except StreamFactoryError:
        return None
