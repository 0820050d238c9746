"""From the tables of a catalogue to datasets that pass the rules of a model, and reasons for those that do not."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from config_schema.load.documents import plain
from config_schema.model import (
    Column,
    Consistency,
    Database,
    Dataset,
    Datastore,
    Ecosystem,
    GitRepository,
    Milestoning,
    Platform,
)
from config_schema.problem import Finding
from config_schema.rules import OF_THE_ECOSYSTEM
from config_schema.rules.check import schema_problems
from config_schema.rules.names import derived_names_differ
from merge_jobs.catalogue.errors import DatastoreImpossible
from merge_jobs.catalogue.found import FoundColumn, FoundKey, FoundTable, TableKind

PART = re.compile(r"datastores\[0\]\.datasets\[(\d+)\](?:\.columns\[(\d+)\])?.*")
OF_A_STREAM = re.compile(r"[A-Za-z0-9_.-]+")  # as the part of a stream's key that names the dataset
FLAGS = {"datastores[0].name": "--name", "datastores[0].source.credential": "--credential"}
NO_KEY = "it has no primary key, and no unique index on columns that are never NULL"


@dataclass(frozen=True)
class LeftOut:
    """A table that is not a dataset, and why; `draft` is the dataset that it would be if a person added a key."""

    table: str
    why: str
    draft: Dataset | None = None


@dataclass
class Sorted:
    """Intermediate result: datasets, notes on each by table, and what is left out."""

    datasets: list[Dataset] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)


def sorted_tables(tables: Iterable[FoundTable], by_name: Iterable[str]) -> Sorted:
    """Return each table as a dataset or as left out; `by_name` are names that a person has given in full."""
    given = set(by_name)
    found = Sorted()
    for table in tables:
        if table.left_out is not None and not (table.by_name and table.name in given):
            found.left_out.append(LeftOut(table.name, table.left_out))
            continue
        columns = [column for column in table.columns if column.unreadable is None]
        notes = [f"column {one.name!r} is left out: {one.unreadable}" for one in table.columns if one.unreadable]
        key = _key(table, columns)
        if key is None:
            found.left_out.append(LeftOut(table.name, _why_no_key(table), _dataset(table.name, columns, ())))
            continue
        found.datasets.append(_dataset(table.name, columns, key.columns))
        found.notes[table.name] = notes + ([key.note] if key.note else [])
    return found


def checked_datastore(found: Sorted, name: str, source: Database, consistency: Consistency) -> Datastore:
    """Return the datastore, with everything that the rules of a model refuse moved to what is left out.

    Raises DatastoreImpossible for an impossible name or credential.
    """
    found.datasets = list(_named_for_streams(found.datasets, consistency))
    while True:
        datastore = Datastore(name, source, tuple(found.datasets), consistency)
        findings = list(_findings(datastore)) if found.datasets else []
        if not findings:
            return datastore
        _leave_out(found, findings)


def stream_name(text: str) -> str:
    """Return a name that a stream can have for a table or a database: characters that are not allowed become `_`."""
    letters = (letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", "".join(letters)).strip("_") or _digest(text)


def _key(table: FoundTable, columns: Iterable[FoundColumn]) -> FoundKey | None:
    """Return the primary key, otherwise the shortest unique index; indexes that are never deferred come first."""
    there = {column.name for column in columns}
    usable = [key for key in table.keys if key.unusable is None and key.columns and there.issuperset(key.columns)]
    return min(
        usable, key=lambda key: (not key.preferred, key.note is not None, len(key.columns), key.columns), default=None
    )


def _why_no_key(table: FoundTable) -> str:
    if table.kind is not TableKind.TABLE:
        return f"it is a {table.kind.value}, of which the catalogue knows no key"
    readable = {column.name for column in table.columns if column.unreadable is None}
    reasons = [f"{key.name}: {key.unusable}" for key in table.keys if key.unusable]
    reasons += [
        f"{key.name}: the user may not read all of it"
        for key in table.keys
        if key.unusable is None and not readable.issuperset(key.columns)
    ]
    return f"{NO_KEY} ({'; '.join(reasons)})" if reasons else NO_KEY


def _dataset(table: str, columns: Iterable[FoundColumn], key: tuple[str, ...]) -> Dataset:
    return Dataset(
        table, tuple(Column(one.name, one.type, one.nullable and one.name not in key) for one in columns), key
    )


def _named_for_streams(datasets: Iterable[Dataset], consistency: Consistency) -> Iterator[Dataset]:
    """Yield the datasets with names that a DAG and a row can have, each with its table's real name."""
    taken: set[str] = set()
    for dataset in datasets:
        name = dataset.name
        if consistency is Consistency.SINGLE_DATASET and not OF_A_STREAM.fullmatch(name):
            name = stream_name(name)
        elif "," in name:
            name = name.replace(",", "_")
        if name in taken or (name != dataset.name and any(name == one.name for one in datasets)):
            name = f"{name}_{_digest(dataset.name)}"
        taken.add(name)
        yield dataset if name == dataset.name else replace(dataset, name=name, table=dataset.source_table)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _findings(datastore: Datastore) -> Iterator[Finding]:
    """Yield what the rules of a model find in the datastore, on a platform of either milestoning."""
    secret = datastore.source.credential
    platform = Platform(
        "P",
        Milestoning.FORENSIC,
        Database("store", "store", secret),
        GitRepository("file:///model", credential=secret),
        "namespace",
        "image",
        slack_credential=secret,
    )
    ecosystem = Ecosystem("Described", (platform,), (datastore,))
    shape = schema_problems(plain(ecosystem), "ecosystem", lambda path: ("", path))
    if shape:
        yield from ((one.path, one.what, one.todo) for one in shape)
        return
    for rule in OF_THE_ECOSYSTEM:
        for path, what, todo in rule(ecosystem):
            yield path, what, "" if rule is derived_names_differ else todo


def _leave_out(found: Sorted, findings: Iterable[Finding]) -> None:
    """Remove the columns of findings, or their datasets; rename a dataset if only its name is the problem."""
    columns: dict[int, dict[int, str]] = {}
    whole: dict[int, str] = {}
    renamed: set[int] = set()
    for path, what, todo in findings:
        at = PART.fullmatch(path)
        if at is None:
            raise DatastoreImpossible(FLAGS.get(path, "--dsn"), path, what, todo)
        index = int(at[1])
        if not todo:
            renamed.add(index)
        elif at[2] is None:
            whole.setdefault(index, f"{what}. {todo}")
        else:
            columns.setdefault(index, {}).setdefault(int(at[2]), f"{what}. {todo}")
    kept = []
    for index, dataset in enumerate(found.datasets):
        table = dataset.source_table
        bad = columns.get(index, {})
        of_key = [why for k, why in bad.items() if dataset.columns[k].name in dataset.primary_key]
        if index in whole or of_key:
            found.left_out.append(LeftOut(table, whole.get(index) or f"its key cannot be read: {of_key[0]}"))
            continue
        if index in renamed:
            dataset = replace(dataset, name=f"{dataset.name}_{_digest(table)}", table=table)
        for k, why in bad.items():
            found.notes[table].append(f"column {dataset.columns[k].name!r} is left out: {why}")
        kept.append(replace(dataset, columns=tuple(c for k, c in enumerate(dataset.columns) if k not in bad)))
    found.datasets = kept
