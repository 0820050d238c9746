"""A delete that a batch was refused for is approved by a person: exactly that goes on, once, for a time."""

from __future__ import annotations

from contextlib import closing

import pytest

from airflow_plugin.control.batch_table import BatchTables
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import RowChange, StreamTable
from config_schema.model import Milestoning
from config_schema.result import RefusedDelete, ResultCode
from merge_jobs.errors import SourceTableMissing, TooManyDeletes
from merge_jobs.run.job import Run

KINDS = pytest.mark.parametrize("kind", Milestoning)
LIVE = Milestoning.LIVE
FLAGS = ("--platform=YellowLive", "--store=Store1", "--by=alice")
TABLES = """
    CREATE TABLE customers (id int PRIMARY KEY); INSERT INTO customers SELECT generate_series(1, 1000);
    CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders SELECT generate_series(1, 200)
"""


@pytest.fixture
def case(merging):
    """A stream that is merged, with a row of both platforms."""
    made = merging(TABLES)
    for kind in Milestoning:
        made.merge(kind)
        with closing(made.target.connect()) as connection, connection:
            table = StreamTable(ControlSession(connection, f"yellow{kind.value}"))
            table.create_tables()
            row = RowChange("Store1", "{}", "active", "create")
            table.write([row], changed_by="sync", model_commit="a" * 40)
    return made


def refuse(case, kind: Milestoning = LIVE) -> Run:
    run = Run(case.job(kind))
    with pytest.raises(TooManyDeletes):
        run.perform()
    return run


def approve(case, merge_job, kind: Milestoning = LIVE, *more: str):
    return merge_job(case, "approve-delete", f"--platform=Yellow{kind.value.title()}", *FLAGS[1:], *more)


def waits(case, kind: Milestoning = LIVE):
    with closing(case.target.connect()) as connection:
        return BatchTables(ControlSession(connection, f"yellow{kind.value}")).refused_delete("Store1")


def history(case):
    with closing(case.target.connect()) as connection:
        versions = StreamTable(ControlSession(connection, "yellowlive")).history("Store1")
        return [(one.change, one.changed_by, one.reason) for one in versions if one.change != "create"]


@KINDS
def test_what_was_refused_goes_on_with_the_next_run_and_only_once(case, merge_job, kind):
    case.execute("DELETE FROM customers WHERE id > 200")
    run = refuse(case, kind)
    refused = RefusedDelete(2, "customers", 800, 1000, 0.5)
    assert run.so_far.refused_delete == refused
    assert waits(case, kind).refused == refused
    assert waits(case, kind).approved_until is None
    done = approve(case, merge_job, kind, "--reason=they moved away")
    assert (done.returncode, done.stderr) == (0, "")
    assert "batch 2 would delete 800 of 1000 rows of customers, more than max_delete_fraction 0.5 allows" in done.stdout
    assert waits(case, kind).approved_by == "alice"
    assert case.merge(kind).datasets["customers"].counts.deleted == 800
    assert waits(case, kind) is None
    case.execute("DELETE FROM customers WHERE id <= 199")  # no more than was approved, and another batch
    assert refuse(case, kind).so_far.refused_delete == RefusedDelete(3, "customers", 199, 200, 0.5)


def test_who_approved_it_and_why_stands_in_the_history(case, merge_job):
    case.execute("DELETE FROM customers WHERE id > 200")
    refuse(case)
    approve(case, merge_job, LIVE, "--reason=they moved away")
    said = "800 of 1000 rows of customers, batch 2: they moved away"
    assert history(case) == [("approve_delete", "alice", said)]


def test_deleting_more_than_was_approved_is_refused_again_with_both_numbers(case, merge_job):
    case.execute("DELETE FROM customers WHERE id > 200")
    refuse(case)
    assert approve(case, merge_job).returncode == 0
    case.execute("DELETE FROM customers WHERE id = 200")
    run = Run(case.job(LIVE))
    with pytest.raises(TooManyDeletes) as refused:
        run.perform()
    assert (refused.value.gone, refused.value.before, refused.value.approved) == (801, 1000, 800)
    assert (waits(case).refused.rows, waits(case).approved_until) == (801, None)
    assert approve(case, merge_job).returncode == 0
    assert case.merge(LIVE).datasets["customers"].counts.deleted == 801


