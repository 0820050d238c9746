"""`merge-job changes`: what a batch changed, by its versions or as it has kept it, and who may see which values."""

from __future__ import annotations

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import partial

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings

from config_schema.model import Classification, Milestoning, OnDelete
from merge_jobs.admin.changes import ChangesNotKept, Sample, VersionsGone, changes_of
from merge_jobs.admin.diff import NeverLoaded
from merge_jobs.admin.erase import erase
from merge_jobs.stores.postgres.changes import LONGEST_VALUE, Change, ChangedKey, DatasetChanges, Values
from merge_jobs.strategies.selection import StrategyOption
from tests.database.merge.test_random_histories import (
    TABLE,
    Truth,
    apply_to_source,
    as_read,
    begin_anew,
    histories,
    run_and_be_killed_after,
    values_as_read,
)
from tests.database.merge.test_types import TYPES

LIVE, FORENSIC = Milestoning
INSERTED, UPDATED, DELETED = Change
TABLES = """
    CREATE TABLE t (id int PRIMARY KEY, word text, email text, amount numeric(9,2));
    INSERT INTO t SELECT n, 'word', n || '@example', n FROM generate_series(1, 10) n;
    CREATE TABLE u (id int PRIMARY KEY);
    INSERT INTO u VALUES (1), (2);
"""
FLAGS = ("--platform=YellowForensic", "--store=Store1")
ALL = tuple(Classification)


@pytest.fixture
def case(merging):
    made = merging(TABLES)
    made.run(FORENSIC)
    return made


@pytest.fixture
def changes(case, merge_job):
    return lambda *flags: merge_job(case, "changes", *FLAGS, *flags)


def found(case, batch=None, keys=0, seen=ALL, kind=FORENSIC):
    job = case.job(kind)
    sample = Sample(keys, seen, "somebody") if keys else None
    return changes_of(job.store, job.stream, job.stream.datasets, batch, sample)


def of(case, batch=None, keys=0, seen=ALL, name="t", kind=FORENSIC) -> DatasetChanges:
    one = found(case, batch, keys, seen, kind).datasets[name]
    assert isinstance(one, DatasetChanges)
    return one


def counts(one) -> tuple[int, ...]:
    return tuple(one.counts[change] for change in Change)


CHANGED = """
    UPDATE t SET word = 'new' WHERE id < 4;
    UPDATE t SET amount = NULL, email = 'x y' WHERE id IN (3, 4);
    DELETE FROM t WHERE id = 9;
    INSERT INTO t VALUES (11, NULL, E'a\\nb', 1.5);
"""


def test_keys_and_columns_are_counted_by_what_was_done_to_them(case):
    assert counts(of(case)) == (10, 0, 0)
    case.execute(CHANGED)
    case.run(FORENSIC)
    one = of(case)
    assert counts(one) == (1, 4, 1)
    assert one.columns == {"word": 3, "email": 2, "amount": 2}
    assert one.keys == ()
    assert counts(of(case, name="u")) == (0, 0, 0)
    # Later batches change nothing of that.
    case.execute("UPDATE t SET word = 'newer'; DELETE FROM t WHERE id IN (1, 11)")
    case.run(FORENSIC)
    assert of(case, 2) == one
    assert counts(of(case)) == (0, 8, 2)


def test_a_sample_has_the_values_before_and_after(case):
    case.execute(CHANGED)
    case.run(FORENSIC)
    shown = of(case, keys=2).keys
    assert Counter(key.change for key in shown) == {INSERTED: 1, UPDATED: 2, DELETED: 1}
    assert shown[0] == ChangedKey(
        DELETED,
        {"id": "9"},
        {
            "id": Values("9", None),
            "word": Values("word", None),
            "email": Values("9@example", None),
            "amount": Values("9.00", None),
        },
    )
    new = {"id": Values(None, "11"), "email": Values(None, "a\nb"), "amount": Values(None, "1.50")}
    assert shown[1] == ChangedKey(INSERTED, {"id": "11"}, new)
    assert shown[2:] == tuple(
        ChangedKey(UPDATED, {"id": str(number)}, {"word": Values("word", "new")}) for number in (1, 2)
    )
    third = next(key for key in of(case, keys=3).keys if key.key == {"id": "3"})
    assert third.values == {
        "word": Values("word", "new"),
        "email": Values("3@example", "x y"),
        "amount": Values("3.00", None),
    }


