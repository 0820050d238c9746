"""What platforms with a lake can have, and what a lake can hold of the datasets that are assigned to them."""

from __future__ import annotations

from collections.abc import Iterator

from config_schema.model import Ecosystem, Platform, Runner
from config_schema.model.lake import refusals
from config_schema.model.mapping import DsgMapping
from config_schema.problem import Finding
from config_schema.rules.files import OF_THE_SYSTEM
from config_schema.rules.parts import assigned, datasets_by_sink


def lakes_can_be_had(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield what a platform cannot have beside its lake, and warehouses that two environments would share."""
    for i, platform in enumerate(ecosystem.platforms):
        at = f"platforms[{i}]"
        if platform.lake is not None:
            yield from _of_lake(at, platform)
        for j, override in enumerate(platform.environments):
            path = f"{at}.environments[{j}].lake"
            if override.lake is not None and platform.lake is None:
                yield path, f"{platform.name} has no lake", "Give the platform a lake, or take it away here"
                continue
            shares = override.lake is None or override.lake.warehouse is None
            if shares and platform.lake is not None and override.merge_store is not None:
                what = f"{override.name} has another merge store, and the same warehouse"
                yield path, what, "Give lake.warehouse too: what one of them tidies up is the other's"


def _of_lake(at: str, platform: Platform) -> Iterator[Finding]:
    warehouses = {f"{at}.lake.warehouse": None if platform.lake is None else platform.lake.warehouse}
    for j, override in enumerate(platform.environments):
        path = f"{at}.environments[{j}].lake.warehouse"
        warehouses[path] = None if override.lake is None else override.lake.warehouse
    for path, warehouse in warehouses.items():
        parts = [] if warehouse is None else warehouse.removeprefix("file:///").split("/")
        if any(part in ("", ".", "..") for part in parts):
            yield path, "the path has an empty part in it, or one of dots", "Write the path as it is: file:///mnt/lake"
        if parts and f"/{parts[0]}/" in OF_THE_SYSTEM:
            what = f"{warehouse!r} is a name that the system gives to folders which have another one"
            yield path, what, "Write the path under which it is kept"
    if platform.runner is not Runner.PROCESS:
        what = f"{platform.name} runs its jobs in pods, in which no folder outlives a job"
        yield f"{at}.runner", what, "Write runner: process"
    if platform.consumer_db is not None:
        what = f"{platform.name} has a lake, of which no views are made in a database"
        yield f"{at}.consumer_db", what, "Take it out: readers of a lake read its files"


def lakes_hold_their_datasets(ecosystem: Ecosystem, mappings: tuple[DsgMapping, ...]) -> Iterator[Finding]:
    """Yield datasets that are assigned to a platform with a lake, which cannot hold them as the model has them."""
    known, seen = datasets_by_sink(ecosystem), set()
    for one in assigned(ecosystem, mappings):
        if one.platform.lake is None:
            continue
        for sink in one.group.sinks:
            if sink not in known or (one.platform.name, one.space.name, sink) in seen:
                continue
            seen.add((one.platform.name, one.space.name, sink))
            store, dataset = known[sink]
            hidden = [column.name for column in dataset.columns if column.classification not in one.space.may_see]
            if hidden:
                what = f"{one.platform.name} has a lake, where {one.space.name} would see {sink.dataset}.{hidden[0]}"
                yield f"{one.path}.dataPlatform", what, "Assign the group to a platform without a lake"
            for path, what, todo in refusals(store, dataset):
                of = f"{sink.datastore}.{sink.dataset}{'.' if path else ''}{path}"
                yield f"{one.path}.dataPlatform", f"{one.platform.name} has a lake; {of}: {what}", todo