def test_an_approval_is_of_one_dataset(case, merge_job):
    case.execute("DELETE FROM customers WHERE id > 200; DELETE FROM orders")
    refused = {refuse(case).so_far.refused_delete.dataset}
    assert approve(case, merge_job).returncode == 0
    refused.add(refuse(case).so_far.refused_delete.dataset)
    assert refused == {"customers", "orders"}
    assert approve(case, merge_job).returncode == 0
    counts = {name: of.counts.deleted for name, of in case.merge(LIVE).datasets.items()}
    assert counts == {"customers": 800, "orders": 200}


def test_it_expires(case, merge_job):
    case.execute("DELETE FROM customers WHERE id > 200")
    refuse(case)
    assert approve(case, merge_job).returncode == 0
    case.execute(
        "UPDATE yellowlive_batch_metrics SET state = jsonb_set(state, '{delete_approvals,customers,until}',"
        " to_jsonb(clock_timestamp() - interval '1 second')) WHERE batch_status = 'failed'",
        on=case.target,
    )
    assert waits(case).approved_until is None
    refuse(case)


def test_a_batch_that_fails_for_another_reason_keeps_it_and_a_reset_takes_it_away(case, merge_job):
    case.execute("DELETE FROM customers WHERE id > 200")
    refuse(case)
    assert approve(case, merge_job).returncode == 0
    case.execute("ALTER TABLE orders RENAME TO elsewhere")
    with pytest.raises(SourceTableMissing) as missing:
        case.run(LIVE)
    assert missing.value.table == "orders"
    case.execute("ALTER TABLE elsewhere RENAME TO orders")
    assert merge_job(case, "reset", *FLAGS).returncode == 0
    refuse(case)
    assert approve(case, merge_job).returncode == 0
    case.execute("ALTER TABLE orders RENAME TO elsewhere")
    with pytest.raises(SourceTableMissing) as missing:
        case.run(LIVE)
    assert missing.value.table == "orders"
    case.execute("ALTER TABLE elsewhere RENAME TO orders")
    assert case.merge(LIVE).code is ResultCode.DONE


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (("--rows=799",), "[DF5223]"),
        (("--batch=3",), "[DF5223]"),
        (("--of=orders",), "[DF5223]"),
        (("--rows=800", "--batch=2", "--of=customers"), None),
        (("--rows=900",), None),  # who takes more takes less
    ],
    ids=str,
)
def test_only_what_the_person_has_seen_is_approved(case, merge_job, seen, said):
    case.execute("DELETE FROM customers WHERE id > 200")
    refuse(case)
    done = approve(case, merge_job, LIVE, *seen)
    assert done.returncode == (0 if said is None else 1)
    if said is not None:
        assert "what was approved is out of date: batch 2 would delete 800 of 1000 rows of customers" in done.stderr
        assert said in done.stderr
        assert (waits(case).approved_until, history(case)) == (None, [])


def test_where_nothing_was_refused_nothing_is_approved(case, merge_job):
    done = approve(case, merge_job)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no batch is refused for what it would delete" in done.stderr
    case.execute("ALTER TABLE orders RENAME TO elsewhere")
    with pytest.raises(SourceTableMissing) as missing:
        case.run(LIVE)
    assert missing.value.table == "orders"
    assert approve(case, merge_job).stderr == done.stderr  # of a batch that failed for something else


def test_the_result_line_says_what_was_refused(case, read_result, tmp_path):
    case.execute("DELETE FROM customers WHERE id > 200")
    output, _ = case.start_child(LIVE, tmp_path, "one").communicate(timeout=60)
    result = read_result(output)
    assert result.refused_delete == RefusedDelete(2, "customers", 800, 1000, 0.5)
    assert "approve it: on the stream's page, or with dagfactory runs approve-delete" in result.error