def test_values_that_may_not_be_seen_are_not_asked_for(case):
    case.execute(CHANGED)
    case.run(FORENSIC)
    classified(case, Classification.PII, "email", "word")
    one = of(case, keys=10, seen=(Classification.INTERNAL,))
    assert one.columns == {"word": 3, "email": 2, "amount": 2}, "numbers are no values"
    third = next(key for key in one.keys if key.key == {"id": "3"})
    assert (third.values, third.hidden) == ({"amount": Values("3.00", None)}, ("word", "email"))
    # A key of which a column may not be seen has none.
    assert {key.key for key in of(case, keys=10, seen=(Classification.PII,)).keys} == {None}


def test_kept_rows_count_as_deleted_once_and_as_inserted_when_they_come_back(case):
    case.datasets = tuple(replace(one, on_delete=OnDelete.KEEP) for one in case.datasets)
    case.execute("DELETE FROM t WHERE id < 3")
    case.run(FORENSIC)
    case.execute("INSERT INTO t VALUES (1, 'back', '', 1)")
    case.run(FORENSIC)
    case.datasets = tuple(replace(one, on_delete=OnDelete.FOLLOW) for one in case.datasets)
    case.run(FORENSIC)
    assert [counts(of(case, batch)) for batch in (1, 2, 3, 4)] == [(10, 0, 0), (0, 0, 2), (1, 0, 0), (0, 0, 1)]
    [back] = of(case, 3, keys=5).keys
    assert back.values["word"] == Values(None, "back")
    for batch in (1, 2, 3, 4):
        assert found(case, batch).counted == found(case, batch).recorded


@pytest.mark.parametrize("kind", Milestoning)
def test_every_batch_of_a_random_history_shows_what_it_counted(merging, kind):
    case = keeping(merging(TABLE), 100)

    @settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(histories)
    def follows_the_truth(history):
        begin_anew(case)
        truth, expected = Truth(), {}
        for number, (round_of_changes, crash) in enumerate(history):
            before, last = dict(truth.seen), truth.last_batch
            apply_to_source(case, round_of_changes)
            of_batch = truth.batch(round_of_changes)
            if crash is not None:
                run_and_be_killed_after(crash, case, kind, f"round-{number}", StrategyOption.AUTO)
            case.run(kind, f"round-{number}", lock_wait=10)
            if truth.last_batch > last:
                expected[truth.last_batch] = (of_batch, before, dict(truth.seen))
        for batch, (of_batch, before, after) in expected.items():
            one = of(case, batch, keys=100, kind=kind)
            assert counts(one) == (of_batch.inserted, of_batch.updated, of_batch.deleted)
            rows = [{as_read(key): values_as_read(row) for key, row in of_them.items()} for of_them in (before, after)]
            changed = {key for key in rows[0].keys() & rows[1].keys() if rows[0][key] != rows[1][key]}
            differing = Counter(
                name
                for key in changed
                for name, old, new in zip(("word", "amount"), rows[0][key], rows[1][key], strict=True)
                if old != new
            )
            assert one.columns == differing
            shown = {
                tuple(key.key.values()): tuple(key.values[name] for name in ("word", "amount") if name in key.values)
                for key in one.keys
                if key.change is UPDATED
            }
            assert shown == {
                key: tuple(Values(old, new) for old, new in zip(rows[0][key], rows[1][key], strict=True) if old != new)
                for key in changed
            }

    follows_the_truth()


def test_values_of_every_type_are_shown_as_postgresql_writes_them(merging):
    names = {f"c{number}": of_type for number, of_type in enumerate(TYPES.values())}
    columns = ", ".join(f"{name} {kind}" for name, (kind, *_) in names.items())
    one, two = (", ".join(values[at] for _, values, _ in names.values()) for at in (0, 1))
    case = merging(f"CREATE TABLE t (id int PRIMARY KEY, {columns}); INSERT INTO t VALUES (1, {one}), (2, {two})")
    as_texts = ", ".join(f"CASE WHEN {name} IS NOT NULL THEN format('%s', {name}) END" for name in names)
    texts = f"SELECT id::text, {as_texts} FROM t ORDER BY id"

    def written():
        return {key: dict(zip(names, values, strict=True)) for key, *values in case.query(texts, on=case.source)}

    case.run(FORENSIC)
    before = written()
    for at in (0, 1):
        then = ", ".join(f"{name} = {values[at]}" for name, (_, _, values) in names.items())
        case.execute(f"UPDATE t SET {then} WHERE id = {at + 1}")
    case.run(FORENSIC)
    after = written()
    changed = {key.key["id"]: key.values for key in of(case, keys=5).keys}
    assert changed.keys() == {"1", "2"}
    for key, values in changed.items():
        assert {name: (of_one.old, of_one.new) for name, of_one in values.items()} == {
            name: tuple(of_row[key][name] and of_row[key][name][:LONGEST_VALUE] for of_row in (before, after))
            for name in values
        }
        # What is not shown reads the same, but for what its text does not distinguish.
        assert all(before[key][name] == after[key][name] for name in names if name not in values)


