"""What is printed of a batch by the change feed is what runs."""

from __future__ import annotations

import pytest

from config_schema.model import Milestoning
from merge_jobs.run.render_sql import rendered_sql
from tests.database.tools.test_sql import FILES, MAPS, TABLE, expected, run_names, with_an_erased_key  # noqa: F401


@pytest.mark.parametrize("kind", Milestoning)
def test_a_batch_by_the_feed_runs_what_is_printed_in_that_order(feeding, run_names, kind):  # noqa: F811
    case = feeding(TABLE)
    with_an_erased_key(case.job(kind))
    case.run(kind)
    case.execute("DELETE FROM customers WHERE id = 1; UPDATE customers SET word = 'x' WHERE id IN (3, 100)")
    case.execute("INSERT INTO customers VALUES (101)")
    run_names.clear()
    assert case.run(kind).datasets["customers"].strategy == "change_feed"
    reported = expected("change_feed", kind)
    assert [name for name in run_names if name in reported] == reported
    assert {name for name in run_names if name.partition(".")[0] in (*FILES, *MAPS)} <= {*reported, "change_feed.flush"}
    stream = case.job(kind).stream
    text = rendered_sql("change_feed", stream, stream.datasets[0], stream.platform.merge_store)
    assert 't."id" OPERATOR(pg_catalog.=) k."key_1"' in text
