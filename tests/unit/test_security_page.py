"""docs/security.md says what holds: each row of trust names tests that attack it, each login may what its row says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config_schema.sql.component_logins import Duty, privileges

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "security.md").read_text("utf-8")
TEST = re.compile(r"\]\((\.\./tests/[^)#]+\.py)")
NOTHING_TO_ATTACK = "administrator of Airflow"  # decides everything
# The columns of the table of logins, by the names of tables that they stand for.
COLUMNS = {
    "stream table": ("airflow_dsg",),
    "history": ("airflow_dsg_history",),
    "revisions": ("airflow_dsg_revision",),
    "model state": ("model_state",),
    "compiled model": ("compiled_model",),
    "job model": ("job_model",),
    "batch counter, batch metrics, run results, progress": (
        "batch_counter",
        "batch_metrics",
        "run_results",
        "progress",
    ),
    "versions of tables": ("schema_version",),
}
WORDS = {"read": {"SELECT"}, "insert": {"INSERT"}, "update": {"UPDATE"}}
ALL = {"SELECT", "INSERT", "UPDATE", "DELETE"}


def rows_of(first: str) -> list[list[str]]:
    """Return the cells of the table whose header begins with that cell, the header first."""
    lines = TEXT[TEXT.index(f"\n| {first}") + 1 :].partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not line.startswith("|---")]


TRUST = [row for row in rows_of("who ")[1:] if not row[0].startswith(NOTHING_TO_ATTACK)]


@pytest.mark.parametrize("row", TRUST, ids=lambda row: row[0][:40])
def test_each_row_of_trust_names_tests_that_attack_it(row):
    files = [DOCS / name for name in TEST.findall(row[-1])]
    assert files
    for file in files:
        assert re.search(r"^def test_", file.read_text("utf-8"), re.MULTILINE), file


def allowed(cell: str) -> set[str]:
    """Return the privileges that a cell of the table of logins names."""
    return ALL if cell == "all" else set().union(*(WORDS[word] for word in cell.split(", ") if word))


@pytest.mark.parametrize("duty", Duty)
def test_each_login_may_what_its_row_says(duty):
    header, *rows = rows_of("duty")
    (row,) = (one for one in rows if one[0].startswith(f"`{duty.value}`"))
    said = {
        table: allowed(cell)
        for title, cell in zip(header[1:-1], row[1:-1], strict=True)
        for table in COLUMNS[title]
        if cell
    }
    for table, words in re.findall(r"`(\w+)`: ([a-z, ]+)", row[-1]):
        said[table] = said.get(table, set()) | allowed(words)
    # What is of single columns only is said in the sentences below the table.
    has = {
        table.removeprefix("p_"): {one.split()[0] for one in words} for table, words in privileges("p", duty).items()
    }
    assert said == has
