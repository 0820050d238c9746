"""All pages of an endpoint, by dlt's client, each with its records, and checked to be the next part of one list."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

from dlt.common.configuration.specs.runtime_configuration import RuntimeConfiguration
from dlt.sources.helpers.rest_client import RESTClient, paginators
from dlt.sources.helpers.rest_client.auth import APIKeyAuth, BearerTokenAuth, HttpBasicAuth

from config_schema.errors import StreamFactoryError
from config_schema.model import RestAuthType, RestEndpoint, RestKeyLocation, RestPaginator, RestPaginatorType
from config_schema.model.rest import steps_of
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.sources.rest.errors import AnswerBroken, ApiNotReached, ListIncomplete
from merge_jobs.sources.rest.http import ApiSession
from merge_jobs.sources.rest.records import MISSING, value_at

log = logging.getLogger(__name__)

MOST_PAGES = 1_000_000
MOST_EMPTY = 1000  # pages without a record, one after another
SECONDS_BETWEEN_LINES = 10.0  # in the log
NUMBER_EXPECTED = "there is no number of records at {path!r} of the answer"


@dataclass(frozen=True)
class ApiPage:
    """A page of records, by its number from 1."""

    number: int
    records: list[Any]


def pages(
    session: ApiSession, place: ConnectionInfo, endpoint: RestEndpoint, where: str, start: str | None = None
) -> Generator[ApiPage, None, None]:
    """Yield the pages of an endpoint; `start` is the value from which on records are asked for.

    Raises AnswerBroken for an answer without the list, ListIncomplete where the pages are not all of one list, and what
    the session raises.
    """
    session.where, session.page = where, 1
    client = RESTClient(
        session.base_url,
        headers={one.name: one.value for one in endpoint.headers},
        auth=_login(place, where),
        session=session,
        config=RuntimeConfiguration(),
    )
    params = {one.name: one.value for one in endpoint.params}
    if endpoint.incremental is not None and (start or endpoint.incremental.initial_value):
        params[endpoint.incremental.start_param] = start or endpoint.incremental.initial_value or ""
    asked = client.paginate(
        endpoint.path,
        params=params,
        paginator=_paginator(endpoint.paginator),
        data_selector=_json_path(endpoint.data_selector),
    )
    checks, began = _Checks(endpoint, where), time.monotonic()
    answers = _translated(asked, where, session)
    for answer in answers:
        records = checks.take(answer)
        yield ApiPage(checks.page, records)
        if time.monotonic() - began > SECONDS_BETWEEN_LINES:
            began = time.monotonic()
            log.info("%s: %d pages, %d records", where, checks.page, checks.records)
        if checks.is_last(answer):
            break
        session.page += 1
    if checks.may_be_capped:
        session.page = checks.page + 1
        behind = {endpoint.paginator.limit_param: endpoint.paginator.limit or 1}
        behind[endpoint.paginator.offset_param] = checks.records
        checks.look_behind(client.get(endpoint.path, params={**params, **behind}))
    checks.finish()


def _translated(asked: Iterator[Any], where: str, session: ApiSession) -> Iterator[Any]:
    """Yield what dlt's client does; where it cannot find the next page, the answer is wrong."""
    while True:
        try:
            answer = next(asked, None)
        except (StreamFactoryError, BrokenPipeError, MemoryError):
            raise
        except Exception:
            # The text of such an error may have the whole answer in it.
            what = "it does not name the next page, or the number of pages, as the paginator expects"
            raise AnswerBroken(where, session.page, what, "Correct the endpoint's paginator in the model") from None
        if answer is None:
            return
        yield answer


