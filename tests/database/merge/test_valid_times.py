"""The law of `valid_from`: a version is valid from the time in that column until the key's next one is.

Random histories run beside a model of the truth in memory; what the law refuses is in them too.
"""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config_schema.model import Milestoning, OnDelete
from merge_jobs.admin.diff import compare
from merge_jobs.admin.erase import erase, lift
from merge_jobs.errors import ValidTimesRejected
from merge_jobs.strategies.selection import StrategyOption
from tests.database.merge.test_random_histories import OPEN, begin_anew, crashes, run_and_be_killed_after

LIVE, FORENSIC = Milestoning
TABLE = "CREATE TABLE t (id int, part text, word text, at timestamptz, PRIMARY KEY (id, part))"
MERGED = '"yellowforensic_Store1_t_merge"'
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
NOW, FUTURE, INFINITE = "now", "future", "infinite"  # times that are known when a row is written
HOUR, MOMENT = timedelta(hours=1), timedelta(microseconds=1)

keys = st.tuples(st.integers(1, 3), st.sampled_from(["", "a"]))
times = st.integers(0, 5) | st.sampled_from([NOW, NOW, None, FUTURE, INFINITE])
changes = st.lists(st.tuples(keys, st.none() | st.tuples(st.sampled_from("xy"), times)), max_size=5)
histories = st.lists(st.tuples(changes, crashes), min_size=2, max_size=6)


@dataclass
class Version:
    key: tuple
    row: tuple
    batch_in: int
    begins: datetime
    batch_out: int = OPEN
    ends: datetime | None = None
    deleted_in: int | None = None


class Truth:
    """The source's rows, and all versions of them with their times, by the words of the law."""

    def __init__(self, keeps: bool) -> None:
        self.keeps = keeps
        self.rows: dict = {}
        self.seen: dict = {}
        self.versions: list[Version] = []
        self.batches: dict[int, dict] = {}

    @property
    def last_batch(self) -> int:
        return max(self.batches, default=0)

    def changed(self):
        return {key: row for key, row in self.rows.items() if self.seen.get(key) != row}

    def refused(self) -> dict:
        """The keys that no version can begin of, by the reason."""
        found = {}
        for key, (_, at) in self.changed().items():
            if at is None:
                found[key] = "missing"
            elif at == INFINITE:
                found[key] = "infinite"
            elif at > datetime.now(UTC) + HOUR / 2:
                found[key] = "future"
            elif key in self.seen and at < self.seen[key][1]:
                found[key] = "backwards"
        return found

    def batch(self, number: int, time: datetime) -> None:
        for key in self.seen.keys() - self.rows.keys():
            last = self.last_of(key)
            last.ends = max(time, last.begins)
            if self.keeps:
                last.deleted_in = number
            else:
                last.batch_out = number
        for key, (word, at) in self.changed().items():
            last, begins = self.last_of(key), at
            if last is not None and key in self.seen:
                begins = last.ends = max(at, last.begins)
            elif last is not None and at <= last.ends:
                begins = max(time, last.ends)
            if last is not None and last.batch_out == OPEN:
                last.batch_out = number
            self.versions.append(Version(key, (word, at), number, begins))
        self.seen = dict(self.rows)
        self.batches[number] = dict(self.rows)

    def last_of(self, key) -> Version | None:
        return next((one for one in reversed(self.versions) if one.key == key), None)

    def as_of(self, time: datetime) -> list:
        there = [one for one in self.versions if one.begins <= time and (one.ends is None or one.ends > time)]
        assert len({one.key for one in there}) == len(there), "two versions of a key are valid at once"
        return sorted((*one.key, *one.row) for one in there)


@pytest.fixture
def case(merging):
    return with_times(merging(TABLE))


def with_times(made, column="at", **options):
    def altered(one):
        columns = tuple(replace(c, nullable=False) if c.name == column else c for c in one.columns)
        return replace(one, columns=columns, valid_from=column, **options)

    made.datasets = tuple(map(altered, made.datasets))
    return made


