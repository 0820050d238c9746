"""Texts of rows, histories, batches, runs and comments on views are texts in every page, whatever they are made of."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page
from psycopg2.extras import Json

from config_schema import names
from tests.airflow.conftest import config as example
from tests.web.browser.conftest import LIVE, PATIENCE
from tests.web.world import DATA_ROLE, World

SCRIPTS = (
    '<img src=x onerror="window.hit = 1">',
    "<script>window.hit = 2</script>",
    '"><svg onload="window.hit = 3">',
    "javascript:window.hit=4",
    "{{constructor.constructor('window.hit = 5')()}}",
    "</style></textarea><iframe srcdoc='<script>parent.hit = 6</script>'>",
    "<img src=//elsewhere.invalid/8><link rel=stylesheet href=http://elsewhere.invalid/9>",
)
# The order of letters, invisible letters, a terminal's escapes. Airflow's router knows no page whose name has lines.
CONTROLS = "\u202egnp.window.hit\u2066\u200b\x1b[2J\x07"
LINES = "window.hit\r\nsecond\u2028third"
LONG = "<b>window.hit" + "W" * 5_000
EACH = " ".join((*SCRIPTS, CONTROLS, LINES))
OBJECTS = ("__proto__", "constructor", "toString")  # names that every object of JavaScript has
KEYS = (SCRIPTS[0], SCRIPTS[3], CONTROLS, *OBJECTS, "%", "..", "x?y#z", "%2e%2e")
TEXTS = (*SCRIPTS, CONTROLS, LINES, LONG, *OBJECTS)
TABLE = names.merge_table(LIVE, "Hostile", "t")
VIEW = "<img src=x onerror=window.hit=7>"
DAG_ID = names.dag_id(LIVE, "Store1")
RUN_ID = SCRIPTS[0]
BATCH = 900
NOWHERE = "/plugin/streams/nowhere"
INJECTED = (
    "img[src=x], img[src*=elsewhere], script, link, svg[onload], iframe, a[href^='javascript'], a[href^='data'], b"
)


@pytest.fixture(scope="module", autouse=True)
def hostile(world: World) -> Iterator[None]:
    """Hostile streams, changes, batches and runs, and a view with a comment; gone after the tests."""
    config = example("YellowLive", "Hostile", datasets=["t"])
    write_streams(world, config)
    write_history(world, config)
    write_batches(world)
    mark = json.dumps({"workspace": EACH, "group": "__proto__"})
    world.merge_store(f'CREATE TABLE "{TABLE}" (id int)')
    world.merge_store(f'CREATE VIEW "{VIEW}" AS SELECT * FROM "{TABLE}"')
    world.merge_store(f'COMMENT ON VIEW "{VIEW}" IS %s', mark)
    world.let_it_see()
    yield
    world.merge_store(f'DROP TABLE "{TABLE}" CASCADE')
    world.merge_store(f"DELETE FROM {LIVE}_batch_metrics WHERE batch_id >= %s", BATCH)
    world.put_back()


@dataclass
class Visit:
    """A page of a browser in which somebody is logged in, and what went wrong in it."""

    page: Page
    address: str
    errors: list[str] = field(default_factory=list)

    def open(self) -> None:
        self.page.goto(f"{self.address}{NOWHERE}")
        self.page.get_by_text("Page not found").wait_for()

    def go(self, path: str) -> None:
        """Go to a page by Airflow's own router, past one that is nothing; loading all of Airflow takes seconds."""
        for there, state in ((NOWHERE, "attached"), (path, "detached")):
            self.page.evaluate(
                "(path) => { history.pushState({}, '', path); dispatchEvent(new PopStateEvent('popstate')) }", there
            )
            self.page.get_by_text("Page not found").wait_for(state=state)
        self.page.locator(".sf-page").wait_for()
        self.page.locator(".sf-page [aria-label=Loading]").first.wait_for(state="detached")

    def note_request(self, url: str) -> None:
        if not url.startswith((self.address, "data:", "blob:")):
            self.errors.append(f"asked {url}")

    def open_all(self) -> None:
        for button in self.page.locator(".sf-page button[aria-expanded=false]:not([aria-haspopup])").all()[:12]:
            if button.is_visible():
                button.click()

    def found(self) -> list[Any]:
        """Return what was run or drawn that should not have been: nothing of it, if all is well."""
        touched = self.page.evaluate("[window.hit, ({}).hit, ({}).owner].filter((one) => one !== undefined)")
        drawn = [one.evaluate("(it) => it.outerHTML") for one in self.page.locator(".sf-page").locator(INJECTED).all()]
        return [*touched, *drawn, *self.errors]


@pytest.fixture
def visit(world: World, browser: Browser) -> Iterator[Callable[..., Visit]]:
    """A function that gives a new page in which a user is logged in."""
    with contextlib.ExitStack() as ends:

        def make(user: str = "admin") -> Visit:
            context = browser.new_context()
            ends.callback(context.close)
            context.set_default_timeout(PATIENCE)
            context.add_cookies([{"name": "_token", "value": world.token(user), "url": world.address}])
            made = Visit(context.new_page(), world.address)
            made.page.on("pageerror", lambda error: made.errors.append(str(error)))
            made.page.on("dialog", lambda dialog: made.errors.append(dialog.message))
            context.on("request", lambda request: made.note_request(request.url))
            return made

        yield make


