"""A stream merged beside itself for a trial: same source, same model, but tables and batches of its own."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from config_schema import names
from config_schema.model import Ecosystem
from merge_jobs.errors import CommandWrong
from merge_jobs.stream import Stream


class Tables(Enum):
    """Whose tables a run uses: the stream's own, or a trial's."""

    OWN = "own"
    SHADOW = "shadow"


def tables_key(store: str, dataset: str | None, tables: Tables) -> str:
    """Return the key under which a run's batches are kept."""
    return names.stream_key(names.shadow_store(store) if tables is Tables.SHADOW else store, dataset)


def with_tables(stream: Stream, tables: Tables, ecosystem: Ecosystem) -> Stream:
    """Return the stream itself, or its shadow: the same stream under another store's name.

    Raises CommandWrong if the model has a store of that name, whose tables the shadow would take.
    """
    if tables is Tables.OWN:
        return stream
    name = names.shadow_store(stream.store.name)
    if any(store.name == name for store in ecosystem.datastores):
        raise CommandWrong("--tables", f"the model has a datastore {name!r}", "Rename that datastore")
    _, sign, dataset = stream.key.partition("#")
    return replace(stream, store=replace(stream.store, name=name), key=f"{name}{sign}{dataset}")
