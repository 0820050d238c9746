"""Shards: each DAG is in exactly one, always in the same, and none has much more than its share."""

from __future__ import annotations

import pytest

from airflow_plugin.factory.shards import Shard, shard
from config_schema.errors import ValueWrong

DAG_IDS = [f"yellowlive__Store{number}_ingestion" for number in range(1000)]


def test_each_dag_is_in_exactly_one_shard():
    shards = [shard(f"{number}/4") for number in range(1, 5)]
    sizes = [sum(one.has(dag_id) for dag_id in DAG_IDS) for one in shards]
    assert sum(sizes) == len(DAG_IDS)
    assert all(any(one.has(dag_id) for one in shards) for dag_id in DAG_IDS)
    assert min(sizes) > 200


def test_without_a_shard_all_dags_are_there():
    assert all(shard(None).has(dag_id) for dag_id in DAG_IDS)


def test_which_shard_a_dag_is_in_never_changes():
    assert [dag_id for dag_id in DAG_IDS[:12] if Shard(1, 4).has(dag_id)] == [DAG_IDS[n] for n in FIRST_QUARTER]


@pytest.mark.parametrize("text", ["", "0/4", "5/4", "1/0", "a/b", "1/4/5", "-1/4", "1", "1.0/4", "1/4\n"])
def test_anything_else_is_an_error_that_says_what_to_write(text):
    with pytest.raises(ValueWrong) as caught:
        shard(text)
    assert (caught.value.option, caught.value.value) == ("publish: shard", text)


FIRST_QUARTER = [0, 1]
