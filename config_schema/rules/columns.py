"""Keys, types and names of columns: whether a merge table can have them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from config_schema.errors import choose_from, did_you_mean
from config_schema.model import (
    DELETED_COLUMN,
    VERSION_COLUMNS,
    Classification,
    Column,
    Dataset,
    Datastore,
    Ecosystem,
    IndexMethod,
    Milestoning,
    SourceKind,
)
from config_schema.model.claims import Key, files_of, place_in_answer, source_table
from config_schema.model.rest import INDEX
from config_schema.model.sql_types import (
    KNOWN_TYPES,
    TIMES,
    WITHOUT_ORDER,
    base_type,
    least_row_bytes,
    long_name,
)
from config_schema.names import POSTGRES_NAME_BYTES
from config_schema.problem import Finding
from config_schema.rules.files import may_match_alike
from config_schema.rules.parts import datasets

SYSTEM_COLUMNS = ("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid")  # PostgreSQL's, of every table
MOST_COLUMNS = 1600 - len(VERSION_COLUMNS)  # PostgreSQL's limit, less what forensic merge tables have of ours
PAGE_BYTES = 8160  # the most that a row of PostgreSQL's may take
ROW_HEADER_BYTES = 23
BATCH_TYPES = ("integer", "integer")  # of the columns that a forensic table has of ours
TIME = "timestamp with time zone"
NUMBERS = {2: "two", 4: "four"}
VALID_TYPES = (TIME, TIME)  # of those that it has where a column says from when its versions are valid
DELIBERATE = re.compile(r'.*[".].*')  # a quoted or qualified type is nobody's slip


def keys_are_columns(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield keys that are not columns, that may be NULL, or that have no order."""
    for path, _, dataset in datasets(ecosystem):
        columns = {column.name: column for column in dataset.columns}
        for key in dataset.primary_key:
            if key not in columns:
                yield f"{path}.primary_key", f"{key!r} is no column", choose_from(key, columns)
                continue
            if columns[key].nullable:
                todo = "Set nullable: false on it, or choose another key"
                yield f"{path}.primary_key", f"{key!r} may be NULL, and a key may not", todo
            if base_type(columns[key].type) in WITHOUT_ORDER:
                what = f"{key!r} is of type {columns[key].type}, whose values have no order"
                yield f"{path}.primary_key", what, "Choose another key"


