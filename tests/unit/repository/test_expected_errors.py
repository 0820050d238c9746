"""Tests say which error they expect: a class of its own, by which callers act, and not the root of all errors."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
OF_ANY_CLASS = re.compile(r"\braises\(\s*\(?\s*StreamFactoryError\b")


def test_a_test_expects_an_error_by_its_class():
    files = sorted((ROOT / "tests").rglob("*.py"))
    assert files
    found = [str(path.relative_to(ROOT)) for path in files if OF_ANY_CLASS.search(path.read_text("utf-8"))]
    assert found == [], "write the class that is raised, and compare its fields rather than its text"


def test_a_test_that_expects_any_class_is_found():
    root = "StreamFactoryError"
    assert OF_ANY_CLASS.search(f"with pytest.raises({root}, match='no access'):")
    assert OF_ANY_CLASS.search(f"pytest.raises(\n    ({root}, OSError)\n)")
    assert not OF_ANY_CLASS.search(f"with pytest.raises(GitError) as caught:  # a {root}")
