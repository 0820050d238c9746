"""Each page, light and dark: drawn from what the API says, without barriers; and what it says when it cannot be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, Route, expect

from config_schema import names
from tests.airflow.conftest import config
from tests.row_settings import settings_of_row
from tests.web.browser.conftest import LIVE, Looking, Site

DAG_ID = names.dag_id(LIVE, "Store1")
STREAM = f"/plugin/streams/stream/{LIVE}/Store1"
RUNS = 3
NARROW = {"width": 390, "height": 860}
WIDE = "(page) => page.scrollWidth > page.clientWidth"
PARSED = 180_000  # milliseconds
SLOWLY = 400  # milliseconds a key: each letter is searched for


@pytest.fixture(scope="session")
def run_id(site: Site) -> str:
    """The last of some runs of YellowLive's stream, each with changes."""
    site.wait_for_dag(DAG_ID)
    for number in range(RUNS):
        if number:
            site.change_the_source("--max-changes", "20", "--seed", str(number))
        run_id = site.airflow.api.trigger(DAG_ID)
        site.wait_for_run(DAG_ID, run_id)
    return run_id


def pages(run_id: str) -> dict[str, tuple[str, str]]:
    """Address of each page, and a text that is there once its data is."""
    run = quote(run_id, safe="")
    return {
        "overview": ("/plugin/streams", "rows in "),
        "streams": ("/plugin/streams/list", "Store1"),
        "cards": ("/plugin/streams/list?view=cards", "Store1"),
        "stream": (STREAM, "version_diff"),
        "config": (f"{STREAM}?tab=config", "store_name"),
        "history": (f"{STREAM}?tab=history", "oldest recorded version"),
        "lineage": (f"{STREAM}?tab=lineage", "Merge tables"),
        "schema": (f"{STREAM}?tab=schema", "In the merge table"),
        "edit": (f"{STREAM}/edit", "snapshot_merge_job"),
        "source": (f"{STREAM}?tab=source", "Nobody has looked at this source yet"),
        "new": (f"/plugin/streams/new?platform={LIVE}", "source_credential_secret_name"),
        "runs": ("/plugin/streams/runs", "manual"),
        "run": (f"/plugin/streams/runs/{DAG_ID}/{run}", "addresses"),
        "dag-tab": (f"/dags/{DAG_ID}/plugin/stream", "version_diff"),
        "run-tab": (f"/dags/{DAG_ID}/runs/{run}/plugin/stream_run", "addresses"),
        "no-stream-tab": (f"/dags/{names.health_dag_id(LIVE)}/plugin/stream", "This DAG does not belong to a stream"),
    }


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_each_page_is_drawn_and_holds_no_barrier(looking, run_id, theme):
    seen = looking(theme)
    for name, (path, text) in pages(run_id).items():
        seen.go(path)
        seen.page.locator(".sf-page").get_by_text(text).first.wait_for(state="attached")
        seen.picture(name)
        assert seen.barriers() == [], name
    assert seen.errors == []


def test_no_page_is_wider_than_a_narrow_window(looking, run_id):
    seen = looking()
    seen.page.set_viewport_size(NARROW)
    for name, (path, text) in pages(run_id).items():
        seen.go(path)
        seen.page.locator(".sf-page").get_by_text(text).first.wait_for(state="attached")
        seen.picture(f"narrow-{name}")
        assert not seen.page.locator(".sf-page").evaluate(WIDE), name


@pytest.fixture
def long_row(site: Site) -> Iterator[str]:
    """A row with a key of one long word; the key."""
    table, key = names.stream_table(LIVE), "Warehouse_of_the_northern_region_and_of_all_its_harbours"
    insert = f"INSERT INTO {table} (stream_key, config_json, status) VALUES (%s, '{{}}', 'active')"
    site.execute("datasurface_merge", insert, key)
    yield key
    site.execute("datasurface_merge", f"DELETE FROM {table} WHERE stream_key = %s", key)


def test_a_long_name_leaves_room_for_the_state_in_a_narrow_window(looking, long_row):
    seen = looking()
    seen.page.set_viewport_size(NARROW)
    seen.go("/plugin/streams/list")
    line = seen.page.get_by_role("row").filter(has_text=long_row)
    expect(line.get_by_text("quarantined")).to_be_in_viewport(ratio=1)
    seen.go("/plugin/streams/list?view=cards")
    expect(seen.page.get_by_role("heading", name=long_row)).to_be_visible()
    assert not seen.page.locator(".sf-page").evaluate(WIDE)