def columns_fit_the_merge_table(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield datasets with too many columns, and names that are too long or already taken."""
    for path, store, dataset in datasets(ecosystem):
        most = MOST_COLUMNS - (dataset.keeps_deleted and dataset.valid_from is not None)
        if len(dataset.columns) > most:
            what = f"{len(dataset.columns)} columns are more than a table can have"
            yield f"{path}.columns", what, f"Leave some out: {most} at most"
        for at, name in _names(path, store, dataset):
            if len(name.encode()) > POSTGRES_NAME_BYTES:
                what = f"{name!r} has {len(name.encode())} bytes, and PostgreSQL cuts names at {POSTGRES_NAME_BYTES}"
                yield at, what, "Read the table through a view that has a shorter name"
        for k, column in enumerate(dataset.columns):
            ours = (*VERSION_COLUMNS, *([DELETED_COLUMN] if dataset.keeps_deleted else []))
            if column.name in ours:
                what = f"{column.name!r} is a column that versions of rows have of ours"
            elif column.name in SYSTEM_COLUMNS:
                what = f"{column.name!r} is a column that PostgreSQL has in every table"
            else:
                continue
            yield f"{path}.columns[{k}].name", what, "Read the table through a view that names it differently"


def rows_fit_a_page(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield datasets of which no row can be stored: a row fits a page in the source, but not with our columns."""
    forensic = any(platform.milestoning is Milestoning.FORENSIC for platform in ecosystem.platforms)
    for path, _, dataset in datasets(ecosystem):
        batches = (*BATCH_TYPES, *(VALID_TYPES if dataset.valid_from else ())) if forensic else ()
        filled = [column.type for column in dataset.columns if not column.nullable]
        has_nulls = len(filled) < len(dataset.columns) or len(batches) > len(BATCH_TYPES)
        count = len(dataset.columns) + len(batches)
        header = ROW_HEADER_BYTES + (-(-count // 8) if has_nulls else 0)
        least = least_row_bytes([*filled, *batches], header)
        if least > PAGE_BYTES:
            more = f" with the {NUMBERS[len(batches)]} columns that a forensic table has of ours" if forensic else ""
            what = f"a row takes at least {least} bytes{more}, and PostgreSQL stores {PAGE_BYTES}"
            yield f"{path}.columns", what, "Leave some columns out, or split the table by views with the same key"


def valid_from_is_a_time(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield datasets whose versions are to be valid from a column that is missing, may be NULL, or has no time."""
    for path, _, dataset in datasets(ecosystem):
        if dataset.valid_from is None:
            continue
        at, column = f"{path}.valid_from", next((c for c in dataset.columns if c.name == dataset.valid_from), None)
        times = [one.name for one in dataset.columns if is_time(one)]
        if column is None:
            yield at, f"{dataset.valid_from!r} is no column", choose_from(dataset.valid_from, times)
        elif not is_time(column):
            what = f"{column.name!r} is of type {column.type}, and a version is valid from a timestamp or a date"
            yield at, what, choose_from(column.name, times)
        elif column.nullable:
            todo = "Set nullable: false on it, or read the table through a view that has a time in each row"
            yield at, f"{column.name!r} may be NULL, and a version is valid from some time", todo


def indexes_can_be_built(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield indexes of columns that are missing, that are given twice or stand anyway, or that the method lacks."""
    for path, _, dataset in datasets(ecosystem):
        known = [column.name for column in dataset.columns]
        for number, index in enumerate(dataset.indexes):
            at = f"{path}.indexes[{number}]"
            for name in index.columns:
                if name not in known:
                    yield f"{at}.columns", f"{name!r} is no column", choose_from(name, known)
            if index in dataset.indexes[:number]:
                yield at, "it is given twice", "Keep one of them"
            elif index.method is IndexMethod.BTREE and index.columns == dataset.primary_key[: len(index.columns)]:
                yield at, "the index on the key begins with these columns, and serves the same queries", "Leave it out"
            elif index.method is IndexMethod.HASH and len(index.columns) > 1:
                yield f"{at}.columns", "a hash index has one column", "Name one, or choose btree"


def is_time(column: Column) -> bool:
    """Return whether the column has a timestamp or a date."""
    return base_type(long_name(column.type)) in TIMES and "[" not in column.type


def types_exist(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield columns whose type neither PostgreSQL nor the datastore's `types` has."""
    for path, store, dataset in datasets(ecosystem):
        for k, column in enumerate(dataset.columns):
            if not _is_type(column.type, store):
                near = did_you_mean(base_type(column.type), KNOWN_TYPES)
                todo = f"{near}If the merge store has it, add it to the types of {store.name}"
                yield f"{path}.columns[{k}].type", f"{column.type!r} is no type that PostgreSQL comes with", todo


def tables_are_classified_alike(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield columns of a source's table that two datasets classify differently: the weaker one would expose them."""
    first: dict[Key, tuple[str, Column]] = {}
    yield from _files_are_classified_alike(ecosystem)
    for path, store, dataset in datasets(ecosystem):
        if store.source.kind is SourceKind.FILES:
            continue
        table = source_table(store, dataset)
        for k, column in enumerate(dataset.columns):
            key = (*table, *_place_in_table(dataset, column))
            elsewhere, before = first.setdefault(key, (f"{store.name}.{dataset.name}", column))
            if before.classification is not column.classification:
                now, was = column.classification.value, before.classification.value
                what = f"the same column of the same table is {now} here and {was} in {elsewhere}"
                yield f"{path}.columns[{k}].classification", what, "Give it one classification wherever it is declared"


def _place_in_table(dataset: Dataset, column: Column) -> Key:
    if dataset.endpoint is None:
        return (column.name.casefold(),)
    return place_in_answer(dataset.endpoint, column) or (INDEX, column.name)


def _files_are_classified_alike(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield columns of files that two datasets read and classify differently; their patterns may differ too."""
    found: dict[Key, dict[Classification, list[tuple[Key, str]]]] = {}
    for path, store, dataset in datasets(ecosystem):
        if store.source.kind is not SourceKind.FILES:
            continue
        server, parts = files_of(store, dataset)
        for k, column in enumerate(dataset.columns):
            alike = found.setdefault((*server, column.name), {})
            for classification, others in alike.items():
                if classification is column.classification:
                    continue
                elsewhere = next((name for pattern, name in others if may_match_alike(pattern, parts)), None)
                if elsewhere is not None:
                    what = f"the same column of the same files is {column.classification.value} here and "
                    what += f"{classification.value} in {elsewhere}"
                    todo = "Give it one classification wherever it is declared, or name files that are not the same"
                    yield f"{path}.columns[{k}].classification", what, todo
            alike.setdefault(column.classification, []).append((parts, f"{store.name}.{dataset.name}"))


def _is_type(text: str, store: Datastore) -> bool:
    base = base_type(text)
    return base in KNOWN_TYPES or base in store.types or DELIBERATE.fullmatch(base) is not None


def _names(path: str, store: Datastore, dataset: Dataset) -> Iterator[tuple[str, str]]:
    if store.source.kind is SourceKind.POSTGRESQL:
        yield f"{path}.table" if dataset.table else f"{path}.name", dataset.source_table
    for k, column in enumerate(dataset.columns):
        yield f"{path}.columns[{k}].name", column.name
