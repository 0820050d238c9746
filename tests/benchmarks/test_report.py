"""What the benchmark writes for readers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.peers import PEERS
from tests.benchmarks.report import BEGIN, END, document

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.tool)
def test_the_page_has_the_peers_of_the_benchmark(peer):
    row = f"| {peer.tool} | {peer.mode} | {peer.ratios} | {peer.memory_mb} | {peer.same} |"
    assert row in PAGE.read_text("utf-8").splitlines()


def test_a_run_replaces_the_table_of_the_page_and_nothing_else():
    page = PAGE.read_text("utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    once = document(page, "| new |\n")
    assert once == f"{before}{BEGIN}\n| new |\n{END}{after}"
    assert document(once, "| new |\n") == once


def test_a_file_without_marks_is_the_table():
    assert document("", "| new |\n") == "| new |\n"
