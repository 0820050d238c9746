"""Random histories of an API whose answers go wrong at random pages: a merge table is the last whole list."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config_schema.errors import StreamFactoryError
from config_schema.model import Column, Dataset, Milestoning, RestEndpoint
from merge_jobs.sources.rest import http
from tests.database.rest.conftest import BY_LINK, Answer

WORDS = Dataset(
    "words",
    (Column("id", "integer", nullable=False), Column("word", "text")),
    ("id",),
    endpoint=RestEndpoint("words", "results", BY_LINK, full_list=True, page_records_path="count"),
)
PER_PAGE = 2
# What a page says in place of itself; the first three pass by themselves.
FAULTS = {
    "429": lambda _: Answer({}, 429, {"Retry-After": "0"}),
    "500": lambda _: Answer(b"<html>", 500),
    "cut": lambda page: Answer(Answer(page).content[:-9], promised=len(Answer(page).content)),
    "HTML": lambda _: Answer(b"<html>"),
    "403": lambda _: Answer({}, 403),
    "fewer records": lambda page: {**page, "results": page["results"][1:]} if page["results"] else Answer(b""),
    "another list": lambda page: {"count": page["count"] or 1},  # with 0 it is an empty page
    "a wrong type": lambda page: {**page, "count": 1, "results": [{"id": "x", "word": None}]},
}
PASSING = ("429", "500", "cut")
STATES = st.dictionaries(st.integers(1, 9), st.sampled_from(["a", "b", None]), max_size=7)
STEPS = st.lists(
    st.tuples(STATES, st.none() | st.tuples(st.integers(1, 4), st.sampled_from(list(FAULTS)))), min_size=1, max_size=5
)


def test_a_merge_table_is_the_last_whole_list_whatever_goes_wrong(of_api, api, monkeypatch):
    monkeypatch.setattr(http, "FIRST_WAIT", 0.0)
    case, of, left = of_api(api, WORDS), {kind: {} for kind in Milestoning}, []

    def serve(state, fault):
        records = [{"id": key, "word": word} for key, word in sorted(state.items())]
        left[:] = [fault] if fault else []

        def answer(asked):
            number = int(asked.query.get("page", 1))
            results = records[(number - 1) * PER_PAGE : number * PER_PAGE]
            page = {"count": len(results), "results": results}
            if number * PER_PAGE < len(records):
                page["next_url"] = f"{api.url}/v2/words?page={number + 1}"
            if left and left[0][0] == number:
                return FAULTS[left.pop()[1]](page)
            return page

        api.answers["/v2/words"] = answer

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(steps=STEPS)
    def live_through(steps):
        for state, fault in steps:
            for kind in Milestoning:
                serve(state, fault)
                try:
                    result = case.run(kind, max_delete_fraction=1.0)
                except StreamFactoryError:
                    assert fault
                    assert fault[1] not in PASSING
                else:
                    before, of[kind] = of[kind], dict(state)
                    assert not fault or left or fault[1] in PASSING
                    assert result.total.total == len(state)
                    assert result.total.deleted == len(before.keys() - state.keys())
                there = {int(key[0]): row[1] for key, row in case.open_rows(kind, WORDS).items()}
                assert there == of[kind]

    live_through()
