"""A source that has lost most of its rows: refused, and let through once by an operator."""

from __future__ import annotations

import threading
import time

import pytest

from config_schema.model import Milestoning
from merge_jobs.errors import TooManyDeletes

LIVE = Milestoning.LIVE
TABLE = """
    CREATE TABLE customers (id int PRIMARY KEY, word text);
    INSERT INTO customers SELECT n, 'word' FROM generate_series(1, 1000) n;
"""


@pytest.fixture
def case(merging):
    made = merging(TABLE)
    made.merge_both()
    return made


@pytest.mark.parametrize("kind", Milestoning)
def test_a_source_that_lost_most_rows_is_refused_and_the_advice_lets_it_through(case, kind):
    case.execute("DELETE FROM customers WHERE id > 100")
    with pytest.raises(TooManyDeletes, match="dagfactory runs approve-delete") as refused:
        case.run(kind)
    assert not refused.value.retryable
    assert case.batch_rows(kind)[-1][1] == "failed"
    assert case.merge(kind, allow_deletes=True).total.deleted == 900


def test_what_is_allowed_to_one_run_is_not_to_the_next(case):
    case.execute("DELETE FROM customers WHERE id > 400")
    case.merge(LIVE, allow_deletes=True)
    case.execute("DELETE FROM customers WHERE id > 101")
    with pytest.raises(TooManyDeletes):
        case.run(LIVE)


def test_what_is_allowed_to_one_batch_is_not_to_the_next_of_the_same_run(case):
    case.execute("DELETE FROM customers WHERE id > 400")
    errors = []

    def run():
        try:
            case.run(LIVE, allow_deletes=True, time_slice_seconds=60)
        except TooManyDeletes as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive() and case.current_batch(LIVE) < 2:
        time.sleep(0.05)
    case.execute("DELETE FROM customers")
    thread.join(70)
    assert len(errors) == 1
    assert "400 of 400 rows are gone" in str(errors[0])


def test_the_command_has_the_flag(case, tmp_path, read_result):
    case.execute("DELETE FROM customers")
    refused = case.start_child(LIVE, tmp_path, "one").communicate(timeout=60)[0]
    assert "dagfactory runs approve-delete" in read_result(refused).error
    done = case.start_child(LIVE, tmp_path, "two", "--allow-deletes").communicate(timeout=60)[0]
    assert read_result(done).total.deleted == 1000