def test_who_may_create_no_stream_hears_it_before_anything_is_typed(looking):
    seen = looking()
    seen.page.route("**/stream_factory/api/me", lambda route: route.fulfill(json={"name": "ann", "can_create": False}))
    seen.go(f"/plugin/streams/new?platform={LIVE}")
    expect(seen.page.get_by_text("None of your roles may create streams")).to_be_visible()
    expect(seen.page.get_by_role("combobox", name="Platform")).to_have_count(0)


def test_a_question_holds_no_barrier_and_is_answered_by_keyboard(looking):
    seen = looking("dark")
    seen.go(STREAM)
    button = seen.page.get_by_role("button", name="Pause")
    button.focus()
    seen.page.keyboard.press("Enter")
    dialog = seen.page.get_by_role("alertdialog")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    seen.picture("question")
    assert seen.barriers("[role=alertdialog]") == []
    seen.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()


def test_a_list_is_searched_and_its_address_can_be_sent_to_somebody(looking):
    seen = looking()
    seen.go("/plugin/streams/list")
    seen.page.get_by_label("Search streams").press_sequentially("no such", delay=SLOWLY)
    expect(seen.page.get_by_text("No stream matches")).to_be_visible()
    assert "q=no+such" in seen.page.url
    seen.go(f"/plugin/streams/list?q=store1&platform={LIVE}")
    expect(seen.page.get_by_text("1 stream", exact=True)).to_be_visible()
    expect(seen.page.get_by_label("Search streams")).to_have_value("store1")


def test_retired_streams_are_listed_when_they_are_asked_for(looking):
    seen = looking()
    table = f"{LIVE}_airflow_dsg"
    seen.site.execute("datasurface_merge", f"INSERT INTO {table} VALUES ('Bygone', '{{}}', 'retired')")
    try:
        seen.go(f"/plugin/streams/list?platform={LIVE}&q=o")
        expect(seen.page.get_by_text("1 stream", exact=True)).to_be_visible()
        seen.page.get_by_label("State").select_option("all")
        expect(seen.page.get_by_role("link", name="Bygone")).to_be_visible()
        assert "status=all" in seen.page.url
        seen.go(f"/plugin/streams/list?platform={LIVE}&state=retired")
        expect(seen.page.get_by_role("link", name="Bygone")).to_be_visible()
        assert seen.errors == []
    finally:
        seen.site.execute("datasurface_merge", f"DELETE FROM {table} WHERE stream_key = 'Bygone'")


NOT_THERE = {
    f"/plugin/streams/stream/{LIVE}/Nothing": "there is no such stream",
    f"/plugin/streams/runs/{DAG_ID}/nothing": "no such run",
    "/plugin/streams/nowhere": "Page not found",
}


def test_what_is_not_there_is_said(looking):
    seen = looking()
    for path, text in NOT_THERE.items():
        seen.page.goto(seen.site.address(path))
        expect(seen.page.get_by_text(text)).to_be_visible()


def answered(page: Page, path: str, status: int, what: str) -> None:
    """From now on the API answers so; what cannot be had of a healthy one."""
    body = {"code": "DF2001", "status": status, "detail": what, "todo": "Look at it"}
    page.route(re.compile(f"/stream_factory/api/{path}"), lambda route: route.fulfill(status=status, json=body))


def test_a_refusal_is_shown_with_what_to_do(looking):
    seen = looking()
    for status in (401, 403, 503):
        answered(seen.page, "overview", status, f"it is down: {status}")
        seen.page.goto(seen.site.address("/plugin/streams"))
        expect(seen.page.get_by_text(f"it is down: {status}")).to_be_visible()
        expect(seen.page.get_by_text("Look at it")).to_be_visible()
        # A right that one lacks does not come by asking again.
        expect(seen.page.get_by_role("link", name="Log in")).to_have_count(1 if status == 401 else 0)
        expect(seen.page.get_by_text("Try again")).to_have_count(1 if status == 503 else 0)
        seen.picture(f"refused-{status}")
        seen.page.unroute_all()


def test_what_was_read_stays_while_the_merge_store_is_away(looking):
    seen = looking()
    seen.go(STREAM)
    answered(seen.page, f"streams/{LIVE}/Store1$", 503, "the merge store is down")
    expect(seen.page.get_by_text("the merge store is down (the data below may be out of date)")).to_be_visible()
    expect(seen.page.get_by_role("button", name="Trigger")).to_be_visible()