def test_columns_may_be_named_as_what_the_query_makes(merging):
    ours = ("key_1", "kind", "place", "opened", "closed", "lost_in", "key", "s", "m", "d", "columns", "different")
    case = merging(f"CREATE TABLE t ({', '.join(f'{name} int' for name in ours)}, PRIMARY KEY (lost_in, key_1, kind))")
    case.execute(f"INSERT INTO t SELECT {', '.join('n' for _ in ours)} FROM generate_series(1, 3) n")
    case.run(FORENSIC)
    case.execute("UPDATE t SET place = 7, m = 8 WHERE key_1 = 2; DELETE FROM t WHERE key_1 = 3")
    case.run(FORENSIC)
    gone, changed = of(case, keys=5).keys
    assert gone.key == {"lost_in": "3", "key_1": "3", "kind": "3"}
    assert changed.values == {"place": Values("2", "7"), "m": Values("2", "8")}


def test_what_is_gone_since_is_said(case, changes):
    case.execute(CHANGED)
    case.run(FORENSIC)
    job = case.job(FORENSIC)
    erase(job.store, job.stream, job.stream.datasets[0], [["1"]])
    done = changes()
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == (
        "  the batch has counted 1 inserted, 4 updated, 1 deleted: versions of it are gone since, or are of a dataset "
        "that the stream no longer has"
    )
    case.datasets = tuple(replace(one, keep_closed_days=3) for one in case.datasets)
    case.execute(
        "UPDATE yellowforensic_batch_metrics SET batch_end_time = batch_end_time - interval '4 days'",
        on=case.target,
    )
    assert isinstance(found(case, 2).datasets["t"], VersionsGone)
    done = changes("--json")
    assert done.returncode == 1
    assert "[DF5224]" in done.stderr
    assert "[DF5224]" in json.loads(done.stdout)["datasets"]["t"]["failed"]


def test_a_batch_that_is_not_there_is_refused(changes):
    done = changes("--batch=7")
    assert done.returncode == 1
    assert "'7' is no committed batch of YellowForensic Store1. Its last one is 1" in done.stderr


def keeping(case, number: int | None = 5):
    case.datasets = tuple(replace(one, keep_changes=number) for one in case.datasets)
    return case


def test_a_live_batch_has_what_it_was_to_keep(case, merge_job):
    case.run(LIVE)
    assert isinstance(found(case, kind=LIVE).datasets["t"], ChangesNotKept)
    keeping(case, 2)
    case.execute(CHANGED)
    assert case.run(LIVE).datasets["t"].strategy == "version_diff", "the next batch reads no more than any other"
    one = of(case, keys=100, kind=LIVE)
    assert counts(one) == (1, 4, 1)
    assert one.columns == {"word": 3, "email": 2, "amount": 2}
    assert Counter(key.change for key in one.keys) == {INSERTED: 1, UPDATED: 2, DELETED: 1}, "no more than are kept"
    assert [key.values for key in one.keys if key.change is UPDATED] == [{"word": Values("word", "new")}] * 2
    assert counts(of(case, name="u", kind=LIVE)) == (0, 0, 0)
    assert len(of(case, keys=1, kind=LIVE).keys) == 3
    done = merge_job(case, "changes", "--platform=YellowLive", "--store=Store1", "--batch=1")
    assert done.returncode == 1
    assert "[DF5225]" in done.stderr
    done = merge_job(case, "changes", "--platform=YellowLive", "--store=Store1", "--dataset=t", "--sample=1")
    assert done.stdout.splitlines()[1:4] == [
        "  t: 1 inserted, 4 updated, 1 deleted",
        "    updated in word: 3, email: 2, amount: 2",
        '    deleted id=9: word=word, email="9@example", amount=9.00',
    ]
    # Without it later batches keep nothing; what is kept stays.
    keeping(case, None)
    case.execute("UPDATE t SET word = 'newer'")
    case.run(LIVE)
    assert isinstance(found(case, kind=LIVE).datasets["t"], ChangesNotKept)
    assert of(case, 2, keys=100, kind=LIVE) == one