def without(made):
    made.datasets = tuple(replace(one, valid_from=None) for one in made.datasets)
    return made


def apply(case, truth, round_of_changes) -> None:
    with closing(case.source.connect()) as connection, connection, connection.cursor() as cursor:
        for key, row in round_of_changes:
            if row is None:
                truth.rows.pop(key, None)
                cursor.execute("DELETE FROM t WHERE (id, part) = (%s, %s)", key)
                continue
            word, at = row
            if at in (NOW, FUTURE):
                at = datetime.now(UTC) + (HOUR if at == FUTURE else timedelta())
            elif isinstance(at, int):
                at = LONG_AGO + at * HOUR
            truth.rows[key] = (word, at)
            cursor.execute(
                """INSERT INTO t VALUES (%s, %s, %s, %s)
                   ON CONFLICT (id, part) DO UPDATE SET word = excluded.word, at = excluded.at""",
                (*key, word, "infinity" if at == INFINITE else at),
            )


def corrected(truth, refused) -> list:
    """What makes of rows that are refused such as are not."""
    at = {key: truth.seen[key][1] if key in truth.seen else LONG_AGO for key in refused}
    return [(key, (truth.rows[key][0], at[key])) for key in refused]


def versions(case, keeps=False):
    lost = "ds_deleted_in" if keeps else "NULL::int"
    found = case.query(
        f"""SELECT id, part, word, at, ds_batch_in, coalesce(ds_valid_from, at), ds_batch_out, ds_valid_to, {lost}
            FROM {MERGED} ORDER BY id, part, ds_batch_in"""
    )
    return [Version(row[:2], row[2:4], *row[4:]) for row in found]


def in_order(of):
    return sorted(of, key=lambda one: (one.key, one.batch_in))


def time_of(case, batch):
    return case.query(f"SELECT source_snapshot_time FROM yellowforensic_batch_metrics WHERE batch_id = {batch}")[0][0]


@pytest.mark.parametrize("wanted", [StrategyOption.VERSION_DIFF, StrategyOption.KEY_HASH_DIFF, StrategyOption.FULL])
def test_every_version_has_the_times_that_the_law_says(case, wanted):
    @settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(histories, st.booleans())
    def follows_the_truth(history, keeps):
        begin_anew(case)
        with_times(case, on_delete=OnDelete.KEEP if keeps else OnDelete.FOLLOW)
        truth = Truth(keeps)
        for number, (round_of_changes, crash) in enumerate(history):
            apply(case, truth, round_of_changes)
            refused = truth.refused()
            if refused:
                before = versions(case, keeps) if number else []
                with pytest.raises(ValidTimesRejected) as caught:
                    case.run(FORENSIC, f"refused-{number}", strategy=wanted, lock_wait=10)
                assert sorted(caught.value.found.values()) == sorted(Counter(refused.values()).values())
                reason = caught.value.rejected.reason
                sample = {(key["id"], key["part"]) for key, _ in caught.value.rejected.sample}
                assert sample == {key for key, why in refused.items() if why == reason}
                assert (versions(case, keeps) if number else []) == before
                apply(case, truth, corrected(truth, refused))
            if crash is not None:
                run_and_be_killed_after(crash, case, FORENSIC, f"round-{number}", wanted)
            result = case.run(FORENSIC, f"round-{number}", strategy=wanted, lock_wait=10)
            assert result.datasets["t"].strategy == ("initial" if number == 0 else wanted.value)
            if result.batch_id > truth.last_batch:
                truth.batch(result.batch_id, time_of(case, result.batch_id))
            assert truth.seen == truth.rows
            assert versions(case, keeps) == in_order(truth.versions)
        check_as_of(case, truth)
        check_that_it_is_the_same_if_switched_on_later(case, truth, keeps)

    follows_the_truth()


