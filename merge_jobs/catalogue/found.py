"""What a catalogue says about a table, in the same form for every kind of database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class TableKind(Enum):
    """The kinds of objects that can be selected from."""

    TABLE = "table"
    VIEW = "view"
    MATERIALIZED_VIEW = "materialised view"
    FOREIGN_TABLE = "foreign table"


@dataclass(frozen=True)
class FoundColumn:
    """A column, with the type that the model should give it.

    `nullable` is false only if no row can have NULL in it; `unreadable` says why the column cannot be read.
    """

    name: str
    type: str
    nullable: bool
    unreadable: str | None = None


@dataclass(frozen=True)
class FoundKey:
    """A primary key or a unique index; `unusable` says why it does not identify rows, `note` what to know about it."""

    name: str
    columns: tuple[str, ...]
    unusable: str | None = None
    note: str | None = None
    preferred: bool = False  # the primary key


@dataclass(frozen=True)
class FoundTable:
    """A table, view and the like. `left_out` says why it is not a dataset; without columns nothing more is known.

    `by_name`: it becomes a dataset nevertheless if a person names it.
    """

    name: str
    kind: TableKind = TableKind.TABLE
    columns: tuple[FoundColumn, ...] = ()
    keys: tuple[FoundKey, ...] = ()
    left_out: str | None = None
    by_name: bool = False


def unusable_unless_filled(columns: Iterable[str], filled: Iterable[str]) -> str | None:
    """Say which columns of a key may be NULL; None if none may."""
    empty = [name for name in columns if name not in set(filled)]
    return f"NULL is allowed in {', '.join(map(repr, empty))}" if empty else None
