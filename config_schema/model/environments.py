"""The model as it is in one of its environments: its parts with their overrides put in. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from config_schema.model import Datastore, DatastoreOverride, Ecosystem, Platform, PlatformOverride

Part = TypeVar("Part", bound=Platform | Datastore)
Override = PlatformOverride | DatastoreOverride
PATH_IN_PART = re.compile(r"(platforms|datastores)\[(\d+)\]\.(.+)")


def in_environment(ecosystem: Ecosystem, name: str) -> Ecosystem:
    """Return the ecosystem with the values that its parts have in the environment of this name."""
    return replace(
        ecosystem,
        platforms=tuple(part_in(one, name) for one in ecosystem.platforms),
        datastores=tuple(part_in(one, name) for one in ecosystem.datastores),
    )


def part_in(part: Part, name: str) -> Part:
    """Return the part with the values that it has in the environment of this name."""
    for override in overrides_of(part):
        if override.name == name:
            found: Part = _overridden(part, override)
            return found
    return part


def overrides_of(part: Platform | Datastore) -> tuple[Override, ...]:
    """Return what the part has instead, by environment."""
    return part.environments


def in_each_environment(part: Part) -> Iterator[Part]:
    """Yield the part as it stands, and as it is in each environment for which it has other values."""
    yield part
    for override in overrides_of(part):
        yield _overridden(part, override)


def path_in_environment(ecosystem: Ecosystem, name: str, path: str) -> str:
    """Return where the model says the value at `path`, in this environment: in an override, if one has it."""
    found = PATH_IN_PART.fullmatch(path)
    if found is None:
        return path
    kind, index, keys = found[1], int(found[2]), found[3]
    part: Platform | Datastore = getattr(ecosystem, kind)[index]
    for number, override in enumerate(overrides_of(part)):
        if override.name == name and _gives(override, keys.split(".")):
            return f"{kind}[{index}].environments[{number}].{keys}"
    return path


def given(override: Any) -> dict[str, Any]:
    """Return what an override gives, by key."""
    values = {one.name: getattr(override, one.name) for one in fields(override) if one.name != "name"}
    defaults = {one.name: one.default for one in fields(override)}
    return {key: value for key, value in values.items() if value != defaults[key]}


def _overridden(part: Any, override: Any) -> Any:
    """Return the part, or a part of it, with the values of the override; where it has nothing, nothing is put in."""
    values = {}
    for key, value in given(override).items():
        before = getattr(part, key)
        if not is_dataclass(value):
            values[key] = value
        elif before is not None:
            values[key] = _overridden(before, value)
    return replace(part, **values)


def _gives(override: Any, keys: list[str]) -> bool:
    """Return whether the override gives the value at the end of these keys, or all of their first one."""
    value = given(override).get(keys[0])
    if keys[0] not in given(override):
        return False
    return not is_dataclass(value) or len(keys) == 1 or keys[1] in given(value)
