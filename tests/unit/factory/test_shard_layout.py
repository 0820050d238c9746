"""Over how many files streams are split: each stream in one file, few moves when a file is added, none for others."""

from __future__ import annotations

import pytest

from airflow_plugin.factory.shard_files.layout import MOST_FILES, file_count, file_of, holds, shard_of

DAG_IDS = [f"yellowlive__Store{number}_ingestion" for number in range(2000)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 20, 31, 32, 200])
def test_each_stream_is_in_one_file_and_the_files_shard_says_which(count):
    shards = [shard_of(number, count) for number in range(count)]
    for dag_id in DAG_IDS:
        assert [number for number, shard in enumerate(shards) if shard.has(dag_id)] == [file_of(dag_id, count)]


@pytest.mark.parametrize("count", [1, 3, 4, 20, 31, 40])
def test_a_file_more_takes_streams_from_one_file_only_and_others_stay(count):
    before = {dag_id: file_of(dag_id, count) for dag_id in DAG_IDS}
    after = {dag_id: file_of(dag_id, count + 1) for dag_id in DAG_IDS}
    moved = {dag_id for dag_id in DAG_IDS if before[dag_id] != after[dag_id]}
    assert {after[dag_id] for dag_id in moved} == {count}
    assert len({before[dag_id] for dag_id in moved}) == 1


def test_a_file_has_about_fifty_streams():
    for streams in (1, 50, 51, 1000, 1999):
        count = file_count(streams)
        assert count == -(-streams // 50)
        of_file = [0] * count
        for dag_id in DAG_IDS[:streams]:
            of_file[file_of(dag_id, count)] += 1
        assert max(of_file) <= 150
    assert (file_count(0), file_count(10**9)) == (1, MOST_FILES)


def test_of_two_parts_the_wider_holds_the_narrower():
    assert holds(shard_of(0, 1), shard_of(7, 20))
    assert holds(shard_of(3, 16), shard_of(3, 20))
    assert holds(shard_of(3, 16), shard_of(19, 20))
    assert not holds(shard_of(3, 20), shard_of(3, 16))
    assert not holds(shard_of(2, 16), shard_of(3, 20))