@pytest.fixture
def away(site: Site) -> Iterator[None]:
    """A third platform, AwayLive, whose merge store nobody can reach."""
    file = site.airflow.home / "stream_factory" / names.settings_file("awaylive")
    file.write_text(settings_of_row(config("AwayLive")).to_json())
    yield
    file.unlink()


@pytest.mark.usefixtures("away")
def test_what_cannot_be_read_is_unknown_and_never_zero_or_well(looking):
    seen = looking()
    seen.go("/plugin/streams")
    for text in (
        "How many streams there are, and how they are, is unknown",
        "All streams of AwayLive",
        re.compile(r"Needs attention \(\d+, and what is unknown of AwayLive\)"),
        re.compile("without AwayLive, of which it is unknown"),
    ):
        expect(seen.page.get_by_text(text)).to_be_visible()
    expect(seen.page.get_by_text("No stream needs attention")).to_have_count(0)
    seen.picture("unknown")
    assert seen.barriers() == []
    seen.go("/plugin/streams/list")
    expect(seen.page.get_by_text("The streams of awaylive are unknown and not in this list")).to_be_visible()
    seen.picture("unknown-list")
    seen.go("/plugin/streams/list?q=no+such")
    expect(seen.page.get_by_text("No stream matches, of the platforms that can be read")).to_be_visible()


def edit_owner(seen: Looking, owner: str) -> None:
    seen.go(f"{STREAM}/edit")
    seen.page.get_by_label("Owner owner").fill(owner)


def test_a_new_stream_is_made_of_what_the_model_has_and_nothing_is_red_before_somebody_types(looking):
    seen = looking()
    page = seen.page
    seen.go(f"/plugin/streams/new?platform={LIVE}")
    expect(page.get_by_text("Still to fill in")).to_be_visible()
    expect(page.get_by_text("Name of the stream, Datasets, Datastore")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_text("namespace_name")).to_have_count(0)  # jobs are processes here
    seen.picture("new-empty")
    store = page.get_by_label("Datastore store_name")
    store.fill("Store9")
    expect(page.get_by_text("ingests no datastore 'Store9'").first).to_be_visible()
    expect(page.get_by_role("button", name="Create the stream")).to_be_disabled()
    seen.picture("new-unknown-store")
    options = page.locator("datalist#sf-store_name-options option")
    assert options.evaluate_all("(all) => all.map((one) => one.value)") == ["Store1"]
    store.fill("Store1")
    expect(page.get_by_label("Name of the stream stream_key")).to_have_value("Store1")
    expect(page.get_by_label("Secret of the source source_credential_secret_name")).to_have_value("customer-db")
    expect(page.get_by_label("customers", exact=True)).to_be_checked()
    create = page.get_by_role("button", name="Create the stream")
    expect(create).to_be_enabled()
    expect(create).to_have_css("opacity", "1")  # a button that becomes enabled fades in
    seen.picture("new-picked")
    assert seen.barriers() == []
    page.get_by_text("addresses", exact=True).click()
    expect(page.get_by_label("addresses", exact=True)).not_to_be_checked()
    page.locator("summary").filter(has_text="Execution").click()
    page.get_by_label("Where jobs run runner").select_option("kubernetes")
    expect(page.get_by_text("namespace_name")).to_have_count(1)
    assert seen.errors == []


def test_what_was_typed_is_not_lost_without_a_question(looking):
    seen = looking()
    page = seen.page
    edit_owner(seen, "unsaved")
    page.get_by_role("link", name="Streams", exact=True).last.click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog.get_by_text("Discard what you have changed?")).to_be_visible()
    seen.picture("unsaved")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.get_by_label("Owner owner")).to_have_value("unsaved")
    asked: list[str] = []
    page.on("dialog", lambda asks: (asked.append(asks.type), asks.dismiss()))
    page.close(run_before_unload=True)
    page.wait_for_timeout(0)
    expect(page.get_by_label("Owner owner")).to_have_value("unsaved")
    assert asked == ["beforeunload"]
    page.get_by_role("link", name="Streams", exact=True).last.click()
    dialog.get_by_role("button", name="Discard").click()
    expect(page.get_by_role("heading", name="Streams", level=1)).to_be_visible()
    assert seen.errors == []


