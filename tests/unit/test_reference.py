"""docs/reference/ is what `make docs` makes of the code and the schemas, and leaves no key out."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import FOLDER, pages

PAGES = pages()
PLAIN = re.sub(r"`[^`]*`", "", "\n".join(PAGES.values()))


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


def test_every_key_of_a_config_stands_on_its_page():
    from config_schema.stream import StreamConfig

    reported = set(re.findall(r"^\| `(\w+)` \|", PAGES["config_json.md"], re.MULTILINE))
    assert set(StreamConfig.__dataclass_fields__) - {"extra"} <= reported
