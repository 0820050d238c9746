"""Datasets of files: two of them may read the same files, whatever their patterns are."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config_schema.model import Classification, Column, Database, Dataset, Datastore, Ecosystem, SourceKind
from config_schema.rules.columns import tables_are_classified_alike
from config_schema.rules.files import may_match_alike

patterns = st.lists(st.sampled_from(["a", "b", "*", "?", "[ab]", "[!a]", "[", "]"]), max_size=6).map("".join)
names = st.text("ab[]", max_size=5)


@given(one=patterns, other=patterns, name=names)
def test_patterns_that_match_one_name_may_match_alike(one, other, name):
    if fnmatchcase(name, one) and fnmatchcase(name, other):
        assert may_match_alike([one], [other])


@pytest.mark.parametrize(
    ("one", "other"),
    [("a*", "b*"), ("*.csv", "*.json"), ("a?", "a"), ("a", "b"), ("a*b", "*c"), ("2026-??.csv", "2025-*.csv")],
)
def test_patterns_that_match_no_name_alike_do_not(one, other):
    assert not may_match_alike([one], [other])
    assert not may_match_alike(["in", one], ["in", other])
    assert not may_match_alike([one], [one, "*"])


def store(name: str, database: str, table: str, classification: Classification) -> Datastore:
    columns = (Column("id", "integer", nullable=False), Column("email", "text", classification=classification))
    return Datastore(
        name,
        Database("data", database, "none", kind=SourceKind.FILES),
        (Dataset("people", columns, ("id",), table=table),),
    )


@pytest.mark.parametrize("root", ["", "s3://bucket"])
@pytest.mark.parametrize(
    ("database", "table", "is_same"),
    [
        ("/data/in", "people*.csv", True),
        ("/data", "in/[p]eople-1.csv", True),
        ("/data", "*/*.csv", True),
        ("/data/in", "others*.csv", False),
        ("/data", "people*.csv", False),
    ],
)
def test_a_column_of_files_has_one_classification_whatever_the_patterns_are(root, database, table, is_same):
    stores = (
        store("Ours", f"{root}/data/in", "people-*.csv", Classification.PII),
        store("Theirs", root + database, table, Classification.INTERNAL),
    )
    found = list(tables_are_classified_alike(Ecosystem("E", (), stores)))
    assert [path for path, _, _ in found] == ["datastores[1].datasets[0].columns[1].classification"] * is_same