def check_as_of(case, truth) -> None:
    function = '"yellowforensic_Store1_t_merge_as_of"'
    edges = {time for one in truth.versions for time in (one.begins, one.ends) if time is not None}
    moments = sorted({moment for edge in edges for moment in (edge - MOMENT, edge)})
    for moment in [*moments, datetime.now(UTC)]:
        found = case.query(f"SELECT * FROM {function}(timestamptz '{moment.isoformat()}') ORDER BY id, part")
        assert found == truth.as_of(moment)
    for batch, rows in truth.batches.items():
        found = case.query(f"SELECT * FROM {function}({batch})")
        assert {row[:2]: row[2:] for row in found} == rows
        assert len(found) == len(rows)
    spans = itertools.groupby(in_order(truth.versions), lambda one: one.key)
    for _, of_key in spans:
        assert all(one.ends is not None and one.ends <= after.begins for one, after in itertools.pairwise(of_key))


def check_that_it_is_the_same_if_switched_on_later(case, truth, keeps) -> None:
    without(case)
    case.run(FORENSIC, "without")
    assert versions(case, keeps) == in_order(truth.versions)  # they stay, and are stale from now on
    case.execute(f"UPDATE {MERGED} SET ds_valid_from = NULL, ds_valid_to = NULL", on=case.target)
    with_times(case)
    result = case.run(FORENSIC, "again").datasets["t"]
    assert (result.strategy, result.counts.changed) == ("full", 0)
    assert versions(case, keeps) == in_order(truth.versions)


SOME = "INSERT INTO t SELECT n, '', 'x', timestamptz '2026-01-01 12:00+00' FROM generate_series(1, 20) n"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("NULL", "1 row with NULL in it"),
        ("'infinity'", "1 row with an infinite time in it"),
        ("'-infinity'", "1 row with an infinite time in it"),
        (
            "clock_timestamp() + interval '1 hour'",
            "1 row with a time in it that lies more than a minute ahead of the merge store's clock",
        ),
    ],
)
def test_a_row_without_a_usable_time_is_refused_in_each_batch(case, value, said):
    broken = f"INSERT INTO t VALUES (99, 'z', 'x', {value})"
    case.execute(f"{SOME}; {broken}")
    with pytest.raises(ValidTimesRejected) as caught:
        case.run(FORENSIC)
    assert "yellowforensic_Store1_t_merge" not in [name for (name,) in case.query("SELECT relname FROM pg_class")]
    case.execute("DELETE FROM t WHERE id = 99")
    case.merge(FORENSIC)
    case.execute(broken)
    for strategy in (StrategyOption.AUTO, StrategyOption.FULL):
        with pytest.raises(ValidTimesRejected) as caught:
            case.run(FORENSIC, strategy=strategy)
        assert f"column at: versions are valid from it, and there are {said}" in str(caught.value)
    assert len(versions(case)) == 20
    assert case.query("SELECT rejected_key FROM yellowforensic_rejected_keys") == [({"id": 99, "part": "z"},)]
    case.execute("UPDATE t SET at = now() WHERE id = 99")
    case.merge(FORENSIC)
    assert case.query("SELECT count(*) FROM yellowforensic_rejected_keys") == [(0,)]


def test_a_time_within_the_minute_that_clocks_may_differ_by_is_accepted(case):
    case.execute("INSERT INTO t VALUES (1, '', 'x', clock_timestamp() + interval '30 seconds')")
    case.merge(FORENSIC)
    case.execute("DELETE FROM t")
    case.merge(FORENSIC)
    [one] = versions(case)
    assert one.ends == one.begins, "it was gone before it began"


def test_an_earlier_time_than_the_last_versions_is_refused_and_an_equal_one_leaves_that_no_time(case):
    case.execute(SOME)
    case.merge(FORENSIC)
    case.execute("UPDATE t SET word = 'y', at = at - interval '1 microsecond' WHERE id < 3")
    with pytest.raises(ValidTimesRejected) as caught:
        case.run(FORENSIC)
    assert caught.value.found == {"an earlier time in it than their last version had": 2}
    assert not caught.value.retryable
    case.execute("UPDATE t SET at = at + interval '1 microsecond' WHERE id < 3")
    case.merge(FORENSIC)
    first, second = (one for one in versions(case) if one.key == (1, ""))
    assert first.begins == first.ends == second.begins == datetime(2026, 1, 1, 12, tzinfo=UTC)
    found = case.query(
        "SELECT word FROM \"yellowforensic_Store1_t_merge_as_of\"(timestamptz '2026-01-01 12:00+00') WHERE id = 1"
    )
    assert found == [("y",)]


