"""The .sql files: each statement can be composed, each is run by name from the code, and mistakes are named."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from psycopg2 import sql

import merge_jobs
from config_schema.sql import run_outcomes
from config_schema.sql.statements import load_statements
from merge_jobs.sql import composed, statement

FOLDER = Path(merge_jobs.__file__).parent
STATEMENTS = {
    f"{path.stem}.{name}": one
    for path in (*sorted((FOLDER / "sql").glob("*.sql")), Path(run_outcomes.__file__).with_suffix(".sql"))
    for name, one in load_statements(path).items()
}


class WithoutNames(ast.NodeTransformer):
    """Leaves out what steps name: only what is run by a name counts."""

    def visit_Call(self, node):
        if getattr(node.func, "id", "") in ("on_source", "on_store"):
            return ast.Constant(None)
        node.keywords = [keyword for keyword in node.keywords if keyword.arg != "also"]
        return self.generic_visit(node)


CODE = "\n".join(
    ast.unparse(WithoutNames().visit(ast.parse(path.read_text("utf-8")))).replace("'", '"')
    for path in FOLDER.rglob("*.py")
)


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_is_composed_of_just_what_it_wants(name):
    one = STATEMENTS[name]
    values = dict.fromkeys(one.values, 1)
    text = composed(name, {part: sql.SQL("x") for part in one.identifiers}, values)
    assert isinstance(text, sql.Composed)
    with pytest.raises(ValueError, match=name.partition(".")[2]):
        composed(name, {**{part: sql.SQL("x") for part in one.identifiers}, "surplus": sql.SQL("x")}, values)


@pytest.mark.parametrize("name", STATEMENTS)
def test_nothing_lies_in_the_files_that_no_code_runs(name):
    file, _, title = name.partition(".")
    called = (f'"{name}"', f'".{title}"', f'"{title}"', f'"{file}.{{', f"{{reason}}_{title.rpartition('_')[2]}")
    assert any(call in CODE for call in called)


def test_what_code_runs_by_a_whole_name_stands_in_the_files():
    files = "|".join(sorted({name.partition(".")[0] for name in STATEMENTS}))
    assert set(re.findall(rf'"((?:{files})\.[a-z_]+)"', CODE)) - STATEMENTS.keys() == set()


def test_a_statement_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match=re.escape("live.sql has no statement 'delete_all'")):
        statement("live.delete_all")


def test_live_and_forensic_make_find_and_count_under_the_same_names():
    """The strategies run them by the milestoning of the platform."""
    shared = {"create_merge_table", "create_key_index", "count_open", "find_delta"}
    for file in ("live", "forensic"):
        assert shared <= {name.partition(".")[2] for name in STATEMENTS if name.startswith(f"{file}.")}
