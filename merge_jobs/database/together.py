"""Several queries in one message, because a server may be far away, and each message is waited for.

The driver gives the rows of a message's last statement only. So queries become one, which gives the rows of each as
JSON. Where some need the rows of others, `in_step` asks those of all datasets together, round by round.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, TypeVar

from merge_jobs.sql import Query

T = TypeVar("T")
Rows = list[tuple[Any, ...]]
# A look at one dataset: it yields the queries that it has next, is sent the rows of each, and returns what it found.
Lookup = Generator[Sequence[Query], list[Rows], T]

# Names are qualified, as a statement may be read by another search_path. The newline ends a comment of the query's.
ROWS_AS_JSON = """((SELECT pg_catalog.json_agg(pg_catalog.row_to_json(of))::pg_catalog.text FROM (
{}
) of))"""


def combined(queries: Iterable[str]) -> str:
    """Return a query with a row for each of the queries, in order: their rows as JSON, NULL if there are none."""
    return "VALUES " + ",\n".join(ROWS_AS_JSON.format(query) for query in queries)


def rows_of(found: Sequence[tuple[str | None]]) -> list[Rows]:
    """Return the rows of each query from those of the combined one. Times and other types without JSON are texts."""
    return [[] if text is None else [_row(pairs) for pairs in _parsed(text)] for (text,) in found]


class _Pairs(list[tuple[str, Any]]):
    """An object with its keys in order: columns of a row need not have different names."""


def _parsed(text: str) -> list[_Pairs]:
    rows: list[_Pairs] = json.loads(text, object_pairs_hook=_Pairs)
    return rows


def _row(pairs: _Pairs) -> tuple[Any, ...]:
    return tuple(_value(value) for _, value in pairs)


def _value(value: Any) -> Any:
    match value:
        case _Pairs():
            return {key: _value(of) for key, of in value}
        case list():
            return [_value(of) for of in value]
    return value


def in_step(looks: Sequence[Lookup[T]], ask: Callable[[Sequence[Query]], list[Rows]]) -> list[T]:
    """Return what each look finds; `ask` is called once for what all of them ask next."""
    both = beside(looks)
    try:
        asked = next(both)
        while True:
            asked = both.send(ask(asked))
    except StopIteration as ended:
        found: list[T] = ended.value
        return found


def beside(looks: Sequence[Lookup[T]]) -> Lookup[list[T]]:
    """Look as all of the looks do, side by side."""
    found: dict[int, T] = {}
    answers: dict[int, list[Rows] | None] = dict.fromkeys(range(len(looks)))
    while answers:
        asked: dict[int, Sequence[Query]] = {}
        for number, rows in answers.items():
            try:
                asked[number] = next(looks[number]) if rows is None else looks[number].send(rows)
            except StopIteration as ended:
                found[number] = ended.value
        if asked:
            every = iter((yield [query for queries in asked.values() for query in queries]))
        answers = {number: [next(every) for _ in queries] for number, queries in asked.items()}
    return [found[number] for number in range(len(looks))]
