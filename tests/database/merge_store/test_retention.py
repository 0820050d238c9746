"""How long the rows of batches are kept."""

from __future__ import annotations

import pytest

from config_schema.model import Milestoning

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
# As if the first batch had been followed by 1,299 more, of which those up to the one given are old.
HISTORY = """
    INSERT INTO yellow{kind}_batch_metrics
        (key, batch_id, batch_start_time, batch_end_time, batch_status, state, run_id, result_json,
         source_snapshot_time)
    SELECT 'Store1', n, now(), now(), 'committed', '{{"attempt": "a"}}', 'old-' || n, '{{"code": 0}}', now()
    FROM generate_series(2, 1300) n;
    UPDATE yellow{kind}_batch_metrics SET batch_end_time = now() - interval '401 days' WHERE batch_id <= {old};
    UPDATE yellow{kind}_batch_counter SET current_batch = 1300;
"""


def oldest_after_each_run(case, kind, runs) -> list[int]:
    found = []
    for number in range(runs):
        case.execute(f"INSERT INTO t VALUES ({100 + number})")
        assert case.run(kind).batch_id == 1301 + number
        rows = [batch_id for batch_id, _, _ in case.batch_rows(kind)]
        assert rows == list(range(rows[0], 1302 + number))
        found.append(rows[0])
    return found


@pytest.mark.parametrize(
    ("kind", "old", "oldest"),
    [
        (LIVE, 1300, [101, 201, 301, 305, 306]),
        (LIVE, 150, [101, 151, 151]),
        (LIVE, 0, [1]),
        (FORENSIC, 1300, [1, 1]),
    ],
    ids=["the last thousand stay", "the young stay", "all are young", "forensic rows stay"],
)
def test_old_batches_go(merging, kind, old, oldest):
    case = merging("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    case.run(kind)
    case.execute(HISTORY.format(kind=kind.value, old=old), on=case.target)
    assert oldest_after_each_run(case, kind, len(oldest)) == oldest


@pytest.mark.parametrize(
    ("old", "emptied"),
    [(1300, [100, 200, 300, 304, 305]), (150, [100, 150, 150]), (0, [0])],
    ids=["old", "some", "none"],
)
def test_old_forensic_batches_keep_their_ids_and_times_alone(merging, old, emptied):
    case = merging("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    case.run(FORENSIC)
    case.execute(HISTORY.format(kind="forensic", old=old), on=case.target)
    times = """SELECT batch_id, batch_start_time, batch_end_time, source_snapshot_time, run_id
               FROM yellowforensic_batch_metrics WHERE batch_id <= 1300 ORDER BY 1"""
    before = case.query(times)
    for number, expected in enumerate(emptied):
        case.execute(f"INSERT INTO t VALUES ({100 + number})")
        case.run(FORENSIC)
        reported = case.query(
            """SELECT batch_id FROM yellowforensic_batch_metrics
               WHERE result_json IS NULL AND state = '{}' ORDER BY batch_id"""
        )
        assert reported == [(batch_id,) for batch_id in range(1, expected + 1)]
    assert case.query(times) == before
    whole = "SELECT count(*) FROM yellowforensic_batch_metrics WHERE result_json IS NOT NULL AND state <> '{}'"
    assert case.query(whole) == [(1300 + len(emptied) - emptied[-1],)]
