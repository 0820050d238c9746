"""The pages of docs/ are true: their links lead somewhere, and the commands that they name are there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.docs.site import CONFIG, sources
from tests.unit.test_readme import ALL

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "helm" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(((?!https?:)[^)\s]+)\)")
COMMAND = re.compile(r"\b(dagfactory|merge-job)((?: [a-z]+(?:-[a-z]+)*(?![a-z/=._-]))+)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def anchors(path: Path) -> set[str]:
    """As a forge makes them of headings."""
    heads = re.findall(r"^#+ (.*)$", FENCED.sub("", path.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def links(path: Path) -> list[str]:
    text = FENCED.sub("", path.read_text("utf-8"))
    return sorted(set(LINK.findall(re.sub(r"`[^`\n]*`", "", text))))


@pytest.mark.parametrize(("page", "link"), [(page, link) for page in PAGES for link in links(page)], ids=str)
def test_a_link_leads_to_a_file_and_a_heading_of_it(page: Path, link: str) -> None:
    file, _, anchor = link.partition("#")
    target = (page.parent / file).resolve() if file else page
    assert target.exists()
    assert not anchor or anchor in anchors(target)


@pytest.mark.parametrize("page", PAGES, ids=place)
def test_a_command_that_a_page_names_is_there(page: Path) -> None:
    known = {name for name, _ in ALL}
    groups = {name.rpartition(" ")[0] for name in known}
    for span in re.findall(r"`([^`\n]+)`", page.read_text("utf-8")):
        for program, rest in COMMAND.findall(span):
            words = rest.split()
            named = [f"{program} {' '.join(words[:length])}" for length in range(len(words), 0, -1)]
            assert any(name in known or name in groups for name in named), span


PACKAGES = ("airflow_plugin", "merge_jobs", "config_schema")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
ADVICE = re.compile(r"\b[Rr]un (dagfactory)((?: [a-z]+(?:-[a-z]+)*(?![a-z/=_-]|\.[a-z]))+)")


def test_a_command_that_an_error_advises_is_there() -> None:
    known = {name for name, _ in ALL}
    missing = [
        f"{place(path)}: {program}{rest}"
        for path in SOURCES
        for program, rest in ADVICE.findall(" ".join(path.read_text("utf-8").split()))
        if not any(f"{program}{rest}".startswith(f"{name} ") for name in known) and f"{program}{rest}" not in known
    ]
    assert missing == []


def test_each_page_is_reached_from_the_readme() -> None:
    reached, new = set(), {ROOT / "README.md"}
    while new:
        reached |= new
        targets = {(page.parent / link.partition("#")[0]).resolve() for page in new for link in links(page)}
        new = {target for target in targets if target.suffix == ".md" and target.exists()} - reached
    assert {place(page) for page in set(PAGES) - reached} == set()


def pages_of(entries: list[Any]) -> Iterator[str]:
    """Yield the pages in a part of the site's navigation."""
    for entry in entries:
        for value in entry.values():
            yield from [value] if isinstance(value, str) else pages_of(value)


def test_the_sites_navigation_names_each_page_once() -> None:
    navigation = tomllib.loads(CONFIG.read_text("utf-8"))["project"]["nav"]
    pages = [page for page in sources().values() if page.endswith(".md")]
    assert sorted(pages_of(navigation)) == sorted(pages)
