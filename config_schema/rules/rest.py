"""The rules of producers that are APIs over HTTP: where they are, how pages follow, and where records have values."""

from __future__ import annotations

import re
from collections.abc import Iterator

from config_schema.errors import choose_from
from config_schema.model import (
    Classification,
    Consistency,
    Database,
    Dataset,
    DatasetStrategy,
    Datastore,
    Ecosystem,
    NullCursors,
    RestAuth,
    RestAuthType,
    RestEndpoint,
    RestIncremental,
    RestKeyLocation,
    RestPaginator,
    RestPaginatorType,
    SourceKind,
)
from config_schema.model.claims import Key, place_in_answer, source_table
from config_schema.model.rest import INDEX, PARENT
from config_schema.model.sql_types import INTEGERS, base_type, long_name
from config_schema.problem import Finding
from config_schema.rules.parts import datasets

BASE_PATH = re.compile(r"/(?:[A-Za-z0-9_.~:@,+-]+(?:/[A-Za-z0-9_.~:@,+-]+)*/?)?")
ANOTHER = "another one of params"
OF_API_KEY = ("name", "location")
NEEDED = {
    RestPaginatorType.JSON_LINK: ("next_url_path",),
    RestPaginatorType.OFFSET: ("limit",),
    RestPaginatorType.CURSOR: ("cursor_path",),
}
POSSIBLE = {
    RestPaginatorType.JSON_LINK: ("next_url_path",),
    RestPaginatorType.HEADER_LINK: ("links_next_key",),
    RestPaginatorType.OFFSET: ("limit", "offset_param", "limit_param", "total_path", "has_more_path"),
    RestPaginatorType.PAGE_NUMBER: ("base_page", "page_param", "total_path", "has_more_path"),
    RestPaginatorType.CURSOR: ("cursor_path", "cursor_param", "has_more_path"),
    RestPaginatorType.SINGLE_PAGE: (),
}
PARAMS = {
    RestPaginatorType.OFFSET: ("offset_param", "limit_param"),
    RestPaginatorType.PAGE_NUMBER: ("page_param",),
    RestPaginatorType.CURSOR: ("cursor_param",),
}
# What the job or the connection says by itself, or what would be a secret.
OWN_HEADERS = re.compile(
    r"(?:proxy-|content-|sec-).*|authorization|cookie2?|host|connection|keep-alive|te|trailer|transfer-encoding|upgrade"
    r"|accept-encoding|expect|range|if-.*",
    re.IGNORECASE,
)


