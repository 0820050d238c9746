"""What parts of the model have instead in an environment."""

from __future__ import annotations

from collections.abc import Iterator

from config_schema.errors import choose_from
from config_schema.model import Datastore, Ecosystem, Platform
from config_schema.model.environments import overrides_of
from config_schema.problem import Finding


def overrides_fit(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield overrides for environments that do not exist, second ones for an environment, and those of nothing."""
    for i, platform in enumerate(ecosystem.platforms):
        yield from _known_and_once(ecosystem, f"platforms[{i}].environments", platform)
        for j, override in enumerate(platform.environments):
            if override.consumer_db is not None and platform.consumer_db is None:
                what = f"{platform.name} has no consumer_db that {override.name} could have elsewhere"
                todo = "Give the platform a consumer_db, or take it away here"
                yield f"platforms[{i}].environments[{j}].consumer_db", what, todo
    for i, store in enumerate(ecosystem.datastores):
        yield from _known_and_once(ecosystem, f"datastores[{i}].environments", store)


def _known_and_once(ecosystem: Ecosystem, path: str, part: Platform | Datastore) -> Iterator[Finding]:
    seen: set[str] = set()
    for j, override in enumerate(overrides_of(part)):
        at = f"{path}[{j}].name"
        if override.name not in ecosystem.environments:
            what = f"{override.name!r} is no environment of the model"
            yield at, what, choose_from(override.name, ecosystem.environments)
        elif override.name in seen:
            yield at, f"{override.name!r} is given twice", "Write what differs there once"
        seen.add(override.name)
