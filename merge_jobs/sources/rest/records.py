"""Rows of a dataset out of an API's records: where each column's value is, and what is wrong with one that is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from config_schema.model import Column, RestEndpoint
from config_schema.model.rest import INDEX, Steps, nested_path, steps_of
from config_schema.model.sql_types import base_type, long_name
from merge_jobs.misfit import Encoder, Misfit, Reason
from merge_jobs.sources.rest.errors import AnswerBroken, RecordRefused
from merge_jobs.sources.values.encoders import FAMILIES, encoder
from merge_jobs.sources.values.json_values import is_json, json_value, nested_as_json
from merge_jobs.sources.values.row_writer import line, misfit_of

MISSING: Any = object()
TEXTS = ("text", "character varying", "character", "name")
TOO_DEEP = Reason("a value that is nested too deeply", "Leave the column out, or let the API give less of it")
Get = Callable[[Any, Any, int], Any]  # of a record, the element of its nested list or itself, and the element's number


def value_at(value: Any, steps: Steps) -> Any:
    """Return what keys and numbers lead to: None below one that is null, MISSING where an object has no such key."""
    for step in steps:
        if value is None:
            return None
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return MISSING
            value = value[step]
        elif isinstance(value, dict):
            value = value.get(step, MISSING)
        else:
            return MISSING
    return value


class RecordWriter:
    """Writes the records of pages as rows of a dataset, for columns of these types in the merge store."""

    def __init__(self, where: str, endpoint: RestEndpoint, columns: Sequence[Column], types: Mapping[str, str]) -> None:
        self._where, self._columns = where, columns
        self._nested = endpoint.nested
        self._to_nested = () if endpoint.nested is None else steps_of(endpoint.nested)
        optional = frozenset(endpoint.optional)
        self._gets = [_get(column, column.name in optional) for column in columns]
        self._encoders = [_encoder(column, types[column.name]) for column in columns]
        self._keys = _plain_keys(columns) if endpoint.nested is None and not optional else None

    def lines(self, page: int, records: Sequence[Any]) -> tuple[bytes, int]:
        """Return a page's rows in COPY's text format, and how many there are. Raises RecordRefused and AnswerBroken."""
        encoders = self._encoders
        try:
            if self._keys is not None:
                values = itemgetter(*self._keys)
                rows: list[Any] = list(map(values, records)) if len(self._keys) > 1 else [[values(r)] for r in records]
            else:
                rows = [self._row(*one) for _, *one in self._elements(page, records)]
            return "".join([line(row, encoders) for row in rows]).encode(), len(rows)
        except (Misfit, KeyError, TypeError, IndexError, UnicodeEncodeError, RecursionError):
            self._refuse(page, records)
            raise

    def _row(self, record: Any, element: Any, index: int) -> list[Any]:
        return [get(record, element, index) for get in self._gets]

    def _elements(self, page: int, records: Sequence[Any]) -> Iterator[tuple[int, Any, Any, int]]:
        """Yield the number of each record, itself, and the element that is a row with its number."""
        for number, record in enumerate(records, 1):
            if not isinstance(record, dict):
                raise AnswerBroken(self._where, page, f"record {number} is no object")
            if self._nested is None:
                yield number, record, record, 0
                continue
            found = value_at(record, self._to_nested)
            if found is not None and not isinstance(found, list):
                has = "has no such list" if found is MISSING else "has something else than a list"
                raise AnswerBroken(self._where, page, f"record {number} {has}: {self._nested}")
            for index, element in enumerate(found or ()):
                yield number, record, element, index

    def _refuse(self, page: int, records: Sequence[Any]) -> None:
        """Raise the error for the first record that is wrong."""
        for number, record, element, index in self._elements(page, records):
            for column, get, write in zip(self._columns, self._gets, self._encoders, strict=True):
                reason = _reason(column, get, write, (record, element, index))
                if reason is not None:
                    place = str(number) if self._nested is None else f"{number}, element {index + 1} of {self._nested}"
                    raise RecordRefused(self._where, page, place, column.name, reason) from None


def _reason(column: Column, get: Get, write: Encoder, of: tuple[Any, Any, int]) -> Reason | None:
    try:
        return misfit_of(get(*of), write)
    except (KeyError, TypeError):
        todo = "Correct the column's path in the model, or name the column in the endpoint's optional: it is NULL then"
        return Reason(f"the record has no {column.path or column.name}", todo)
    except RecursionError:
        return TOO_DEEP


def _plain_keys(columns: Sequence[Column]) -> list[str] | None:
    """Return the key of each column, if each is one key of the record."""
    steps = [(column.name,) if column.path is None else steps_of(column.path) for column in columns]
    of_record = not any((column.path or "").startswith("$") for column in columns)
    return [str(one[0]) for one in steps] if of_record and all(len(one) == 1 for one in steps) else None


def _get(column: Column, may_lack: bool) -> Get:
    of_parent, path = (False, None) if column.path is None else nested_path(column.path)
    if path == INDEX:
        return lambda record, element, index: index
    steps: Steps = (column.name,) if path is None else steps_of(path)

    def get(record: Any, element: Any, index: int) -> Any:
        value = value_at(record if of_parent else element, steps)
        if value is MISSING:
            if may_lack:
                return None
            raise KeyError
        return value

    return get


def _encoder(column: Column, type_name: str) -> Encoder:
    write = encoder(type_name)
    if is_json(column):
        return lambda value: write(json_value(value))
    base = base_type(long_name(type_name))
    if base in TEXTS or base not in FAMILIES:
        return lambda value: write(nested_as_json(value))
    return write