def test_a_connection_is_tested_from_the_stream_s_page_and_what_is_wrong_is_said(looking, site, run_id):
    seen = looking()
    page = seen.page
    seen.go(f"{STREAM}?tab=source")
    try_the_connection(page)
    expect(page.get_by_text("customer_db: it can be read")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="version_diff")).to_have_count(2)
    seen.picture("source-good")
    page.get_by_role("tab", name="Schema").click()
    columns = page.get_by_role("region", name="Columns of customers")
    cells = columns.get_by_role("row").filter(has_text="key").get_by_role("cell")
    expect(cells).to_have_count(7)
    kind = "character varying(20)"
    assert cells.all_inner_texts()[:6] == ["id\nkey", kind, kind, kind, "no", "internal"]
    assert "Consumer1/LiveDSG" in cells.all_inner_texts()[6]
    seen.picture("schema")
    page.get_by_role("tab", name="Source").click()
    site.produce("ALTER TABLE addresses RENAME city TO town")
    try:
        try_the_connection(page)
        expect(page.get_by_text("customer_db: 1 finding that stops batches")).to_be_visible()
        expect(page.get_by_text("no column 'city'").first).to_be_visible()
        expect(page.get_by_role("alert").filter(has_text="a batch would fail")).to_be_visible()
        assert seen.barriers() == []
        for theme in ("light", "dark"):
            other = looking(theme)
            for width in (1440, 390):
                other.page.set_viewport_size({"width": width, "height": 900})
                other.go(f"{STREAM}?tab=source")
                other.page.get_by_text("no column 'city'").first.wait_for()
                other.picture(f"source-bad-{width}")
                assert not other.page.locator(".sf-page").evaluate(WIDE)
    finally:
        site.produce("ALTER TABLE addresses RENAME town TO city")
    try_the_connection(page)
    expect(page.get_by_text("customer_db: it can be read")).to_be_visible()
    assert seen.errors == []


def try_the_connection(page: Page) -> None:
    page.get_by_role("button", name="Test connection").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("It is done")).to_be_visible(timeout=PARSED)
    page.get_by_role("button", name="Close message").click()


def save(seen: Looking) -> None:
    seen.page.get_by_role("button", name="Review changes and save").click()
    seen.page.get_by_role("alertdialog").get_by_role("button", name="Save").click()


def test_who_is_too_late_is_informed_and_may_load_what_is_there(looking):
    late, quick = looking(), looking()
    edit_owner(late, "late")
    edit_owner(quick, "quick")
    save(quick)
    expect(quick.page.get_by_role("alertdialog")).to_be_hidden()
    save(late)
    load = late.page.get_by_role("button", name=re.compile("Discard my changes"))
    expect(load).to_be_visible()
    late.picture("conflict")
    load.click()
    expect(late.page.get_by_label("Owner owner")).to_have_value("quick")


HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def hostile_row(site: Site) -> Iterator[str]:
    """A row that a hand has written past every check; its key."""
    table = names.stream_table(LIVE)
    config = json.dumps({"stream_key": HOSTILE, "store_name": HOSTILE, "owner": HOSTILE})
    insert = f"INSERT INTO {table} (stream_key, config_json, status) VALUES (%s, %s, 'active')"
    site.execute("datasurface_merge", insert, HOSTILE, config)
    yield HOSTILE
    site.execute("datasurface_merge", f"DELETE FROM {table} WHERE stream_key = %s", HOSTILE)


def test_hostile_text_is_shown_and_not_run(looking, hostile_row):
    seen = looking()
    ran: list[str] = []
    seen.page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
    for path in ("/plugin/streams", "/plugin/streams/list", f"/plugin/streams/list?q={quote(hostile_row)}&view=cards"):
        seen.page.goto(seen.site.address(path))
        expect(seen.page.get_by_text(hostile_row).first).to_be_visible()
    seen.page.get_by_role("link", name=hostile_row).first.click()
    seen.page.get_by_role("tab", name="Config").click()
    expect(seen.page.get_by_role("table", name="Config").get_by_text(hostile_row).first).to_be_visible()
    assert (ran, seen.errors) == ([], [])


def test_a_tab_that_is_clicked_while_data_comes_is_chosen(looking, hostile_row):
    """The page ends below the tabs of a stream with many problems: it does not shrink when its batches are there."""
    seen = looking()
    page = seen.page
    waiting: list[Route] = []
    page.route("**/batches**", lambda route: waiting.append(route))
    with page.expect_request("**/batches**"):
        page.goto(seen.site.address(f"/plugin/streams/stream/{LIVE}/{quote(hostile_row)}"))
    tab = page.get_by_role("tab", name="Config")
    page.locator(".sf-page").evaluate("(page) => page.scrollTo(0, page.scrollHeight)")
    tab.hover()
    page.mouse.down()
    for route in waiting:
        route.continue_()
    expect(page.get_by_text("No batch yet")).to_be_visible()
    page.mouse.up()
    expect(tab).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("table", name="Config")).to_be_visible()
