"""A datastore of a model as a data contract: its datasets, owner, servers, and what its consumers are promised."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import isinf
from typing import Any

from airflow_plugin.formats.odcs.quality import OBJECT, written_checks
from airflow_plugin.formats.odcs.words import (
    ACTIVE,
    AS_ELSEWHERE,
    DATABASE_KEYS,
    DEPRECATED,
    GROUP,
    KIND,
    OTHER_SERVER,
    OVERRIDES,
    PLATFORM,
    SAID_OF_DATABASE,
    SAID_OF_DATASET,
    SAID_OF_STORE,
    SERVER_TYPES,
    SERVICE_LEVELS,
    STATUSES,
    WORKSPACE,
    WRITTEN,
    custom,
)
from airflow_plugin.formats.types import logical_type
from config_schema.cron import longest_wait
from config_schema.model import (
    Database,
    Dataset,
    DatasetGroup,
    Datastore,
    Milestoning,
    Platform,
    SourceKind,
    Workspace,
)
from config_schema.model.mapping import Model
from config_schema.model.plain_data import plain
from config_schema.model.quality import QualityCheck, Reference

SOURCE = "source"
FIRST_VERSION = "1.0.0"
REFERENCE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")  # a part of a reference that the standard lets stand


@dataclass(frozen=True)
class Serving:
    """A dataset group that a platform serves, with what it has of the datastore."""

    platform: Platform
    workspace: Workspace
    group: DatasetGroup
    datasets: tuple[str, ...]


def contract_of(model: Model, store: Datastore, version: str = FIRST_VERSION) -> dict[str, Any]:
    """Return the data contract of a datastore in plain data; `version` is the contract's own."""
    served = list(_served(model, store))
    said = {key: value for key, value in plain(store).items() if key not in SAID_OF_STORE}
    contract: dict[str, Any] = {
        "apiVersion": WRITTEN,
        "kind": KIND,
        "id": f"{model.ecosystem.name}.{store.name}",
        "name": store.name,
        "version": version,
        "status": _status(store),
    }
    if store.production_status is not None and STATUSES.get(store.production_status.value) != contract["status"]:
        said["production_status"] = store.production_status.value
    if store.documentation:
        contract["description"] = {"purpose": store.documentation}
    if store.owner is not None:
        contract["team"] = _team(model, store.owner)
    contract["servers"] = [*_sources(store), *_merge_stores(served)]
    contract["schema"] = [_object(store, dataset) for dataset in store.datasets]
    promised = [*_latencies(served), *_schedules(served, store)]
    if promised:
        contract["slaProperties"] = [level for level, _ in promised]
        # Version 3.1 of the standard lets no custom properties stand at a service level.
        said[SERVICE_LEVELS] = [{"id": level["id"], **parts} for level, parts in promised]
    return contract | custom(said)


def _status(store: Datastore) -> str:
    if store.deprecated is not None:
        return DEPRECATED
    return STATUSES.get(store.production_status.value, ACTIVE) if store.production_status else ACTIVE


def _team(model: Model, owner: str) -> dict[str, Any]:
    team = next((plain(one) for one in model.ecosystem.teams if one.name == owner), {"name": owner})
    said = {key: value for key, value in team.items() if key not in ("name", "documentation")}
    described = {"description": team["documentation"]} if "documentation" in team else {}
    return {"name": owner, **described, **custom(said)}


def _sources(store: Datastore) -> Iterator[dict[str, Any]]:
    yield _server(SOURCE, store.source, {"description": "The producer's database, which batches read."})
    for one in store.environments:
        keys = list(plain(one.source)) if one.source is not None else None
        there = replace(store.source, **{key: getattr(one.source, key) for key in keys or ()})
        more = {"environment": one.name, "description": f"The producer's database in {one.name}."}
        yield _server(f"{SOURCE}-{one.name}", there, more, {AS_ELSEWHERE: True} if keys is None else {OVERRIDES: keys})


