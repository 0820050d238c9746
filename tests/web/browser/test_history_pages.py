"""A history that is longer than an answer is read page by page."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.web.browser.conftest import LIVE

STREAM = f"/plugin/streams/stream/{LIVE}/Store1"
LONGER = """
    INSERT INTO yellowlive_airflow_dsg_history (stream_key, change, changed_by, changed_at, model_commit,
        before_config_json, before_status, after_config_json, after_status)
    SELECT stream_key, 'trigger', 'ann', now(), NULL, config_json, status, config_json, status
    FROM yellowlive_airflow_dsg, generate_series(1, 120) WHERE stream_key = 'Store1'
"""


def test_older_and_newer_changes_are_a_button_away(looking, site):
    site.execute("datasurface_merge", LONGER)
    seen = looking()
    seen.go(f"{STREAM}?tab=history")
    page = seen.page.locator(".sf-page")
    expect(page.get_by_text("what it changed is on the page of older ones")).to_be_visible()
    expect(page.get_by_role("button", name="Newer")).to_have_count(0)
    page.get_by_role("button", name="Older").scroll_into_view_if_needed()
    seen.picture("history-newest")
    page.get_by_role("button", name="Older").click()
    expect(page.get_by_text("the first that is known")).to_be_visible()
    expect(page.get_by_role("button", name="Older")).to_have_count(0)
    seen.picture("history-oldest")
    page.get_by_role("button", name="Newer").click()
    expect(page.get_by_role("button", name="Older")).to_be_visible()
    assert seen.errors == []