class _Checks:
    """What has come of a list so far, and whether it can be the whole."""

    def __init__(self, endpoint: RestEndpoint, where: str) -> None:
        self._endpoint, self._where = endpoint, where
        paginator = endpoint.paginator
        counts_records = paginator.total_path if paginator.type is RestPaginatorType.OFFSET else None
        self._totals = [path for path in (endpoint.total_records_path, counts_records) if path is not None]
        self.page = self.records = self._empty = 0
        self._last: Any = None  # the last answer's JSON
        self._on_last = self._on_filled = 0  # records of the last page, and of the last that had any
        self._total: int | None = None
        self._asked: set[int] = set()

    def take(self, answer: Any) -> list[Any]:
        """Return the records of the next page."""
        self.page += 1
        body = answer.response.parsed
        if self.page > MOST_PAGES:
            raise self._incomplete(f"there are more than {MOST_PAGES} pages")
        asked = hash(answer.response.url)
        if asked in self._asked:
            raise self._incomplete("it leads back to a page that was read before")
        self._asked.add(asked)
        records = self._records(body)
        self._check_full(len(records))
        self._check_totals(body, len(records))
        self.records += len(records)
        self._last, self._on_last = body, len(records)
        self._on_filled = len(records) or self._on_filled
        if self.page == 1:
            self._warn_of_no_next(body)
        self._empty = 0 if records else self._empty + 1
        if self._empty > MOST_EMPTY:
            raise self._incomplete(f"{MOST_EMPTY} pages before it have no records, and there is no end")
        return records

    @property
    def may_be_capped(self) -> bool:
        """Whether a short last page may be short because the server gives no more on any page than it likes.

        Then the next offset was beyond the end of the list, and what lies between was left out.
        """
        of = self._endpoint.paginator
        is_given = bool(self._totals) or of.has_more_path is not None
        is_by_offset = of.type is RestPaginatorType.OFFSET and not is_given
        return is_by_offset and self._on_last == 0 < self._on_filled < (of.limit or 1)

    def look_behind(self, answer: Any) -> None:
        """Take the page behind the last record. Raises ListIncomplete if it has records."""
        self.page += 1
        if self._records(answer.parsed):
            what = f"there are records behind the last of {self.records}: fewer come on a page than are asked for"
            raise self._incomplete(what)

    def is_last(self, answer: Any) -> bool:
        """Return whether no page follows: dlt takes an empty address for one."""
        return not answer.paginator.has_next_page or not answer.request.url

    def finish(self) -> None:
        """Raise ListIncomplete if what has come cannot be the whole."""
        if self._total is not None and self.records != self._total:
            raise self._incomplete(f"the list has ended after {self.records} records, and should have {self._total}")
        paginator = self._endpoint.paginator
        more = self._at(paginator.has_more_path)
        if more is True or (isinstance(more, str) and more.lower() == "true"):
            raise self._incomplete("the list has ended here, and the answer says that there is more")
        if paginator.type is RestPaginatorType.PAGE_NUMBER and paginator.total_path is not None:
            wanted = _whole_number(self._at(paginator.total_path))
            if wanted is not None and self.page < wanted:
                raise self._incomplete(f"the list has ended after {self.page} pages, and should have {wanted}")

    def _at(self, path: str | None) -> Any:
        return None if path is None else value_at(self._last, steps_of(path))

    def _records(self, body: Any) -> list[Any]:
        selector = self._endpoint.data_selector
        found = value_at(body, steps_of(selector))
        if found is MISSING or found is None:
            if self._is_said_to_be_empty(body):
                return []
            raise self._broken(f"there is no list of records at {selector!r} of the answer")
        if isinstance(found, dict) and not steps_of(selector):
            return [found]
        if not isinstance(found, list):
            raise self._broken(f"what is at {selector!r} of the answer is no list of records")
        return found

    def _is_said_to_be_empty(self, body: Any) -> bool:
        said = [self._endpoint.page_records_path, *self._totals]
        return 0 in [_whole_number(value_at(body, steps_of(path))) for path in said if path is not None]

    def _check_full(self, number: int) -> None:
        """Refuse records after a page that had not as many as were asked for: some between them were left out."""
        paginator, before = self._endpoint.paginator, self._on_last
        if self.page > 1 and number and paginator.type is RestPaginatorType.OFFSET and before != paginator.limit:
            what = f"the page before it had {before} records where {paginator.limit} were asked for"
            raise self._incomplete(what)

    def _check_totals(self, body: Any, number: int) -> None:
        path = self._endpoint.page_records_path
        if path is not None and (said := self._number(body, path)) != number:
            raise self._incomplete(f"it has {number} records, and says that it has {said}")
        for path in self._totals:
            total = self._number(body, path)
            if self._total is not None and total != self._total:
                raise self._incomplete(f"the list had {self._total} records before, and now it has {total}")
            self._total = total
        if self._total is not None and self.records + number > self._total:
            raise self._incomplete(f"{self.records + number} records have come, and there should be {self._total}")

    def _number(self, body: Any, path: str) -> int:
        number = _whole_number(value_at(body, steps_of(path)))
        if number is None:
            raise self._broken(NUMBER_EXPECTED.format(path=path))
        return number

    def _warn_of_no_next(self, body: Any) -> None:
        """Say that a first page is taken for the whole list because it has not the key that names the next one."""
        of = self._endpoint.paginator
        path = of.next_url_path or of.cursor_path
        if path is None or self._totals or of.has_more_path or value_at(body, steps_of(path)) is not MISSING:
            return
        log.warning(
            "%s: the first page has nothing at %r, and is taken for the whole list: if it is not, correct the"
            " paginator, or give total_records_path",
            self._where,
            path,
        )

    def _incomplete(self, what: str) -> ListIncomplete:
        return ListIncomplete(self._where, self.page, what)

    def _broken(self, what: str) -> AnswerBroken:
        return AnswerBroken(self._where, self.page, what)


