"""A broken check of severity fail: all are reported at once, nothing is merged, no value is in a log or an error."""

from __future__ import annotations

import json

import pytest

from config_schema import names
from config_schema.model import Milestoning
from config_schema.model.quality import (
    NotNull,
    Pattern,
    Range,
    Reference,
    RowCount,
    Severity,
    Unique,
)
from config_schema.result import QualityResult, ResultCode
from merge_jobs.errors import QualityFailed, StoreMismatch
from merge_jobs.run.job import Run

FAIL, WARN = Severity.FAIL, Severity.WARN
DDL = """
    CREATE TABLE people (id int PRIMARY KEY, email text, age int);
    CREATE TABLE pets (id int PRIMARY KEY, owner int);
    INSERT INTO people SELECT n, n || '@x', n FROM generate_series(1, 5) n; INSERT INTO pets VALUES (1, 1), (2, 2)
"""
CHECKS = {
    "people": (
        NotNull("email_is_set", FAIL, ("email",)),
        Unique("email_once", FAIL, ("email",)),
        Range("grown_up", WARN, "age", max=99),
        Pattern("email_like", FAIL, "email", "@"),
        RowCount("some_rows", FAIL, 1, 6),
    ),
    "pets": (Reference("owner_is_there", FAIL, ("owner",), "people", ("id",)),),
}
BREAK = """
    UPDATE people SET email = NULL WHERE id IN (1, 2);
    UPDATE people SET email = 'secret-value', age = 4711 WHERE id = 3;
    INSERT INTO people VALUES (6, '4@x', 1), (7, '5@x', 2); INSERT INTO pets VALUES (3, 4711)
"""


@pytest.mark.parametrize("kind", Milestoning)
def test_all_that_is_broken_is_reported_at_once_and_nothing_is_merged(checked, kind, caplog):
    case = checked(DDL, **CHECKS)
    case.merge(kind)
    before = {dataset.name: case.versions(kind, dataset) for dataset in case.datasets}
    case.execute(BREAK)
    with pytest.raises(QualityFailed) as caught:
        case.run(kind)
    assert caught.value.what == (
        "quality checks failed: people: email_is_set (not_null): 2 rows; people: email_once (unique): 4 rows; "
        "people: email_like (pattern): 1 row; people: some_rows (row_count): 7 rows in the source; "
        "pets: owner_is_there (reference): 1 row"
    )
    assert caught.value.retryable is False
    assert before == {dataset.name: case.versions(kind, dataset) for dataset in case.datasets}
    assert [row[:2] for row in case.batch_rows(kind)] == [(1, "committed"), (2, "failed")]
    assert "secret-value" not in caplog.text
    assert "4711" not in caplog.text
    case.execute("UPDATE people SET email = id || '@x', age = 1; DELETE FROM people WHERE id = 7")
    case.execute("UPDATE pets SET owner = 1")
    case.merge(kind)


@pytest.mark.parametrize("kind", Milestoning)
def test_what_the_checks_of_a_failed_batch_found_is_kept_with_it_until_it_is_begun_again(checked, kind):
    case = checked(DDL, **CHECKS)
    case.merge(kind)
    case.execute(BREAK)
    with pytest.raises(QualityFailed):
        case.run(kind)
    table = names.batch_metrics_table(f"yellow{kind.value}")
    ((kept, result),) = case.query(f"SELECT state -> 'quality', result_json FROM {table} WHERE batch_status = 'failed'")
    found = {(name, one["check"]): (one["severity"], one["violations"]) for name, of in kept.items() for one in of}
    assert (found["people", "grown_up"], found["pets", "owner_is_there"]) == (("warn", 1), ("fail", 1))
    assert len(found) == 6
    assert result is None
    assert "secret-value" not in json.dumps(kept)
    case.execute("UPDATE people SET email = id || '@x', age = 1; DELETE FROM people WHERE id = 7")
    case.execute("UPDATE pets SET owner = 1")
    case.merge(kind)
    kept = case.query(f"SELECT state -> 'quality' FROM {table} WHERE batch_id = 2")
    assert kept == [(None,)]


@pytest.mark.parametrize("kind", Milestoning)
def test_a_first_load_that_breaks_a_check_leaves_no_merge_table(checked, kind):
    case = checked(DDL, people=(Unique("email_once", FAIL, ("email",)),))
    case.execute("UPDATE people SET email = 'same' WHERE id < 4")
    with pytest.raises(QualityFailed, match=r"people: email_once \(unique\): 3 rows\. Correct the rows"):
        case.run(kind)
    assert case.query("SELECT relname FROM pg_class WHERE relname LIKE '%merge'") == []
    case.execute("UPDATE people SET email = id::text")
    case.merge(kind)


