"""`merge-job diff`: what differs between a dataset and its source now, and that nothing is written."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from config_schema.model import Consistency, Milestoning
from merge_jobs.admin.diff import (
    DatasetDiff,
    Difference,
    DifferingKey,
    NeverLoaded,
    StreamDiff,
    compare,
    shares,
)
from merge_jobs.errors import KeysRejected, SourceColumnMissing, StreamBusy
from merge_jobs.schema_change import TypesNarrowed
from merge_jobs.stores.postgres.merge_store import MergeStore
from tests.database.merge.test_types import TYPES
from tests.database.tools.conftest import PLATFORM, WAITING, wait_until
from tests.database.tools.test_dry_run import everything

KINDS = list(Milestoning)
LIVE, FORENSIC = KINDS
ONLY_IN_SOURCE, ONLY_IN_MERGE_TABLE, DIFFERENT = Difference
TABLES = """
    CREATE TABLE t (id int PRIMARY KEY, word text, amount numeric);
    INSERT INTO t SELECT n, 'word', n FROM generate_series(1, 200) n;
    CREATE TABLE u (id int PRIMARY KEY);
    INSERT INTO u VALUES (1), (2);
"""


@pytest.fixture
def case(merging):
    return merging(TABLES)


@pytest.fixture
def diff(case, merge_job):
    """Run the command: `diff(LIVE, "--dataset=t")`."""

    def run(kind, *flags, of=None):
        return merge_job(of or case, "diff", f"--platform={PLATFORM[kind]}", "--store=Store1", *flags)

    return run


def compared(case, kind, dataset=None, limit=20) -> StreamDiff:
    job = case.job(kind, dataset=dataset)
    return compare(job.store, job.source, job.stream, job.stream.datasets, limit)


def of(case, kind, name="t", limit=20) -> DatasetDiff:
    found = compared(case, kind, limit=limit).datasets[name]
    assert isinstance(found, DatasetDiff)
    return found


def counts(one: DatasetDiff) -> tuple[int, ...]:
    return tuple(one.counts[each] for each in (ONLY_IN_SOURCE, ONLY_IN_MERGE_TABLE, DIFFERENT))


def keys(one: DatasetDiff) -> list[tuple[Difference, Mapping[str, str], tuple[str, ...]]]:
    return [(key.difference, key.key, key.columns) for key in one.keys]


def merge_table(kind, dataset="t") -> str:
    return f'"{PLATFORM[kind].lower()}_Store1_{dataset}_merge"'


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_merge_both_are_equal(case, kind):
    case.run(kind)
    case.execute("UPDATE t SET word = 'other' WHERE id < 4; DELETE FROM t WHERE id = 9")
    case.run(kind)
    found = compared(case, kind)
    assert found.is_equal
    assert (found.batch_id, set(found.datasets)) == (2, {"t", "u"})
    assert found.taken is not None
    assert abs(found.taken - datetime.now(UTC)) < timedelta(minutes=1)
    one = found.datasets["t"]
    assert isinstance(one, DatasetDiff)
    assert (one.source_rows, one.merged_rows, counts(one), one.keys) == (199, 199, (0, 0, 0), ())


@pytest.mark.parametrize("kind", KINDS)
def test_what_changed_in_the_source_is_named_by_key_and_column_and_nothing_is_written(case, kind):
    case.run(kind)
    case.execute("INSERT INTO t VALUES (201, 'new'); DELETE FROM t WHERE id = 9")
    case.execute("UPDATE t SET word = 'other' WHERE id = 1; UPDATE t SET word = NULL, amount = amount + 1 WHERE id = 3")
    case.execute("UPDATE t SET amount = 2.0 WHERE id = 2; UPDATE t SET word = word WHERE id = 4")
    before = everything(case)
    one = of(case, kind)
    assert everything(case) == before
    assert (one.source_rows, one.merged_rows, counts(one)) == (200, 200, (1, 1, 3))
    assert keys(one) == [
        (ONLY_IN_SOURCE, {"id": "201"}, ()),
        (ONLY_IN_MERGE_TABLE, {"id": "9"}, ()),
        (DIFFERENT, {"id": "1"}, ("word",)),
        (DIFFERENT, {"id": "2"}, ("amount",)),
        (DIFFERENT, {"id": "3"}, ("word", "amount")),
    ]
    assert of(case, kind, "u").is_equal
    case.run(kind)
    assert compared(case, kind).is_equal


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_edited_by_hand_in_the_merge_table_is_seen(case, kind):
    case.run(kind)
    table, more = merge_table(kind), ", ds_batch_in, ds_batch_out" if kind is FORENSIC else ""
    case.execute(f"UPDATE {table} SET word = 'by hand' WHERE id = 7; DELETE FROM {table} WHERE id = 8", case.target)
    values = ", 1, 2147483647" if kind is FORENSIC else ""
    case.execute(f"INSERT INTO {table} (id, word{more}) VALUES (900, 'by hand'{values})", case.target)
    assert keys(of(case, kind)) == [
        (ONLY_IN_SOURCE, {"id": "8"}, ()),
        (ONLY_IN_MERGE_TABLE, {"id": "900"}, ()),
        (DIFFERENT, {"id": "7"}, ("word",)),
    ]


def test_closed_versions_are_not_compared(case):
    case.run(FORENSIC)
    case.execute("UPDATE t SET word = 'other' WHERE id = 1; DELETE FROM t WHERE id = 2")
    case.run(FORENSIC)
    one = of(case, FORENSIC)
    assert (one.is_equal, one.merged_rows) == (True, 199)
    case.execute(f"UPDATE {merge_table(FORENSIC)} SET word = 'history' WHERE ds_batch_out < 2147483647", case.target)
    assert of(case, FORENSIC).is_equal


@pytest.mark.parametrize("kind", KINDS)
def test_keys_of_several_columns_and_odd_texts(merging, kind):
    case = merging("""
        CREATE TABLE t (a text, "b c" varchar(20), day date, word text, PRIMARY KEY (a, "b c", day));
        INSERT INTO t VALUES ('', 'x', '2026-01-01', 'one'),
            (E'tab\\tline\\nquote''"\\\\ %s %', ' é山', '2026-01-02', 'two'),
            ('plain', 'x', 'infinity', NULL)
    """)
    case.run(kind)
    assert compared(case, kind).is_equal
    case.execute("UPDATE t SET word = coalesce(word, '') || '!'")
    assert sorted(key["a"] for _, key, _ in keys(of(case, kind))) == ["", "plain", "tab\tline\nquote'\"\\ %s %"]
    assert {key["b c"] for _, key, _ in keys(of(case, kind))} == {"x", " é山"}
    assert {columns for _, _, columns in keys(of(case, kind))} == {("word",)}
    case.run(kind)
    case.execute("UPDATE t SET \"b c\" = 'y' WHERE a = 'plain'")
    assert [(how, key["b c"]) for how, key, _ in keys(of(case, kind))] == [
        (ONLY_IN_SOURCE, "y"),
        (ONLY_IN_MERGE_TABLE, "x"),
    ]


def test_columns_of_all_types_are_compared_exactly(merging):
    names = {f"c{number}": of_type for number, of_type in enumerate(TYPES.values())}
    columns = ", ".join(f"{name} {kind}" for name, (kind, *_) in names.items())
    one, two = (", ".join(values[at] for _, values, _ in names.values()) for at in (0, 1))
    case = merging(f"CREATE TABLE t (id int PRIMARY KEY, {columns}); INSERT INTO t VALUES (1, {one}), (2, {two})")
    case.run(LIVE)
    assert compared(case, LIVE).is_equal
    for at in (0, 1):
        then = ", ".join(f"{name} = {values[at]}" for name, (_, _, values) in names.items())
        case.execute(f"UPDATE t SET {then} WHERE id = {at + 1}")
    expected = {
        str(at + 1): {name for name, (_, values, then) in names.items() if values[at] != then[at]} for at in (0, 1)
    }
    found = {key["id"]: set(columns) for _, key, columns in keys(of(case, LIVE))}
    same = {
        "1": {name for name, (kind, *_) in names.items() if kind in ("character(5)", "double precision")},
        "2": set(),
    }
    assert {key: columns - same[key] for key, columns in found.items()} == {
        key: columns - same[key] for key, columns in expected.items()
    }


def test_columns_may_be_named_as_those_of_our_own_tables(merging):
    case = merging("CREATE TABLE t (key_1 int PRIMARY KEY, staged int, merged int, s int, m int, d int)")
    case.execute("INSERT INTO t SELECT n, n, n, n, n, n FROM generate_series(1, 3) n")
    case.run(FORENSIC)
    case.execute("UPDATE t SET d = 7, staged = 8 WHERE key_1 = 2; INSERT INTO t (key_1) VALUES (4)")
    assert keys(of(case, FORENSIC)) == [
        (ONLY_IN_SOURCE, {"key_1": "4"}, ()),
        (DIFFERENT, {"key_1": "2"}, ("staged", "d")),
    ]


KEY_TYPES = {
    "bigint": ("bigint", "-9223372036854775808"),
    "numeric": ("numeric", "12345678901234567890.1234567890"),
    "uuid": ("uuid", "7d444840-9dc0-11d1-b245-5ffdce74fad2"),
    "bytea": ("bytea", "\\x00ff0a"),
    "timestamptz": ("timestamptz", "2026-03-31 02:30:00+00"),
    "boolean": ("boolean", "t"),
    "char": ("character(5)", "a    "),
    "array": ("text[]", '{a,NULL,"b,c"}'),
    "range": ("int4range", "[1,5)"),
    "inet": ("inet", "10.0.0.1/24"),
    "jsonb": ("jsonb", '{"a": [1, null]}'),
    "interval": ("interval", "1 day"),
}


@pytest.mark.parametrize(("kind", "value"), KEY_TYPES.values(), ids=KEY_TYPES.keys())
def test_a_key_may_have_any_type(merging, kind, value):
    case = merging(f"CREATE TABLE t (k {kind} PRIMARY KEY, word text); INSERT INTO t VALUES ($${value}$$, 'one')")
    case.run(LIVE)
    assert compared(case, LIVE).is_equal
    case.execute("UPDATE t SET word = 'two'")
    ((how, key, columns),) = keys(of(case, LIVE))
    shown = {"interval": "P1D"}.get(kind, key["k"])
    assert (how, shown, columns) == (DIFFERENT, {"interval": "P1D"}.get(kind, value), ("word",))


def test_the_limit_holds_for_a_dataset_and_no_kind_takes_all_of_it(case):
    case.run(LIVE)
    case.execute("INSERT INTO t SELECT n FROM generate_series(301, 400) n; DELETE FROM t WHERE id <= 2")
    case.execute("UPDATE t SET word = 'other' WHERE id BETWEEN 11 AND 60; INSERT INTO u VALUES (3)")
    one = of(case, LIVE, limit=10)
    assert counts(one) == (100, 2, 50)
    assert [key["id"] for _, key, _ in keys(one)] == ["301", "302", "303", "304", "1", "2", "11", "12", "13", "14"]
    assert len(of(case, LIVE, limit=1000).keys) == 152
    assert (counts(of(case, LIVE, limit=0)), of(case, LIVE, limit=0).keys) == ((100, 2, 50), ())


@pytest.mark.parametrize(
    ("found", "limit", "shown"),
    [((0, 0, 0), 20, (0, 0, 0)), ((5, 0, 0), 3, (3, 0, 0)), ((9, 9, 9), 2, (0, 1, 1)), ((1, 50, 50), 7, (1, 3, 3))],
)
def test_each_kind_has_a_fair_share_of_the_limit(found, limit, shown):
    given = dict(zip(Difference, found, strict=True))
    assert shares(given, limit) == {of: number for of, number in zip(Difference, shown, strict=True) if number}


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_model_is_compared_as_the_next_batch_would(case, kind):
    case.run(kind)
    case.execute("ALTER TABLE t ADD COLUMN note text, ALTER COLUMN id TYPE bigint, DROP COLUMN amount")
    case.execute("UPDATE t SET note = 'seen' WHERE id < 3; DELETE FROM t WHERE id = 9")
    case.describe()
    before = everything(case)
    one = of(case, kind)
    assert everything(case) == before
    assert keys(one) == [
        (ONLY_IN_MERGE_TABLE, {"id": "9"}, ()),
        (DIFFERENT, {"id": "1"}, ("note",)),
        (DIFFERENT, {"id": "2"}, ("note",)),
    ]
    assert "column note text is new; column id becomes bigint, was integer" in str(one.drift)


def test_a_column_that_cannot_be_widened_and_one_that_is_gone_are_the_errors_of_a_batch(case):
    case.run(LIVE)
    described = case.datasets
    case.execute("ALTER TABLE t ALTER COLUMN amount TYPE int")
    case.describe()
    with pytest.raises(TypesNarrowed):
        compared(case, LIVE)
    case.datasets = described
    case.execute("ALTER TABLE t DROP COLUMN amount")
    with pytest.raises(SourceColumnMissing):
        compared(case, LIVE)


@pytest.mark.parametrize(
    "rows", ["(1, 'a'), (1, 'b')", "(1, 'word'), (1, 'word')", "(3, 'x'), (3, 'x')", "(NULL, 'x')"]
)
def test_keys_that_a_batch_would_refuse_are_an_error_without_them(merging, rows, caplog):
    case = merging("CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t VALUES (1, 'word'), (2, 'word')")
    case.run(LIVE)
    case.execute("ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ALTER id DROP NOT NULL")
    case.execute(f"DELETE FROM t WHERE id = 1; INSERT INTO t VALUES {rows}")
    before = everything(case)
    with pytest.raises(KeysRejected):
        compared(case, LIVE)
    assert everything(case) == before


def test_a_stream_that_a_job_is_working_on_is_refused_or_waited_for(case, diff):
    case.run(LIVE)
    job = case.job(LIVE, "running")
    with MergeStore(job.store, job.stream, "running") as store:
        store.lock_stream(0)
        with pytest.raises(StreamBusy):
            compared(case, LIVE)
        done = diff(LIVE)
        assert (done.returncode, done.stdout) == (1, "")
        assert "the stream is held by pid " in done.stderr
        timer = threading.Timer(1, store.close)
        timer.start()
        assert diff(LIVE, "--lock-wait=30").returncode == 0
        timer.join()


def test_a_batch_that_is_left_ingested_stays_as_it_is(case, left_ingested):
    case.run(LIVE)
    case.execute("UPDATE t SET word = 'other' WHERE id = 5")
    left_ingested(case, LIVE)
    before = everything(case)
    assert keys(of(case, LIVE)) == [(DIFFERENT, {"id": "5"}, ("word",))]
    assert everything(case) == before
    assert case.run(LIVE).datasets["t"].counts.updated == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_ends_it_need_not_wait_for_the_server(case, diff, tmp_path, number):
    case.run(LIVE)
    assert diff(LIVE).returncode == 0  # which writes the model
    command = [sys.executable, "-m", "merge_jobs", "diff", "--platform=YellowLive", "--store=Store1"]
    with closing(case.target.connect()) as other, other.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {merge_table(LIVE)} IN SHARE MODE")
        child = subprocess.Popen(
            [*command, f"--model={tmp_path}"], env=case.environment, stderr=subprocess.PIPE, text=True
        )
        try:
            wait_until(lambda: case.query(WAITING))
        finally:
            child.send_signal(number)
            _, said = child.communicate(timeout=30)
    assert child.returncode == 1
    assert said.startswith(f"error: merge-job: ended by {number.name}. ")


@pytest.mark.parametrize("kind", KINDS)
def test_before_the_first_load_there_is_nothing_to_compare_and_no_table_is_made(case, diff, kind):
    found = compared(case, kind)
    assert (found.batch_id, found.taken, found.is_equal) == (0, None, False)
    assert all(isinstance(one, NeverLoaded) for one in found.datasets.values())
    done = diff(kind)
    assert (done.returncode, done.stdout) == (1, f"{PLATFORM[kind]} Store1: nothing to compare\n")
    table = merge_table(kind).strip('"')
    assert f"the dataset was never loaded: there is no table {table}. Let the stream run" in done.stderr
    assert set(everything(case)) == {"columns"}


def test_a_dataset_that_is_new_in_the_model_does_not_hide_the_others(case, diff):
    case.run(LIVE)
    case.execute("CREATE TABLE v (id int PRIMARY KEY); DELETE FROM u WHERE id = 2")
    case.describe()
    done = diff(LIVE)
    assert done.returncode == 1
    assert (
        "  u: 0 only in the source, 1 only in the merge table, 0 different; 1 rows in the source, 2 in" in done.stdout
    )
    assert "YellowLive Store1 v: the dataset was never loaded" in done.stderr
    as_json = json.loads(diff(LIVE, "--json").stdout)
    assert "[DF5218]" in as_json["datasets"]["v"]["failed"]
    assert diff(LIVE, "--dataset=t").returncode == 0


def test_the_command_prints_keys_and_columns_and_no_other_value(case, diff):
    case.run(LIVE)
    case.execute(
        "INSERT INTO t VALUES (201, 'secret'); UPDATE t SET word = 'secret' WHERE id < 4; DELETE FROM t WHERE id = 9"
    )
    done = diff(LIVE, "--limit=4")
    assert (done.returncode, done.stderr) == (3, "")
    first, *lines = done.stdout.splitlines()
    assert first.startswith("YellowLive Store1: batch 1 compared with the source of 20")
    assert first.endswith("; nothing was written")
    assert lines == [
        "  t: 1 only in the source, 1 only in the merge table, 3 different; "
        "200 rows in the source, 200 in the merge table",
        "    only in the source: id=201",
        "    only in the merge table: id=9",
        "    different: id=1: word",
        "    different: id=2: word",
        "    and 1 more key, see --limit",
        "  u: equal, 2 rows",
    ]
    as_json = diff(LIVE, "--json", "--dataset=t")
    assert (as_json.returncode, "secret" in as_json.stdout) == (3, False)
    shown = json.loads(as_json.stdout)
    assert (shown["platform"], shown["stream_key"], shown["batch_id"], shown["equal"]) == (
        "YellowLive",
        "Store1",
        1,
        False,
    )
    assert set(shown["datasets"]) == {"t"}
    one = shown["datasets"]["t"]
    assert (one["only_in_source"], one["only_in_merge_table"], one["different"]) == (1, 1, 3)
    assert one["keys"][-1] == {"difference": "different", "key": {"id": "3"}, "columns": ["word"]}
    equal = diff(LIVE, "--dataset=u")
    assert (equal.returncode, equal.stdout.splitlines()[1:]) == (0, ["  u: equal, 2 rows"])


def test_a_key_is_one_line_in_which_nothing_looks_like_another_column(merging, diff):
    case = merging(r"""
        CREATE TABLE t (a text PRIMARY KEY);
        INSERT INTO t VALUES ('plain'), (E'x b=1\n\u001b[31m\u202e'), (repeat('y', 900)), ('')
    """)
    case.run(LIVE)
    case.execute("DELETE FROM t")
    lines = [line.removeprefix("    only in the merge table: ") for line in diff(LIVE, of=case).stdout.splitlines()[2:]]
    assert lines == ['a=""', "a=plain", r'a="x b=1\n\u001b[31m\u202e"', f"a={'y' * 200}... (900 characters)"]


@pytest.mark.parametrize(
    ("flags", "code", "what"),
    [
        (["--dataset=s"], 1, "error: --dataset: there is no dataset 's' in Store1"),
        (["--platform=Yellow"], 1, "error: --platform: there is no platform 'Yellow'"),
        (["--store=Shop"], 1, "error: --store: there is no datastore 'Shop'"),
        (["--source-hosts=elsewhere:5432"], 1, "is not allowed by the platform's settings"),
        (["--limit=1001"], 2, "--limit"),
        (["--limit=-1"], 2, "--limit"),
        (["--force"], 2, "--force"),
    ],
)
def test_what_is_wrong_is_named(case, diff, flags, code, what):
    done = diff(LIVE, *flags)
    assert (done.returncode, done.stdout) == (code, "")
    assert what in done.stderr


def test_a_stream_of_one_dataset_is_named_by_it(merging, diff):
    case = merging(TABLES, consistency=Consistency.SINGLE_DATASET)
    assert "--dataset is not given: a single_dataset store" in diff(LIVE, of=case).stderr
    case.run(LIVE, dataset="t")
    assert diff(LIVE, "--dataset=t", of=case).stdout.splitlines()[1:] == ["  t: equal, 200 rows"]
    assert "the dataset was never loaded" in diff(LIVE, "--dataset=u", of=case).stderr


def test_a_view_is_compared_like_a_table(merging):
    case = merging(TABLES)
    case.execute("CREATE VIEW v AS SELECT id, word FROM t WHERE id < 100")
    (table, _) = case.datasets
    columns = tuple(column for column in table.columns if column.name in ("id", "word"))
    case.datasets = (replace(table, name="v", columns=columns),)
    case.run(LIVE)
    assert of(case, LIVE, "v").is_equal
    case.execute("UPDATE t SET word = 'other' WHERE id IN (5, 150)")
    assert keys(of(case, LIVE, "v")) == [(DIFFERENT, {"id": "5"}, ("word",))]


def test_no_key_and_no_value_is_in_the_log(case, caplog):
    case.run(LIVE)
    case.execute("INSERT INTO t VALUES (987654, 'secret')")
    caplog.clear()
    assert of(case, LIVE).keys == (DifferingKey(ONLY_IN_SOURCE, {"id": "987654"}),)
    assert "secret" not in caplog.text
    assert "987654" not in caplog.text
