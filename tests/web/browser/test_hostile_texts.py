"""Texts of rows, histories, batches and comments on views are texts in every page, whatever they are made of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page
from psycopg2.extras import Json

from config_schema import names
from tests.airflow.conftest import config as example
from tests.web.browser.conftest import LIVE, PATIENCE
from tests.web.world import World

SCRIPTS = (
    '<img src=x onerror="window.hit = 1">',
    "<script>window.hit = 2</script>",
    '"><svg onload="window.hit = 3">',
    "javascript:window.hit=4",
    "{{constructor.constructor('window.hit = 5')()}}",
    "</style></textarea><iframe srcdoc='<script>parent.hit = 6</script>'>",
)
EACH = " ".join(SCRIPTS)
OBJECTS = ("__proto__", "constructor", "toString")  # names that every object of JavaScript has
KEYS = (SCRIPTS[0], SCRIPTS[3], *OBJECTS, "%", "..", "x?y#z", "%2e%2e")
TABLE = names.merge_table(LIVE, "Hostile", "t")
DAG_ID = names.dag_id(LIVE, "Store1")
TELLERS = (*SCRIPTS, *OBJECTS)
BATCH = 900
VIEW = "<img src=x onerror=window.hit=7>"
INJECTED = "img[src=x], script, svg[onload], iframe, a[href^='javascript'], a[href^='data']"


@pytest.fixture
def hostile(world: World) -> Iterator[None]:
    """Hostile streams, changes, batches, and a view with a comment; gone after the test."""
    config = example("YellowLive", "Hostile", datasets=["t"])
    write_streams(world, config)
    write_history(world, config)
    write_batches(world)
    world.merge_store(f'CREATE TABLE "{TABLE}" (id int)')
    mark = json.dumps({"workspace": EACH, "group": "__proto__"})
    world.merge_store(f'CREATE VIEW "{VIEW}" AS SELECT * FROM "{TABLE}"')
    world.merge_store(f'COMMENT ON VIEW "{VIEW}" IS %s', mark)
    yield
    world.merge_store(f'DROP TABLE "{TABLE}" CASCADE')
    world.merge_store(f"DELETE FROM {LIVE}_airflow_dsg WHERE stream_key = ANY (%s)", [*KEYS, "Hostile"])
    world.merge_store(f"DELETE FROM {LIVE}_airflow_dsg_history WHERE changed_by = ANY (%s)", [*TELLERS])
    world.merge_store(f"DELETE FROM {LIVE}_batch_metrics WHERE batch_id >= %s", BATCH)


@dataclass
class Seen:
    """A page of a browser in which an administrator is logged in, and what went wrong in it."""

    page: Page
    address: str
    errors: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        self.page.goto(self.address + path)
        self.page.locator(".sf-page").wait_for()
        self.page.locator(".sf-page [aria-label=Loading]").first.wait_for(state="detached")


@pytest.fixture
def seen(world: World, browser: Browser) -> Iterator[Seen]:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    context.add_cookies([{"name": "_token", "value": world.token("admin"), "url": world.address}])
    found = Seen(context.new_page(), world.address)
    found.page.on("pageerror", lambda error: found.errors.append(str(error)))
    found.page.on("dialog", lambda dialog: found.errors.append(dialog.message))
    yield found
    context.close()


def write_streams(world: World, config: dict[str, object]) -> None:
    free = dict.fromkeys(("owner", "schedule", "timezone", "latency_seconds", EACH, *OBJECTS), EACH)
    for key in KEYS:
        row = {**config, **free, "stream_key": key, "store_name": EACH, "tags": SCRIPTS, "datasets": SCRIPTS}
        write_row(world, key, row)
    write_row(world, "Hostile", {**config, "stream_key": "Hostile", "store_name": "Hostile", "datasets": ["t"]})


def write_row(world: World, key: str, row: dict[str, object]) -> None:
    insert = f"INSERT INTO {LIVE}_airflow_dsg (stream_key, config_json, status) VALUES (%s, %s, 'active')"
    world.merge_store(insert, key, json.dumps(row))


def write_history(world: World, config: dict[str, object]) -> None:
    for text in TELLERS:
        world.merge_store(
            f"INSERT INTO {LIVE}_airflow_dsg_history (stream_key, change, changed_by, changed_at, before_config_json,"
            " before_status, after_config_json, after_status) VALUES ('Hostile', %s, %s, now(), %s, 'active', %s, %s)",
            *(
                text[:20],
                text,
                json.dumps(config),
                json.dumps({**config, "owner": text, text: {text: [text]}}),
                text[:10],
            ),
        )


def write_batches(world: World) -> None:
    counts = {"inserted": 1, "updated": 2, "deleted": 3, "unchanged": 4, "total": 5}
    told = {text: {"counts": counts, "strategy": text, "reason": text, "seconds": 1.0} for text in (*SCRIPTS, *OBJECTS)}
    result = {"code": 0, "run_id": EACH, "platform": "YellowLive", "stream_key": "Hostile", "datasets": told}
    for number, status in enumerate(("failed", "committed")):
        world.merge_store(
            f"INSERT INTO {LIVE}_batch_metrics (key, batch_id, batch_start_time, batch_end_time, batch_status,"
            " records_inserted, state, run_id, result_json, strategy, error)"
            " VALUES ('Hostile', %s, now(), now(), %s, 1, %s, %s, %s, %s, %s)",
            *(BATCH + number, status, Json({"said": EACH}), EACH, Json(result), SCRIPTS[0], EACH),
        )


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
    yield f"/plugin/streams/runs/{DAG_ID}/{quote(SCRIPTS[0], safe='')}"


@pytest.mark.usefixtures("hostile")
def test_nothing_hostile_is_run_or_drawn_in_any_page(seen):
    shown = 0
    for path in addresses():
        seen.go(path)
        closed = seen.page.locator(".sf-page button[aria-expanded=false]:not([aria-haspopup])")
        for button in closed.all()[:12]:
            if button.is_visible():
                button.click()
        shown += "window.hit" in seen.page.locator(".sf-page").inner_text()
        assert seen.page.evaluate("[window.hit, ({}).hit, ({}).owner]") == [None, None, None], path
        assert seen.page.locator(".sf-page").locator(INJECTED).count() == 0, path
        assert seen.errors == [], path
    assert shown > len(KEYS)  # they were there to be run


def test_an_address_that_is_no_text_is_no_page(seen):
    seen.page.goto(f"{seen.address}/plugin/streams/stream/%E0%A4%A/x")
    seen.page.get_by_text("There is no such page").wait_for()
    assert seen.errors == []
