"""The law of erased keys, in random histories: absent whatever the source says, until lifted; all else as it is."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config_schema.model import Milestoning
from config_schema.result import Counts
from merge_jobs.admin.erase import erase, lift
from merge_jobs.strategies.selection import StrategyOption
from tests.database.merge.test_random_histories import (
    OPEN,
    TABLE,
    Truth,
    apply_to_source,
    as_read,
    begin_anew,
    crashes,
    keys,
    rows,
    run_and_be_killed_after,
)

changes = st.lists(st.tuples(keys, st.none() | rows), max_size=6)
erasures = st.lists(st.tuples(st.sampled_from(["erase", "erase", "lift"]), keys), max_size=3)
histories = st.lists(st.tuples(changes, erasures, crashes), min_size=1, max_size=5)


class TruthWithErasures(Truth):
    """As the truth, but the erased keys are in nothing that was read."""

    def __init__(self) -> None:
        super().__init__()
        self.erased: set = set()
        self.everything: dict = {}

    def erase(self, key) -> int:
        """Forget the key; return how many versions there were."""
        self.erased.add(key)
        self.seen.pop(key, None)
        self.rows.pop(key, None)
        gone = [version for version in self.versions if version[0] == key]
        self.versions = [version for version in self.versions if version[0] != key]
        return len(gone)

    def lift(self, key) -> None:
        self.erased.discard(key)
        if key in self.everything:
            self.rows[key] = self.everything[key]

    def batch(self, round_of_changes) -> Counts:
        for key, row in round_of_changes:
            if row is None:
                self.everything.pop(key, None)
            else:
                self.everything[key] = row
        return super().batch([(key, row) for key, row in round_of_changes if key not in self.erased])


@pytest.mark.parametrize("wanted", [StrategyOption.VERSION_DIFF, StrategyOption.KEY_HASH_DIFF, StrategyOption.FULL])
def test_erased_keys_stay_away_and_nothing_else_does(merging, wanted):
    case = merging(TABLE)

    @settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(histories)
    def follows_the_truth(history):
        begin_anew(case)
        truth = TruthWithErasures()
        for number, (round_of_changes, round_of_erasures, crash) in enumerate(history):
            for what, key in round_of_erasures:
                change_erasure(case, truth, what, key)
            apply_to_source(case, round_of_changes)
            expected = truth.batch(round_of_changes)
            for kind in Milestoning:
                run_id = f"round-{number}"
                if crash is not None:
                    run_and_be_killed_after(crash, case, kind, run_id, wanted)
                result = case.run(kind, run_id, strategy=wanted, lock_wait=10)
                # Nothing but the first load is read in full because of an erasure.
                assert result.datasets["t"].strategy == ("initial" if number == 0 else wanted.value)
                assert result.datasets["t"].counts == expected
            [dataset] = case.datasets
            assert case.open_rows(Milestoning.LIVE, dataset) == truth.source_as_read()
            assert sorted(case.versions(Milestoning.FORENSIC, dataset), key=repr) == truth.versions_as_read()
            assert not truth.erased & {key for key, *_ in truth.versions}
            if wanted is not StrategyOption.FULL:
                assert_maps_know_no(case, truth.erased)

    follows_the_truth()


def change_erasure(case, truth, what, key) -> None:
    for kind in Milestoning:
        job = case.job(kind)
        [dataset] = job.stream.datasets
        if what == "lift":
            lifted = lift(job.store, job.stream, dataset, [as_read(key)], lock_wait=10)
            assert lifted == (key in truth.erased)
        else:
            done = erase(job.store, job.stream, dataset, [as_read(key)], lock_wait=10)
            assert (done.keys, done.known) == ((0, 1) if key in truth.erased else (1, 0))
            versions = [version for version in truth.versions if version[0] == key]
            live = [version for version in versions if version[3] == OPEN]
            assert done.rows == len(versions if kind is Milestoning.FORENSIC else live)
    if what == "lift":
        truth.lift(key)
    else:
        truth.erase(key)


def assert_maps_know_no(case, erased) -> None:
    for platform in ("yellowlive", "yellowforensic"):
        table = f'"{platform}_Store1_t_map"'
        has_arrays = case.query(
            f"SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attname = 'tids'"
        )
        key = "unnest(key_1), unnest(key_2)" if has_arrays else "id, part"
        assert not erased & set(case.query(f"SELECT {key} FROM {table}"))
