"""Described datastores as YAML: the model's keys, and comments for what is left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from config_schema.load.described import DescribedDatastore, LeftOut
from config_schema.load.documents import plain
from config_schema.load.yaml_scalars import RESOLVERS
from config_schema.load.yaml_writer import VisibleDumper, dumped
from config_schema.model import Dataset

ITEM = " " * 6  # of the list of datasets
FILL_IN = "Put columns in primary_key that name each row and are never NULL, with nullable: false, and take the # away:"


class _OneLine(dict[str, Any]):
    """A mapping that is written on one line."""


class ModelDumper(VisibleDumper):
    """Quotes whatever the model's loader, or any other reader of YAML, would not read as text."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Begin a list further in than its key, as in the examples."""
        super().increase_indent(flow, indentless=False)


ModelDumper.add_representer(
    _OneLine, lambda dumper, value: dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=True)
)
for tag, pattern, first in RESOLVERS:
    ModelDumper.add_implicit_resolver(tag, pattern, first)


def yaml_text(*described: DescribedDatastore) -> str:
    """Return the document, with its line ends."""
    lines = ["datastores:"]
    for of in described:
        lines += _datastore(of)
    return "\n".join(lines) + "\n"


def _datastore(of: DescribedDatastore) -> Iterator[str]:
    said = plain(of.datastore)
    del said["datasets"]
    yield from (ITEM[4:] + line for line in _dumped([said]))
    yield f"{ITEM[2:]}datasets:"
    for dataset in of.datastore.datasets:
        for note in of.notes.get(dataset.source_table, ()):
            yield from _comment(f"{dataset.name}: {note}")
        yield from (ITEM + line for line in _dumped([_written(dataset)]))
    for left in of.left_out:
        yield from _comment(f"left out: {printable(left.table)}: {left.why}")
        yield from _draft(left)


def printable(name: str) -> str:
    """Return a name as it is, or with escapes for what a line of text cannot contain."""
    return name if name.isprintable() else repr(name)


def _draft(left: LeftOut) -> Iterator[str]:
    if left.draft is not None and left.draft.columns:
        yield from _comment(FILL_IN)
        yield from (f"{ITEM}# {line}" for line in _dumped([_written(left.draft)]))


def _written(dataset: Dataset) -> dict[str, Any]:
    said: dict[str, Any] = plain(dataset)
    said["columns"] = [_OneLine(column) for column in said["columns"]]
    return said


def _dumped(data: Any) -> list[str]:
    return dumped(data, ModelDumper).rstrip("\n").split("\n")


def _comment(text: str) -> Iterable[str]:
    return [f"{ITEM}# {line}" for line in text.splitlines()]