@pytest.mark.parametrize("keeps", [False, True])
def test_a_key_that_comes_back_begins_at_its_time_or_with_its_batch_if_that_is_from_before_it_was_lost(case, keeps):
    with_times(case, on_delete=OnDelete.KEEP if keeps else OnDelete.FOLLOW)
    case.execute(SOME)
    case.run(FORENSIC)
    case.execute("DELETE FROM t WHERE id < 3")
    case.run(FORENSIC)
    case.execute("INSERT INTO t VALUES (1, '', 'x', '2026-01-01 12:00+00'), (2, '', 'x', clock_timestamp())")
    assert case.run(FORENSIC).datasets["t"].counts.inserted == 2
    lost, back = time_of(case, 2), time_of(case, 3)
    (was, now), (was_2, now_2) = (
        [one for one in versions(case, keeps) if one.key == (number, "")] for number in (1, 2)
    )
    assert was.ends == was_2.ends == lost
    assert now.begins == back > lost
    assert now_2.begins == now_2.row[1] > lost
    # The next version of a key that began late does not begin before it.
    case.execute("UPDATE t SET word = 'y', at = at + interval '1 hour' WHERE id = 1")
    case.run(FORENSIC)
    _, late, last = (one for one in versions(case, keeps) if one.key == (1, ""))
    assert late.begins == late.ends == last.begins == back
    case.execute("UPDATE t SET word = 'z', at = at - interval '1 minute' WHERE id = 1")
    with pytest.raises(ValidTimesRejected):
        case.run(FORENSIC)


@pytest.mark.parametrize("kind", ["timestamp", "timestamp(0)", "date", "timestamptz(3)"])
def test_a_time_without_a_zone_is_one_of_utc_and_a_date_its_beginning(merging, kind):
    case = with_times(merging(f"CREATE TABLE t (id int PRIMARY KEY, word text, at {kind})"))
    begin = "SET TimeZone = 'UTC'; INSERT INTO t SELECT n, 'x', timestamp '2026-07-01 00:00'"
    case.execute(f"{begin} FROM generate_series(1, 2) n")
    case.merge(FORENSIC)
    case.execute("SET TimeZone = 'UTC'; UPDATE t SET word = 'y', at = '2026-07-03 00:00' WHERE id = 1")
    case.merge(FORENSIC)
    ends = case.query(f"SELECT ds_valid_to FROM {MERGED} WHERE ds_batch_out <> {OPEN}")
    assert ends == [(datetime(2026, 7, 3, tzinfo=UTC),)]

    def at(time):
        return case.query(
            "SET TimeZone = 'Asia/Tokyo'; "
            f"SELECT id, word FROM \"yellowforensic_Store1_t_merge_as_of\"(timestamptz '{time}') ORDER BY id"
        )

    assert at("2026-06-30 23:59:59+00") == []
    assert at("2026-07-01 00:00+00") == [(1, "x"), (2, "x")]
    assert at("2026-07-02 23:59:59+00") == [(1, "x"), (2, "x")]
    assert at("2026-07-03 00:00+00") == [(1, "y"), (2, "x")]
    beyond = "'290000-01-01'" if kind != "date" else "'5000000-01-01'"
    case.execute(f"UPDATE t SET at = {beyond} WHERE id = 2")
    with pytest.raises(ValidTimesRejected) as caught:
        case.run(FORENSIC)
    assert caught.value.rejected.reason == "future"