def test_a_batch_of_wide_rows_keeps_its_numbers_and_as_many_keys_as_there_is_room_for(merging):
    columns = [f"c{number}" for number in range(40)]
    wide = ", ".join(f"{name} text DEFAULT repeat('x', 300)" for name in columns)
    tables = "; ".join(f"CREATE TABLE {name} (id int PRIMARY KEY, {wide})" for name in ("t", "u"))
    case = keeping(merging(tables), 100)
    case.run(LIVE)
    case.execute("INSERT INTO t SELECT generate_series(1, 50); INSERT INTO u SELECT generate_series(1, 50)")
    case.run(LIVE)
    first, second = (of(case, name=name, keys=100, kind=LIVE) for name in ("t", "u"))
    assert (counts(first), counts(second)) == ((50, 0, 0), (50, 0, 0))
    assert (0 < len(first.keys) < 50, len(second.keys)) == (True, 0)
    size = "SELECT length((state -> 'changes')::text) FROM yellowlive_batch_metrics WHERE batch_id = 2"
    assert case.query(size)[0][0] < 110_000


def test_the_first_load_of_a_live_table_keeps_its_number(merging):
    case = keeping(merging(TABLES))
    case.run(LIVE)
    assert of(case, keys=5, kind=LIVE) == DatasetChanges({INSERTED: 10, UPDATED: 0, DELETED: 0}, {})


def test_no_value_that_is_pii_is_kept_and_later_masks_hold_too(case):
    keeping(case)
    case.run(LIVE)
    pii = partial(classified, case, Classification.PII)
    pii("email")
    case.execute(CHANGED)
    case.run(LIVE)
    ((state,),) = case.query("SELECT state::text FROM yellowlive_batch_metrics WHERE batch_id = 2")
    assert "x y" not in state
    assert "@example" not in state
    pii("email", "word")
    for key in of(case, keys=5, seen=(Classification.INTERNAL,), kind=LIVE).keys:
        assert key.values.keys() <= {"id", "amount"}
    # A key that is PII is not kept either.
    pii("id")
    case.execute("UPDATE t SET word = 'newer' WHERE id = 7")
    case.run(LIVE)
    [key] = of(case, keys=5, kind=LIVE).keys
    assert (key.key, key.values) == (None, {"word": Values("word", "newer")})


def classified(case, classification, *names):
    case.datasets = tuple(
        replace(
            one,
            columns=tuple(
                replace(c, classification=classification if c.name in names else Classification.INTERNAL)
                for c in one.columns
            ),
        )
        for one in case.datasets
    )


def test_what_was_kept_of_an_erased_key_is_gone(case):
    keeping(case)
    case.run(LIVE)
    case.execute("UPDATE t SET word = 'secret' WHERE id = 7; INSERT INTO u VALUES (3)")
    case.run(LIVE)
    job = case.job(LIVE)
    erase(job.store, job.stream, job.stream.datasets[0], [["7"]])
    assert of(case, keys=5, kind=LIVE) == DatasetChanges({INSERTED: 0, UPDATED: 1, DELETED: 0}, {"word": 1})
    assert len(of(case, keys=5, name="u", kind=LIVE).keys) == 1
    assert "secret" not in str(case.query("SELECT state::text FROM yellowlive_batch_metrics"))


def test_before_the_first_batch_there_is_nothing(merging, merge_job):
    case = merging(TABLES)
    done = merge_job(case, "changes", *FLAGS)
    assert (done.returncode, done.stdout) == (0, "YellowForensic Store1: no batch is committed yet\n")
    assert json.loads(merge_job(case, "changes", *FLAGS, "--json").stdout)["batch_id"] is None
    case.run(FORENSIC)
    case.execute("CREATE TABLE v (id int PRIMARY KEY)")
    case.describe()
    assert isinstance(found(case).datasets["v"], NeverLoaded)


