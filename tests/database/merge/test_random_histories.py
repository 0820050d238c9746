"""Random histories of a producer's table against a plain model of the truth in memory: live rows and every version."""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config_schema.model import Milestoning
from config_schema.result import Counts
from merge_jobs.run import job
from merge_jobs.strategies.selection import StrategyOption
from tests.database.conftest import IN_BOTH

TABLE = "CREATE TABLE t (id int, part text, word text, amount numeric, PRIMARY KEY (id, part))"
OPEN = 2147483647

keys = st.tuples(st.integers(1, 4), st.sampled_from(["", "a", "ä\n"]))
# Values that are equal for some comparisons and not for others.
rows = st.tuples(st.sampled_from([None, "", "x", "X", "\\N"]), st.sampled_from([None, "1.0", "1.00", "NaN", "-0"]))
changes = st.lists(st.tuples(keys, st.none() | rows), max_size=6)  # None: the key is deleted
# After which step of the job it is killed, before it is run again.
crashes = st.sampled_from([None, None, "ingest", "merge_datasets", "write_result", "_commit"])
histories = st.lists(st.tuples(changes, crashes), min_size=1, max_size=5)


@pytest.mark.parametrize("wanted", [StrategyOption.VERSION_DIFF, StrategyOption.KEY_HASH_DIFF, StrategyOption.FULL])
@IN_BOTH
def test_every_version_of_a_random_history_is_kept_and_counted(merging, wanted):
    case = merging(TABLE)
    examples = 12 if case.warehouse is None else 3  # a commit of Iceberg's writes three files or four

    @settings(
        max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
    )
    @given(histories)
    def follows_the_truth(history):
        begin_anew(case)
        truth = Truth()
        for number, (round_of_changes, crash) in enumerate(history):
            apply_to_source(case, round_of_changes)
            expected = truth.batch(round_of_changes)
            for kind in Milestoning:
                run_id = f"round-{number}"
                if crash is not None:
                    run_and_be_killed_after(crash, case, kind, run_id, wanted)
                # The server may take a moment to notice that the killed job's session is gone.
                result = case.run(kind, run_id, strategy=wanted, lock_wait=10)
                assert result.datasets["t"].strategy == ("initial" if number == 0 else wanted.value)
                assert result.datasets["t"].counts == expected
                assert result.batch_id == truth.last_batch
            [dataset] = case.datasets
            assert case.open_rows(Milestoning.LIVE, dataset) == truth.source_as_read()
            assert sorted(case.versions(Milestoning.FORENSIC, dataset), key=repr) == truth.versions_as_read()

    follows_the_truth()


class Killed(BaseException):
    """As by kill -9: nothing in the job tidies up after it."""


def run_and_be_killed_after(step, case, kind, run_id, wanted) -> None:
    done = getattr(job, step)

    def then_killed(*arguments):
        done(*arguments)
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, step, then_killed)
        with pytest.raises(Killed):
            case.run(kind, run_id, strategy=wanted, lock_wait=10)


class Truth:
    """The producer's rows, and every version that a batch saw of them."""

    def __init__(self) -> None:
        self.rows: dict = {}
        self.seen: dict = {}
        self.versions: list = []
        self.last_batch = 0

    def batch(self, round_of_changes) -> Counts:
        for key, row in round_of_changes:
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row
        new = [key for key in self.rows if key not in self.seen]
        gone = [key for key in self.seen if key not in self.rows]
        changed = [key for key in self.rows if key in self.seen and self.rows[key] != self.seen[key]]
        if new or gone or changed or not self.last_batch:
            self.last_batch += 1
        for key in gone + changed:
            version = next(v for v in self.versions if v[0] == key and v[3] == OPEN)
            version[3] = self.last_batch
        self.versions += [[key, self.rows[key], self.last_batch, OPEN] for key in new + changed]
        self.seen = dict(self.rows)
        unchanged = len(self.rows) - len(new) - len(changed)
        return Counts(len(new), len(changed), len(gone), unchanged, len(self.rows))

    def source_as_read(self):
        return {as_read(key): as_read(key) + values_as_read(row) for key, row in self.rows.items()}

    def versions_as_read(self):
        read = [
            (as_read(key), as_read(key) + values_as_read(row), (since, until))
            for key, row, since, until in self.versions
        ]
        return sorted(read, key=repr)


def as_read(key):
    return (str(key[0]), key[1])


def values_as_read(row):
    word, amount = row
    return (word, "0" if amount == "-0" else amount)  # numeric knows no -0


def apply_to_source(case, round_of_changes) -> None:
    with closing(case.source.connect()) as connection, connection, connection.cursor() as cursor:
        for key, row in round_of_changes:
            if row is None:
                cursor.execute("DELETE FROM t WHERE (id, part) = (%s, %s)", key)
            else:
                cursor.execute(
                    """INSERT INTO t VALUES (%s, %s, %s, %s)
                       ON CONFLICT (id, part) DO UPDATE SET word = excluded.word, amount = excluded.amount""",
                    (*key, *row),
                )


def begin_anew(case) -> None:
    case.execute("DELETE FROM t")
    drop = "DO $$ BEGIN EXECUTE (SELECT coalesce('DROP TABLE ' || string_agg(c.oid::regclass::text, ', '), 'SELECT 1') "
    tables = "FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'); END $$"
    case.execute(drop + tables, on=case.target)
