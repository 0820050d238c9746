"""docs/reference/ is what `make docs` makes of the code and the schemas, and leaves no message and no key out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config_schema.errors import StreamFactoryError
from tests.docs.pages import FOLDER, pages
from tests.docs.raisings import messages
from tests.docs.source_tree import sources

PAGES = pages()
PLAIN = re.sub(r"`[^`]*`", "", "\n".join(PAGES.values()))
MODULE = '''
"""A module."""
ADVICE = "Ask for help"


class Lost(StreamFactoryError):
    retryable = True


def constant():
    raise StreamFactoryError("here", "it is wrong", ADVICE)


def branches(name, hot):
    if hot:
        what, todo = f"{name!r} is hot", "Wait"
    else:
        what, todo = f"{name!r} is cold", "Warm it"
    raise Lost(f"cup {name}", what, todo)


def choice(one, many):
    raise StreamFactoryError("here", f"there {'is' if one else 'are'} {len(many)}", "Count again", retryable=one)


def first():
    raise _made("file", "it is empty")


def second(path):
    raise _made(path, f"it has {path.lines} lines")


def _made(where, what):
    return StreamFactoryError(where, what, "Mend it")


def rule(model) -> Iterator[Finding]:
    yield f"{model}.key", f"{model.key!r} is no key", choose_from(model.key, model.keys)


def unknown(text):
    return Problem(text, "", "".join(text), text)
'''


@pytest.fixture
def read(tmp_path: Path):
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "module.py").write_text(MODULE)
    return {(one.where, one.what, one.todo, one.retry) for one in messages(sources(tmp_path, ("package",)))}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_as_make_docs_writes_it(name):
    assert (FOLDER / name).read_text("utf-8") == PAGES[name], "run make docs, and commit what it writes"


def test_there_is_no_page_that_nothing_makes():
    assert {path.name for path in FOLDER.iterdir()} == set(PAGES)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#][^)]*)\)", PLAIN))))
def test_a_link_leads_to_a_file(link):
    assert (FOLDER / link.partition("#")[0]).exists()


@pytest.mark.parametrize("name", PAGES)
def test_a_link_within_a_page_leads_to_a_heading(name):
    heads = re.findall(r"^#+ (.*)$", PAGES[name], re.MULTILINE)
    anchors = {re.sub(r"[^\w-]", "", head.lower().replace(" ", "-")) for head in heads}
    assert set(re.findall(r"\]\(#([^)]*)\)", PAGES[name])) <= anchors


def test_a_message_of_constants_is_read_as_it_is_printed(read):
    assert ("here", "it is wrong", "Ask for help", "") in read


def test_what_to_do_stays_with_the_branch_that_says_it_and_a_class_tells_of_retries(read):
    assert ("cup <name>", "'<name>' is hot", "Wait", "yes") in read
    assert ("cup <name>", "'<name>' is cold", "Warm it", "yes") in read
    assert not any("hot" in what and todo == "Warm it" for _, what, todo, _ in read)


def test_each_of_two_wordings_is_a_message(read):
    assert ("here", "there is <number of many>", "Count again", "by its cause") in read
    assert ("here", "there are <number of many>", "Count again", "by its cause") in read


def test_a_function_that_makes_errors_tells_what_each_of_its_callers_says(read):
    assert ("file", "it is empty", "Mend it", "") in read
    assert ("<path>", "it has <lines> lines", "Mend it", "") in read


def test_a_rule_s_finding_is_a_message(read):
    assert ("<model>.key", "'<key>' is no key", "Choose from: <those there are>", "") in read


def test_what_says_nothing_before_a_run_is_no_message(read):
    assert not [what for _, what, _, _ in read if what.startswith("<") and what.endswith(">")]


def test_an_error_met_in_tests_stands_on_the_page():
    from airflow_plugin.settings import merge_store_dsn

    with pytest.raises(StreamFactoryError) as met:
        merge_store_dsn("nowhere")
    assert f"| `{met.value.what}` |" in PAGES["errors.md"]
    assert "create the Airflow connection" in PAGES["errors.md"]


def test_every_key_of_a_config_stands_on_its_page():
    from config_schema.stream import StreamConfig

    told = set(re.findall(r"^\| `(\w+)` \|", PAGES["config_json.md"], re.MULTILINE))
    assert set(StreamConfig.__dataclass_fields__) - {"extra"} <= told
