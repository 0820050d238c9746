"""A batch that was refused for what it would delete: seen on its stream's page, approved there, and done."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from config_schema import names
from tests.web.browser.conftest import LIVE, Site

DAG_ID = names.dag_id(LIVE, "Store1")
STREAM = f"/plugin/streams/stream/{LIVE}/Store1"
RUN = 240_000  # milliseconds
COME = """
    INSERT INTO addresses (id, "customerId", "streetName", city, state, "zipCode")
    SELECT 'LEAVE' || n, 'CUST001', 'Short Street ' || n, 'Zurich', 'ZH', '8000' FROM generate_series(1, 600) n
"""
GO = "DELETE FROM addresses WHERE id LIKE 'LEAVE%'"


@pytest.fixture
def emptied(site: Site) -> None:
    """The source has lost most of its addresses, and a run was refused for it."""
    site.wait_for_dag(DAG_ID)
    site.produce(COME)
    site.wait_for_run(DAG_ID, site.airflow.api.trigger(DAG_ID))
    site.produce(GO)
    with pytest.raises(AssertionError):
        site.wait_for_run(DAG_ID, site.airflow.api.trigger(DAG_ID))


@pytest.mark.usefixtures("emptied")
def test_a_refused_delete_waits_for_an_approval_and_goes_on_with_it(looking, site):
    seen = looking()
    page = seen.page
    seen.go(STREAM)
    waits = page.get_by_role("status").filter(has_text="and waits for an approval")
    expect(waits).to_contain_text(re.compile(r"Batch \d+ would delete 600 of \d+ rows of addresses"))
    seen.picture("approval-waits")
    assert seen.barriers() == []
    waits.get_by_role("button", name="Approve delete").click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("A batch that would delete more is refused again")
    dialog.get_by_label("Reason").fill("they moved away")
    seen.picture("approval-asked")
    dialog.get_by_role("button", name="Approve delete", exact=True).click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_text(re.compile("^It is done"))).to_be_visible(timeout=RUN)
    expect(page.get_by_text("waits for an approval")).to_have_count(0)
    rows = page.get_by_role("table", name="Batches").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("committed")
    expect(rows.nth(1)).to_contain_text("600")
    seen.picture("approval-done")
    page.get_by_role("tab", name="History").click()
    expect(
        page.get_by_text(re.compile(r"600 of \d+ rows of addresses, batch \d+: they moved away")).first
    ).to_be_visible()
    assert seen.errors == []


def test_airflow_asks_for_the_approval_too(looking, site):
    """The run that the refused one started waits in Airflow's required actions."""
    operations = names.operations_dag_id(LIVE)
    (run,) = [one for one in site.airflow.api.runs(operations) if one["dag_run_id"].startswith("ask_delete__Store1__")]
    seen = looking()
    seen.page.goto(site.address(f"/dags/{operations}/runs/{run['dag_run_id']}/tasks/ask_a_person/required_actions"))
    expect(seen.page.get_by_text("Approve deletes of YellowLive Store1?").first).to_be_visible()
    expect(seen.page.get_by_text("it would delete 600 rows of").first).to_be_visible()
    expect(seen.page.get_by_role("button", name="Approve")).to_be_visible()
    seen.picture("approval-in-airflow")
