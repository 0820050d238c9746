"""A person with a browser: makes a stream, sees its DAG, runs it, breaks it, reads why, and takes it back."""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

from config_schema import names
from tests.web.browser.conftest import FORENSIC, Looking, Site

STREAM = f"/plugin/streams/stream/{FORENSIC}/Store1"
DAG_ID = names.dag_id(FORENSIC, "Store1")
SOME_ARE_GONE = "DELETE FROM addresses WHERE id IN (SELECT 'MORE' || n FROM generate_series(1, 50) n)"
RUN = 240_000  # milliseconds


def write_config(page: Page, config: dict[str, Any]) -> None:
    page.get_by_role("tab", name="JSON").click()
    page.get_by_label("config_json").fill(json.dumps(config))
    page.get_by_role("tab", name="Form").click()


def answer(page: Page, button: str) -> None:
    """Say yes in the dialog that asks."""
    dialog = page.get_by_role("alertdialog")
    dialog.get_by_role("button", name=button, exact=True).click()
    expect(dialog).to_be_hidden()


def fact(page: Page, label: str) -> Locator:
    """What stands under a label at the top of a stream's page."""
    return page.locator("dl > div").filter(has=page.locator("dt", has_text=label)).locator("dd")


def run_to_its_end(page: Page) -> str:
    """Trigger the stream from its page, follow the link to the run, and wait there; the run's state."""
    page.get_by_role("button", name="Trigger").click()
    answer(page, "Trigger")
    page.get_by_role("link", name="See the run").click()
    state = page.locator("dd").filter(has_text=re.compile("^(success|failed)$"))
    expect(state).to_be_visible(timeout=RUN)
    return state.inner_text()


def counts_of(page: Page, dataset: str) -> list[str]:
    """Inserted, updated, deleted, unchanged and total, as the run's page shows them."""
    cells = page.get_by_role("region", name="Counts per dataset").get_by_role("row").filter(has_text=dataset)
    return cells.get_by_role("cell").all_inner_texts()[1:6]


def make_the_stream(page: Page, site: Site) -> None:
    """From the platform's settings, with a schedule that is none at first."""
    page.goto(site.address("/plugin/streams/list"))
    page.get_by_role("link", name="New stream").click()
    page.get_by_role("combobox", name="Platform").select_option(FORENSIC)
    host = page.get_by_label("Host of the merge store postgres_hostname")
    expect(host).to_have_value(site.row["postgres_hostname"])
    write_config(page, site.row | {"schedule": "61 * * * *"})
    expect(page.get_by_text(re.compile("no schedule|not a schedule|61")).first).to_be_visible()
    expect(page.get_by_role("button", name="Create the stream")).to_be_disabled()
    page.get_by_label("Schedule schedule", exact=True).fill("")
    page.get_by_role("button", name="Create the stream").click()
    answer(page, "Create")


def forbid_deletes(page: Page) -> None:
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("max_delete_fraction").fill("0")
    page.get_by_role("button", name="Review changes and save").click()
    expect(page.get_by_role("alertdialog").get_by_text("max_delete_fraction")).to_be_visible()
    answer(page, "Save")


def ask_a_job(page: Page, panel: Locator, button: str) -> None:
    """Have the operations DAG look at the batch, and wait until it has."""
    panel.get_by_role("button", name=button, exact=True).click()
    answer(page, button)
    expect(panel.get_by_text("It is done")).to_be_visible(timeout=RUN)
    panel.get_by_role("button", name="Close message").click()


def see_what_changed(seen: Looking) -> None:
    """On the page of a run of a forensic stream: first the numbers, then values, with a reason."""
    page = seen.page
    panel = page.get_by_role("region", name=re.compile(r"^What changed in batch \d+$"))
    expect(panel.get_by_text("Nothing is known of it yet")).to_be_visible()
    ask_a_job(page, panel, "Find out")
    line = panel.get_by_role("row").filter(has_text="addresses")
    expect(line.get_by_role("cell")).to_have_text(["addresses", "0", "0", "50", "–"])
    expect(panel.get_by_role("button", name="Find out", exact=True)).to_have_count(0)
    ask_a_job(page, panel, "Get values")
    panel.get_by_role("button", name="Show values", exact=True).click()
    page.get_by_role("alertdialog").get_by_label("Reason").fill("to see what is gone")
    assert seen.barriers("[role=alertdialog]") == []
    answer(page, "Show values")
    keys = panel.get_by_role("region", name="Changed keys of addresses")
    expect(keys.get_by_role("row")).to_have_count(6)  # five of each kind, and the heads
    expect(keys).to_contain_text("customerId=CUST001, state=ZH, ")
    expect(keys).to_contain_text("city (hidden)")  # which is PII in the model
    expect(keys).not_to_contain_text("Zurich")
    seen.picture("what-changed")
    assert seen.barriers() == []
    seen.go(f"{STREAM}?tab=history")
    expect(page.get_by_text("Reason: to see what is gone")).to_be_visible()


def test_a_stream_is_made_run_broken_and_taken_back(looking, site):
    seen = looking()
    page = seen.page
    make_the_stream(page, site)
    expect(page.get_by_role("heading", name="Store1", level=1)).to_be_visible()
    assert page.url.endswith(STREAM)
    expect(page.get_by_text("Store1 is created")).to_be_visible()
    seen.picture("stream-created")

    expect(fact(page, "Seen by Airflow")).to_have_text("yes")
    assert site.airflow.api.dag(DAG_ID) is not None
    page.goto(site.address(f"/dags/{DAG_ID}/plugin/stream"))
    expect(page.locator(".sf-page").get_by_role("button", name="Trigger")).to_be_visible()

    page.goto(site.address(STREAM))
    assert run_to_its_end(page) == "success"
    assert counts_of(page, "customers") == ["5", "0", "0", "0", "5"]
    assert counts_of(page, "addresses") == ["200", "0", "0", "0", "200"]

    page.goto(site.address(STREAM))
    forbid_deletes(page)
    site.produce(SOME_ARE_GONE)
    assert run_to_its_end(page) == "failed"
    expect(page.get_by_role("alert").first).to_contain_text("max_delete_fraction")
    page.goto(site.address(STREAM))
    expect(page.get_by_role("alert").first).to_contain_text("max_delete_fraction")

    page.get_by_role("tab", name="History").click()
    page.get_by_role("button", name=re.compile("^Roll back to version")).first.click()
    answer(page, "Roll back")
    expect(page.get_by_text(re.compile("^Rolled back to version"))).to_be_visible()
    assert run_to_its_end(page) == "success"
    assert counts_of(page, "customers") == ["0", "0", "0", "5", "5"]
    assert counts_of(page, "addresses") == ["0", "0", "50", "150", "150"]
    see_what_changed(seen)
    assert seen.errors == []
