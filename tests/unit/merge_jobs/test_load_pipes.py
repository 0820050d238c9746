"""How many connections load a table for the first time: by its size, the options and the producer's limit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from psycopg2 import sql

from merge_jobs.strategies.guard import Leaf, TableState
from merge_jobs.strategies.load_pipes import BLOCKS_EACH, MOST_LEAVES, USUAL, LoadOptions, pipes_wanted
from merge_jobs.strategies.parallel_load import windows
from merge_jobs.strategies.version_diff import BLOCKS_AT_ONCE


def table(*blocks: int, no_versions: str | None = None) -> TableState:
    leaves = tuple(Leaf(oid, sql.Identifier(f"t{oid}"), number) for oid, number in enumerate(blocks))
    return TableState({}, leaves, no_versions=no_versions)


@pytest.mark.parametrize(
    ("blocks", "pipes"),
    [(0, 1), (1, 1), (2 * BLOCKS_EACH - 1, 1), (2 * BLOCKS_EACH, 2), (3 * BLOCKS_EACH, 3), (99 * BLOCKS_EACH, USUAL)],
)
def test_by_default_the_size_of_a_table_decides(blocks, pipes):
    assert pipes_wanted(table(blocks), LoadOptions()) == pipes
    assert pipes_wanted(table(blocks // 2, blocks - blocks // 2), LoadOptions()) == pipes


@pytest.mark.parametrize(
    ("asked", "most", "pipes"), [(1, None, 1), (2, None, 2), (16, None, 9), (8, 5, 4), (8, 2, 1), (8, 1, 1)]
)
def test_what_is_asked_for_holds_for_tables_of_any_size_within_the_producers_limit(asked, most, pipes):
    assert pipes_wanted(table(9), LoadOptions(asked, most)) == pipes


@pytest.mark.parametrize("sight", [None, table(99, no_versions="t is no plain table"), table(*[9] * (MOST_LEAVES + 1))])
def test_what_has_no_ranges_of_blocks_or_many_partitions_is_loaded_by_one(sight):
    assert pipes_wanted(sight, LoadOptions(8)) == 1


@pytest.mark.parametrize("blocks", [(1,), (0, 7), (3, 0, 5000), (BLOCKS_AT_ONCE * 40 + 3, 1)])
def test_the_ranges_are_all_blocks_once_and_some_for_each(blocks):
    ranges = list(windows(table(*blocks).leaves, 4))
    for oid, number in enumerate(blocks):
        of_leaf = [(first, end) for leaf, first, end in ranges if leaf.oid == oid]
        assert [block for first, end in of_leaf for block in range(first, end)] == list(range(number))
    assert max(end - first for _, first, end in ranges) <= BLOCKS_AT_ONCE
    assert len(ranges) >= min(4, sum(blocks))


# Room for the threads of 16 connections and some more, as a small container has it.
MANY_THREADS = """
import resource, threading
from merge_jobs.process.signal_mask import SMALL_STACK, start_without_signals
data = int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmData"))) << 10
resource.setrlimit(resource.RLIMIT_DATA, (data + (64 << 20), resource.RLIM_INFINITY))
over = threading.Event()
threads = [start_without_signals(over.wait, "t", stack=SMALL_STACK) for _ in range(32)]
over.set()
[thread.join() for thread in threads]
print(len(threads), threading.stack_size())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
def test_the_threads_of_many_connections_fit_into_a_small_container():
    done = subprocess.run([sys.executable, "-c", MANY_THREADS], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("32 0\n", "")
