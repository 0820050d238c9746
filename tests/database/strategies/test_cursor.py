"""The strategy cursor: what a batch reads, what it leaves, and when it reads everything again."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

from config_schema.model import Cursor, DatasetStrategy, Milestoning, NullCursors
from config_schema.model.ecosystem import OnDelete
from config_schema.model.quality import RowCount, Severity
from config_schema.result import Counts
from merge_jobs.admin.diff import Difference, compare
from merge_jobs.admin.erase import erase, lift
from merge_jobs.errors import KeysRejected, QualityFailed, TooManyDeletes
from merge_jobs.stores.postgres.cursors import CursorsUnusable
from merge_jobs.strategies.cursor import CursorIncomparable
from merge_jobs.strategies.selection import StrategyOption

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
TABLE = """
    CREATE TABLE t (id int PRIMARY KEY, word text, changed int, gone_at timestamptz);
    INSERT INTO t SELECT n, 'one', n FROM generate_series(1, 10) n
"""
ALWAYS = 0  # a sweep in each batch; the schema of a model begins at a second
RARELY = 10**6


def by_cursor(case, column="changed", **options):
    """Let the model read its only dataset by a cursor."""
    [dataset] = case.datasets
    case.datasets = (replace(dataset, strategy=DatasetStrategy.CURSOR, cursor=Cursor(column, **options)),)
    return case


def words(case, kind=LIVE):
    return {int(key[0]): row[1] for key, row in case.open_rows(kind, case.datasets[0]).items()}


def did(result):
    return result.datasets["t"].strategy, result.datasets["t"].counts


@pytest.mark.parametrize("kind", Milestoning)
def test_only_rows_from_the_last_value_on_are_read(merging, kind):
    case = by_cursor(merging(TABLE))
    case.merge(kind)
    case.execute(
        """UPDATE t SET word = 'unseen' WHERE id = 1;
           UPDATE t SET word = 'two', changed = 11 WHERE id = 2;
           INSERT INTO t VALUES (11, 'new', 12)"""
    )
    result = case.run(kind)
    assert did(result) == ("cursor", Counts(1, 1, 0, 9, 11))
    assert result.partly_read == ("t",)
    assert result.datasets["t"].reason == "changed tells what has changed; deletes wait for a full batch"
    assert words(case, kind) == {**dict.fromkeys(range(1, 11), "one"), 2: "two", 11: "new"}
    versions = sorted(case.versions(kind, case.datasets[0]))
    assert did(case.run(kind)) == ("cursor", Counts(0, 0, 0, 11, 11)), "read again, and found to be the same"
    assert sorted(case.versions(kind, case.datasets[0])) == versions
    assert did(case.run(kind, strategy=StrategyOption.FULL)) == ("full", Counts(0, 1, 0, 10, 11))
    assert words(case, kind)[1] == "unseen"


@pytest.mark.parametrize("kind", Milestoning)
def test_rows_with_the_last_value_that_come_later_are_read(merging, kind):
    case = by_cursor(merging(TABLE))
    case.merge(kind)
    for number in (11, 12):
        case.execute(f"INSERT INTO t VALUES ({number}, 'tied', 10); UPDATE t SET word = '{number}' WHERE changed = 10")
        result = case.merge(kind)
        assert did(result)[0] == "cursor"
        assert did(result)[1].inserted == 1


def test_rows_within_the_lookback_are_read_though_they_come_late(merging):
    case = by_cursor(merging(TABLE), lookback=3)
    case.merge(LIVE)
    case.execute("INSERT INTO t VALUES (11, 'late', 7), (12, 'too late', 6)")
    assert did(case.run(LIVE)) == ("cursor", Counts(1, 0, 0, 10, 11))
    assert 12 not in words(case)


def test_a_lookback_of_times_is_in_seconds(merging):
    case = merging(
        """CREATE TABLE t (id int PRIMARY KEY, word text, changed timestamptz);
           INSERT INTO t VALUES (1, 'one', '2026-01-01 12:00:00.000001Z')"""
    )
    by_cursor(case, lookback=60)
    case.merge(LIVE)
    case.execute(
        """INSERT INTO t VALUES (2, 'late', '2026-01-01 11:59:00.000001Z'),
           (3, 'too late', '2026-01-01 11:59:00Z')"""
    )
    assert did(case.run(LIVE)) == ("cursor", Counts(1, 0, 0, 1, 2))
    assert words(case) == {1: "one", 2: "late"}


@pytest.mark.parametrize(
    ("kind", "first", "later"),
    [
        ("smallint", "1", "2"),
        ("bigint", "-9223372036854775808", "-9223372036854775807"),
        ("numeric(20,0)", "99999999999", "100000000000"),
        ("date", "2026-01-01", "2026-01-02"),
        ("timestamp(0)", "2026-01-01 00:00:00", "2026-01-01 00:00:01"),
        ("timestamptz", "0044-03-15 00:00:00+00 BC", "0044-03-15 00:00:01+00 BC"),
    ],
)
def test_a_cursor_may_have_each_type_that_orders_alike_on_both_sides(merging, kind, first, later):
    case = merging(f"CREATE TABLE t (id int PRIMARY KEY, word text, changed {kind})")
    [dataset] = case.datasets
    if kind.startswith("numeric"):
        columns = tuple(replace(one, type="bigint") if one.name == "changed" else one for one in dataset.columns)
        case.datasets = (replace(dataset, columns=columns),)
    by_cursor(case, lookback=1)
    case.execute(f"INSERT INTO t VALUES (1, 'one', '{first}')")
    case.merge(LIVE)
    case.execute(f"INSERT INTO t VALUES (2, 'two', '{later}'); UPDATE t SET word = 'uno' WHERE id = 1")
    assert did(case.merge(LIVE))[0] == "cursor"


def test_a_cursor_that_the_source_orders_differently_is_refused(merging):
    case = merging("CREATE TABLE t (id int PRIMARY KEY, word text, changed text); INSERT INTO t VALUES (1, 'x', '7')")
    [dataset] = case.datasets
    columns = tuple(replace(one, type="bigint") if one.name == "changed" else one for one in dataset.columns)
    case.datasets = (replace(dataset, columns=columns),)
    by_cursor(case)
    with pytest.raises(CursorIncomparable) as caught:
        case.run(LIVE)
    assert (caught.value.column, caught.value.theirs, caught.value.ours) == ("changed", "text", "bigint")
    assert case.query("SELECT relname FROM pg_class WHERE relname LIKE '%t\\_merge'") == []


def test_with_a_tie_breaker_rows_with_the_last_value_are_not_all_read_again(merging, caplog):
    case = by_cursor(merging(TABLE), tie_breaker="id")
    case.execute("UPDATE t SET changed = 10")
    case.merge(LIVE)
    case.execute("UPDATE t SET word = 'unseen' WHERE id = 1; INSERT INTO t VALUES (11, 'tied', 10)")
    caplog.clear()
    assert did(case.run(LIVE)) == ("cursor", Counts(1, 0, 0, 10, 11))
    assert "copied 2 rows" in caplog.text
    assert words(case)[1] == "one"
    case.execute("INSERT INTO t VALUES (5000, 'later', 11)")
    assert did(case.run(LIVE)) == ("cursor", Counts(1, 0, 0, 11, 12))
    case.execute("INSERT INTO t VALUES (5001, 'tied again', 11)")
    assert did(case.run(LIVE)) == ("cursor", Counts(1, 0, 0, 12, 13))


# --- values by which nothing can be found


@pytest.mark.parametrize("is_first", [True, False])
def test_rows_without_a_value_are_refused(merging, is_first):
    case = by_cursor(merging(TABLE))
    if not is_first:
        case.merge(LIVE)
    before = case.versions(LIVE, case.datasets[0])
    case.execute("INSERT INTO t VALUES (11, 'x', NULL), (12, 'y', NULL)")
    with pytest.raises(CursorsUnusable) as caught:
        case.run(LIVE)
    assert (caught.value.column, caught.value.missing, caught.value.infinite) == ("changed", 2, 0)
    assert not caught.value.retryable
    assert case.versions(LIVE, case.datasets[0]) == before


def test_rows_without_a_value_are_read_each_time_if_the_model_says_so(merging):
    case = by_cursor(merging(TABLE), nulls=NullCursors.READ)
    case.execute("INSERT INTO t VALUES (11, 'none', NULL)")
    case.merge(LIVE)
    assert did(case.merge(LIVE))[0] == "cursor"
    case.execute("UPDATE t SET word = 'changed' WHERE id = 11")
    assert did(case.merge(LIVE)) == ("cursor", Counts(0, 1, 0, 10, 11))


def test_an_infinite_time_is_refused(merging):
    case = by_cursor(merging("CREATE TABLE t (id int PRIMARY KEY, word text, changed timestamptz)"))
    case.execute("INSERT INTO t VALUES (1, 'x', 'infinity')")
    with pytest.raises(CursorsUnusable) as caught:
        case.run(LIVE)
    assert (caught.value.missing, caught.value.infinite) == (0, 1)


@pytest.mark.parametrize("kind", ["date", "timestamp", "timestamptz"])
def test_a_row_of_the_future_hides_none_that_come_before_it(merging, kind):
    case = by_cursor(merging(f"CREATE TABLE t (id int PRIMARY KEY, word text, changed {kind})"))
    case.execute("INSERT INTO t VALUES (1, 'far', '2999-01-01')")
    case.merge(LIVE)
    case.execute("INSERT INTO t VALUES (2, 'now', now() AT TIME ZONE 'UTC' + interval '2 seconds')")
    assert did(case.merge(LIVE))[0] == "cursor"


# --- when everything is read again


def test_a_cursor_that_goes_backwards_makes_a_full_batch(merging, caplog):
    case = by_cursor(merging(TABLE))
    case.merge(LIVE)
    case.execute("UPDATE t SET changed = changed - 5; DELETE FROM t WHERE id = 1")
    result = case.merge(LIVE)
    assert did(result) == ("full", Counts(0, 9, 1, 0, 9))
    assert "the greatest changed in the source is less than it was in batch 1" in result.datasets["t"].reason
    assert result.partly_read == ()
    assert did(case.merge(LIVE))[0] == "cursor"


def test_a_source_that_was_emptied_meets_the_limit_of_deletes(merging):
    case = by_cursor(merging(TABLE))
    case.execute("INSERT INTO t SELECT n, 'more', n FROM generate_series(11, 200) n")
    case.merge(LIVE)
    case.execute("DELETE FROM t")
    with pytest.raises(TooManyDeletes) as caught:
        case.run(LIVE)
    assert caught.value.gone == 200


def test_a_table_that_is_another_one_is_read_in_full(merging):
    case = by_cursor(merging(TABLE))
    case.merge(LIVE)
    case.execute("DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, word text, changed int, gone_at timestamptz)")
    case.execute("INSERT INTO t VALUES (1, 'restored', 1), (2, 'new', 20)")
    result = case.merge(LIVE, allow_deletes=True)
    assert did(result)[0] == "full"
    assert result.datasets["t"].reason.startswith("the table is another one")


@pytest.mark.parametrize("kind", Milestoning)
def test_another_cursor_and_another_model_are_read_in_full(merging, kind):
    case = by_cursor(merging(TABLE))
    case.merge(kind)
    by_cursor(case, "id")
    assert did(case.merge(kind))[0] == "full"
    assert did(case.merge(kind))[0] == "cursor"
    case.execute("ALTER TABLE t ADD age int DEFAULT 7")
    case.describe()
    by_cursor(case, "id")
    assert did(case.merge(kind))[0] == "full"
    assert did(case.merge(kind))[0] == "cursor"
    case.describe()
    assert did(case.merge(kind))[0] == "full"
    assert did(case.merge(kind))[0] == "version_diff"
    by_cursor(case)
    assert did(case.merge(kind))[0] == "full"
    assert case.query("SELECT relname FROM pg_class WHERE relname LIKE '%t\\_map' AND relkind = 'r'") == []


def test_partitions_that_come_make_no_full_batch(merging):
    case = merging(
        """CREATE TABLE t (id int PRIMARY KEY, word text, changed int) PARTITION BY RANGE (id);
           CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (1) TO (10);
           CREATE TABLE t_2 PARTITION OF t FOR VALUES FROM (10) TO (20);
           INSERT INTO t VALUES (1, 'one', 1)"""
    )
    by_cursor(case)
    case.merge(LIVE)
    case.execute("CREATE TABLE t_3 PARTITION OF t FOR VALUES FROM (20) TO (30); INSERT INTO t VALUES (20, 'new', 2)")
    assert did(case.merge(LIVE))[0] == "cursor"


# --- deletes


@pytest.mark.parametrize("kind", Milestoning)
def test_what_a_batch_does_not_read_is_not_deleted(merging, kind):
    case = by_cursor(merging(TABLE))
    case.merge(kind)
    case.execute("DELETE FROM t WHERE id = 5; UPDATE t SET word = 'two', changed = 11 WHERE id = 2")
    assert did(case.run(kind)) == ("cursor", Counts(0, 1, 0, 9, 10))
    assert 5 in words(case, kind)
    job = case.job(kind)
    found = compare(job.store, job.source, job.stream, job.stream.datasets, 10).datasets["t"]
    assert found.counts[Difference.ONLY_IN_MERGE_TABLE] == 1
    assert found.is_equal, "which is no difference, as nothing has swept"


@pytest.mark.parametrize("kind", Milestoning)
def test_a_sweep_deletes_what_is_gone(merging, kind):
    case = by_cursor(merging(TABLE), delete_sweep=RARELY)
    case.merge(kind)
    case.execute("DELETE FROM t WHERE id = 5; UPDATE t SET word = 'two', changed = 11 WHERE id = 2")
    assert did(case.run(kind)) == ("cursor", Counts(0, 1, 0, 9, 10))
    by_cursor(case, delete_sweep=ALWAYS)
    result = case.merge(kind)
    assert did(result) == ("cursor", Counts(0, 0, 1, 9, 9))
    assert result.partly_read == ()
    case.execute("INSERT INTO t VALUES (5, 'back', 12)")
    assert did(case.merge(kind)) == ("cursor", Counts(1, 0, 0, 9, 10))


def test_a_sweep_comes_once_in_its_interval(merging):
    case = by_cursor(merging(TABLE), delete_sweep=RARELY)
    case.merge(LIVE)
    case.execute("DELETE FROM t WHERE id = 5")
    for seconds_ago, deleted in ((RARELY - 3600, 0), (RARELY + 1, 1)):
        last_swept(case, seconds_ago)
        result = case.run(LIVE)
        assert did(result)[1].deleted == deleted
        assert result.partly_read == (() if deleted else ("t",))
    assert case.run(LIVE).partly_read == ("t",)
    last_swept(case, -3600)  # by a clock that was set back since
    assert case.run(LIVE).partly_read == ()


def last_swept(case, seconds_ago):
    case.execute(
        f"""UPDATE yellowlive_row_maps SET guard = jsonb_set(
                guard, '{{cursor,swept_at}}', to_jsonb((now() - interval '{seconds_ago} s')::text))""",
        on=case.target,
    )


def test_a_sweep_meets_the_limit_of_deletes(merging):
    case = by_cursor(merging(TABLE), delete_sweep=ALWAYS)
    case.execute("INSERT INTO t SELECT n, 'more', n FROM generate_series(11, 200) n")
    case.merge(LIVE)
    case.execute("DELETE FROM t WHERE id BETWEEN 50 AND 190")
    with pytest.raises(TooManyDeletes) as caught:
        case.run(LIVE)
    assert (caught.value.gone, caught.value.before) == (141, 200)
    assert len(words(case)) == 200
    assert did(case.merge(LIVE, allow_deletes=True)) == ("cursor", Counts(0, 0, 141, 59, 59))


def test_rows_that_have_come_too_late_are_found_by_a_sweep(merging):
    case = by_cursor(merging(TABLE), delete_sweep=ALWAYS)
    case.merge(LIVE)
    case.execute("INSERT INTO t VALUES (12, 'too late', 3)")
    result = case.merge(LIVE)
    assert did(result) == ("full", Counts(1, 0, 0, 10, 11))
    assert result.datasets["t"].reason == "a sweep found keys that came too late for the lookback of the cursor: 1"


@pytest.mark.parametrize("kind", Milestoning)
def test_kept_rows_stay_when_a_sweep_finds_them_gone(merging, kind):
    case = by_cursor(merging(TABLE), delete_sweep=ALWAYS)
    case.datasets = (replace(case.datasets[0], on_delete=OnDelete.KEEP),)
    case.run(kind)
    case.execute("DELETE FROM t WHERE id = 5")
    assert did(case.run(kind)) == ("cursor", Counts(0, 0, 1, 9, 9))
    assert did(case.run(kind)) == ("cursor", Counts(0, 0, 0, 9, 9))
    table = f"yellow{kind.value}_Store1_t_merge"
    assert case.query(f'SELECT id FROM "{table}" WHERE ds_deleted_in = 2') == [(5,)]
    case.execute("INSERT INTO t VALUES (5, 'back', 20)")
    assert did(case.run(kind)) == ("cursor", Counts(1, 0, 0, 9, 10))


@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize("sweep", [None, ALWAYS])
def test_rows_that_the_source_marks_as_deleted_are_gone(merging, kind, sweep):
    case = by_cursor(merging(TABLE), deleted_at="gone_at", delete_sweep=sweep)
    case.execute("UPDATE t SET gone_at = now() WHERE id = 1")
    assert did(case.run(kind)) == ("initial", Counts(9, 0, 0, 0, 9))
    case.execute("UPDATE t SET gone_at = now(), changed = 11 WHERE id IN (1, 2)")
    result = case.run(kind)
    assert did(result) == ("cursor", Counts(0, 0, 1, 8, 8))
    assert result.datasets["t"].reason.endswith(
        "and a sweep what is gone" if sweep is not None else "wait for a full batch, except by deleted_at"
    )
    assert set(words(case, kind)) == set(range(3, 11))
    assert did(case.run(kind))[1].changed == 0
    job = case.job(kind)
    found = compare(job.store, job.source, job.stream, job.stream.datasets, 10).datasets["t"]
    assert not any(found.counts.values())
    case.execute("UPDATE t SET gone_at = NULL, changed = 12 WHERE id = 2")
    assert did(case.run(kind)) == ("cursor", Counts(1, 0, 0, 8, 9))
    assert did(case.run(kind, strategy=StrategyOption.FULL))[1].changed == 0


# --- with what else a dataset has


def test_a_key_that_the_source_repeats_is_refused(merging):
    case = merging("CREATE TABLE t (id int PRIMARY KEY, word text, changed int); INSERT INTO t VALUES (1, 'one', 1)")
    by_cursor(case)
    case.merge(LIVE)
    case.execute("ALTER TABLE t DROP CONSTRAINT t_pkey; INSERT INTO t VALUES (1, 'again', 2), (1, 'and again', 2)")
    with pytest.raises(KeysRejected) as caught:
        case.run(LIVE)
    assert caught.value.rejected.number == 1


def test_an_erased_key_stays_away_until_it_is_lifted(merging):
    case = by_cursor(merging(TABLE), delete_sweep=ALWAYS)
    case.merge(LIVE)
    job = case.job(LIVE)
    erase(job.store, job.stream, job.stream.datasets[0], [["2"], ["3"]])
    case.execute("UPDATE t SET word = 'erased', changed = 11 WHERE id = 2")
    assert did(case.run(LIVE)) == ("cursor", Counts(0, 0, 0, 8, 8))
    lift(job.store, job.stream, job.stream.datasets[0], [["3"]])
    assert did(case.run(LIVE)) == ("full", Counts(1, 0, 0, 8, 9))


def test_a_row_count_is_that_of_the_merge_table(merging):
    case = by_cursor(merging(TABLE))
    case.datasets = (replace(case.datasets[0], checks=(RowCount("size", Severity.FAIL, max=10),)),)
    case.merge(LIVE)
    assert did(case.merge(LIVE))[0] == "cursor"
    case.execute("INSERT INTO t VALUES (11, 'too many', 11)")
    with pytest.raises(QualityFailed):
        case.run(LIVE)


def test_a_dry_run_moves_no_cursor(merging):
    case = by_cursor(merging(TABLE), delete_sweep=ALWAYS)
    case.merge(LIVE)
    case.execute("DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (11, 'new', 11)")
    for _ in range(2):
        assert did(case.run(LIVE, dry_run=True)) == ("cursor", Counts(1, 0, 1, 9, 10))
    assert did(case.merge(LIVE)) == ("cursor", Counts(1, 0, 1, 9, 10))


def test_each_dataset_of_a_stream_has_its_own_strategy(merging):
    case = merging("; ".join(TABLE.replace("t (", f"{name} (").replace("INTO t", f"INTO {name}") for name in "abc"))
    a, b, c = case.datasets
    of_cursor = {"strategy": DatasetStrategy.CURSOR, "cursor": Cursor("changed", delete_sweep=ALWAYS)}
    case.datasets = (replace(a, **of_cursor), b, replace(c, **of_cursor))
    case.merge_both()
    for name in "abc":
        case.execute(f"DELETE FROM {name} WHERE id = 1; INSERT INTO {name} VALUES (11, 'new', 11)")
    for result in case.merge_both().values():
        found = {name: (of.strategy, of.counts) for name, of in result.datasets.items()}
        expected = Counts(1, 0, 1, 9, 10)
        assert found == {"a": ("cursor", expected), "b": ("version_diff", expected), "c": ("cursor", expected)}


def test_versions_are_valid_from_a_column_beside_the_cursor(merging):
    case = merging(
        """CREATE TABLE t (id int PRIMARY KEY, word text, changed timestamptz NOT NULL);
           INSERT INTO t VALUES (1, 'one', '2026-01-01Z'), (2, 'two', '2026-01-02Z')"""
    )
    by_cursor(case, delete_sweep=ALWAYS)
    case.datasets = (replace(case.datasets[0], valid_from="changed"),)
    case.run(FORENSIC)
    case.execute("UPDATE t SET word = 'dos', changed = '2026-01-03Z' WHERE id = 2; DELETE FROM t WHERE id = 1")
    assert did(case.run(FORENSIC)) == ("cursor", Counts(0, 1, 1, 0, 1))
    ends = 'SELECT id, ds_valid_to::date::text FROM "yellowforensic_Store1_t_merge" WHERE ds_batch_out = 2 AND id = 2'
    assert case.query(ends) == [(2, "2026-01-03")]


def test_a_model_in_yaml_is_read_by_its_cursor(merging, tmp_path, read_result):
    case = by_cursor(merging(TABLE), lookback=1, delete_sweep=RARELY, nulls=NullCursors.READ)
    loaded, unchanged = Counts(10, 0, 0, 0, 10), Counts(0, 0, 0, 10, 10)
    for run_id, expected in (("first", ("initial", loaded)), ("second", ("cursor", unchanged))):
        child = case.start_child(LIVE, tmp_path, run_id)
        output, errors = child.communicate(timeout=300)
        assert child.returncode == 0, errors
        assert did(read_result(output)) == expected
    assert read_result(output).partly_read == ("t",)


def test_a_view_is_read_by_its_cursor(merging):
    case = by_cursor(merging(TABLE))
    case.execute("CREATE VIEW v AS SELECT id, upper(word) AS word, changed, gone_at FROM t")
    case.datasets = (replace(case.datasets[0], table="v"),)
    case.merge(LIVE)
    case.execute("INSERT INTO t VALUES (11, 'new', 11)")
    assert did(case.merge(LIVE)) == ("cursor", Counts(1, 0, 0, 10, 11))


def test_the_query_of_a_batch_can_use_an_index(merging):
    case = by_cursor(merging(TABLE), tie_breaker="id")
    case.merge(LIVE)
    case.execute(
        """CREATE INDEX ON t (changed); INSERT INTO t SELECT n, 'x', 1 FROM generate_series(100, 20000) n; ANALYZE t"""
    )
    with closing(case.source.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(
            """EXPLAIN SELECT id FROM t WHERE changed IS NULL OR (changed OPERATOR(pg_catalog.>=) '10'::bigint
               AND (changed OPERATOR(pg_catalog.<>) '10'::bigint OR id IS NULL
                    OR id OPERATOR(pg_catalog.>=) '10'::bigint))"""
        )
        assert "Index Cond" in "\n".join(line for (line,) in cursor.fetchall())
