"""Statements of a .sql file: found by name, and run only with just the placeholders they want."""

from __future__ import annotations

import re

import pytest

from config_schema.sql.statements import SqlFile, load_statements, quoted

TEXT = """\
-- What the file is about: {not_a_placeholder_of_any_statement}

-- name: first
-- Why.
SELECT %(value)s FROM {table}, {table}
WHERE a = %(value)s;

-- name: second
SELECT 1
"""


@pytest.fixture
def load(tmp_path):
    def load(text: str = TEXT):
        (tmp_path / "file.sql").write_text(text)
        return load_statements(tmp_path / "file.sql")

    return load


def test_statements_are_found_by_name_in_their_order(load):
    statements = load()
    assert list(statements) == ["first", "second"]
    assert statements["second"].text == "SELECT 1"
    assert statements["first"].text.endswith("WHERE a = %(value)s")


def test_a_statement_knows_its_placeholders(load):
    first = load()["first"]
    assert (first.identifiers, first.values) == ({"table"}, {"value"})
    assert first.checked(["table"], ["value"]) == first.text


@pytest.mark.parametrize(
    ("identifiers", "values", "said"),
    [
        ([], ["value"], "file.sql: first wants the identifiers ['table'] and is given []"),
        (["table", "other"], ["value"], "is given ['other', 'table']"),
        (["table"], [], "file.sql: first wants the values ['value'] and is given []"),
        (["table"], ["value", "x"], "is given ['value', 'x']"),
    ],
)
def test_a_placeholder_missing_or_too_many_names_file_and_statement(load, identifiers, values, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        load()["first"].checked(identifiers, values)


@pytest.mark.parametrize("text", [TEXT + "-- name: first\nSELECT 2\n", TEXT + "-- name: third\n-- only a comment\n"])
def test_a_name_given_twice_or_without_sql_is_refused(load, text):
    with pytest.raises(ValueError, match=r"file\.sql: (first|third)"):
        load(text)


def test_a_file_of_statements_is_read_when_one_is_asked_for(tmp_path):
    file = SqlFile(tmp_path / "module.py")
    (tmp_path / "module.sql").write_text("-- name: one\nSELECT 1;\n\n-- name: two\nSELECT 2;\n")
    assert [*file] == ["one", "two"]
    assert file["two"].text == "SELECT 2"
    with pytest.raises(ValueError, match=r"module\.sql has no statement 'three'"):
        file["three"]


@pytest.mark.parametrize(
    ("parts", "text"),
    [(["merged"], '"merged"'), (["public", "merged"], '"public"."merged"'), (['a"b', "100%"], '"a""b"."100%"')],
)
def test_identifiers_are_quoted(parts, text):
    assert quoted(*parts) == text
