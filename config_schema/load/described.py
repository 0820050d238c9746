"""A datastore described from elsewhere, a catalogue or a file of another tool: what of it the model's rules allow.

The parts that the rules refuse are left out, each with the reason; datastore_yaml.py writes the result.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from config_schema.errors import StreamFactoryError
from config_schema.load.documents import plain
from config_schema.model import (
    Consistency,
    Database,
    Dataset,
    Datastore,
    Ecosystem,
    GitRepository,
    Milestoning,
    Platform,
    Team,
)
from config_schema.problem import Finding
from config_schema.rules import OF_THE_ECOSYSTEM
from config_schema.rules.check import schema_problems
from config_schema.rules.names import derived_names_differ

PART = re.compile(r"datastores\[0\]\.datasets\[(\d+)\](?:\.(columns|checks)\[(\d+)\])?.*")
OF_A_STREAM = re.compile(r"[A-Za-z0-9_.-]+")  # as the part of a stream's key that names the dataset

# Gives the error for a finding that no part can be left out for: the path, what is wrong, what to do.
Refusal = Callable[[str, str, str], StreamFactoryError]


@dataclass(frozen=True)
class LeftOut:
    """A table that is not a dataset, and why; `draft` is the dataset that it would be if a person added a key."""

    table: str
    why: str
    draft: Dataset | None = None


@dataclass(frozen=True)
class PartLeftOut:
    """A column or a check of a dataset that the rules refuse, and why."""

    table: str
    kind: str  # `columns` or `checks`
    name: str
    why: str


@dataclass
class Sorted:
    """Intermediate result: datasets, notes on each by table, and what is left out."""

    datasets: list[Dataset] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    parts_left_out: list[PartLeftOut] = field(default_factory=list)


@dataclass(frozen=True)
class DescribedDatastore:
    """The datastore, notes on its tables by name, and the tables that were left out."""

    datastore: Datastore
    notes: Mapping[str, Sequence[str]]
    left_out: tuple[LeftOut, ...]


def checked_datastore(found: Sorted, of: Datastore, refused: Refusal) -> Datastore:
    """Return the datastore `of` with the datasets that were found.

    Everything in them that the rules of a model refuse is moved to what is left out. Raises what `refused` gives for
    an impossible name, address or secret of the datastore itself.
    """
    found.datasets = list(_named_for_streams(found.datasets, of.consistency))
    while True:
        datastore = replace(of, datasets=tuple(found.datasets))
        findings = list(_findings(datastore)) if found.datasets else []
        if not findings:
            return datastore
        _leave_out(found, findings, refused)


def stream_name(text: str) -> str:
    """Return a name that a stream can have for a table or a database: characters that are not allowed become `_`."""
    letters = (letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", "".join(letters)).strip("_") or _digest(text)


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
    teams = tuple(dict.fromkeys((*filter(None, [datastore.owner]), *datastore.shared_with)))
    ecosystem = Ecosystem(
        "Described",
        (platform,),
        (datastore,),
        teams=tuple(map(Team, teams)),
        owner=teams[0] if teams else None,
        environments=tuple(dict.fromkeys(one.name for one in datastore.environments)),
    )
    shape = schema_problems(plain(ecosystem), "ecosystem", lambda path: ("", path))
    if shape:
        yield from ((one.path, one.what, one.todo) for one in shape)
        return
    for rule in OF_THE_ECOSYSTEM:
        for path, what, todo in rule(ecosystem):
            yield path, what, "" if rule is derived_names_differ else todo


def _leave_out(found: Sorted, findings: Iterable[Finding], refused: Refusal) -> None:
    """Remove the columns and checks of findings, or their datasets; rename a dataset that only needs another name."""
    parts: dict[int, dict[tuple[str, int], str]] = {}
    whole: dict[int, str] = {}
    renamed: set[int] = set()
    for path, what, todo in findings:
        at = PART.fullmatch(path)
        if at is None:
            raise refused(path, what, todo)
        index = int(at[1])
        if not todo:
            renamed.add(index)
        elif at[2] is None:
            whole.setdefault(index, f"{what}. {todo}")
        else:
            parts.setdefault(index, {}).setdefault((at[2], int(at[3])), f"{what}. {todo}")
    kept = []
    for index, dataset in enumerate(found.datasets):
        bad = parts.get(index, {})
        of_key = [
            why
            for (kind, k), why in bad.items()
            if kind == "columns" and dataset.columns[k].name in dataset.primary_key
        ]
        if index in whole or of_key:
            why = whole.get(index) or f"its key cannot be read: {of_key[0]}"
            found.left_out.append(LeftOut(dataset.source_table, why))
            continue
        if index in renamed:
            table = dataset.source_table
            dataset = replace(dataset, name=f"{dataset.name}_{_digest(table)}", table=table)
        kept.append(_without(found, dataset, bad))
    found.datasets = kept


def _without(found: Sorted, dataset: Dataset, bad: Mapping[tuple[str, int], str]) -> Dataset:
    table = dataset.source_table
    for (kind, k), why in bad.items():
        name = (dataset.columns if kind == "columns" else dataset.checks)[k].name
        found.parts_left_out.append(PartLeftOut(table, kind, name, why))
        found.notes.setdefault(table, []).append(f"{kind.removesuffix('s')} {name!r} is left out: {why}")
    columns = tuple(one for k, one in enumerate(dataset.columns) if ("columns", k) not in bad)
    checks = tuple(one for k, one in enumerate(dataset.checks) if ("checks", k) not in bad)
    return replace(dataset, columns=columns, checks=checks)
