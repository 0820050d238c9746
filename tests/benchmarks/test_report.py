"""What the benchmark writes for readers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.peers import PEERS
from tests.benchmarks.report import COMMAND
from tests.benchmarks.tables import document, marks

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.tool)
def test_the_page_has_the_peers_of_the_benchmark(peer):
    row = f"| {peer.tool} | {peer.mode} | {peer.ratios} | {peer.memory_mb} | {peer.same} |"
    assert row in PAGE.read_text("utf-8").splitlines()


def test_a_run_replaces_the_table_of_the_page_and_nothing_else():
    page = PAGE.read_text("utf-8")
    begin, end = marks(COMMAND)
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    once = document(page, "| new |\n", COMMAND)
    assert once == f"{before}{begin}\n| new |\n{end}{after}"
    assert document(once, "| new |\n", COMMAND) == once


def test_a_file_without_marks_is_the_table():
    assert document("", "| new |\n", COMMAND) == "| new |\n"
