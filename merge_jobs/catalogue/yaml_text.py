"""A described datastore as YAML: the model's keys, and comments for what is left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from config_schema.load.documents import plain
from config_schema.load.yaml_scalars import RESOLVERS
from config_schema.load.yaml_writer import VisibleDumper, dumped
from config_schema.model import Dataset
from merge_jobs.catalogue import DescribedDatastore
from merge_jobs.catalogue.datasets import LeftOut

ITEM = " " * 6  # of the list of datasets
FILL_IN = "Put columns in primary_key that name each row and are never NULL, with nullable: false, and take the # away:"


class _OneLine(dict[str, Any]):
    """A mapping that is written on one line."""


class _Dumper(VisibleDumper):
    """Quotes whatever the model's loader, or any other reader of YAML, would not read as text."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)  # lists stand in from their key, as in the examples


_Dumper.add_representer(
    _OneLine, lambda dumper, value: dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=True)
)
for tag, pattern, first in RESOLVERS:
    _Dumper.add_implicit_resolver(tag, pattern, first)


def yaml_text(of: DescribedDatastore) -> str:
    """Return the document, with its line ends."""
    said = plain(of.datastore)
    del said["datasets"]
    lines = [*_dumped({"datastores": [said]}), f"{ITEM[2:]}datasets:"]
    for dataset in of.datastore.datasets:
        for note in of.notes.get(dataset.source_table, ()):
            lines += _comment(f"{dataset.name}: {note}")
        lines += (ITEM + line for line in _dumped([_written(dataset)]))
    for left in of.left_out:
        lines += _comment(f"left out: {printable(left.table)}: {left.why}")
        lines += _draft(left)
    return "\n".join(lines) + "\n"


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
    return dumped(data, _Dumper).rstrip("\n").split("\n")


def _comment(text: str) -> Iterable[str]:
    return [f"{ITEM}# {line}" for line in text.splitlines()]
