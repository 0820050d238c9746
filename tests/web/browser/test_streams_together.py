"""What a list shows is paused, resumed and retired together, and a retired stream purged, each after a question."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from config_schema import names
from tests.web.browser.conftest import LIVE, Site

TABLE, HISTORY = names.stream_table(LIVE), names.stream_history_table(LIVE)
RUN = 240_000  # milliseconds
COUNT = 60  # more than a page of the list
LIST = f"/plugin/streams/list?platform={LIVE}&q=Bulk*"


@pytest.fixture
def bulk(site: Site) -> Iterator[None]:
    """Streams that are paused, so that nothing of them runs; the last of them has a config that is none."""
    site.execute(
        "datasurface_merge",
        f"INSERT INTO {TABLE} (stream_key, config_json, status)"
        " SELECT 'Bulk' || n, jsonb_set(jsonb_set(config_json::jsonb, '{stream_key}', to_jsonb('Bulk' || n)),"
        f" '{{store_name}}', to_jsonb('Bulk' || n))::text, 'paused' FROM {TABLE}, generate_series(1, %s) n"
        " WHERE stream_key = 'Store1'",
        COUNT,
    )
    site.execute("datasurface_merge", f"UPDATE {TABLE} SET config_json = '{{}}' WHERE stream_key = 'Bulk{COUNT}'")
    yield
    site.execute("datasurface_merge", f"DELETE FROM {TABLE} WHERE stream_key LIKE 'Bulk%'")
    site.execute("datasurface_merge", f"DELETE FROM {HISTORY} WHERE stream_key LIKE 'Bulk%'")


def ask(page: Page, action: str) -> None:
    page.get_by_role("button", name="Change all").click()
    page.get_by_role("menuitem", name=f"{action} all in this list").click()


@pytest.mark.usefixtures("bulk")
def test_all_streams_of_a_list_are_changed_together_with_a_reason_and_a_result_for_each(looking, site):
    seen = looking()
    page = seen.page
    seen.go(LIST)
    expect(page.get_by_text(f"{COUNT} streams", exact=True)).to_be_visible()
    ask(page, "Pause")
    dialog = page.get_by_role("alertdialog")
    expect(dialog.get_by_text("There is no stream to pause")).to_be_visible()
    dialog.get_by_role("button", name="Close", exact=True).click()

    ask(page, "Resume")
    expect(dialog.get_by_text(f"Resume {COUNT} streams?")).to_be_visible()
    expect(dialog.get_by_role("listitem")).to_have_count(COUNT)
    expect(dialog.get_by_text(f"Bulk7 on {LIVE}", exact=True)).to_be_attached()
    seen.picture("together-question")
    assert seen.barriers("[role=alertdialog]") == []
    dialog.get_by_label("Reason").fill("the source is back")
    dialog.get_by_role("button", name=f"Resume {COUNT}").click()
    expect(dialog).to_be_hidden()
    done = page.get_by_role("status").filter(has_text=f"{COUNT - 1} of {COUNT} streams are resumed, 1 not")
    expect(done.get_by_text(f"Bulk{COUNT} on {LIVE}: ").first).to_contain_text("the key is missing")
    done.get_by_text("Each stream").click()
    expect(done.get_by_text(f"Bulk7 on {LIVE}: active now")).to_be_visible()
    seen.picture("together-done")
    assert seen.barriers() == []
    expect(page.get_by_role("row").filter(has_text="never run")).to_have_count(49)
    expect(page.get_by_role("row").nth(1)).to_contain_text("quarantined")  # what needs attention comes first

    page.get_by_label("Search streams").fill("Bulk?")
    expect(page.get_by_text("9 streams", exact=True)).to_be_visible()
    ask(page, "Retire")
    dialog.get_by_role("button", name="Retire 9").click()
    expect(page.get_by_text("9 streams are retired")).to_be_visible()
    expect(page.get_by_text("No stream matches")).to_be_visible()
    seen.go(f"/plugin/streams/stream/{LIVE}/Bulk7?tab=history")
    expect(page.get_by_text("the source is back")).to_be_visible()

    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    page.get_by_role("button", name="Bring back").click()
    expect(dialog.get_by_text("Bring back Bulk7")).to_be_visible()
    dialog.get_by_role("button", name="Bring back").click()
    expect(page.get_by_text("Bulk7 is active again")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    assert seen.errors == []


@pytest.mark.usefixtures("bulk")
def test_a_request_that_fails_is_the_result_of_its_streams(looking):
    seen = looking()
    seen.go(LIST)
    body = {"code": "DF2001", "status": 503, "detail": "the merge store is down", "todo": "Look at it"}
    seen.page.route("**/actions/retire", lambda route: route.fulfill(status=503, body=json.dumps(body)))
    ask(seen.page, "Retire")
    seen.page.get_by_role("alertdialog").get_by_role("button", name=f"Retire {COUNT}").click()
    done = seen.page.get_by_role("status").filter(has_text=f"0 of {COUNT} streams are retired, {COUNT} not")
    expect(done.get_by_text(f"Bulk1 on {LIVE}: the merge store is down. Look at it").first).to_be_visible()


@pytest.mark.usefixtures("bulk")
def test_retired_streams_are_purged_together_once_the_number_is_typed_with_a_result_for_each(looking, site):
    site.execute("datasurface_merge", f"UPDATE {TABLE} SET status = 'retired' WHERE stream_key LIKE 'Bulk_'")
    mark = json.dumps({"kind": "merge table", "platform": LIVE, "stream": "Bulk3", "dataset": "rows"})
    site.execute(
        "datasurface_merge",
        f"CREATE TABLE bulk_rows (id int); COMMENT ON TABLE bulk_rows IS '{mark}';"
        " CREATE VIEW built_on_bulk AS SELECT * FROM bulk_rows",
    )
    seen = looking()
    page = seen.page
    try:
        seen.go(f"{LIST}&state=retired")
        expect(page.get_by_text("9 streams", exact=True)).to_be_visible()
        ask(page, "Purge")
        dialog = page.get_by_role("alertdialog")
        purge = dialog.get_by_role("button", name="Purge 9")
        expect(purge).to_be_disabled()
        dialog.get_by_label("Type this to confirm").fill("purge 9")
        dialog.get_by_label("Reason").fill("nobody misses them")
        expect(purge).to_have_css("opacity", "1")  # a button that becomes enabled fades in
        seen.picture("purge-together")
        assert seen.barriers("[role=alertdialog]") == []
        purge.click()
        done = page.get_by_role("status").filter(has_text="8 of 9 streams are purged, 1 not")
        expect(done).to_be_visible(timeout=RUN)
        expect(done.get_by_text(f"Bulk3 on {LIVE}: ").first).to_contain_text("let who built the others take them away")
        seen.picture("purged-together")
        assert seen.barriers() == []
        expect(page.get_by_text("1 stream", exact=True)).to_be_visible()
        seen.go(f"/plugin/streams/stream/{LIVE}/Bulk3?tab=history")
        expect(page.get_by_text("not purged").first).to_be_visible()
        assert seen.errors == []
    finally:
        site.execute("datasurface_merge", "DROP VIEW built_on_bulk; DROP TABLE bulk_rows")


@pytest.fixture
def spent(site: Site) -> Iterator[None]:
    """A retired stream with a merge table."""
    mark = json.dumps({"kind": "merge table", "platform": LIVE, "stream": "Spent", "dataset": "rows"})
    site.execute(
        "datasurface_merge",
        f"INSERT INTO {TABLE} (stream_key, config_json, status) VALUES (%s, '{{}}', %s)",
        *("Spent", "retired"),
    )
    site.execute("datasurface_merge", f"CREATE TABLE spent_rows (id int); COMMENT ON TABLE spent_rows IS '{mark}'")
    yield
    site.execute("datasurface_merge", "DROP TABLE IF EXISTS spent_rows")
    site.execute("datasurface_merge", f"DELETE FROM {TABLE} WHERE stream_key = 'Spent'")
    site.execute("datasurface_merge", f"DELETE FROM {HISTORY} WHERE stream_key = 'Spent'")


@pytest.mark.usefixtures("spent")
def test_a_retired_stream_is_purged_from_its_page_once_its_name_is_typed(looking, site):
    seen = looking()
    page = seen.page
    seen.go(f"/plugin/streams/stream/{LIVE}/Spent")
    page.get_by_role("button", name="Purge").click()
    dialog = page.get_by_role("alertdialog")
    purge = dialog.get_by_role("button", name="Purge")
    expect(purge).to_be_disabled()
    dialog.get_by_label("Type the stream's name").fill("Spen")
    expect(purge).to_be_disabled()
    dialog.get_by_label("Type the stream's name").fill("Spent")
    dialog.get_by_label("Reason").fill("nobody misses it")
    expect(purge).to_have_css("opacity", "1")  # a button that becomes enabled fades in
    seen.picture("purge-question")
    assert seen.barriers("[role=alertdialog]") == []
    purge.click()
    expect(page.get_by_text(f"Spent on {LIVE} is purged")).to_be_visible(timeout=RUN)
    expect(page.get_by_role("heading", name="Streams", level=1)).to_be_visible()
    seen.go("/plugin/streams/list?status=all&q=Spent")
    expect(page.get_by_text("No stream matches")).to_be_visible()
    expect(page.get_by_text("is purged")).to_have_count(0)
    page.goto(site.address(f"/plugin/streams/stream/{LIVE}/Spent"))
    expect(page.get_by_text("there is no such stream")).to_be_visible()
    history = site.run("streams", "history", "Spent", "--platform", "YellowLive", "--json")
    assert [(one["change"], one["changed_by"], one["reason"]) for one in json.loads(history)["history"][:1]] == [
        ("purge", "admin", "nobody misses it")
    ]
    assert seen.errors == []
