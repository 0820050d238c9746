"""Checks of a model: schema_problems for the shape of each file, check_model for the rules between objects.

Both give every problem at once. check_model knows only objects that passed their schema.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from config_schema import names
from config_schema.conforms import conforms
from config_schema.errors import Problem, choose_from
from config_schema.mapping import DsgMapping
from config_schema.model import (
    VERSION_COLUMNS,
    Consistency,
    Dataset,
    DatasetGroup,
    Datastore,
    Ecosystem,
    Milestoning,
    Platform,
    SourceKind,
    Workspace,
)
from config_schema.quality_rules import Finding, quality_findings

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError


def schema_problems(data: Any, schema: str, file: str) -> list[Problem]:
    """What is wrong with the shape of `data` by `<schema>.schema.json`, in the order of the data."""
    asked = json.loads(Path(__file__).with_name(f"{schema}.schema.json").read_text("utf-8"))
    if conforms(data, asked):
        return []
    from jsonschema import Draft202012Validator  # loaded only for what it has to word

    errors = Draft202012Validator(asked).iter_errors(data)
    found = [Problem(file, path, what, todo) for error in errors for path, what, todo in _worded(error)]
    return sorted(set(found))


def check_model(
    ecosystem: Ecosystem,
    mappings: Iterable[DsgMapping],
    eco_file: str = "ecosystem.yaml",
    mapping_file: str = "dsg_platform_mapping.json",
) -> list[Problem]:
    """Every broken rule between the objects of a model: names, references, keys, schedules, derived names."""
    mappings = tuple(mappings)
    of_ecosystem: tuple[Callable[[Ecosystem], Iterator[Finding]], ...] = (
        _names_stand_once,
        _keys_are_columns,
        _columns_leave_our_names,
        _sinks_exist,
        _schedules_hold,
        _addresses_hold_no_secret,
        _merge_stores_are_postgresql,
        _secrets_have_variables_of_their_own,
        _derived_names_differ,
        quality_findings,
    )
    found = [Problem(eco_file, *finding) for rule in of_ecosystem for finding in rule(ecosystem)]
    found += [Problem(mapping_file, *finding) for finding in _mapping_refers_to_the_model(ecosystem, mappings)]
    return found


# --- rules


def _names_stand_once(ecosystem: Ecosystem) -> Iterator[Finding]:
    yield from _once("platforms", ecosystem.platforms)
    yield from _once("datastores", ecosystem.datastores)
    yield from _once("workspaces", ecosystem.workspaces)
    for i, store in enumerate(ecosystem.datastores):
        yield from _once(f"datastores[{i}].datasets", store.datasets)
        for j, dataset in enumerate(store.datasets):
            yield from _once(f"datastores[{i}].datasets[{j}].columns", dataset.columns)
    for i, workspace in enumerate(ecosystem.workspaces):
        yield from _once(f"workspaces[{i}].dataset_groups", workspace.dataset_groups)


def _once(path: str, things: Iterable[Any]) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, thing in enumerate(things):
        if thing.name in seen:
            yield f"{path}[{index}].name", f"{thing.name!r} stands there twice", "Give each a name of its own"
        seen.add(thing.name)


def _keys_are_columns(ecosystem: Ecosystem) -> Iterator[Finding]:
    for path, dataset in _datasets(ecosystem):
        columns = {column.name: column for column in dataset.columns}
        for key in dataset.primary_key:
            if key not in columns:
                yield f"{path}.primary_key", f"{key!r} is no column", choose_from(key, columns)
            elif columns[key].nullable:
                todo = "Set nullable: false on it, or choose another key"
                yield f"{path}.primary_key", f"{key!r} may be NULL, and a key may not", todo


def _columns_leave_our_names(ecosystem: Ecosystem) -> Iterator[Finding]:
    for path, dataset in _datasets(ecosystem):
        for k, column in enumerate(dataset.columns):
            if column.name in VERSION_COLUMNS:
                what = f"{column.name!r} is a column that versions of rows have of ours"
                yield f"{path}.columns[{k}].name", what, "Read the table through a view that names it differently"


def _sinks_exist(ecosystem: Ecosystem) -> Iterator[Finding]:
    stores = {store.name: store for store in ecosystem.datastores}
    for path, group in _dataset_groups(ecosystem):
        for k, sink in enumerate(group.sinks):
            at = f"{path}.sinks[{k}]"
            if sink.datastore not in stores:
                yield (
                    f"{at}.datastore",
                    f"{sink.datastore!r} is no datastore",
                    choose_from(sink.datastore, stores),
                )
                continue
            datasets = [dataset.name for dataset in stores[sink.datastore].datasets]
            if sink.dataset not in datasets:
                what = f"{sink.dataset!r} is no dataset of {sink.datastore}"
                yield f"{at}.dataset", what, choose_from(sink.dataset, datasets)


def _schedules_hold(ecosystem: Ecosystem) -> Iterator[Finding]:
    for i, platform in enumerate(ecosystem.platforms):
        if platform.schedule is not None and not _is_schedule(platform.schedule):
            todo = "Write five fields such as '*/10 * * * *', or a preset such as @hourly"
            yield f"platforms[{i}].schedule", f"{platform.schedule!r} is no schedule", todo
        try:
            ZoneInfo(platform.timezone)
        except (KeyError, ValueError, OSError):
            todo = "Write an IANA name such as Europe/Zurich"
            yield f"platforms[{i}].timezone", f"{platform.timezone!r} is no time zone", todo


def _addresses_hold_no_secret(ecosystem: Ecosystem) -> Iterator[Finding]:
    """A password in an address would stand in rows, plans and logs. Its value is not repeated here either."""
    for i, platform in enumerate(ecosystem.platforms):
        try:
            password = urlsplit(platform.model.url).password
        except ValueError:
            yield f"platforms[{i}].model.url", "this is no address", "Write https://..., ssh or a local path"
            continue
        if password is not None:
            todo = f"Take it out, and put the token into the secret {platform.model.credential!r}"
            yield f"platforms[{i}].model.url", "there is a password in the address", todo


def _merge_stores_are_postgresql(ecosystem: Ecosystem) -> Iterator[Finding]:
    for i, platform in enumerate(ecosystem.platforms):
        if platform.merge_store.kind is not SourceKind.POSTGRESQL:
            what = f"{platform.merge_store.kind.value!r} cannot hold merge tables"
            yield f"platforms[{i}].merge_store.kind", what, "Name a PostgreSQL database"
        if platform.consumer_db is not None and platform.consumer_db.kind is not SourceKind.POSTGRESQL:
            what = f"{platform.consumer_db.kind.value!r} cannot hold consumers' views"
            yield f"platforms[{i}].consumer_db.kind", what, "Name a PostgreSQL database"


def _is_schedule(schedule: str) -> bool:
    from croniter import croniter

    presets = {"@once", "@continuous", "@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly"}
    return schedule in presets or (not schedule.startswith("@") and bool(croniter.is_valid(schedule)))


def _secrets_have_variables_of_their_own(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Two secrets whose environment variables are the same (`a-b`, `a.b`) would get each other's password."""
    by_variable: dict[str, set[str]] = defaultdict(set)
    for secret in _secrets(ecosystem):
        by_variable[names.secret_variable(secret, "password")].add(secret)
    for variable, secrets in by_variable.items():
        if len(secrets) > 1:
            what = f"the secrets {' and '.join(map(repr, sorted(secrets)))} would both be {variable}"
            yield "", what, "Rename one of them"