def write_streams(world: World, config: dict[str, object]) -> None:
    free = dict.fromkeys(("owner", "schedule", "timezone", "latency_seconds", EACH, *OBJECTS), EACH)
    for key in KEYS:
        texts = {"stream_key": key, "store_name": EACH, "tags": TEXTS, "datasets": TEXTS}
        write_row(world, key, {**config, **free, **texts})
    write_row(world, "Hostile", {**config, "stream_key": "Hostile", "store_name": "Hostile", "datasets": ["t"]})


def write_row(world: World, key: str, row: dict[str, object]) -> None:
    insert = f"INSERT INTO {LIVE}_airflow_dsg (stream_key, config_json, status) VALUES (%s, %s, 'active')"
    world.merge_store(insert, key, json.dumps(row))


def write_history(world: World, config: dict[str, object]) -> None:
    for text in TEXTS:
        after = json.dumps({**config, "owner": text, text: {text: [text]}})
        world.merge_store(
            f"INSERT INTO {LIVE}_airflow_dsg_history (stream_key, change, changed_by, changed_at, model_commit,"
            " before_config_json, before_status, after_config_json, after_status)"
            " VALUES ('Hostile', %s, %s, now(), %s, %s, 'active', %s, %s)",
            *(text[:20], text, text, json.dumps(config), after, text[:10]),
        )


def write_batches(world: World) -> None:
    """A failed batch and a good one: of the hostile stream, and of the run of another whose id is hostile."""
    counts = {"inserted": 1, "updated": 2, "deleted": 3, "unchanged": 4, "total": 5}
    for key, run_id in (("Hostile", EACH), ("Store1", RUN_ID)):
        checks = [{"check": text, "kind": text, "severity": text, "violations": 6} for text in TEXTS]
        dataset = {"counts": counts, "seconds": 1.0, "quality": checks}
        datasets = {text: {**dataset, "strategy": text, "reason": text} for text in TEXTS}
        result = {"code": 0, "run_id": run_id, "platform": "YellowLive", "stream_key": key, "datasets": datasets}
        now = datetime.now(UTC)
        more: dict[str, Any] = {"run_id": run_id, "state": Json({"said": EACH, "datasets": {}})}
        more |= {"result_json": Json(result), "strategy": SCRIPTS[0], "error": EACH}
        for number, status in enumerate(("failed", "committed")):
            world.batch("YellowLive", key, BATCH + number, now, batch_status=status, **more)
    world.run(DAG_ID, RUN_ID, "failed", now)


def addresses() -> Iterator[str]:
    stream = f"/plugin/streams/stream/{LIVE}"
    yield from ("/plugin/streams", "/plugin/streams/list", "/plugin/streams/list?view=cards", "/plugin/streams/runs")
    for tab in ("batches", "config", "history", "lineage", *OBJECTS):
        yield f"{stream}/Hostile?tab={tab}"
    yield f"{stream}/Hostile/edit"
    for key in KEYS:
        if key != "..":  # a browser takes it for the folder above
            yield f"{stream}/{quote(key, safe='')}?tab=config"
            yield f"{stream}/{quote(key, safe='')}/edit"
    text = quote(EACH, safe="")
    yield f"/plugin/streams/list?q={text}&state={text}&platform={text}&sort={text}&offset={text}&view={text}"
    yield f"/plugin/streams/runs?q={text}&stream={text}&state={text}&platform={text}"
    yield f"/plugin/streams/new?platform={text}"
    yield from run_addresses()
    yield f"/dags/{DAG_ID}/plugin/stream"


def run_addresses() -> Iterator[str]:
    run_id = quote(RUN_ID, safe="")
    yield f"/plugin/streams/runs/{DAG_ID}/{run_id}"
    yield f"/dags/{DAG_ID}/runs/{run_id}/plugin/stream_run"


def test_nothing_hostile_is_run_or_drawn_in_any_page(visit):
    seen = visit()
    seen.open()
    shown = 0
    for path in addresses():
        seen.go(path)
        seen.open_all()
        assert seen.found() == [], path
        shown += "window.hit" in seen.page.locator(".sf-page").inner_text()
    assert shown > len(KEYS)  # they were there to be run


def test_what_a_producer_s_server_said_is_a_text(visit):
    """Only who has a role for it is shown that: not the administrator of the other tests."""
    seen = visit(DATA_ROLE)
    seen.open()
    seen.go(f"/plugin/streams/stream/{LIVE}/Hostile?tab=batches")
    said = seen.page.locator("td").get_by_title(SCRIPTS[-1])
    assert "window.hit" in said.first.inner_text()
    assert seen.found() == []


def test_an_address_that_is_no_text_is_no_page(visit):
    seen = visit()
    seen.page.goto(f"{seen.address}/plugin/streams/stream/%E0%A4%A/x")
    seen.page.get_by_text("Page not found").wait_for()
    assert seen.errors == []
