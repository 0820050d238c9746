"""The job model: what sync compiles of a model for a platform's jobs, a row per stream, so that no job reads all of it.

A row is a document with the structure of the model. More people can write the table than the model's branch, so whoever
reads a row checks it against the same schema and rules as the model.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import Any

from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.gc_paused import gc_paused
from config_schema.model import (
    Consistency,
    DatasetSink,
    Datastore,
    Ecosystem,
    GitRepository,
    Platform,
    StreamDefaults,
)
from config_schema.model.mapping import Assignment, DsgMapping, Model, mapping_of
from config_schema.model.plain_data import plain, structured
from config_schema.rules.check import check_model, schema_problems

ENVIRONMENT = "environment"  # in the row of the platform, which older versions do not look for
FORMAT = 1  # of the documents; another one is not read
# What no job looks at: a change of it changes no row.
OF_PEOPLE = (
    "documentation",
    "owner",
    "shared_with",
    "production_status",
    "deprecated",
    "schedule_assets",
    "environments",
)


class RowKind(Enum):
    """The kinds of rows of the job model."""

    PLATFORM = "platform"  # the platform, for the merges of its streams
    STREAM = "stream"  # a datastore with the datasets of a stream
    CONSUMERS = "consumers"  # platforms and workspaces, for views


@dataclass(frozen=True)
class JobModelRow:
    """A row; `key` is a stream's key, or empty for the other kinds."""

    kind: RowKind
    key: str
    document: str

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the document."""
        return hashlib.sha256(self.document.encode()).hexdigest()


@dataclass(frozen=True)
class JobModelState:
    """What is recorded of a platform's rows: commit, branch, format, and a digest of all rows."""

    commit: str
    format: int
    repository: str
    branch: str
    digest: str


@dataclass(frozen=True)
class StreamModel:
    """The part of a model for a merge: a platform, a datastore, and the datasets that the platform serves."""

    ecosystem: Ecosystem
    served: frozenset[DatasetSink]


class JobModelBroken(StreamFactoryError):
    """A row of the job model is not as sync wrote it: somebody else changed it, or the table was restored alone.

    Run dagfactory sync, which writes it again. Find out who wrote there: only sync's login should.
    """

    code = "DF1701"

    def __init__(self, table: str, row: str, what: str) -> None:
        self.row = row
        super().__init__(f"{table}, {row}", what, "Run dagfactory sync, which writes it again, and find out who did")


def state_of(rows: Iterable[JobModelRow], commit: str, repository: GitRepository) -> JobModelState:
    """Return the state to record for rows that were compiled from a commit of the repository's branch."""
    return JobModelState(commit, FORMAT, repository.url, repository.branch, digest_of(rows))


