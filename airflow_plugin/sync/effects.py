"""The effects of a model change on merge tables, consumers' views, masks, quality checks and rights. Pure.

The next batch of a stream changes its tables, and the views that read them follow; this module says how, before it
happens. It does not look at a platform's database, except for which tables have been loaded: all others are new.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from airflow_plugin.sync.consumption import Consumption, View, consumption, merge_table
from config_schema.gc_paused import gc_paused
from config_schema.model import DELETED_COLUMN, Cursor, Dataset, Milestoning, Platform
from config_schema.model.mapping import Model
from config_schema.model.sql_types import long_name


class EffectKind(Enum):
    """The kinds of things that a change of the model affects."""

    TABLE = "table"
    VIEW = "view"
    MASK = "mask"
    CHECK = "check"
    RIGHT = "right"


class Sign(Enum):
    """Whether something is added, removed or changed."""

    NEW = "+"
    CHANGED = "~"
    GONE = "-"


@dataclass(frozen=True)
class Effect:
    """One effect of a model change on the thing of this name, in words."""

    kind: EffectKind
    sign: Sign
    name: str
    what: str

    def to_dict(self) -> dict[str, str]:
        """Return it as --json shows it."""
        return {"kind": self.kind.value, "sign": self.sign.name.lower(), "name": self.name, "what": self.what}


@gc_paused()
def model_effects(before: Model | None, after: Model, platform: str, loaded: Collection[str]) -> tuple[Effect, ...]:
    """Return what the change does on a platform, named as in the model; `loaded` are the merge tables that exist.

    Without a model `before`, everything is new.
    """
    was, is_ = consumption(before, platform), consumption(after, platform)
    return (*_on_tables(was, is_, platform, loaded), *_on_views(was, is_, loaded), *_on_rights(was, is_))


def _on_tables(was: Consumption, is_: Consumption, platform: str, loaded: Collection[str]) -> Iterator[Effect]:
    if was.platform is not None and is_.platform is not None:
        yield from _on_merge_store(was.platform, is_.platform)
    for key, (store, dataset) in is_.tables.items():
        table = merge_table(platform, store, dataset)
        if key not in was.tables:
            how = "gets the rows of this stream again" if table in loaded else "made by the first load"
            yield Effect(EffectKind.TABLE, Sign.NEW, table, f"{how}, {len(dataset.columns)} columns")
            yield from _on_checks(key, None, dataset)
            continue
        before = was.tables[key][1]
        if before != dataset:
            if table in loaded:
                yield from _on_columns(table, before, dataset)
                if before.columns != dataset.columns and is_.platform is not None and is_.platform.lake is not None:
                    what = "its rows are in a lake, whose tables do not follow a changed model: its batches fail"
                    yield Effect(EffectKind.TABLE, Sign.CHANGED, table, what)
                yield from _on_history(table, before, dataset, is_.platform)
                yield from _on_indexes(table, before, dataset)
            yield from _on_checks(key, before, dataset)
    for key in (key for key in was.tables if key not in is_.tables):
        what = "no dataset group of this platform uses it any more: its rows stay, and no batch writes it"
        yield Effect(EffectKind.TABLE, Sign.GONE, merge_table(platform, *was.tables[key]), what)


def _on_merge_store(before: Platform, after: Platform) -> Iterator[Effect]:
    where = [f"{one.host}:{one.port}/{one.database}.{one.schema}" for one in (before.merge_store, after.merge_store)]
    if where[0] != where[1]:
        what = f"was {where[0]}: every stream begins there with a first load, unless its tables are moved"
        yield Effect(EffectKind.TABLE, Sign.CHANGED, where[1], what)
    if before.lake != after.lake:
        was, is_ = ("no lake" if one.lake is None else one.lake.warehouse for one in (before, after))
        what = f"{was} becomes {is_}: no merge table can follow, and batches fail"
        yield Effect(EffectKind.TABLE, Sign.CHANGED, after.name, what)
    if before.milestoning is not after.milestoning:
        what = (
            f"{before.milestoning.value} becomes {after.milestoning.value}: no merge table can follow, and batches fail"
        )
        yield Effect(EffectKind.TABLE, Sign.CHANGED, after.name, what)


def _on_columns(table: str, before: Dataset, after: Dataset) -> Iterator[Effect]:
    """Yield the effects on a loaded table. safety.py refuses changes that its data cannot follow."""
    was, is_ = ({one.name: long_name(one.type) for one in of.columns} for of in (before, after))
    changes = [
        f"column {name} {kind} is new: the next batch reads all rows" for name, kind in is_.items() if name not in was
    ]
    changes += [
        f"column {name} becomes {kind}, was {was[name]}" for name, kind in is_.items() if was.get(name, kind) != kind
    ]
    changes += [
        f"column {name} has left: it stays, NULL in rows written from now on" for name in was if name not in is_
    ]
    if before.primary_key != after.primary_key:
        changes.append(f"its key becomes ({', '.join(after.primary_key)}), was ({', '.join(before.primary_key)})")
    if before.source_table != after.source_table:
        changes.append(f"it is read from {after.source_table}, before from {before.source_table}: compared in full")
    for what in changes:
        yield Effect(EffectKind.TABLE, Sign.CHANGED, table, what)


def _on_history(table: str, before: Dataset, after: Dataset, platform: Platform | None) -> Iterator[Effect]:
    """Yield what becomes of rows that the source has lost, of closed versions, of times, and of what batches keep."""
    if after.keeps_deleted is not before.keeps_deleted:
        stay = f"rows that the source loses stay, with the batch in {DELETED_COLUMN}: the next batch reads all rows"
        gone = "rows that were kept though the source had lost them go with the next batch"
        yield Effect(EffectKind.TABLE, Sign.CHANGED, table, stay if after.keeps_deleted else gone)
    if after.cursor != before.cursor:
        yield Effect(EffectKind.TABLE, Sign.CHANGED, table, _of_cursor(before.cursor, after.cursor))
    if after.reads_files_once is not before.reads_files_once:
        once = "each file is read once from now on, all that are there first: nothing is deleted any more"
        together = "its files are all of its rows from now on: what is in none of them is deleted"
        yield Effect(EffectKind.TABLE, Sign.CHANGED, table, once if after.reads_files_once else together)
    days, is_forensic = after.keep_closed_days, platform is not None and platform.milestoning is Milestoning.FORENSIC
    if is_forensic and days != before.keep_closed_days:
        what = f"versions that were closed more than {days} days ago are deleted from the next batch on"
        kept = "closed versions are kept for ever from now on"
        yield Effect(EffectKind.TABLE, Sign.CHANGED, table, kept if days is None else what)
    number = after.keep_changes
    if not is_forensic and number != before.keep_changes:
        what = f"batches keep what they change, and up to {number} keys of each kind with their values"
        nothing = "batches no longer keep what they change"
        yield Effect(EffectKind.TABLE, Sign.CHANGED, table, nothing if number is None else what)
    column = after.valid_from
    if is_forensic and column != before.valid_from:
        of = "of their batch" if column is None else f"in {column}, which it gives all of them"
        what = f"the next batch reads all rows, and versions are valid from the time {of}"
        yield Effect(EffectKind.TABLE, Sign.CHANGED, table, what)


def _on_indexes(table: str, before: Dataset, after: Dataset) -> Iterator[Effect]:
    for index in (one for one in after.indexes if one not in before.indexes):
        what = f"gets an index on ({', '.join(index.columns)}), which its next run builds while it is read"
        yield Effect(EffectKind.TABLE, Sign.CHANGED, table, what)
    for index in (one for one in before.indexes if one not in after.indexes):
        yield Effect(EffectKind.TABLE, Sign.CHANGED, table, f"loses the index on ({', '.join(index.columns)})")


def _of_cursor(before: Cursor | None, after: Cursor | None) -> str:
    if after is None:
        return "changes are no longer found by a cursor: the next batch reads all rows"
    how = f"changes are found by the cursor {after.column}"
    if before is None or (before.column, before.tie_breaker, before.deleted_at) != (
        after.column,
        after.tie_breaker,
        after.deleted_at,
    ):
        how += ": the next batch reads all rows, later ones only those from the last value on"
    if after.delete_sweep is not None:
        return f"{how}; what the source has lost goes with a sweep of all keys, once in {after.delete_sweep} s"
    marked = "" if after.deleted_at is None else f", unless it sets {after.deleted_at}"
    return f"{how}; rows that the source has lost stay until a batch reads all rows{marked}"


def _on_checks(dataset: str, before: Dataset | None, after: Dataset) -> Iterator[Effect]:
    was = {} if before is None else {one.name: one for one in before.checks}
    for check in after.checks:
        what = f"{check.kind.value}, {check.severity.value}"
        if check.name not in was:
            yield Effect(EffectKind.CHECK, Sign.NEW, f"{dataset} {check.name}", what)
        elif was[check.name] != check:
            yield Effect(EffectKind.CHECK, Sign.CHANGED, f"{dataset} {check.name}", _changed(was[check.name], check))
    now = {one.name for one in after.checks}
    for name in (name for name in was if name not in now):
        yield Effect(EffectKind.CHECK, Sign.GONE, f"{dataset} {name}", "no longer checked")


def _changed(before: object, after: object) -> str:
    keys = [key for key in vars(after) if vars(before).get(key, after) != vars(after)[key]]
    values = [_plain(vars(one).get(key)) for key in keys for one in (before, after)]
    return (
        "; ".join(f"{key}: {values[2 * n]} -> {values[2 * n + 1]}" for n, key in enumerate(keys))
        or "another kind of check"
    )


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value.value if isinstance(value, Enum) else value)


def _on_views(was: Consumption, is_: Consumption, loaded: Collection[str]) -> Iterator[Effect]:
    """Yield the effects on views. One whose table was never loaded is not there, so that nothing of it changes."""
    for key, view in is_.views.items():
        before = was.views.get(key)
        if before is None:
            for name in view.names:
                yield Effect(EffectKind.VIEW, Sign.NEW, name, "made once its table has a batch")
        elif view.table in loaded:
            yield from _on_view(before, view)
        yield from _on_masks(before, view)
    for key in (key for key in was.views if key not in is_.views):
        for name in was.views[key].names if was.views[key].table in loaded else ():
            yield Effect(EffectKind.VIEW, Sign.GONE, name, "dropped, unless something of others is built on it")


def _on_view(before: View, after: View) -> Iterator[Effect]:
    renamed = _renames(before, after)
    for name, new in renamed.items():
        what = f"renamed, was {name}: rights and what is built on it stay, queries by the former name fail"
        yield Effect(EffectKind.VIEW, Sign.CHANGED, new, what)
    for name in after.names:
        if name not in (*before.names, *renamed.values()):
            yield Effect(EffectKind.VIEW, Sign.NEW, name, "made once its table has a batch")
    for name in before.names:
        if name not in (*after.names, *renamed):
            yield Effect(EffectKind.VIEW, Sign.GONE, name, "dropped, unless something of others is built on it")
    changes = [f"column {one} is new" for one in after.columns if one not in before.columns]
    changes += [f"column {one} is NULL from now on" for one in before.columns if one not in after.columns]
    for name in after.names if changes else ():
        if name in (*before.names, *renamed.values()):
            yield Effect(EffectKind.VIEW, Sign.CHANGED, name, "; ".join(changes))


def _renames(before: View, after: View) -> dict[str, str]:
    """Return the new name of each view that has another one: both have their kinds in the same order."""
    return {old: new for old, new in zip(before.names, after.names, strict=False) if old != new}


def _on_masks(before: View | None, after: View) -> Iterator[Effect]:
    was = frozenset[str]() if before is None else before.masked
    for column in after.columns:
        if column in after.masked and column not in was:
            yield Effect(EffectKind.MASK, Sign.NEW, f"{after.names[0]} {column}", f"NULL for {after.workspace}")
        elif column in was and column not in after.masked:
            yield Effect(EffectKind.MASK, Sign.GONE, f"{after.names[0]} {column}", f"{after.workspace} sees its values")


def _on_rights(was: Consumption, is_: Consumption) -> Iterator[Effect]:
    renamed: dict[str, str] = {}
    for key in was.views.keys() & is_.views.keys():
        renamed |= _renames(was.views[key], is_.views[key])
    before, after = _read_by(was.views.values()), _read_by(is_.views.values())
    before = {role: {renamed.get(name, name) for name in of} for role, of in before.items()}
    for role in after:
        gained, lost = after[role] - before.get(role, set()), before.get(role, set()) - after[role]
        if gained:
            sign = Sign.CHANGED if role in before else Sign.NEW
            yield Effect(EffectKind.RIGHT, sign, role, f"may read {_some(gained)}")
        if lost:
            yield Effect(EffectKind.RIGHT, Sign.CHANGED, role, f"may no longer read {_some(lost)}")
    for role in (role for role in before if role not in after):
        yield Effect(EffectKind.RIGHT, Sign.GONE, role, f"may no longer read {_some(before[role])}")


def _read_by(views: Iterable[View]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for view in views:
        found.setdefault(view.role, set()).update(view.names)
    return found


def _some(views: Collection[str]) -> str:
    first = sorted(views)[0]
    return first if len(views) == 1 else f"{len(views)} views, {first} for one"