def _server(
    name: str, place: Database, more: Mapping[str, Any], own: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    said = {key: value for key, value in plain(place).items() if key not in SAID_OF_DATABASE}
    server = {"server": name, "type": SERVER_TYPES.get(place.kind, OTHER_SERVER), **more}
    if place.kind not in SERVER_TYPES:
        said |= {"kind": place.kind.value}
    server |= {
        "host": place.host,
        "port": place.port,
        DATABASE_KEYS.get(place.kind, "database"): place.database,
    }
    # The standard's servers of these kinds have no schema.
    if place.kind in (SourceKind.MYSQL, SourceKind.ORACLE):
        said |= {"schema": place.schema}
    else:
        server["schema"] = place.schema
    return server | custom({**said, **(own or {})})


def _merge_stores(served: Iterable[Serving]) -> Iterator[dict[str, Any]]:
    for platform in dict.fromkeys(one.platform for one in served if one.platform.lake is None):
        what = "the rows as they are now" if platform.milestoning is Milestoning.LIVE else "every version of the rows"
        server = _server(platform.name, platform.merge_store, {"description": f"The merge store, with {what}."})
        del server["customProperties"]  # its secret is nobody's who reads the contract
        yield server | custom({PLATFORM: platform.name, "milestoning": platform.milestoning.value})


def _object(store: Datastore, dataset: Dataset) -> dict[str, Any]:
    checks = written_checks(dataset.checks, {column.name for column in dataset.columns})
    said = {key: value for key, value in plain(dataset).items() if key not in SAID_OF_DATASET}
    if dataset.table == dataset.name:
        said["table"] = dataset.table  # which an import would leave out
    found: dict[str, Any] = {
        "name": dataset.name,
        "physicalName": dataset.table or dataset.name,
        "logicalType": "object",
        "physicalType": "table",
        "properties": list(_properties(dataset, checks)),
    }
    if OBJECT in checks:
        found["quality"] = checks[OBJECT]
    if related := [*_relationships(dataset)]:
        found["relationships"] = related
    return found | custom(said)


def _properties(dataset: Dataset, checks: Mapping[str, list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    for column in dataset.columns:
        found: dict[str, Any] = {
            "name": column.name,
            "logicalType": logical_type(column.type),
            "physicalType": column.type,
            "required": not column.nullable,
            "classification": column.classification.value,
        }
        if column.name in dataset.primary_key:
            found |= {"primaryKey": True, "primaryKeyPosition": dataset.primary_key.index(column.name) + 1}
        if column.name in checks:
            found["quality"] = checks[column.name]
        yield found | custom({} if column.path is None else {"path": column.path})


def _relationships(dataset: Dataset) -> Iterator[dict[str, Any]]:
    for check in dataset.checks:
        if (related := relationship(dataset.name, check)) is not None:
            yield related


def relationship(dataset: str, check: QualityCheck) -> dict[str, Any] | None:
    """Return the relationship that a reference check is; None if the standard cannot write its names."""
    if not isinstance(check, Reference):
        return None
    ours = [f"{dataset}.{column}" for column in check.columns]
    theirs = [f"{check.dataset}.{column}" for column in check.dataset_columns]
    names = (dataset, check.dataset, *check.columns, *check.dataset_columns)
    if not all(map(REFERENCE.fullmatch, names)):
        return None
    return {"type": "foreignKey", "from": ours, "to": theirs}


def _served(model: Model, store: Datastore) -> Iterator[Serving]:
    for mapping in model.mappings:
        workspace = model.ecosystem.workspace(mapping.workspace)
        group = next(one for one in workspace.dataset_groups if one.name == mapping.dsg_name)
        wanted = {sink.dataset for sink in group.sinks if sink.datastore == store.name}
        datasets = tuple(one.name for one in store.datasets if one.name in wanted)
        for name in mapping.ingesting if datasets else ():
            yield Serving(model.ecosystem.platform(name), workspace, group, datasets)


def _latencies(served: Iterable[Serving]) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Yield the latency of each dataset group as a service level, with the parts of the model that it belongs to."""
    groups = {(one.workspace.name, one.group.name): one for one in served}
    promised = [one for one in groups.values() if one.group.latency_seconds is not None]
    for number, one in enumerate(promised, 1):
        level = {
            "id": f"latency-{number}",
            "property": "latency",
            "value": one.group.latency_seconds,
            "unit": "s",
            "element": ", ".join(one.datasets),
            "description": f"What the group {one.group.name} of {one.workspace.name} is promised.",
        }
        yield level, {WORKSPACE: one.workspace.name, GROUP: one.group.name}


def _schedules(served: Iterable[Serving], store: Datastore) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Yield the schedule of each platform that ingests the datastore as a service level, with the platform."""
    platforms = {one.platform.name: one.platform for one in served if one.platform.schedule is not None}
    if store.schedule_assets:
        return  # its streams run when these change
    for number, platform in enumerate(platforms.values(), 1):
        schedule = platform.schedule or ""
        seconds = longest_wait(schedule)
        level = {
            "id": f"frequency-{number}",
            "property": "frequency",
            "value": schedule if isinf(seconds) else int(seconds),
            **({} if isinf(seconds) else {"unit": "s"}),
            "description": f"The most seconds between two runs on {platform.name}.",
            "scheduler": "cron",
            "schedule": schedule,
        }
        yield level, {PLATFORM: platform.name, "timezone": platform.timezone}