def test_the_lines_show_the_numbers_and_values_only_if_asked_for(case, changes):
    case.execute(CHANGED)
    case.run(FORENSIC, "run-of-today")
    done = changes("--dataset=t")
    assert (done.returncode, done.stderr) == (0, "")
    head, *lines = done.stdout.splitlines()
    assert head.startswith("YellowForensic Store1 batch 2 of ")
    assert head.endswith(", run run-of-today")
    assert lines == ["  t: 1 inserted, 4 updated, 1 deleted", "    updated in word: 3, email: 2, amount: 2"]
    done = changes("--dataset=t", "--sample=1", "--batch=2")
    assert done.stdout.splitlines()[3:] == [
        '    deleted id=9: word=word, email="9@example", amount=9.00',
        '    inserted id=11: email="a\\nb", amount=1.50',
        "    updated id=1: word word -> new",
    ]
    shown = json.loads(changes("--sample=1", "--json").stdout)
    assert shown["recorded"] == {"inserted": 1, "updated": 4, "deleted": 1}
    assert shown["datasets"]["t"]["updated_columns"] == {"word": 3, "email": 2, "amount": 2}
    assert shown["datasets"]["t"]["keys"][2] == {
        "change": "updated",
        "key": {"id": "1"},
        "values": {"word": {"old": "word", "new": "new"}},
        "hidden": [],
    }
    assert shown["datasets"]["u"]["keys"] == []


def test_who_has_asked_for_values_is_in_the_history(case, changes):
    case.execute(
        """CREATE TABLE yellowforensic_airflow_dsg (stream_key text, config_json text, status text);
           INSERT INTO yellowforensic_airflow_dsg VALUES ('Store1', '{}', 'active');
           CREATE TABLE yellowforensic_airflow_dsg_history (
               stream_key text, change text, changed_by text, changed_at timestamptz, before_config_json text,
               before_status text, after_config_json text, after_status text, reason text
           )""",
        on=case.target,
    )
    history = "SELECT stream_key, change, changed_by, reason FROM yellowforensic_airflow_dsg_history"
    assert changes().returncode == 0
    assert case.query(history) == []
    assert changes("--sample=1", "--by=carol", "--reason=a ticket").returncode == 0
    assert case.query(history) == [("Store1", "show_changes", "carol", "a ticket")]
    assert changes("--sample=1").returncode == 0
    assert len(case.query(f"{history} WHERE changed_by LIKE '%@%'")) == 1


def test_a_workspace_is_shown_what_it_may_see(case, changes):
    for flags, words in (
        (("--workspace=Desk",), "without it no value is shown"),
        (("--workspace=Desk", "--sample=1"), "there is no workspace 'Desk'"),
    ):
        done = changes(*flags)
        assert done.returncode == 1
        assert words in done.stderr


def state_of(case, batch=2):
    ((state,),) = case.query(f"SELECT state FROM yellowforensic_batch_metrics WHERE batch_id = {batch}")
    return state


def test_what_the_pages_are_to_show_is_kept_with_the_batch_and_no_value_is_printed(case, changes):
    classified(case, Classification.PII, "email")
    case.execute(CHANGED)
    case.run(FORENSIC)
    before = state_of(case)
    done = changes("--batch=2", "--keep")
    assert done.returncode == 0, done.stderr
    kept = state_of(case)
    assert kept["changes"]["t"] == {
        "inserted": 1,
        "updated": 4,
        "deleted": 1,
        "updated_columns": {"word": 3, "email": 2, "amount": 2},
        "keys": [],
    }
    assert "values" not in kept
    assert {key: kept[key] for key in before} == before, "the rest of the batch's state is as it was"
    done = changes("--batch=2", "--sample=2", "--keep", "--by=carol")
    assert done.stdout.splitlines()[1:3] == [
        "  t: 1 inserted, 4 updated, 1 deleted",
        "    updated in word: 3, email: 2, amount: 2",
    ]
    assert "1.50" not in done.stdout + done.stderr
    kept = state_of(case)
    assert kept["values"]["datasets"].keys() == {"t"}
    assert len(kept["values"]["datasets"]["t"]) == 4
    assert {
        "change": "updated",
        "key": {"id": "1"},
        "values": {"word": {"old": "word", "new": "new"}},
        "hidden": [],
    } in (kept["values"]["datasets"]["t"])
    assert "@example" not in json.dumps(kept)
    ((left,),) = case.query(
        "SELECT (state #>> '{values,until}')::timestamptz - now() FROM yellowforensic_batch_metrics WHERE batch_id = 2"
    )
    assert timedelta(minutes=30) < left <= timedelta(hours=1)
    assert changes("--batch=2", "--keep").returncode == 0
    assert "values" not in state_of(case), "who asks for numbers alone leaves none"


