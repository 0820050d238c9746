"""What runs are at and why they failed, where a person looks for it; and all that is unknown in an outage."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator

import psycopg2
import pytest
from playwright.sync_api import Page, expect

from config_schema import names
from tests.web.browser.conftest import LIVE, Looking, Site

DAG_ID = names.dag_id(LIVE, "Store1")
STREAM = f"/plugin/streams/stream/{LIVE}/Store1"
RUN = 240_000  # milliseconds
# A job of which the server has counted a part; the one that runs writes its own row.
COUNTED = """
    INSERT INTO yellowlive_progress VALUES ('Store1', 'counted', now() - interval '70 s', 'reading',
        now() - interval '50 s', 'customers', 'rows', 250000, 1000000, 8000000, now() + interval '10 min')
"""
AWAY = (
    "ALTER DATABASE datasurface_merge ALLOW_CONNECTIONS false",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'datasurface_merge'",
)
BACK = "ALTER DATABASE datasurface_merge ALLOW_CONNECTIONS true"


@pytest.fixture
def trigger(site: Site) -> Callable[[Looking], Page]:
    """A function that triggers YellowLive's stream from its page."""
    site.wait_for_dag(DAG_ID)

    def press(seen: Looking) -> Page:
        seen.go(STREAM)
        seen.page.get_by_role("button", name="Trigger").click()
        dialog = seen.page.get_by_role("alertdialog")
        dialog.get_by_label("Reason").fill("to look at its pages")
        dialog.get_by_role("button", name="Trigger", exact=True).click()
        expect(dialog).to_be_hidden()
        return seen.page

    return press


@pytest.fixture
def held(site: Site) -> Iterator[Callable[[], None]]:
    """A lock on the source's table, so that a job waits there; the function ends it."""
    connection = psycopg2.connect(site.databases.dsn("customer_db"))
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE")
        yield connection.rollback


def test_a_running_run_says_what_it_is_at_on_its_page_and_its_streams(looking, site, trigger, held):
    seen = looking()
    page = trigger(seen)
    page.get_by_role("link", name="See the run").click()
    progress = page.get_by_role("status", name="Progress")
    expect(progress).to_contain_text(re.compile("Connecting to the source|Reading customers"), timeout=RUN)
    expect(progress).to_contain_text(re.compile(r"The job has run for \d"))
    expect(page.get_by_text("Counts are shown when the run has ended")).to_be_visible()
    expect(page.get_by_text(re.compile(r"\d s so far"))).to_be_visible()
    seen.picture("run-progress")
    assert seen.barriers() == []
    held()  # before the job waits no longer for the lock and is tried again
    address = page.url

    site.execute("datasurface_merge", COUNTED)
    try:
        seen.go(STREAM)
        counted = page.get_by_role("status", name="Progress").filter(has_text="250,000")
        expect(counted).to_contain_text("250,000 of about 1,000,000 rows · 8.0 MB of about 32.0 MB")
        expect(counted.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "25")
        seen.picture("stream-progress")
    finally:
        site.execute("datasurface_merge", "DELETE FROM yellowlive_progress WHERE run_id = 'counted'")

    page.goto(address)
    expect(page.get_by_role("region", name="Counts per dataset").get_by_role("row")).to_have_count(3, timeout=RUN)
    expect(progress).to_have_count(0)
    seen.go(f"{STREAM}?tab=history")
    expect(page.get_by_text("Reason: to look at its pages").first).to_be_visible()
    assert seen.errors == []


@pytest.fixture
def no_table(site: Site) -> Iterator[None]:
    """The source has no table of customers, while the test runs."""
    site.produce("ALTER TABLE customers RENAME TO customers_away")
    yield
    site.produce("ALTER TABLE customers_away RENAME TO customers")
    site.wait_for_run(DAG_ID, site.airflow.api.trigger(DAG_ID))


@pytest.mark.usefixtures("no_table")
def test_why_a_run_failed_is_read_wherever_it_is_shown(looking, trigger):
    seen = looking()
    page = trigger(seen)
    failed = page.get_by_role("alert").filter(has_text="It failed: ")
    expect(failed).to_contain_text("customers", timeout=RUN)
    expect(page.get_by_text("See above")).to_have_count(1)  # in the list of batches
    reason = failed.inner_text().partition("It failed: ")[2][:60]
    expect(page.get_by_text(reason)).to_have_count(1)
    seen.picture("failed")
    failed.get_by_role("link", name="See the run").click()
    expect(page.get_by_text("No counts: nothing was merged")).to_be_visible()
    why = page.get_by_role("alert")
    expect(why).to_contain_text("customers")
    expect(why).to_contain_text("Correct that, then trigger the stream again")
    seen.picture("run-failed")
    assert seen.barriers() == []
    for path in ("/plugin/streams/runs?state=failed", f"/plugin/streams/runs?platform={LIVE}"):
        seen.go(path)
        expect(page.get_by_role("row").filter(has_text="failed").first).to_contain_text("customers")
    seen.go("/plugin/streams")
    line = page.get_by_role("listitem").filter(has=page.get_by_role("link", name="Store1")).filter(has_text=LIVE)
    expect(line).to_contain_text("failing")
    expect(line).to_contain_text("Its last run has failed")
    seen.picture("overview-failing")
    assert seen.errors == []


@pytest.fixture
def outage(site: Site) -> Iterator[Callable[[], None]]:
    """A function that makes the merge store refuse all connections; it is back after the test."""
    yield lambda: site.administer(*AWAY)
    site.administer(BACK)


def test_in_an_outage_all_is_unknown_and_the_reason_is_said_once(looking, outage, site):
    site.wait_for_dag(DAG_ID)
    stream, seen = looking(), looking()
    stream.go(STREAM)
    outage()
    expect(stream.page.get_by_text("(the data below may be out of date)")).to_have_count(1)
    stream.picture("stream-outage")
    seen.go("/plugin/streams")
    unknown = seen.page.get_by_text("How many streams there are, and how they are, is unknown")
    expect(unknown).to_have_count(2)
    for text in ("Needs attention (unknown)", "Unknown: no merge store can be read", "All streams of YellowLive"):
        expect(seen.page.get_by_text(text)).to_be_visible()
    expect(seen.page.get_by_text(re.compile("No stream needs attention|No rows were moved|0 streams"))).to_have_count(0)
    assert seen.barriers() == []
    seen.picture("overview-outage")
    seen.go("/plugin/streams/runs")
    expect(seen.page.get_by_text("What runs of YellowForensic, YellowLive did is unknown")).to_be_visible()
    expect(seen.page.get_by_text("no reason was recorded")).to_have_count(0)
    seen.picture("runs-outage")
    assert seen.errors == stream.errors == []