def _whole_number(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return None


def _login(place: ConnectionInfo, where: str) -> Any:
    """Return the login. Raises ApiNotReached for a secret that no header can have, as with the line's end of a file."""
    auth = place.auth
    if auth is None:
        return None
    in_header = auth.type is RestAuthType.BEARER or (
        auth.type is RestAuthType.API_KEY and auth.location is RestKeyLocation.HEADER
    )
    if in_header and not (place.password.isascii() and place.password.isprintable() and " " not in place.password):
        what = "the token or key in the secret has a blank, the end of a line, or a letter that no header can have"
        raise ApiNotReached(where, what, "Write it into the secret without them", retryable=False)
    match auth.type:
        case RestAuthType.BEARER:
            return BearerTokenAuth(token=place.password)
        case RestAuthType.API_KEY:
            return APIKeyAuth(name=auth.name, api_key=place.password, location=auth.location.value)
        case RestAuthType.HTTP_BASIC:
            return HttpBasicAuth(username=place.user, password=place.password)


def _paginator(of: RestPaginator) -> Any:
    total, more = _optional_path(of.total_path), _optional_path(of.has_more_path)
    match of.type:
        case RestPaginatorType.JSON_LINK:
            return paginators.JSONLinkPaginator(next_url_path=_json_path(of.next_url_path or ""))
        case RestPaginatorType.HEADER_LINK:
            return paginators.HeaderLinkPaginator(links_next_key=of.links_next_key)
        case RestPaginatorType.OFFSET:
            return paginators.OffsetPaginator(
                limit=of.limit or 1,
                offset_param=of.offset_param,
                limit_param=of.limit_param,
                total_path=total,
                has_more_path=more,
            )
        case RestPaginatorType.PAGE_NUMBER:
            return paginators.PageNumberPaginator(
                base_page=of.base_page, page_param=of.page_param, total_path=total, has_more_path=more
            )
        case RestPaginatorType.CURSOR:
            return paginators.JSONResponseCursorPaginator(
                cursor_path=_json_path(of.cursor_path or ""), cursor_param=of.cursor_param, has_more_path=more
            )
        case RestPaginatorType.SINGLE_PAGE:
            return paginators.SinglePagePaginator()


def _optional_path(path: str | None) -> str | None:
    return None if path is None else _json_path(path)


def _json_path(path: str) -> str:
    """Return a path in the form that dlt's library of JSON paths takes, whatever its keys are."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f'["{step}"]' for step in steps_of(path))
