"""The stream that a job is asked for, found in the model; or its shadow, the same with other tables for a trial."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from config_schema import names
from config_schema.errors import CommandWrong, OptionMissing, UnknownName, ValueWrong, choose_from
from config_schema.model import Consistency, Dataset, Datastore, Ecosystem, Milestoning, Platform
from config_schema.model.plain_data import plain
from config_schema.model.quality import Reference


@dataclass(frozen=True)
class Stream:
    """One unit of ingestion: the datasets of a store that are merged together on a platform."""

    platform: Platform
    store: Datastore
    datasets: tuple[Dataset, ...]
    key: str

    @property
    def platform_name(self) -> str:
        """The platform's name in tables and DAG ids."""
        return names.platform_name(self.platform.name)

    @property
    def in_lake(self) -> bool:
        """Whether the rows are merged into a lake; merge tables then have their keys only."""
        return self.platform.lake is not None

    def __str__(self) -> str:
        return f"{self.platform.name} {self.key}"

    @property
    def origin(self) -> dict[str, Any]:
        """Where the rows come from, as a batch keeps it for lineage: the database, each dataset's table and columns."""
        source = self.store.source
        return {
            "kind": source.kind.value,
            "host": source.host,
            "port": source.port,
            "database": source.database,
            "schema": source.schema,
            "datasets": {
                d.name: {"table": d.source_table, "columns": [c.name for c in d.columns]} for d in self.datasets
            },
        }

    @property
    def references(self) -> dict[str, dict[str, Any]]:
        """What each reference check compares with what, as JSON by dataset and check; none to a dataset elsewhere."""
        there = {dataset.name for dataset in self.datasets}
        found: dict[str, dict[str, Any]] = {}
        for dataset in self.datasets:
            for check in dataset.checks:
                if isinstance(check, Reference) and check.dataset in there:
                    compared = [list(check.columns), check.dataset, list(check.dataset_columns)]
                    found.setdefault(dataset.name, {})[check.name] = compared
        return found

    @property
    def fingerprint(self) -> str:
        """A hash of all that decides what staged rows mean: where they come from, their columns, types and keys."""
        source = self.store.source
        of_datasets = [
            [
                *(d.name, d.source_table, list(d.primary_key), [[c.name, c.type] for c in d.columns]),
                *([d.on_delete.value] if d.keeps_deleted else []),
                *([{"valid_from": d.valid_from}] if d.valid_from else []),
                *([{"cursor": plain(d.cursor)}] if d.cursor else []),
            ]
            for d in self.datasets
        ]
        origin = [source.kind.value, source.host, source.port, source.database, source.schema]
        described = json.dumps([self.platform.milestoning.value, origin, of_datasets])
        return hashlib.sha256(described.encode()).hexdigest()


class NotInLake(CommandWrong):
    """A command works on merge tables, and the platform's rows are in a lake.

    Read the lake with the views of dagfactory runs sql duckdb.
    """

    code = "DF5306"

    def __init__(self, stream: Stream, command: str) -> None:
        self.command = command
        todo = "Read the lake itself: dagfactory runs sql duckdb prints the views"
        super().__init__(f"{stream}", f"{command} is not to be had for rows in a lake", todo)


def refuse_in_lake(stream: Stream, command: str) -> None:
    """Raise NotInLake if the stream's rows are in a lake."""
    if stream.in_lake:
        raise NotInLake(stream, command)


def stream_of(
    ecosystem: Ecosystem, platform: str, store: str, dataset: str | None = None, datasets: Sequence[str] = ()
) -> Stream:
    """Return the stream of a store on a platform. Raises CommandWrong: an UnknownName has the names to choose from.

    `dataset` is for a single_dataset store; `datasets` are the assigned ones of a multi_dataset store (none given:
    all).
    """
    try:
        on = ecosystem.platform(platform)
    except KeyError:
        raise UnknownName("--platform", "platform", platform, [p.name for p in ecosystem.platforms]) from None
    try:
        of = ecosystem.datastore(store)
    except KeyError:
        raise UnknownName("--store", "datastore", store, [d.name for d in ecosystem.datastores]) from None
    if of.consistency is Consistency.SINGLE_DATASET:
        return _of_one(on, of, dataset or (datasets[0] if len(datasets) == 1 else None))
    if dataset is not None:
        todo = f"Leave --dataset out: all datasets of {store} are merged together"
        raise ValueWrong("--dataset", dataset, f"is one dataset, and {store} is a multi_dataset store", todo)
    wanted = [_dataset(of, name, "--datasets") for name in dict.fromkeys(datasets)] or list(of.datasets)
    return _stream(on, of, sorted(wanted, key=lambda d: d.name), names.stream_key(store))


def _of_one(platform: Platform, store: Datastore, dataset: str | None) -> Stream:
    if dataset is None:
        known = choose_from("", [d.name for d in store.datasets])
        raise OptionMissing(["--dataset"], known, store.name, "a single_dataset store")
    found = _dataset(store, dataset, "--dataset")
    return _stream(platform, store, [found], names.stream_key(store.name, dataset))


def _stream(platform: Platform, store: Datastore, datasets: Sequence[Dataset], key: str) -> Stream:
    """Return a stream; what says from when versions are valid means nothing on a platform that keeps none."""
    if platform.milestoning is Milestoning.LIVE:
        datasets = [replace(one, valid_from=None) for one in datasets]
    return Stream(platform, store, tuple(datasets), key)


def _dataset(store: Datastore, name: str, where: str) -> Dataset:
    for dataset in store.datasets:
        if dataset.name == name:
            return dataset
    raise UnknownName(where, "dataset", name, [d.name for d in store.datasets], store.name)


class Tables(Enum):
    """Whose tables a run uses: the stream's own, or a trial's."""

    OWN = "own"
    SHADOW = "shadow"


def tables_key(store: str, dataset: str | None, tables: Tables) -> str:
    """Return the key under which a run's batches are kept."""
    return names.stream_key(names.shadow_store(store) if tables is Tables.SHADOW else store, dataset)


def with_tables(stream: Stream, tables: Tables, ecosystem: Ecosystem) -> Stream:
    """Return the stream itself, or its shadow: the same stream under another store's name.

    Raises ValueWrong if the model has a store of that name, whose tables the shadow would take.
    """
    if tables is Tables.OWN:
        return stream
    refuse_in_lake(stream, "migrate shadow")
    name = names.shadow_store(stream.store.name)
    if any(store.name == name for store in ecosystem.datastores):
        raise ValueWrong("--tables", tables.value, f"would use the tables of the datastore {name!r}", "Rename it")
    _, sign, dataset = stream.key.partition("#")
    return replace(stream, store=replace(stream.store, name=name), key=f"{name}{sign}{dataset}")


def stream_with_key(ecosystem: Ecosystem, platform: str, key: str) -> Stream:
    """Return the stream of a row, or the shadow of one. Raises CommandWrong as `stream_of` does."""
    store, _, dataset = key.partition("#")
    own = store.removesuffix(names.SHADOW)
    is_shadow = own != store and all(one.name != store for one in ecosystem.datastores)
    stream = stream_of(ecosystem, platform, own if is_shadow else store, dataset or None)
    return with_tables(stream, Tables.SHADOW if is_shadow else Tables.OWN, ecosystem)
