"""Keys that were erased for good (`merge-job erase`): what keeps their rows away from every later batch.

A key is known by a digest only: SHA-256 of a salt and of two hashes that its types have for equal values. So 1.0 and
1.00 are one key, and whoever reads the list without the salt cannot find out a key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from psycopg2 import sql

from config_schema import names
from config_schema.model import Dataset
from config_schema.model.sql_types import INTEGERS, base_type, long_name
from merge_jobs.database.together import Lookup, in_step
from merge_jobs.errors import StoreMismatch
from merge_jobs.sql import Query
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.tables import DatasetTables

KINDS = {**dict.fromkeys([*INTEGERS, "numeric"], "number"), "character varying": "text"}
SALT_LOST = "the salt of their digests is lost"
WITHOUT_HASH = frozenset(["bit", "bit varying"])  # types that an index orders, and PostgreSQL does not hash


class ErasedKeysUnreadable(StoreMismatch):
    """A dataset has erased keys that cannot be recognized: its key has changed since, or their salt is lost.

    Restore the salt, or erase the keys again under the dataset's new key and lift what was erased under the old one
    with dagfactory runs erase --lift --all; nothing is merged until then.
    """

    code = "DF5219"

    def __init__(self, where: str, number: int, reason: str) -> None:
        self.number, self.reason = number, reason
        todo = "Lift them with dagfactory runs erase --lift --all, and erase them again under the key of now"
        super().__init__(where, f"{number} erased keys cannot be recognized any more: {reason}", todo)


def key_form(dataset: Dataset) -> str:
    """Return what a digest depends on: the columns of the key, each with the kind of its type."""
    types = {column.name: column.type for column in dataset.columns}
    return json.dumps([[name, _kind(types[name])] for name in dataset.primary_key], ensure_ascii=False)


def stand(store: MergeStore) -> bool:
    """Return whether the platform has the tables of erased keys: a job or `merge-job erase` makes them."""
    platform = store.stream.platform_name
    wanted = [names.erased_keys_table(platform), names.erasure_salt_table(platform)]
    values = {"schema": store.place.schema, "tables": wanted}
    return bool(store.value("batches.count_tables", values) == len(wanted))


def numbers(store: MergeStore) -> dict[str, int]:
    """Return how many keys of each of the stream's datasets are erased; none for those without.

    Raises ErasedKeysUnreadable if some cannot be recognized.
    """
    (found,) = in_step([finding_numbers(store)], store.together)
    return found


def finding_numbers(store: MergeStore) -> Lookup[dict[str, int]]:
    """Look for how many keys of each dataset are erased; see `numbers`."""
    platform = store.stream.platform_name
    parts = {
        "erased": store.table(names.erased_keys_table(platform)),
        "salt": store.table(names.erasure_salt_table(platform)),
    }
    (rows,) = yield [Query("erased_keys.by_dataset", {"datastore": datastore(store)}, parts)]
    datasets = {dataset.name: dataset for dataset in store.stream.datasets}
    for name, form, number, has_salt in rows:
        if name in datasets:
            _check(f"{store.stream} {name}", number, form, key_form(datasets[name]), has_salt)
    return {name: number for name, _, number, _ in rows}


def keep_away(tables: DatasetTables, loaded: sql.Composable) -> int:
    """Delete the rows of erased keys from a table that was just filled from the source; return their number."""
    return tables.run("erased_keys.keep_away", of(tables), loaded=loaded, digest=digest(tables)).rowcount


def keep_away_from_map(tables: DatasetTables, row_map: sql.Composable) -> None:
    """Take the versions of erased keys out of a map of row versions."""
    tables.run("erased_keys.keep_away_from_map", of(tables), map=row_map, **parts_of(tables))


def more_kept_away(tables: DatasetTables) -> int:
    """Return by how much the number of row versions that the map leaves out grows with its staged changes."""
    return int(tables.value("erased_keys.count_kept_away"))


def datastore(store: MergeStore) -> str:
    """Return the datastore under which erased keys are listed: a trial's tables have those of its stream."""
    return names.without_shadow(store.stream.store.name)


def of(tables: DatasetTables) -> Mapping[str, str]:
    """Return the values that find a dataset's erased keys."""
    return {"datastore": datastore(tables.store), "dataset": tables.name}


def digest(tables: DatasetTables) -> sql.Composable:
    """Return the digest of a row's key, from its columns by their names."""
    types = {column.name: column.type for column in tables.dataset.columns}
    key = sql.SQL(", ").join(_hashed(name, types[name]) for name in tables.dataset.primary_key)
    hashes = sql.SQL(" || ").join(
        sql.SQL("int8send(hash_record_extended(ROW({}), {}))").format(key, sql.Literal(seed)) for seed in (0, 1)
    )
    salt = tables.store.table(names.erasure_salt_table(tables.store.stream.platform_name))
    return sql.SQL("sha256((SELECT z.salt FROM {} z) || {})").format(salt, hashes)


def parts_of(tables: DatasetTables) -> dict[str, sql.Composable]:
    """Return the placeholders of `keep_away_from_map` that depend on the key."""
    columns = [column.name for column in tables.dataset.columns]
    number = sql.Identifier("v", names.own_column("ds_number", columns))
    arrays = (
        sql.SQL("array_agg({} ORDER BY {})").format(sql.Identifier("v", name), number)
        for name in tables.dataset.primary_key
    )
    return {"arrays_of_keys": sql.SQL(", ").join(arrays), "digest": digest(tables)}


def _hashed(name: str, type_text: str) -> sql.Composable:
    base, column = base_type(long_name(type_text)), sql.Identifier(name)
    if base in INTEGERS:
        return sql.SQL("{}::numeric").format(column)  # as a key that is widened to one is hashed
    return sql.SQL("{}::text").format(column) if base in WITHOUT_HASH else column


def _kind(type_text: str) -> str:
    base = base_type(long_name(type_text))
    return KINDS.get(base, base)


def _check(where: str, number: int, made_by: str, form: str, has_salt: bool) -> None:
    if not has_salt:
        raise ErasedKeysUnreadable(where, number, SALT_LOST)
    if made_by != form:
        raise ErasedKeysUnreadable(where, number, f"they were erased by the key {made_by}, and it is {form} now")
