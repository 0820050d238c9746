"""Random histories of a table that is read by a cursor, against a plain model of what each batch may know.

Rows come in time, tied, late within the lookback and too late; they are deleted, or marked as deleted; jobs are killed.
The law: after a full batch the merge table equals the source. After a sweep its keys do, and a row differs only if the
source changed it with a value from before the lookback. Between sweeps it has the deleted rows, too, that no sweep has
seen, and lacks rows that came too late.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from config_schema.model import Cursor, DatasetStrategy, Milestoning, SourceKind
from config_schema.result import Counts
from merge_jobs.strategies.selection import StrategyOption
from tests.database.merge.producers import SqliteProducer, execute, read_from
from tests.database.merge.test_random_histories import OPEN, begin_anew, run_and_be_killed_after

TABLE = "CREATE TABLE t (id int PRIMARY KEY, word text, changed int, gone int)"
LOOKBACK = 2
RARELY = 10**6

FIRST = {key: ("x", 4 + key, None) for key in range(1, 7)}  # what the first batch loads, unless that is changed too

keys = st.integers(1, 8)
# A row comes so much later than the newest one: tied with it, within the lookback, and after it.
lateness = st.sampled_from([-1, 0, 1, LOOKBACK, LOOKBACK + 1, 7])
writes = st.tuples(keys, st.sampled_from(["x", "X", None]), lateness, st.sampled_from([None, 1]))
deletes = st.tuples(keys)
changes = st.lists(st.one_of(writes, writes, deletes), min_size=1, max_size=4)
crashes = st.sampled_from([None, None, None, "ingest", "merge_datasets", "write_result", "_commit"])
# Whether a batch sweeps, in a history whose model has sweeps.
histories = st.lists(st.tuples(changes, st.booleans(), crashes), min_size=3, max_size=6)

# Histories that must not be left to chance: each with a kill, and a batch after it.
TOO_LATE = [([(1, "X", 0, None)], True, None), ([(8, "x", 7, None)], True, "ingest"), ([(2,)], True, None)]
MARKED = [([(1, "X", 0, None)], False, None), ([(2, "x", -1, 1)], False, "ingest"), ([(2, "x", -1, None)], False, None)]
BACKWARDS = [([(1, "X", -1, None)], False, None), ([(1,)], False, "_commit"), ([(3,)], True, "merge_datasets")]


@dataclass
class Truth:
    """The producer's rows, the newest value so far, what batches know of the rows, and every version that they saw."""

    rows: dict = field(default_factory=lambda: dict(FIRST))
    newest: int = 10
    cursor: int | None = None
    seen: dict = field(default_factory=dict)
    versions: list = field(default_factory=list)
    last_batch: int = 0
    first: bool = True

    def change(self, round_of_changes) -> None:
        for change in round_of_changes:
            if len(change) == 1:
                self.rows.pop(change[0], None)
            else:
                key, word, late, gone = change
                value = self.newest - late
                self.newest = max(self.newest, value)
                self.rows[key] = (word, value, gone)

    def batch(self, sweeps: bool) -> tuple[str, Counts]:
        """Return what the batch must say."""
        alive = {key: row for key, row in self.rows.items() if row[2] is None}
        greatest = max((value for _, value, _ in self.rows.values()), default=None)
        strategy, now = "cursor", dict(self.seen)
        if self.first:
            strategy = "initial"
        elif self.cursor is None or greatest is None or greatest < self.cursor:
            strategy = "full"
        else:
            for key, row in self.rows.items():
                if row[1] >= self.cursor - LOOKBACK:
                    now.pop(key, None)
                    if row[2] is None:
                        now[key] = row
            if sweeps:
                now = {key: row for key, row in now.items() if key in alive}
                if alive.keys() - now.keys():
                    strategy = "full"
        if strategy != "cursor":
            now = alive
        return strategy, self.see(now, greatest)

    def see(self, now, greatest) -> Counts:
        new = [key for key in now if key not in self.seen]
        gone = [key for key in self.seen if key not in now]
        changed = [key for key in now if key in self.seen and now[key] != self.seen[key]]
        if new or gone or changed or self.first:
            self.last_batch += 1
        for key in gone + changed:
            next(version for version in self.versions if version[0] == key and version[3] == OPEN)[3] = self.last_batch
        self.versions += [[key, now[key], self.last_batch, OPEN] for key in new + changed]
        self.seen, self.cursor, self.first = now, greatest, False
        return Counts(len(new), len(changed), len(gone), len(now) - len(new) - len(changed), len(now))