def test_values_go_when_their_hour_is_over_and_with_an_erasure(case, changes, merge_job):
    case.execute(CHANGED)
    case.run(FORENSIC)
    keep = ("--batch=2", "--sample=2", "--keep")
    assert changes(*keep).returncode == 0
    assert merge_job(case, "tables", "--platform=YellowForensic").returncode == 0
    assert "values" in state_of(case)
    over = (
        "UPDATE yellowforensic_batch_metrics SET state = jsonb_set(state, '{values,until}', '\"2020-01-01T00:00:00Z\"')"
    )
    case.execute(f"{over} WHERE batch_id = 2", on=case.target)
    assert merge_job(case, "tables", "--platform=YellowForensic").returncode == 0
    assert "values" not in state_of(case)
    assert state_of(case)["changes"]["t"]["updated"] == 4
    # Looking at another batch takes what is over too.
    assert changes(*keep).returncode == 0
    case.execute(f"{over} WHERE batch_id = 2", on=case.target)
    assert changes("--batch=1", "--keep").returncode == 0
    assert "values" not in state_of(case)
    assert changes(*keep).returncode == 0
    job = case.job(FORENSIC)
    erase(job.store, job.stream, job.stream.datasets[0], [["7"]])
    assert "values" not in state_of(case)


def test_a_value_that_is_being_erased_is_not_kept_after_it(case):
    case.execute("UPDATE t SET word = 'secret' WHERE id = 7")
    case.run(FORENSIC)
    job = case.job(FORENSIC)
    with (
        closing(psycopg2.connect(case.target.dsn)) as erasing,
        erasing.cursor() as cursor,
        ThreadPoolExecutor(1) as threads,
    ):
        # As `erase` begins; its delete is not committed yet.
        cursor.execute(
            "INSERT INTO yellowforensic_erased_keys SELECT 'Store1', 't', sha256('7'), 'id', now(), 'ann';"
            'DELETE FROM "yellowforensic_Store1_t_merge" WHERE id = 7'
        )
        sample = Sample(5, ALL, "somebody")
        looking = threads.submit(changes_of, job.store, job.stream, job.stream.datasets, 2, sample, keep=True)
        wait_for_waiting(case, "yellowforensic_erased_keys")
        erasing.commit()
        looking.result(300)
    assert state_of(case)["changes"]["t"]["updated"] == 0
    assert "secret" not in json.dumps(state_of(case))


def wait_for_waiting(case, table):
    """Wait until a session waits for a lock on the table."""
    give_up = time.monotonic() + 300
    waiting = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '{table}'::regclass"
    while case.query(waiting) == [(0,)]:
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_a_dataset_of_which_nothing_is_known_is_kept_as_such(case, changes):
    case.execute(CHANGED)
    case.run(FORENSIC)
    case.datasets = tuple(replace(one, keep_closed_days=3) for one in case.datasets)
    old = "UPDATE yellowforensic_batch_metrics SET batch_end_time = batch_end_time - interval '4 days'"
    case.execute(old, on=case.target)
    done = changes("--batch=2", "--keep")
    assert done.returncode == 0
    kept = state_of(case)
    assert kept["changes"] == {}
    assert kept["changes_unknown"]["t"]["what"].startswith("batch 2 ended more than 3 days ago")
    assert kept["changes_unknown"]["t"]["todo"].startswith("Choose a later batch")


def test_of_a_live_batch_nothing_more_is_kept_than_it_has_kept_itself(case, merge_job):
    keeping(case)
    case.run(LIVE)
    case.execute(CHANGED)
    case.run(LIVE)
    state = "SELECT state FROM yellowlive_batch_metrics WHERE batch_id = 2"
    before = case.query(state)
    done = merge_job(case, "changes", "--platform=YellowLive", "--store=Store1", "--sample=2", "--keep")
    assert done.returncode == 0, done.stderr
    assert "9.00" not in done.stdout
    assert case.query(state) == before


def test_what_is_kept_is_what_the_default_masks_leave(changes):
    done = changes("--workspace=Desk", "--sample=1", "--keep")
    assert done.returncode == 1
    assert "--keep" in done.stderr
