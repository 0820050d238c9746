"""Quality checks in the pages: a warning on the stream's page, each check over its batches, and what a run found."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from config_schema import names
from tests.web.browser.conftest import LIVE, Looking, Site

DAG_ID = names.dag_id(LIVE, "Store1")
STREAM = f"/plugin/streams/stream/{LIVE}/Store1"
FOUND = [
    {"check": "email_is_set", "kind": "not_null", "severity": "warn", "violations": 3},
    {"check": "some_rows", "kind": "row_count", "severity": "warn", "violations": 1},
    {"check": "email_once", "kind": "unique", "severity": "fail", "violations": 0},
    {
        "check": "mostly",
        "kind": "completeness",
        "severity": "warn",
        "violations": 0,
        "value": 0.9751,
        "wanted": "at least 0.95",
    },
    {"check": "mean", "kind": "statistic", "severity": "fail", "violations": 0, "wanted": "from 1 to 9"},
]
SEEN = {"customers": {"email_is_set": {"keys": [{"id": "17"}, {"id": "4<b>"}]}, "mean": {"value": 3.25}}}
# As the job of a model with checks has left them.
STORED = """
    UPDATE yellowlive_batch_metrics SET result_json = jsonb_set(result_json, '{datasets,customers,quality}', %s),
        state = state || jsonb_build_object('quality_data', %s::jsonb)
    WHERE key = 'Store1' AND batch_status = 'committed';
    UPDATE yellowlive_batch_metrics SET run_id = %s WHERE key = 'Store1' AND batch_id = (
        SELECT max(batch_id) FROM yellowlive_batch_metrics WHERE key = 'Store1' AND batch_status = 'committed'
    );
    UPDATE yellowlive_batch_counter SET last_result_json =
        jsonb_set(last_result_json, '{datasets,customers,quality}', %s) WHERE key = 'Store1'
"""


@pytest.fixture(scope="module")
def run_id(site: Site) -> str:
    """A run whose checks have found rows that break them, in the last batch, whichever run has committed it."""
    site.wait_for_dag(DAG_ID)
    run_id = site.airflow.api.trigger(DAG_ID)
    site.wait_for_run(DAG_ID, run_id)
    site.execute("datasurface_merge", STORED, json.dumps(FOUND), json.dumps(SEEN), run_id, json.dumps(FOUND))
    site.execute(
        "datasurface_merge",
        "UPDATE yellowlive_run_results SET result_json = jsonb_set(result_json, '{datasets,customers,quality}', %s)",
        json.dumps(FOUND),
    )
    return run_id


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_broken_checks_are_seen_on_the_stream_over_its_batches_and_on_the_run(looking, run_id, theme):
    seen: Looking = looking(theme)
    page = seen.page
    seen.go(STREAM)
    warning = page.get_by_role("status").filter(has_text="2 quality checks are broken by the last batch")
    expect(warning).to_contain_text("customers: email_is_set (not null): 3 rows")
    expect(warning).to_contain_text("customers: some_rows (row count): not as demanded")
    page.get_by_role("tab", name="Quality").click()
    rows = page.get_by_role("table", name="Quality checks over batches").get_by_role("row")
    expect(rows).to_have_count(1 + len(FOUND))
    first, second, third, share, mean = rows.all()[1:]
    expect(first).to_contain_text("email_is_set")
    expect(first).to_contain_text("warning")
    expect(first).to_contain_text("3 rows")
    expect(second).to_contain_text("not as demanded")
    expect(third).to_contain_text("passed")
    expect(share).to_contain_text("0.9751; wanted: at least 0.95")
    expect(mean).to_contain_text("3.25; wanted: from 1 to 9")
    seen.picture("stream-quality")
    assert seen.barriers() == []
    seen.go(f"/plugin/streams/runs/{DAG_ID}/{run_id}")
    checks = page.get_by_role("table", name="Quality checks")
    expect(checks.get_by_role("row").nth(1)).to_contain_text("email_is_set")
    expect(checks.get_by_role("row").nth(1)).to_contain_text("warning")
    expect(checks.get_by_role("row").nth(1)).to_contain_text("id 17; id 4<b>")
    seen.picture("run-quality")
    assert seen.barriers() == []
    assert seen.errors == []
