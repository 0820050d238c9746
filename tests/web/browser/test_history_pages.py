"""A history that is longer than an answer is read page by page, and grows no faster than people work."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.web.browser.conftest import LIVE, Site

STREAM = f"/plugin/streams/stream/{LIVE}/Store1"
LONGER = """
    INSERT INTO yellowlive_airflow_dsg_history (stream_key, change, changed_by, changed_at, model_commit,
        before_config_json, before_status, after_config_json, after_status)
    SELECT stream_key, 'trigger', 'ann', now(), NULL, config_json, status, config_json, status
    FROM yellowlive_airflow_dsg, generate_series(1, 120) WHERE stream_key = 'Store1'
"""


@pytest.fixture
def long_history(site: Site) -> Iterator[None]:
    """More changes by hand than a page shows and ten minutes allow, while the test runs."""
    site.execute("datasurface_merge", LONGER)
    yield
    site.execute("datasurface_merge", "DELETE FROM yellowlive_airflow_dsg_history WHERE changed_by = 'ann'")


@pytest.mark.usefixtures("long_history")
def test_older_and_newer_changes_are_a_button_away(looking):
    seen = looking()
    seen.go(f"{STREAM}?tab=history")
    page = seen.page.locator(".sf-page")
    expect(page.get_by_text("its changes are on the page of older versions")).to_be_visible()
    expect(page.get_by_role("button", name="Newer")).to_have_count(0)
    page.get_by_role("button", name="Older").scroll_into_view_if_needed()
    seen.picture("history-newest")
    page.get_by_role("button", name="Older").click()
    expect(page.get_by_text("oldest recorded version")).to_be_visible()
    expect(page.get_by_role("button", name="Older")).to_have_count(0)
    seen.picture("history-oldest")
    page.get_by_role("button", name="Newer").click()
    expect(page.get_by_role("button", name="Older")).to_be_visible()
    assert seen.errors == []


@pytest.mark.usefixtures("long_history")
def test_who_changes_a_stream_too_often_reads_why_it_is_refused(looking):
    seen = looking()
    seen.go(f"{STREAM}/edit")
    seen.page.get_by_label("Owner owner").fill("hasty")
    seen.page.get_by_role("button", name="Review changes and save").click()
    dialog = seen.page.get_by_role("alertdialog")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text(re.compile(r"it was changed by hand \d+ times in the last ten minutes"))).to_be_visible()
    expect(dialog.get_by_text("Wait some minutes")).to_be_visible()
    seen.picture("too-often")
    assert seen.barriers("[role=alertdialog]") == []