def test_the_result_of_a_failed_run_has_its_checks_and_no_counts_of_what_was_not_merged(checked):
    case = checked(DDL, **CHECKS)
    case.merge(Milestoning.LIVE)
    case.execute(BREAK)
    run = Run(case.job(Milestoning.LIVE))
    with pytest.raises(QualityFailed):
        run.perform()
    assert run.so_far.datasets["pets"].quality == (QualityResult("owner_is_there", "reference", "fail", 1),)
    assert {one.check: one.violations for one in run.so_far.datasets["people"].quality} == {
        "email_is_set": 2,
        "email_once": 4,
        "grown_up": 1,
        "email_like": 1,
        "some_rows": 1,
    }
    assert (run.so_far.batch_id, run.so_far.batches, run.so_far.total.total) == (1, 0, 0)


def test_the_result_line_of_a_job_tells_its_checks_and_no_values(checked, read_result, tmp_path):
    case = checked(DDL, **CHECKS)
    case.execute(BREAK)
    child = case.start_child(Milestoning.FORENSIC, tmp_path, "a-run")
    output, errors = child.communicate()
    result = read_result(output)
    assert (child.returncode, result.code, result.retryable) == (1, ResultCode.ERROR, False)
    assert "quality checks failed: people: email_is_set (not_null): 2 rows" in result.error
    assert result.datasets["pets"].quality == (QualityResult("owner_is_there", "reference", "fail", 1),)
    assert "secret-value" not in output + errors


def test_a_time_slice_sums_what_its_batches_brought_and_tells_the_last_number_of_rows(checked, monkeypatch):
    case = checked(DDL, people=(NotNull("set", WARN, ("email",)), RowCount("few", WARN, max=5)))
    case.run(Milestoning.LIVE)
    reported = []
    meanwhile = [
        "UPDATE people SET email = NULL WHERE id < 3; INSERT INTO people VALUES (6, 'x')",
        "UPDATE people SET email = NULL WHERE id = 3",
        "DELETE FROM people WHERE id = 6",
    ]

    def change(_seconds):
        reported.append({one.check: one.violations for one in job.so_far.datasets["people"].quality})
        if not meanwhile:
            raise KeyboardInterrupt
        case.execute(meanwhile.pop(0))
        return True

    monkeypatch.setattr("merge_jobs.run.job.shutdown.pause", change)
    job = Run(case.job(Milestoning.LIVE, time_slice_seconds=600))
    with pytest.raises(KeyboardInterrupt):
        job.perform()
    assert reported == [{"set": 0, "few": 0}, {"set": 2, "few": 1}, {"set": 3, "few": 1}, {"set": 3, "few": 0}]


@pytest.mark.parametrize("kind", Milestoning)
def test_what_a_killed_job_has_staged_is_checked_by_the_job_that_goes_on(checked, kind, monkeypatch, caplog):
    def killed(*_arguments):
        raise KeyboardInterrupt

    case = checked(DDL, **CHECKS)
    case.merge(kind)
    case.execute(BREAK)
    with monkeypatch.context() as patched:
        patched.setattr("merge_jobs.run.job.merge_datasets", killed)
        with pytest.raises(KeyboardInterrupt):
            case.run(kind)
    case.execute("UPDATE people SET email = id || '@x', age = 1; DELETE FROM people WHERE id = 7")
    case.execute("UPDATE pets SET owner = 1")
    with pytest.raises(QualityFailed, match=r"email_is_set \(not_null\): 2 rows"):
        case.run(kind)
    assert "has ingested" in caplog.text
    case.merge(kind)


MISFITS = {
    "a number for a text": (Range("c", WARN, "email", min=1), "range check of email so (undefined_function)"),
    "a text for a number": (Range("c", WARN, "age", min="one"), "(invalid_text_representation)"),
    "no date": (Range("c", WARN, "born", min="2024-02-30"), "(datetime_field_overflow)"),
    "no regular expression": (Pattern("c", WARN, "email", "[[:nothing:]]"), "(invalid_regular_expression)"),
    "no equality": (Unique("c", WARN, ("doc",)), "unique check of doc so (undefined_function)"),
    "other types": (Reference("c", WARN, ("email",), "t", ("id",)), "reference check of email so (undefined_function)"),
}


@pytest.mark.parametrize(("check", "reported"), MISFITS.values(), ids=MISFITS.keys())
def test_a_check_that_does_not_fit_its_column_is_named_with_the_condition(checked, give_checks, check, reported):
    case = checked("CREATE TABLE t (id int PRIMARY KEY, email text, age int, born date, doc json)")
    case.merge(Milestoning.LIVE)
    give_checks(case, t=(check,))
    case.execute("INSERT INTO t VALUES (1, 'secret-value', 4711, '2024-01-01', '{}')")
    with pytest.raises(StoreMismatch) as caught:
        case.run(Milestoning.LIVE)
    assert caught.value.where.endswith("t: check c")
    assert reported in caught.value.what
    assert caught.value.retryable is False
    assert "secret-value" not in str(caught.value)
    give_checks(case)
    case.merge(Milestoning.LIVE)
