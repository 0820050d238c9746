"""Names and sentences: a class name stands once in the product, docstrings ask for what is done, and no riddles."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.error_classes import error_classes

ROOT = Path(__file__).parents[3]
PACKAGES = ("airflow_plugin", "config_schema", "merge_jobs")
TEXTS = ("*.py", "*.sql", "*.js", "*.css", "*.json", "*.yaml", "*.yml", "*.md", "*.tpl")
FOLDERS = (*PACKAGES, "dags", "docs", "helm")
# Words that stood for many things, or that nobody else uses so; beside each what to write in its place.
PRIVATE = {
    "told": "reported, sent, notified, asked, or the name of what is meant",
    "mend": "correct, fix or repair",
    "mends": "corrects, fixes or repairs",
    "mended": "corrected, fixed or repaired",
    "mending": "correcting, fixing or repairing",
    "set aside": "quarantined, or reserved",
    "put aside": "archived",
    "needs a hand": "needs attention",
    "need a hand": "need attention",
    "lets go": "releases or retires",
    "let it go": "release or retire it",
    "whence": "where from",
    "befalls": "happens to",
    "befell": "happened to",
    "anew": "again",
    "stands there twice": "is given twice",
    "lets through": "allows",
    "is away": "is down, cannot be reached, or does not answer",
    "tells of": "says about, or reports",
    "comes of it": "results from it",
    "worded": "printed, translated, or written as text",
}
WORDS = re.compile(rf"\b({'|'.join(PRIVATE)})\b", re.IGNORECASE)
# The word in a name of several, as `told_by`. Metrics, fields of the API and tables keep the names that others know.
PARTS = re.compile(r"(?<![a-zA-Z])(told|mend|mended|telling|worded|brought)(?![a-zA-Z])", re.IGNORECASE)
KNOWN_TO_OTHERS = {"batch_told_index", "told_index"}
# What a docstring of a function cannot begin with: it says what the function does, not what there is.
NO_VERBS = frozenset(
    re.findall(
        r"\w+",
        """
    a about all an and any as at by each every everything for from he her here how if in is it its no
    none not nothing of on once one only or our ours out she so something that the their then there
    these they this those to two until what when where whether which who whose why with within without
    """,
    )
)

# A command's docstring is its help, which has exit codes; a route's is the API's description, which lists its answers.
FOR_OTHER_READERS = ("airflow_plugin/cli/", "merge_jobs/cli/", "airflow_plugin/web/routes_")


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text("utf-8"))


def test_a_class_name_stands_once_in_the_product():
    places = defaultdict(list)
    for path, tree in modules():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def riddles(text: str) -> list[str]:
    return [
        f"line {number}: {found[0]!r}, better {PRIVATE[found[0].lower()]}: {line.strip()[:100]}"
        for number, line in enumerate(text.splitlines(), 1)
        for found in WORDS.finditer(line)
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_texts_use_words_that_people_know(folder):
    files = {path for pattern in TEXTS for path in (ROOT / folder).rglob(pattern)}
    assert files
    found = {str(path.relative_to(ROOT)): riddles(path.read_text("utf-8")) for path in sorted(files)}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_the_readme_uses_words_that_people_know():
    assert riddles((ROOT / "README.md").read_text("utf-8")) == []


def test_a_private_word_is_found_with_a_better_one():
    assert riddles("all is well\nRows are Set aside.") == [
        "line 2: 'Set aside', better quarantined, or reserved: Rows are Set aside."
    ]
    assert riddles("a folder, recommended and amended") == []


def names_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
                yield name


def test_names_have_no_private_words():
    found = {
        f"{path}: {name}"
        for path, tree in modules()
        for name in names_in(tree)
        if PARTS.search(name.replace("_", " ")) and name not in KNOWN_TO_OTHERS
    }
    assert found == set()


def test_a_docstring_of_a_function_begins_with_a_verb():
    found = set()
    for path, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not is_property(node):
                words = (ast.get_docstring(node) or "").split()
                if words and (words[0].strip(".,:;").lower() in NO_VERBS or not words[0][0].isalpha()):
                    found.add(f"{path}:{node.lineno}: {' '.join(words[:8])}")
    assert found == set()


def is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("property" in ast.unparse(decorator) for decorator in node.decorator_list)


def of_this_function(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions and classes in it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            yield child
            yield from of_this_function(child)


def silent_raises(tree: ast.Module, errors: frozenset[str]) -> Iterator[tuple[str, set[str]]]:
    """Each public function that raises an error of ours itself, and whose docstring names none."""
    for scope in (tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))):
        for node in scope.body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            calls = [one.exc.func for one in of_this_function(node) if isinstance(one, ast.Raise) and is_call(one.exc)]
            raised = {one.id for one in calls if isinstance(one, ast.Name)} & errors
            if raised and "aise" not in (ast.get_docstring(node) or ""):
                yield node.name, raised


def is_call(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Call)


def test_a_public_function_says_which_errors_it_raises():
    errors = frozenset(one.__name__ for one in error_classes())
    found = {
        f"{path}: {name}": raised
        for path, tree in modules()
        if not str(path).startswith(FOR_OTHER_READERS)
        for name, raised in silent_raises(tree, errors)
    }
    assert found == {}


def test_a_function_that_does_not_say_so_is_found():
    text = """
def silent():
    "Do it."
    raise Ours("x")

def saying():
    "Do it. Raises Ours."
    raise Ours("x")

def handing_on():
    "Do it."
    raise found

class Holder:
    def method(self):
        "Do it."
        def inner():
            raise Ours("y")
        if inner:
            raise Ours("x")
"""
    assert list(silent_raises(ast.parse(text), frozenset({"Ours"}))) == [("silent", {"Ours"}), ("method", {"Ours"})]
