"""How an API over HTTP is read: login, endpoint, pages, and where in a record a column's value is. Pure.

The words are those of dlt's configuration of REST APIs, as far as it has them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

__all__ = [  # what a model is made of
    "RestAuth",
    "RestAuthType",
    "RestCursorFormat",
    "RestEndpoint",
    "RestIncremental",
    "RestKeyLocation",
    "RestPaginator",
    "RestPaginatorType",
    "RestParam",
]

RECORD, INDEX, PARENT = "$", "$index", "$parent"
ANY = "[]"  # whichever element of a list; no key of an object is written so
STEP = re.compile(r'\.?([A-Za-z_@][A-Za-z0-9_@-]*)|\[(\d+)\]|\["([^"]*)"\]')
Steps = tuple[str | int, ...]


class RestAuthType(Enum):
    """How a request says who asks. A token and a key are the password of the source's secret."""

    BEARER = "bearer"
    API_KEY = "api_key"
    HTTP_BASIC = "http_basic"


class RestKeyLocation(Enum):
    """Where a request has its key."""

    HEADER = "header"
    QUERY = "query"


@dataclass(frozen=True)
class RestAuth:
    """The login at an API. What follows `type` is of `api_key`."""

    type: RestAuthType
    name: str = "Authorization"  # of the header or parameter
    location: RestKeyLocation = RestKeyLocation.HEADER


class RestPaginatorType(Enum):
    """What leads from a page to the next one."""

    JSON_LINK = "json_link"  # an address in the answer
    HEADER_LINK = "header_link"  # an address in the header Link
    OFFSET = "offset"  # the number of the first record
    PAGE_NUMBER = "page_number"
    CURSOR = "cursor"  # a mark in the answer, which the next request repeats
    SINGLE_PAGE = "single_page"  # nothing: there is one page


@dataclass(frozen=True)
class RestPaginator:
    """How all pages of an endpoint are read. Paths are in the answer."""

    type: RestPaginatorType
    next_url_path: str | None = None  # of json_link
    links_next_key: str = "next"  # of header_link: the link's `rel`
    limit: int | None = None  # of offset: records on a page
    offset_param: str = "offset"
    limit_param: str = "limit"
    base_page: int = 0  # of page_number: the number of the first page
    page_param: str = "page"
    cursor_path: str | None = None  # of cursor
    cursor_param: str = "cursor"
    total_path: str | None = None  # of offset the number of records, of page_number that of pages
    has_more_path: str | None = None  # of offset, page_number and cursor: whether there is another page


@dataclass(frozen=True)
class RestParam:
    """A parameter of a request's query, or a header, that is always the same."""

    name: str
    value: str


class RestCursorFormat(Enum):
    """How a request writes the value from which on records are asked for."""

    ISO = "iso"  # 2026-01-02T03:04:05.123Z; of a date and of a timestamp without a zone as they are
    DATE = "date"  # 2026-01-02
    UNIX = "unix"  # whole seconds since 1970, in UTC
    UNIX_MS = "unix_ms"  # milliseconds


@dataclass(frozen=True)
class RestIncremental:
    """How an endpoint is asked for the records that have changed; with the dataset's `cursor`."""

    start_param: str  # records are asked for whose cursor is at this or after it
    format: RestCursorFormat = RestCursorFormat.ISO  # of a time or a date; an integer is written as it is
    initial_value: str | None = None  # sent where all records are read; none: the parameter is left out


@dataclass(frozen=True)
class RestEndpoint:
    """Where a dataset's records are, below the source's base path. Paths are in the answer, `nested` in a record."""

    path: str
    data_selector: str  # the list of records; `$`: the answer itself
    paginator: RestPaginator
    params: tuple[RestParam, ...] = ()
    headers: tuple[RestParam, ...] = ()
    nested: str | None = None  # the list in each record whose elements are the dataset's rows; none: the records are
    optional: tuple[str, ...] = ()  # columns whose key a record may lack: they are NULL then
    # All pages have all records: a key that is in none of them is gone. Otherwise the dataset has a cursor.
    full_list: bool = False
    incremental: RestIncremental | None = None
    total_records_path: str | None = None  # how many records all pages have
    page_records_path: str | None = None  # how many records this page has


def steps_of(path: str) -> Steps:
    """Return the keys and numbers that lead to a value: `a.b[0]["c d"]` gives a, b, 0, `c d`; `$` gives none."""
    rest = path.removeprefix(RECORD) if path[:2] in (RECORD, "$.", "$[") else path
    return tuple(int(number) if number else key or quoted for key, number, quoted in STEP.findall(rest))


def nested_path(path: str) -> tuple[bool, str]:
    """Return whether a column's path begins at the record that contains the element, and the path from there."""
    if path == PARENT:
        return True, RECORD
    if path.startswith((f"{PARENT}.", f"{PARENT}[")):
        return True, path.removeprefix(PARENT).removeprefix(".")
    return False, path