def apis_can_be_read(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield sources and endpoints that cannot be asked, and columns that no record can have."""
    yield from _of_other_databases(ecosystem)
    for i, store in enumerate(ecosystem.datastores):
        is_api = store.source.kind is SourceKind.REST
        if is_api:
            yield from _of_store(f"datastores[{i}]", store)
        for j, dataset in enumerate(store.datasets):
            at = f"datastores[{i}].datasets[{j}]"
            if not is_api:
                yield from _not_of_an_api(at, store, dataset)
            elif dataset.endpoint is None:
                todo = "Add endpoint: {path: ..., data_selector: ..., paginator: {type: ...}}"
                yield f"{at}.endpoint", "an API needs to be asked somewhere", todo
            else:
                yield from _of_dataset(at, store.source, dataset, dataset.endpoint)


def wholes_are_as_sensitive_as_their_parts(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield columns with an object or a whole record whose parts stand in columns of a stronger classification."""
    order = list(Classification).index
    parts: dict[Key, tuple[int, str]] = {}  # by each object that contains a column's value
    wholes: list[tuple[str, str, Key, int]] = []
    for path, store, dataset in datasets(ecosystem):
        if store.source.kind is not SourceKind.REST or dataset.endpoint is None:
            continue
        table = source_table(store, dataset)
        for k, column in enumerate(dataset.columns):
            steps = place_in_answer(dataset.endpoint, column)
            if steps is None:
                continue
            rank, name = order(column.classification), f"{store.name}.{dataset.name}.{column.name}"
            for length in range(len(steps)):
                within = (*table, *steps[:length])
                parts[within] = max(parts.get(within, (rank, name)), (rank, name))
            wholes.append((f"{path}.columns[{k}].classification", column.name, (*table, *steps), rank))
    for at, name, place, rank in wholes:
        strongest, part = parts.get(place, (rank, ""))
        if strongest > rank:
            said = list(Classification)[strongest].value
            what = f"{name} contains the value of {part}, which is {said}"
            yield at, what, f"Write classification: {said}, or leave one of them out"


def _of_other_databases(ecosystem: Ecosystem) -> Iterator[Finding]:
    found: list[tuple[str, Database | None]] = []
    for i, platform in enumerate(ecosystem.platforms):
        found.append((f"platforms[{i}].merge_store", platform.merge_store))
        found.append((f"platforms[{i}].consumer_db", platform.consumer_db))
    found += ((f"datastores[{i}].source", store.source) for i, store in enumerate(ecosystem.datastores))
    for at, database in found:
        if database is not None and database.auth is not None and database.kind is not SourceKind.REST:
            yield f"{at}.auth", "only a source of kind rest has it", "Leave it out"


def _not_of_an_api(at: str, store: Datastore, dataset: Dataset) -> Iterator[Finding]:
    todo = "Leave it out, or write kind: rest in the datastore's source"
    if dataset.endpoint is not None:
        yield f"{at}.endpoint", f"{store.name} is of kind {store.source.kind.value}, which has no endpoints", todo
    for k, column in enumerate(dataset.columns):
        if column.path is not None:
            what = f"{store.name} is of kind {store.source.kind.value}, and has no records of JSON"
            yield f"{at}.columns[{k}].path", what, todo


def _of_store(at: str, store: Datastore) -> Iterator[Finding]:
    place = store.source
    if not BASE_PATH.fullmatch(place.database) or {".", ".."} & {*place.database.split("/")}:
        what = f"{place.database!r} is no path that endpoints can begin with"
        yield f"{at}.source.database", what, "Write it from / on, such as /v2, or / alone"
    if place.port == Database.port:
        yield f"{at}.source.port", f"{place.port} is PostgreSQL's port", "Write port: 443, or the port of the API"
    if store.consistency is Consistency.MULTI_DATASET:
        what = "an API has no one snapshot of several datasets"
        yield f"{at}.consistency", what, "Write consistency: single_dataset"
    if place.auth is not None and place.auth.type is not RestAuthType.API_KEY:
        for key in OF_API_KEY:
            if getattr(place.auth, key) != getattr(RestAuth, key):
                yield f"{at}.source.auth.{key}", "only an api_key has it", "Leave it out, or write type: api_key"


def _of_dataset(at: str, place: Database, dataset: Dataset, endpoint: RestEndpoint) -> Iterator[Finding]:
    if dataset.table is not None:
        yield f"{at}.table", "an endpoint has a path instead of a table's name", "Leave it out"
    if {".", ".."} & {*endpoint.path.split("/")}:
        yield f"{at}.endpoint.path", "it goes up by ..", "Write the whole path"
    yield from _of_changes(at, dataset, endpoint)
    yield from _of_paginator(f"{at}.endpoint.paginator", endpoint.paginator)
    yield from _of_requests(f"{at}.endpoint", place.auth, endpoint)
    yield from _of_columns(at, dataset, endpoint)


def _of_changes(at: str, dataset: Dataset, endpoint: RestEndpoint) -> Iterator[Finding]:
    """Yield what lets a batch take records for gone that are not, or leave changed ones out."""
    cursor = dataset.cursor if dataset.strategy is DatasetStrategy.CURSOR else None
    if cursor is None and not endpoint.full_list:
        what = "a batch cannot know which keys are gone if the endpoint does not list all of them"
        todo = "Write full_list: true if all pages together have all records, or strategy: cursor with a cursor"
        yield f"{at}.endpoint.full_list", what, todo
    if cursor is None and endpoint.incremental is not None:
        yield f"{at}.endpoint.incremental", "only a cursor knows where to begin", "Add strategy: cursor and cursor"
    if not endpoint.full_list and dataset.keeps_deleted:
        yield f"{at}.on_delete", "the endpoint does not list all records, so that none is missed", "Leave it out"
    if cursor is None:
        return
    if cursor.delete_sweep is not None and not endpoint.full_list:
        what = "a sweep takes keys for gone that no page has, and the endpoint does not list all of them"
        yield f"{at}.cursor.delete_sweep", what, "Write full_list: true if all pages together have all records"
    for key, default in (("tie_breaker", None), ("nulls", NullCursors.REFUSE)):
        if getattr(cursor, key) != default:
            yield f"{at}.cursor.{key}", "an API cannot be asked for that", "Leave it out"
    if endpoint.incremental is None:
        return
    base = next((base_type(long_name(one.type)) for one in dataset.columns if one.name == cursor.column), "")
    if base in INTEGERS and endpoint.incremental.format is not RestIncremental.format:
        yield f"{at}.endpoint.incremental.format", f"{cursor.column} is an integer, written as it is", "Leave it out"
    if endpoint.full_list and endpoint.incremental.initial_value is not None:
        what = "from a value on the endpoint does not list all records"
        yield f"{at}.endpoint.incremental.initial_value", what, "Leave it out, or leave full_list out"


def _of_paginator(at: str, paginator: RestPaginator) -> Iterator[Finding]:
    kind = paginator.type
    for key in NEEDED.get(kind, ()):
        if getattr(paginator, key) is None:
            yield f"{at}.{key}", f"{kind.value} needs it", f"Add {key}"
    for key in RestPaginator.__dataclass_fields__:
        if key not in ("type", *POSSIBLE[kind]) and getattr(paginator, key) != getattr(RestPaginator, key):
            yield f"{at}.{key}", f"{kind.value} does not have it", choose_from(key, POSSIBLE[kind]) or "Leave it out"
    if kind is RestPaginatorType.OFFSET and paginator.offset_param == paginator.limit_param:
        yield f"{at}.limit_param", "it is the parameter of the offset too", "Name another one"


def _of_requests(at: str, auth: RestAuth | None, endpoint: RestEndpoint) -> Iterator[Finding]:
    taken = {getattr(endpoint.paginator, key): "the paginator" for key in PARAMS.get(endpoint.paginator.type, ())}
    if endpoint.incremental is not None:
        if endpoint.incremental.start_param in taken:
            todo = "Name another parameter"
            yield f"{at}.incremental.start_param", "the paginator has this parameter", todo
        taken[endpoint.incremental.start_param] = "incremental"
    names = {"": taken, "header": {}}
    if auth is not None and auth.type is RestAuthType.API_KEY:
        by_header = auth.location is RestKeyLocation.HEADER
        names["header" if by_header else ""][auth.name.lower() if by_header else auth.name] = "the source's auth"
    for k, param in enumerate(endpoint.params):
        by = names[""].setdefault(param.name, ANOTHER)
        if by != ANOTHER or param.name in {one.name for one in endpoint.params[:k]}:
            yield f"{at}.params[{k}].name", f"{param.name!r} is set by {by} already", "Leave one of them out"
    for k, header in enumerate(endpoint.headers):
        if OWN_HEADERS.fullmatch(header.name) or header.name.lower() in names["header"]:
            what = f"{header.name!r} is no header that a model can set"
            yield f"{at}.headers[{k}].name", what, "Leave it out; a login is auth of the source, with its secret"
        elif not header.value.isascii() or header.value != header.value.strip():
            what = "a header has letters of ASCII only, and no blank at its ends"
            yield f"{at}.headers[{k}].value", what, "Write it without them"
        elif header.name.lower() in {one.name.lower() for one in endpoint.headers[:k]}:
            yield f"{at}.headers[{k}].name", f"{header.name!r} stands here twice", "Leave one of them out"


def _of_columns(at: str, dataset: Dataset, endpoint: RestEndpoint) -> Iterator[Finding]:
    columns = {column.name: column for column in dataset.columns}
    can = [name for name, column in columns.items() if column.nullable]
    for k, name in enumerate(endpoint.optional):
        if name not in columns:
            yield f"{at}.endpoint.optional[{k}]", f"{name!r} is no column", choose_from(name, can)
        elif name not in can:
            yield f"{at}.endpoint.optional[{k}]", f"{name!r} is not nullable, and NULL without its key", "Leave it out"
    for k, column in enumerate(dataset.columns):
        if long_name(column.type).endswith("]"):
            what = f"{column.type} is an array, which JSON has no one way to write"
            yield f"{at}.columns[{k}].type", what, "Write jsonb for a list, or make a dataset of its elements by nested"
        path = column.path or ""
        if endpoint.nested is None and (path == INDEX or path.startswith(PARENT)):
            yield f"{at}.columns[{k}].path", f"{path!r} is of nested elements only", "Add nested to the endpoint"