def test_a_live_platform_ignores_it(merging):
    case = merging(TABLE)
    case.execute(f"{SOME}; INSERT INTO t VALUES (99, 'z', 'x', NULL)")
    case.run(LIVE)
    with_times(case)
    case.execute("DELETE FROM t WHERE id = 1")
    assert case.run(LIVE).datasets["t"].strategy == "version_diff"
    assert case.query(
        "SELECT attname FROM pg_attribute WHERE attrelid = '\"yellowlive_Store1_t_merge\"'::regclass AND attnum > 0"
    ) == [("id",), ("part",), ("word",), ("at",)]


def test_it_can_be_switched_on_and_off_later(merging):
    case = merging(TABLE)
    case.execute(SOME)
    case.run(FORENSIC)
    case.execute("UPDATE t SET word = 'y', at = at + interval '1 day' WHERE id = 1; DELETE FROM t WHERE id = 2")
    case.run(FORENSIC)
    case.execute("UPDATE t SET word = 'z', at = at + interval '1 day' WHERE id = 1")
    with_times(case)
    result = case.run(FORENSIC)
    assert result.datasets["t"].strategy == "full"
    assert "the model of the table has changed" in result.datasets["t"].reason
    assert result.shape_changed, "consumers' views have other times"
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    day, deleted = timedelta(days=1), time_of(case, 2)
    assert [(one.begins, one.ends) for one in versions(case)[:4]] == [
        (noon, noon + day),
        (noon + day, noon + 2 * day),
        (noon + 2 * day, None),
        (noon, deleted),
    ]
    job = case.job(FORENSIC)
    assert compare(job.store, job.source, job.stream, job.stream.datasets, 10).is_equal
    # Versions that are closed meanwhile have no end; switched on again, all have what they would have had.
    without(case)
    case.execute("UPDATE t SET word = 'zz', at = at + interval '1 day' WHERE id = 1")
    case.run(FORENSIC)
    assert versions(case)[2].ends is None
    with_times(case)
    case.run(FORENSIC)
    assert [one.ends for one in versions(case)[:4]] == [noon + day, noon + 2 * day, noon + 3 * day, None]
    assert case.run(FORENSIC).datasets["t"].strategy == "version_diff"


def test_an_older_program_that_closed_versions_meanwhile_is_noticed(case):
    case.execute(SOME)
    case.run(FORENSIC)
    [[comment]] = case.query(f"SELECT obj_description('{MERGED}'::regclass)")
    without(case)
    case.execute("UPDATE t SET word = 'y', at = at + interval '1 day' WHERE id = 1")
    case.run(FORENSIC)
    # An older program leaves the comment as it is.
    case.execute(f"COMMENT ON TABLE {MERGED} IS '{comment}'", on=case.target)
    with_times(case)
    case.run(FORENSIC)
    assert versions(case)[0].ends == datetime(2026, 1, 2, 12, tzinfo=UTC)


def test_versions_from_before_the_column_was_there_begin_with_their_batch(merging):
    case = merging("CREATE TABLE t (id int, part text, word text, PRIMARY KEY (id, part))")
    case.execute("INSERT INTO t SELECT n, '', 'x' FROM generate_series(1, 3) n")
    case.run(FORENSIC)
    case.execute("ALTER TABLE t ADD at timestamptz; UPDATE t SET at = '2026-01-01' WHERE id < 3")
    case.execute("UPDATE t SET at = now() WHERE id = 3")
    case.describe()
    with_times(case)
    case.run(FORENSIC)
    first, found = time_of(case, 1), versions(case)
    assert [(one.begins, one.ends) for one in found[:4]] == [(first, first), (first, None)] * 2
    old, new = found[4:]
    assert (old.begins, old.ends) == (first, new.begins)
    assert new.begins == new.row[1] > first
    # What is there now and cannot begin a version is refused, whatever the history is.
    case.execute("UPDATE t SET word = 'y', at = '2025-01-01' WHERE id = 1")
    with pytest.raises(ValidTimesRejected):
        case.run(FORENSIC)


