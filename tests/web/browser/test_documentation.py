"""The site of the documentation, as `make site` builds it: no broken link, nothing of others, a search that finds."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Browser, expect

from tests.docs.site import build, sources
from tests.web.browser.conftest import PATIENCE

# A button where the window has room for it, else an icon.
OPENS_THE_SEARCH = "button.md-search__button:visible, label[for=__search]:visible"


class Parsed(HTMLParser):
    """What a page links to, what it loads, and the anchors in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value for name, value in attrs if value}
        if "id" in found:
            self.anchors.add(found["id"])
        if "href" in found:
            (self.links if tag == "a" else self.loaded).add(found["href"])
        if "src" in found:
            self.loaded.add(found["src"])


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Print nothing of requests."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documentation")
    assert build(folder) == 0
    return folder / "site"


@pytest.fixture(scope="module")
def parsed(built: Path) -> dict[Path, Parsed]:
    return {path: Parsed(path) for path in sorted(built.rglob("*.html")) if path.name != "404.html"}


@pytest.fixture(scope="module")
def address(built: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(built))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_broken_link_ends_the_build(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("tests.docs.site.ROOT", tmp_path)
    monkeypatch.setattr("tests.docs.site.OTHER_PAGES", {})
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Here\n\n[there](#nowhere)\n")
    assert build(tmp_path / "build") == 1
    assert "anchor does not exist" in "".join(capfd.readouterr())


def test_each_page_is_there_and_each_link_leads_to_a_page_and_an_anchor_of_it(built, parsed):
    pages = [built / name.removesuffix(".md") / "index.html" for name in sources().values() if name.endswith(".md")]
    assert {page for page in pages if page.parent.name != "index"} <= set(parsed)
    broken = []
    for path, page in parsed.items():
        for link in page.links:
            at = urlsplit(link)
            if at.scheme in ("http", "https", "mailto"):
                continue
            target = (path.parent / unquote(at.path)).resolve() if at.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists() or (at.fragment and unquote(at.fragment) not in parsed[target].anchors):
                broken.append(f"{path.relative_to(built)}: {link}")
    assert broken == []


def test_nothing_is_loaded_from_another_server(parsed):
    assert {one for page in parsed.values() for one in page.loaded if urlsplit(one).netloc} == set()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_search_finds_a_page_and_no_page_is_wider_than_the_window(browser: Browser, address, scheme, width):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    for place in ("/", "/first-steps/", "/reference/errors/"):
        page.goto(address + place)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), place
    page.locator(OPENS_THE_SEARCH).first.click()
    page.get_by_role("combobox", name="Search").fill("last-good snapshot")
    expect(page.get_by_role("option", name="snapshot").first).to_be_visible(timeout=PATIENCE)
    assert [url for url in requested if not url.startswith(address)] == []
    page.close()
