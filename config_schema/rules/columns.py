"""Keys, types and names of columns: what a merge table can be made of."""

from __future__ import annotations

from collections.abc import Iterator

from config_schema.errors import Finding, choose_from
from config_schema.model import VERSION_COLUMNS, Ecosystem
from config_schema.rules.parts import datasets


def keys_are_columns(ecosystem: Ecosystem) -> Iterator[Finding]:
    for path, dataset in datasets(ecosystem):
        columns = {column.name: column for column in dataset.columns}
        for key in dataset.primary_key:
            if key not in columns:
                yield f"{path}.primary_key", f"{key!r} is no column", choose_from(key, columns)
            elif columns[key].nullable:
                todo = "Set nullable: false on it, or choose another key"
                yield f"{path}.primary_key", f"{key!r} may be NULL, and a key may not", todo


def columns_leave_our_names(ecosystem: Ecosystem) -> Iterator[Finding]:
    for path, dataset in datasets(ecosystem):
        for k, column in enumerate(dataset.columns):
            if column.name in VERSION_COLUMNS:
                what = f"{column.name!r} is a column that versions of rows have of ours"
                yield f"{path}.columns[{k}].name", what, "Read the table through a view that names it differently"