@pytest.mark.parametrize("marks", [False, True])
@pytest.mark.parametrize("kind_of_source", [SourceKind.POSTGRESQL, SourceKind.SQLITE])
def test_a_random_history_holds_the_law_of_cursors(merging, marks, kind_of_source, tmp_path):
    case = merging(TABLE)
    [described] = case.datasets
    connect, mark = case.source.connect, "%s"
    if kind_of_source is SourceKind.SQLITE:
        producer = SqliteProducer(tmp_path)
        execute(producer, TABLE)
        read_from(case, producer)
        connect, mark = producer.connect, "?"

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(histories, st.booleans())
    @example(TOO_LATE, True)
    @example(MARKED, False)
    @example(BACKWARDS, True)
    def follows_the_truth(history, has_sweeps):
        begin_anew(case)
        truth = Truth()
        for number, (round_of_changes, sweeps, crash) in enumerate(history):
            if not marks:
                round_of_changes = [(*change[:3], None) if len(change) > 1 else change for change in round_of_changes]
            sweep = (0 if sweeps else RARELY) if has_sweeps else None
            cursor = Cursor("changed", LOOKBACK, delete_sweep=sweep, deleted_at="gone" if marks else None)
            case.datasets = (replace(described, strategy=DatasetStrategy.CURSOR, cursor=cursor),)
            truth.change(round_of_changes)
            write_down(connect, mark, truth)
            strategy, counts = truth.batch(sweep == 0)
            for kind in Milestoning:
                if crash is not None:
                    run_and_be_killed_after(crash, case, kind, f"round-{number}", StrategyOption.AUTO)
                result = case.run(kind, f"round-{number}", lock_wait=300)
                assert (result.datasets["t"].strategy, result.datasets["t"].counts) == (strategy, counts)
                assert result.partly_read == (("t",) if strategy == "cursor" and sweep != 0 else ())
            check(case, truth, is_exact=strategy != "cursor", is_swept=sweep == 0)

    follows_the_truth()


def write_down(connect, mark, truth) -> None:
    with closing(connect()) as connection, connection, closing(connection.cursor()) as cursor:
        cursor.execute("DELETE FROM t")
        for key, row in truth.rows.items():
            cursor.execute(f"INSERT INTO t VALUES ({', '.join([mark] * 4)})", (key, *row))


def check(case, truth, *, is_exact, is_swept) -> None:
    [dataset] = case.datasets
    merged = case.open_rows(Milestoning.LIVE, dataset)
    assert merged == as_read(truth.seen)
    found = [(key, row, span) for key, row, span in case.versions(Milestoning.FORENSIC, dataset)]
    expected = [((str(key),), of_row(key, row), (since, until)) for key, row, since, until in truth.versions]
    assert sorted(found, key=repr) == sorted(expected, key=repr)
    # The law itself, apart from how a batch comes to it.
    source = as_read({key: row for key, row in truth.rows.items() if row[2] is None})
    if is_exact:
        assert merged == source
    if is_swept:
        assert merged.keys() == source.keys()
    assert truth.cursor is None or all(
        merged.get(key) == row for key, row in source.items() if int(row[2]) >= truth.cursor - LOOKBACK
    )


def as_read(rows):
    return {(str(key),): of_row(key, row) for key, row in rows.items()}


def of_row(key, row):
    word, value, gone = row
    return (str(key), word, str(value), gone)