def test_rows_that_are_there_are_judged_when_it_is_switched_on(merging):
    case = merging(TABLE)
    case.execute(f"{SOME}; INSERT INTO t VALUES (99, 'z', 'x', NULL)")
    case.run(FORENSIC)
    with_times(case)
    with pytest.raises(ValidTimesRejected) as caught:
        case.run(FORENSIC)
    assert caught.value.found == {"NULL in it": 1}
    case.execute("UPDATE t SET at = '2026-01-01' WHERE id = 99")
    case.run(FORENSIC)
    assert [one.ends for one in versions(case) if one.key == (99, "z")] == [time_of(case, 1), None]


def test_another_column_gives_all_versions_other_times(merging):
    case = with_times(merging("CREATE TABLE t (id int PRIMARY KEY, word text, at date, since date)"))
    case.execute("INSERT INTO t VALUES (1, 'x', '2026-01-01', '2025-01-01')")
    case.run(FORENSIC)
    case.execute("UPDATE t SET word = 'y', at = '2026-01-02', since = '2025-01-02'")
    case.run(FORENSIC)
    with_times(case, "since")
    case.run(FORENSIC)
    ends = case.query(f"SELECT ds_valid_to FROM {MERGED} ORDER BY ds_batch_in")
    assert ends == [(datetime(2025, 1, 2, tzinfo=UTC),), (None,)]


def test_rows_that_were_kept_go_at_the_time_of_the_batch_without_that_option(case):
    with_times(case, on_delete=OnDelete.KEEP)
    case.execute(SOME)
    case.run(FORENSIC)
    case.execute("DELETE FROM t WHERE id < 3")
    case.run(FORENSIC)
    assert [one.ends for one in versions(case, keeps=True)[:3]] == [time_of(case, 2), time_of(case, 2), None]
    with_times(case, on_delete=OnDelete.FOLLOW)
    case.execute("INSERT INTO t VALUES (1, '', 'x', '2026-01-01 12:00+00')")  # as it was, before a batch has seen it go
    result = case.run(FORENSIC)
    assert result.datasets["t"].counts.deleted == 1
    one, two, *_ = versions(case)
    assert (one.batch_out, one.ends) == (OPEN, None)
    assert (two.batch_out, two.ends) == (3, time_of(case, 3))


def test_an_erased_key_begins_anew_once_that_is_lifted(case):
    case.execute(SOME)
    case.run(FORENSIC)
    case.execute("DELETE FROM t WHERE id = 1")
    case.run(FORENSIC)
    job = case.job(FORENSIC)
    key = [("1", "")]
    assert erase(job.store, job.stream, job.stream.datasets[0], key).rows == 1
    case.execute("INSERT INTO t VALUES (1, '', 'x', '2026-01-01 12:00+00')")
    case.run(FORENSIC)
    assert [one for one in versions(case) if one.key == (1, "")] == []
    assert lift(job.store, job.stream, job.stream.datasets[0], key) == 1
    case.run(FORENSIC)
    [one] = (one for one in versions(case) if one.key == (1, ""))
    assert one.begins == datetime(2026, 1, 1, 12, tzinfo=UTC), "nothing is known of when it was lost"


def test_two_datasets_of_a_stream_are_judged_and_kept_each_for_itself(merging):
    case = with_times(merging(f"{TABLE}; CREATE TABLE u (id int PRIMARY KEY, at date)"))
    case.execute(f"{SOME}; INSERT INTO u VALUES (1, '2026-01-01')")
    case.run(FORENSIC)
    for days in (1, 2):
        case.execute(f"UPDATE t SET word = 'y{days}', at = at + interval '1 day'; UPDATE u SET at = at + 1")
        counts = {name: of.counts.updated for name, of in case.run(FORENSIC).datasets.items()}
        assert counts == {"t": 20, "u": 1}
    [[wrong]] = case.query(
        f"SELECT count(*) FROM {MERGED} WHERE ds_batch_out <> {OPEN} AND ds_valid_to <> at + interval '1 day'"
    )
    assert wrong == 0
