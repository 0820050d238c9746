"""The result of each run stands under its id, whatever later runs do; also of one that failed before it had a batch."""

from __future__ import annotations

import subprocess

import pytest

from config_schema.model import Milestoning
from config_schema.result import ResultCode, result_from_dict
from merge_jobs.stores.postgres import run_results

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
TABLE = """
    CREATE TABLE customers (id int PRIMARY KEY, word text);
    INSERT INTO customers SELECT n, 'word ' || n FROM generate_series(1, 10) n;
"""


@pytest.fixture
def case(merging):
    return merging(TABLE)


def kept(case, kind=LIVE):
    """The results by run id."""
    table = f"yellow{kind.value}_run_results"
    return {run: result_from_dict(found) for run, found in case.query(f"SELECT run_id, result_json FROM {table}")}


@pytest.fixture
def merge_job(case, tmp_path, read_result):
    """Run the command; its output, and the result that it reported."""

    def run(run_id, *flags, without=(), **more):
        environment = {key: value for key, value in case.environment.items() if key not in without} | more
        command = case.command(LIVE, tmp_path, run_id, *flags)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout, read_result(done.stdout)

    return run


@pytest.mark.parametrize("kind", [LIVE, FORENSIC])
def test_a_run_keeps_its_result_when_later_ones_find_nothing(case, kind):
    did = {run: case.run(kind, run) for run in ("one", "nothing", "nothing again")}
    case.execute("DELETE FROM customers WHERE id = 1")
    did["two"] = case.run(kind, "two")
    assert kept(case, kind) == did
    assert [did[run].total.changed for run in ("one", "nothing", "two")] == [10, 0, 1]


def test_a_run_of_a_time_slice_has_one_result(case):
    result = case.run(LIVE, "slice", time_slice_seconds=1.2)
    assert kept(case) == {"slice": result}


def test_a_run_that_failed_before_it_had_a_batch_is_kept_with_why(case, merge_job):
    said, result = merge_job("first", without=["PRODUCER_PASSWORD"])
    assert result.code is ResultCode.ERROR
    assert "PRODUCER_PASSWORD" in result.error
    assert kept(case) == {"first": result}, "also where there were no tables yet"
    assert case.batch_rows(LIVE) == []
    assert case.target.password not in said


def test_a_run_that_failed_in_its_batch_keeps_why_when_the_next_one_succeeds(case, merge_job):
    case.execute("ALTER TABLE customers RENAME TO others")
    _, failed = merge_job("failed")
    case.execute("ALTER TABLE others RENAME TO customers")
    _, done = merge_job("done")
    assert kept(case) == {"failed": failed, "done": done}
    assert (failed.code, done.code) == (ResultCode.ERROR, ResultCode.DONE)


def test_a_later_try_of_a_run_takes_the_place_of_the_one_that_failed(case, merge_job):
    merge_job("run", without=["PRODUCER_PASSWORD"])
    _, done = merge_job("run")
    assert kept(case) == {"run": done}


def test_a_run_that_is_done_stays_so_when_a_try_after_it_fails(case, merge_job):
    _, done = merge_job("run")
    merge_job("run", without=["PRODUCER_PASSWORD"])
    assert kept(case)["run"].code is ResultCode.ERROR, "the try that Airflow sees has failed"
    merge_job("run")
    assert kept(case) == {"run": done}


def test_where_the_merge_store_is_away_the_result_is_still_the_last_word(case, merge_job):
    said, result = merge_job("run", "--postgres-port=1")
    assert result.retryable
    assert "WARNING the failure of run run stands in this log only" in said
    assert said.splitlines()[-1] == "DATASURFACE_RESULT_CODE=-1"


def test_results_that_need_not_be_kept_any_more_go_a_hundred_at_a_time(case, monkeypatch):
    case.run(LIVE, "with a batch")
    monkeypatch.setattr(run_results, "KEPT_WITHOUT_BATCH", "-1 second")
    for number in range(3):
        case.run(LIVE, f"nothing {number}")
    assert kept(case).keys() == {"with a batch", "nothing 2"}
    case.execute(
        "INSERT INTO yellowlive_run_results SELECT 'Store1', 'old ' || n, now(), now() - interval '1 day', '{}' "
        "FROM generate_series(1, 150) n",
        on=case.target,
    )
    case.run(LIVE, "next")
    ((left,),) = case.query("SELECT count(*) FROM yellowlive_run_results WHERE run_id LIKE 'old %'")
    assert left == 50


def test_a_table_of_results_that_was_lost_is_made_again(case):
    case.run(LIVE, "one")
    case.execute("DROP TABLE yellowlive_run_results", on=case.target)
    result = case.run(LIVE, "two")
    assert kept(case) == {"two": result}
