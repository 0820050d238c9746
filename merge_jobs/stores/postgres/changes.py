"""What a batch changed in a dataset: how many keys, in which columns, and a sample with old and new values.

Read from the versions of a forensic table, or, where a dataset of a live platform has `keep_changes`, from the delta
before it is applied: then it is kept with the batch, as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from psycopg2 import sql

from config_schema.model import Milestoning
from merge_jobs.stores.postgres.batches import MOST_KEPT
from merge_jobs.stores.postgres.tables import DatasetTables

LONGEST_VALUE = 1000  # characters of each value of a sample
LONGEST_KEPT = 200  # where it is kept


class Change(Enum):
    """What a batch did to a key."""

    INSERTED = "inserted"
    UPDATED = "updated"
    DELETED = "deleted"


@dataclass(frozen=True)
class Values:
    """A column of a changed key before and after, as texts; None for NULL and where there is no such row."""

    old: str | None
    new: str | None


@dataclass(frozen=True)
class ChangedKey:
    """A key that a batch changed, with its values; None for a key that may not be seen.

    `values` are of the columns that differ; for a row that came or went they are all that are not NULL. `hidden` are
    columns that differ too and whose values may not be seen.
    """

    change: Change
    key: Mapping[str, str] | None
    values: Mapping[str, Values]
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class DatasetChanges:
    """The number of keys by what was done to them, how many updated ones differ in each column, and some keys."""

    counts: Mapping[Change, int]
    columns: Mapping[str, int]
    keys: tuple[ChangedKey, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data; values are texts."""
        return {
            **{change.value: number for change, number in self.counts.items()},
            "updated_columns": dict(self.columns),
            "keys": [
                {
                    "change": one.change.value,
                    "key": None if one.key is None else dict(one.key),
                    "values": {name: {"old": values.old, "new": values.new} for name, values in one.values.items()},
                    "hidden": list(one.hidden),
                }
                for one in self.keys
            ],
        }

    def kept_beside(self, others: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a batch keeps of it beside the `others` of the batch: keys as long as there is room for them."""
        kept = self.as_dict()
        room = MOST_KEPT - sum(len(json.dumps(other["keys"])) for other in others.values())
        keys = []
        for key in kept["keys"]:
            room -= len(json.dumps(key))
            if room < 0:
                break
            keys.append(key)
        return kept | {"keys": keys}

    def seen(self, columns: frozenset[str], key: Sequence[str], limit: int) -> DatasetChanges:
        """Return it with at most `limit` keys of each kind, and values of these columns only."""
        taken: dict[Change, int] = dict.fromkeys(Change, 0)
        keys = []
        for one in self.keys:
            taken[one.change] += 1
            if taken[one.change] <= limit:
                hidden = (*one.hidden, *(name for name in one.values if name not in columns))
                shown = {name: values for name, values in one.values.items() if name in columns}
                keys.append(replace(one, key=one.key if columns.issuperset(key) else None, values=shown, hidden=hidden))
        return replace(self, keys=tuple(keys))


def changes_from_dict(data: Mapping[str, Any]) -> DatasetChanges:
    """Return what `as_dict` has written."""
    return DatasetChanges(
        {change: data[change.value] for change in Change},
        data["updated_columns"],
        tuple(
            ChangedKey(
                Change(one["change"]),
                one["key"],
                {name: Values(**values) for name, values in one["values"].items()},
                tuple(one["hidden"]),
            )
            for one in data["keys"]
        ),
    )


def are_kept(tables: DatasetTables) -> bool:
    """Return whether what a batch changes is kept with it: a forensic table has the versions."""
    return tables.milestoning is Milestoning.LIVE and tables.dataset.keep_changes is not None


def changes_of_delta(tables: DatasetTables, counts: Mapping[Change, int]) -> DatasetChanges:
    """Return what the delta is to change, with as many keys of each kind as the dataset keeps, and no PII."""
    columns = [one.name for one in tables.dataset.columns]
    seen = tables.dataset.kept_columns
    parts = value_parts(columns, tables.dataset.primary_key, seen, LONGEST_KEPT)
    row = tables.run("changes.of_delta", {"limit": tables.dataset.keep_changes}, **parts).fetchone()
    assert row is not None
    return found_changes(counts, row[0], row[1], columns, tables.dataset.primary_key, seen)


def found_changes(
    counts: Mapping[Change, int],
    differing: Sequence[int],
    shown: Sequence[Mapping[str, Any]] | None,
    columns: Sequence[str],
    key: Sequence[str],
    seen: frozenset[str],
) -> DatasetChanges:
    """Return the changes that a query with the placeholders of `value_parts` has found."""
    numbers = zip(columns, differing, strict=True)
    keys = tuple(_changed_key(one, columns, key, seen) for one in shown or ())
    return DatasetChanges(counts, {name: number for name, number in numbers if number}, keys)


def _changed_key(
    shown: Mapping[str, Any], columns: Sequence[str], key: Sequence[str], seen: frozenset[str]
) -> ChangedKey:
    both = zip(columns, shown["different"], shown["old"], shown["new"], strict=True)
    differing = [(name, Values(old, new)) for name, is_different, old, new in both if is_different]
    return ChangedKey(
        Change(shown["kind"]),
        dict(zip(key, shown["key"], strict=True)) if seen.issuperset(key) else None,
        {name: values for name, values in differing if name in seen},
        tuple(name for name, _ in differing if name not in seen),
    )


def value_parts(
    columns: Sequence[str], key: Sequence[str], seen: frozenset[str], longest: int
) -> dict[str, sql.Composable]:
    """Return the placeholders of a query by rows `s` and `m`, after and before, with values of `seen` columns."""
    comma = sql.SQL(", ")

    def differs(name: str) -> sql.Composable:
        return sql.SQL("ROW({})::record *<> ROW({})::record").format(
            sql.Identifier("s", name), sql.Identifier("m", name)
        )

    def text(value: sql.Composable) -> sql.Composable:
        # Every type has a text, which ::text would trim of a char(n).
        parts = (value, value, sql.Literal(longest))
        return sql.SQL("CASE WHEN {} IS NOT NULL THEN left(format('%s', {}), {}) END").format(*parts)

    def texts(alias: str) -> sql.Composable:
        of = (
            sql.SQL("CASE WHEN {} THEN {} END").format(differs(name), text(sql.Identifier(alias, name)))
            if name in seen
            else sql.SQL("NULL")
            for name in columns
        )
        return comma.join(of)

    def of_key(name: str) -> sql.Composable:
        if not seen.issuperset(key):
            return sql.SQL("NULL")
        return text(sql.SQL("coalesce({}, {})").format(sql.Identifier("s", name), sql.Identifier("m", name)))

    return {
        "key_texts": sql.SQL("ARRAY[{}]::text[]").format(comma.join(map(of_key, key))),
        "differing_rows": comma.join(sql.SQL("count(*) FILTER (WHERE {})").format(differs(name)) for name in columns),
        "is_different": comma.join(map(differs, columns)),
        "old_texts": texts("m"),
        "new_texts": texts("s"),
    }