def _derived_names_differ(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Derived names join parts by `_`, so that different parts can give one name; two owners would share a table."""
    owners: dict[tuple[str, str], str] = {}
    for kind, name, owner in _derived_names(ecosystem):
        other = owners.setdefault((kind, name), owner)
        if other != owner:
            yield "", f"{other} and {owner} would share the {kind} {name!r}", "Rename one of them"


def _derived_names(ecosystem: Ecosystem) -> Iterator[tuple[str, str, str]]:
    for platform in ecosystem.platforms:
        short, of = names.platform_name(platform.name), f"platform {platform.name}"
        yield "platform name", short, of
        for table in (
            names.stream_table(short),
            names.stream_history_table(short),
            names.model_state_table(short),
            names.batch_counter_table(short),
            names.batch_metrics_table(short),
            names.rejected_keys_table(short),
            names.row_maps_table(short),
        ):
            yield "table", table, f"{of} itself"
        for space in ecosystem.workspaces:
            yield from _derived_names_of_views(ecosystem, platform, space)
        for dag in (names.infrastructure_dag_id(short), names.health_dag_id(short)):
            yield "DAG", dag, f"{of} itself"
        for store in ecosystem.datastores:
            yield from _derived_names_of_store(platform, short, store)


def _derived_names_of_store(platform: Platform, short: str, store: Datastore) -> Iterator[tuple[str, str, str]]:
    single = store.consistency is Consistency.SINGLE_DATASET
    for dataset in store.datasets:
        owner = f"{platform.name}/{store.name}/{dataset.name}"
        yield "table", names.merge_table(short, store.name, dataset.name), f"merge table of {owner}"
        yield "table", names.staging_table(short, store.name, dataset.name), f"staging table of {owner}"
        yield "table", names.row_map_table(short, store.name, dataset.name), f"row map of {owner}"
        yield "table", names.row_map_staging_table(short, store.name, dataset.name), f"staged row map of {owner}"
        if single:
            yield "DAG", names.dag_id(short, names.stream_key(store.name, dataset.name)), f"stream of {owner}"
    if not single:
        yield "DAG", names.dag_id(short, store.name), f"stream of {platform.name}/{store.name}"


def _derived_names_of_views(
    ecosystem: Ecosystem, platform: Platform, space: Workspace
) -> Iterator[tuple[str, str, str]]:
    yield "schema of views", names.workspace_schema(space.name), f"workspace {space.name}"
    short = names.platform_name(platform.name)
    kind = f"view of workspace {space.name}"
    yield kind, names.batches_view(short), f"batches of {platform.name}"
    yield kind, names.freshness_view(), "its freshness"
    for group in space.dataset_groups:
        owner = f"dataset group {space.name}/{group.name}"
        yield "role", names.consumer_role(ecosystem.name, space.name, group.name), owner
        for sink in group.sinks:
            name = names.consumer_view(short, space.name, group.name, sink.datastore, sink.dataset, "live")
            yield kind, name, f"{platform.name}/{group.name}/{sink.datastore}/{sink.dataset}"


def _mapping_refers_to_the_model(ecosystem: Ecosystem, mappings: tuple[DsgMapping, ...]) -> Iterator[Finding]:
    platforms = {platform.name: platform for platform in ecosystem.platforms}
    groups = {(w.name, g.name): g for w in ecosystem.workspaces for g in w.dataset_groups}
    workspaces = {workspace for workspace, _ in groups}
    seen: set[tuple[str, str]] = set()
    for i, mapping in enumerate(mappings):
        key = (mapping.workspace, mapping.dsg_name)
        if mapping.workspace not in workspaces:
            what = f"{mapping.workspace!r} is no workspace"
            yield f"[{i}].workspace", what, choose_from(mapping.workspace, workspaces)
        elif key not in groups:
            known = [name for workspace, name in groups if workspace == mapping.workspace]
            what = f"{mapping.dsg_name!r} is no dataset group of {mapping.workspace}"
            yield f"[{i}].dsgName", what, choose_from(mapping.dsg_name, known)
        if key in seen:
            yield (
                f"[{i}]",
                f"{mapping.dsg_name!r} of {mapping.workspace!r} stands there twice",
                "Keep one entry",
            )
        seen.add(key)
        for j, assignment in enumerate(mapping.assignments):
            at, name = f"[{i}].assignments[{j}].dataPlatform", assignment.data_platform
            if name not in platforms:
                yield at, f"{name!r} is no platform", choose_from(name, platforms)
            elif key in groups and not _keeps(platforms[name], groups[key]):
                fitting = [p.name for p in ecosystem.platforms if _keeps(p, groups[key])]
                what = f"{mapping.dsg_name} needs forensic retention, and {name} keeps live rows only"
                yield at, what, choose_from(name, fitting)


def _keeps(platform: Platform, group: DatasetGroup) -> bool:
    return group.retention is Milestoning.LIVE or platform.milestoning is Milestoning.FORENSIC


# --- walking the model


def _datasets(ecosystem: Ecosystem) -> Iterator[tuple[str, Dataset]]:
    for i, store in enumerate(ecosystem.datastores):
        for j, dataset in enumerate(store.datasets):
            yield f"datastores[{i}].datasets[{j}]", dataset


def _dataset_groups(ecosystem: Ecosystem) -> Iterator[tuple[str, DatasetGroup]]:
    for i, workspace in enumerate(ecosystem.workspaces):
        for j, group in enumerate(workspace.dataset_groups):
            yield f"workspaces[{i}].dataset_groups[{j}]", group


def _secrets(ecosystem: Ecosystem) -> set[str]:
    of_platforms = {
        secret
        for platform in ecosystem.platforms
        for secret in (platform.merge_store.credential, platform.model.credential, platform.slack_credential)
    }
    of_platforms |= {one.consumer_db.credential for one in ecosystem.platforms if one.consumer_db is not None}
    of_platforms |= {one.consumer_reader for one in ecosystem.platforms if one.consumer_reader is not None}
    return of_platforms | {store.source.credential for store in ecosystem.datastores}


# --- wording jsonschema's errors


def _worded(error: ValidationError) -> Iterator[Finding]:
    path = _path(error.absolute_path)
    inside = f"{path}." if path else ""
    schema: dict[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    wanted = _wanted(schema)
    instance: Any = error.instance
    allowed: Any = error.validator_value
    match error.validator:
        case "additionalProperties":
            known = schema.get("properties", {})
            for key in instance.keys() - known.keys():
                yield f"{inside}{key}", f"unknown key {key!r}", choose_from(str(key), known)
        case "required":
            properties = schema.get("properties", {})
            for key in allowed:
                if key not in instance:
                    yield f"{inside}{key}", "the key is missing", _wanted(properties.get(key, {}))
        case "enum":
            yield path, f"{_shown(instance)} is not known", choose_from(str(instance), map(str, allowed))
        case "type":
            kinds = allowed if isinstance(allowed, str) else " or ".join(allowed)
            yield path, f"{_shown(instance)} is not of type {kinds}", wanted
        case "pattern":
            yield path, f"{_shown(instance)} is not well formed", wanted
        case rule:
            yield path, f"{_shown(instance)} does not hold {rule} {allowed}", wanted


def _path(parts: Iterable[str | int]) -> str:
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _wanted(schema: dict[str, Any]) -> str:
    parts = [schema.get("description", "See the schema").rstrip(".")]
    if schema.get("examples"):
        parts.append(f"for example {schema['examples'][0]!r}")
    return ", ".join(parts)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
