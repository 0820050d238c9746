"""The example of market data, as it stands, against a stand-in of its API that fails on the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import config_schema
from config_schema.load.folder import load_placed
from config_schema.model import Milestoning
from merge_jobs.sources.rest import http
from merge_jobs.sources.rest.errors import ApiNotReached, ListIncomplete
from tests.database.rest.conftest import Answer

FOLDER = Path(config_schema.__file__).parent / "examples" / "market_data"
DAY = 86_400_000
PER_PAGE = 3


class Market:
    """The API: pages of three records, each with the address of the next one, for who has the token."""

    def __init__(self, api, path, records):
        self.api, self.records, self.faults = api, records, []
        self.path = path
        api.answers[path] = self.answer

    def answer(self, asked):
        if self.faults and (fault := self.faults.pop(0)) is not None:
            return fault
        if asked.headers.get("authorization") != "Bearer geheim":
            return Answer({"status": "ERROR"}, 401)
        start = int(asked.query.get("from", 0))
        results = self.records[start : start + PER_PAGE]
        following = f"{self.api.url}{self.path}?from={start + PER_PAGE}"
        more = {"next_url": following} if start + PER_PAGE < len(self.records) else {}
        return {"status": "OK", "count": len(results), "results": results, "request_id": asked.number, **more}


@pytest.fixture
def example(of_api, api, monkeypatch):
    monkeypatch.setattr(http, "FIRST_WAIT", 0.0)
    store = load_placed(FOLDER)[0].ecosystem.datastore("Market")

    def make(name):
        dataset = next(one for one in store.datasets if one.name == name)
        return of_api(api, dataset, database=store.source.database, auth=store.source.auth)

    return make


def tickers(*names):
    return [
        {"ticker": name, "name": f"{name} Inc.", "primary_exchange": "XNYS", "active": True, "market": "stocks"}
        for name in names
    ]


def ticker_row(record):
    return (record["ticker"], record["name"], "XNYS", True, record.get("list_date"), None, json.dumps(record))


def test_tickers_are_a_full_list_and_faults_lose_none(example, api):
    case = example("tickers")
    market = Market(api, "/v3/reference/tickers", tickers("A", "B", "C", "D", "E", "F", "G"))
    market.records[1]["list_date"] = "1999-11-18"
    market.faults = [Answer({}, 429, {"Retry-After": "0"}), None, Answer(b"", 500), Answer(b'{"status"', promised=99)]
    case.truth = list(map(ticker_row, market.records))
    case.merge_both()
    assert {asked.query.get("market") for asked in api.asked if "from" not in asked.query} == {"stocks"}
    gone = market.records.pop(2)
    market.records[0]["active"] = True
    case.truth = list(map(ticker_row, market.records))
    for result in case.merge_both(max_delete_fraction=1.0).values():
        assert (result.total.deleted, result.total.total) == (1, 6)
    assert gone["ticker"] == "C"


def test_daily_aggregates_have_a_row_for_each_ticker_and_day_with_every_digit(example, api):
    case = example("daily_aggregates")
    text = (
        '{"T": "%s", "t": %d, "o": 1.10, "h": 0.1234567890123456789, "l": 1E+2, "c": 7, "v": 1234567890123456789.5%s}'
    )
    records = [text % (name, day * DAY, ', "n": 5' if day > 1 else "") for name in "AB" for day in (1, 10)]
    # The first day is older than the lookback of a week.
    body = f'{{"count": 4, "results": [{", ".join(records)}]}}'.encode()
    api.answers["/v2/aggs/daily"] = lambda _: Answer(body)
    numbers = ("1.10", "0.1234567890123456789", "1E+2", "7", "1234567890123456789.5")
    case.truth = [(name, day * DAY, *numbers, 5 if day > 1 else None) for name in "AB" for day in (1, 10)]
    case.merge_both()
    assert {asked.query.get("timestamp.gte") for asked in api.asked} == {None, str(3 * DAY)}
    body = b'{"count": 0, "status": "OK"}'
    for of in Milestoning:
        assert case.run(of).total.total == 4


def test_a_page_that_is_not_whole_or_a_token_that_has_run_out_deletes_nothing(example, api):
    case = example("tickers")
    market = Market(api, "/v3/reference/tickers", tickers("A", "B", "C", "D", "E"))
    case.truth = list(map(ticker_row, market.records))
    case.merge_both()
    changed = {"status": "OK", "count": 2, "results": market.records[3:4]}
    for fault, kind in ((changed, ListIncomplete), (Answer({}, 401), ApiNotReached)):
        for of in Milestoning:
            market.faults = [None, fault]
            with pytest.raises(kind):
                case.run(of, max_delete_fraction=1.0)
            assert len(case.open_rows(of, case.datasets[0])) == 5
    case.merge_both()