def digest_of(rows: Iterable[JobModelRow]) -> str:
    """Return the digest of all rows, like the SQL statement `job_model_digest`."""
    lines = sorted(f"{row.kind.value} {row.key} {row.digest}" for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


class JobModels:
    """The job models of a model's platforms."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._platforms = {platform.name: platform for platform in model.ecosystem.platforms}
        self._stores = {store.name: store for store in model.ecosystem.datastores}
        self._groups = {(w.name, g.name): g for w in model.ecosystem.workspaces for g in w.dataset_groups}
        self._documents: dict[str, dict[str, Any]] = {}

    @gc_paused()
    def of(self, platform: str) -> list[JobModelRow]:
        """Return the rows of a platform; none if it has left the model."""
        if platform not in self._platforms:
            return []
        one, name = self._platforms[platform], self._model.ecosystem.name
        related = self._related(one)
        merging = replace(_for_jobs(one), consumer_db=None, consumer_reader=None)
        rows = [
            _row(RowKind.PLATFORM, "", {"name": name, "platform": _slim(plain(merging)), **self._environment}),
            _row(RowKind.CONSUMERS, "", self._consumers(related)),
        ]
        served = self._datasets([mapping for mapping in self._model.mappings if platform in mapping.ingesting])
        for store, wanted in self._datasets(self._mappings(related)).items():
            rows += self._of_store(self._stores[store], wanted | served[store], served[store])
        return rows

    @property
    def _environment(self) -> dict[str, str]:
        """The model's environment, as `environment_of` reads it."""
        return {} if self._model.environment is None else {ENVIRONMENT: self._model.environment}

    def _related(self, platform: Platform) -> list[str]:
        """Return the platforms whose consumers use the same database: their views are planned together."""
        here = consumers_address(platform)
        return [one.name for one in self._platforms.values() if consumers_address(one) == here]

    def _mappings(self, platforms: Collection[str]) -> list[DsgMapping]:
        """Return the part of the mapping that concerns these platforms."""
        found = []
        for mapping in self._model.mappings:
            assigned = tuple(one for one in mapping.assignments if one.data_platform in platforms)
            if any(one.status.ingests for one in assigned):
                bare = tuple(Assignment(one.data_platform, one.status) for one in assigned)
                found.append(replace(mapping, assignments=bare))
        return found

    def _datasets(self, mappings: Iterable[DsgMapping]) -> Mapping[str, set[str]]:
        """Return the datasets of the groups, by datastore."""
        found: dict[str, set[str]] = defaultdict(set)
        for mapping in mappings:
            for sink in self._groups[mapping.workspace, mapping.dsg_name].sinks:
                found[sink.datastore].add(sink.dataset)
        return found

    def _consumers(self, platforms: Collection[str]) -> dict[str, Any]:
        mappings = self._mappings(platforms)
        kept = {(mapping.workspace, mapping.dsg_name) for mapping in mappings}
        workspaces = []
        for workspace in self._model.ecosystem.workspaces:
            groups = tuple(one for one in workspace.dataset_groups if (workspace.name, one.name) in kept)
            if groups:
                data = _slim(plain(replace(workspace, dataset_groups=groups)))
                data["dataset_groups"] = [_slim(group) for group in data["dataset_groups"]]
                workspaces.append(data)
        of_jobs = [_slim(plain(_for_jobs(one))) for one in self._platforms.values()]
        ecosystem = {"name": self._model.ecosystem.name, "platforms": of_jobs, "workspaces": workspaces}
        return ecosystem | {"mappings": [_entry(mapping) for mapping in mappings]}

    def _of_store(self, store: Datastore, wanted: Collection[str], served: Collection[str]) -> Iterator[JobModelRow]:
        document = self._document(store)
        if store.consistency is Consistency.MULTI_DATASET:
            # Whole, as its datasets may refer to one another.
            yield _row(RowKind.STREAM, names.stream_key(store.name), _stream(document, served))
            return
        for dataset in document["datasets"]:
            name = dataset["name"]
            if name in wanted:
                alone = {**document, "datasets": [dataset]}
                yield _row(RowKind.STREAM, names.stream_key(store.name, name), _stream(alone, {name} & {*served}))

    def _document(self, store: Datastore) -> dict[str, Any]:
        if store.name not in self._documents:
            data = _slim(plain(store))
            data["datasets"] = [_slim(dataset) for dataset in data["datasets"]]
            self._documents[store.name] = data
        return self._documents[store.name]


def environment_of(platform_row: str) -> str | None:
    """Return the model's environment that the document of a platform's row is for; None if it is for none."""
    try:
        found = json.loads(platform_row)[ENVIRONMENT]
    except (ValueError, RecursionError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


Address = tuple[str, int, str]  # host, port, database


def consumers_address(platform: Platform, merge_store: Address | None = None) -> Address:
    """Return where a platform's consumers read; `merge_store` is the merge store if not the model's."""
    database = platform.consumer_db or platform.merge_store
    is_other = platform.consumer_db is None and merge_store is not None
    return merge_store if is_other and merge_store else (database.host, database.port, database.database)


def lacks_neighbours(model: Model, platform: str, merge_store: Address) -> bool:
    """Return whether the job model lacks a platform whose consumers share a database with this one's.

    That happens only if the platform's merge store is elsewhere than its model says.
    """
    one = model.ecosystem.platform(platform)
    modelled, here = consumers_address(one), consumers_address(one, merge_store)
    return here != modelled and any(consumers_address(p) == here for p in model.ecosystem.platforms if p is not one)


def stored_row(kind: str, key: str, digest: str, document: str, table: str) -> JobModelRow:
    """Return a row of the table. Raises JobModelBroken if its digest is not that of its document."""
    row = JobModelRow(RowKind(kind), key, document)
    if row.digest != digest:
        raise JobModelBroken(table, _named(row), "its digest is not that of its document")
    return row


def stream_model(rows: Iterable[JobModelRow], platform: str, table: str) -> StreamModel | None:
    """Return the model of a stream, from the rows of its platform and of the stream; None if one is missing.

    Raises JobModelBroken.
    """
    found = {row.kind: row for row in rows}
    if not found.keys() >= {RowKind.PLATFORM, RowKind.STREAM}:
        return None
    row = found[RowKind.STREAM]
    of_platform, of_stream = _read(found[RowKind.PLATFORM], table), _read(row, table)
    data = {
        "name": of_platform.get("name"),
        "platforms": [of_platform.get("platform")],
        "datastores": [of_stream.get("datastore")],
    }
    ecosystem, served = _checked(data, [], _named(row), table).ecosystem, of_stream.get("served")
    if not isinstance(served, list) or not all(isinstance(name, str) for name in served):
        raise JobModelBroken(table, _named(row), "it does not say which datasets are served")
    if not names.is_platform(platform, ecosystem.platforms[0].name) or _key_of(ecosystem.datastores[0]) != row.key:
        raise JobModelBroken(table, _named(row), "it is of another stream")
    return StreamModel(ecosystem, frozenset(DatasetSink(ecosystem.datastores[0].name, name) for name in served))


@gc_paused()
def platform_model(rows: Iterable[JobModelRow], platform: str, table: str) -> Model | None:
    """Return the part of the model for a platform's jobs, from all its rows; None if its consumers' row is missing.

    Raises JobModelBroken.
    """
    consumers, stores = None, dict[str, dict[str, Any]]()
    for row in rows:
        document = _read(row, table)
        if row.kind is RowKind.CONSUMERS:
            consumers = document
        elif row.kind is RowKind.STREAM:
            store = _part(document, "datastore", dict, row, table)
            datasets = _part(store, "datasets", list, row, table)
            stores.setdefault(str(store.get("name")), {**store, "datasets": []})["datasets"] += datasets
    if consumers is None:
        return None
    mappings = consumers.pop("mappings", None)
    model = _checked({**consumers, "datastores": list(stores.values())}, mappings, "consumers", table)
    if not any(names.is_platform(platform, one.name) for one in model.ecosystem.platforms):
        raise JobModelBroken(table, "consumers", "it is of other platforms")
    return model


def _for_jobs(platform: Platform) -> Platform:
    """Return the platform without the keys that only its DAGs need."""
    return replace(platform, schedule=None, timezone=Platform.timezone, streams=StreamDefaults())


def _slim(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in OF_PEOPLE}


def _row(kind: RowKind, key: str, document: Any) -> JobModelRow:
    return JobModelRow(kind, key, json.dumps(document, separators=(",", ":")))


def _entry(mapping: DsgMapping) -> dict[str, Any]:
    """Return the mapping as its file contains it."""
    assignments = [{"dataPlatform": one.data_platform, "status": one.status.value} for one in mapping.assignments]
    return {"dsgName": mapping.dsg_name, "workspace": mapping.workspace, "assignments": assignments}


def _stream(datastore: dict[str, Any], served: Collection[str]) -> dict[str, Any]:
    return {"datastore": datastore, "served": sorted(served)}


def _key_of(store: Datastore) -> str:
    single = store.consistency is Consistency.SINGLE_DATASET
    return names.stream_key(store.name, store.datasets[0].name if single else None)


def _named(row: JobModelRow) -> str:
    return f"{row.kind.value} {row.key}".strip()


def _part(document: dict[str, Any], key: str, kind: type, row: JobModelRow, table: str) -> Any:
    found = document.get(key)
    if not isinstance(found, kind):
        raise JobModelBroken(table, _named(row), f"its {key} is not there")
    return found


def _read(row: JobModelRow, table: str) -> dict[str, Any]:
    try:
        data = json.loads(row.document)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise JobModelBroken(table, _named(row), "it is no document of a job model")
    return data


def _checked(data: dict[str, Any], mappings: Any, row: str, table: str) -> Model:
    """Return a model from data, checked like a model. Raises JobModelBroken."""

    def place(path: str) -> tuple[str, str]:
        return table, path

    problems = schema_problems(data, "ecosystem", place) + schema_problems(mappings, "mapping", place)
    if not problems:
        model = Model(structured(data, Ecosystem), tuple(mapping_of(one) for one in mappings))
        problems = check_model(model.ecosystem, model.mappings, place, table, is_part=True)
        if not problems:
            return model
    raise JobModelBroken(table, row, f"{problems[0].path}: {problems[0].what}")
