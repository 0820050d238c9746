"""A tiny soak: that it kills and that nothing is lost, and that its judge sees a row that was tampered with."""

from __future__ import annotations

import json
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from airflow_plugin.demo.postgres import EmbeddedPostgres
from merge_jobs.simulator.run import Pause
from tests.benchmarks.product.installation import MERGE_STORE
from tests.benchmarks.soak.evidence import FORENSIC, LIVE, read_evidence
from tests.benchmarks.soak.judge import findings
from tests.benchmarks.soak.soaking import Plan, Soak

PLAN = Plan(
    seed=7,
    seconds=6,
    first=300,
    pause=Pause(0.0, 0.05),
    time_slice_seconds=1,
    jobs_killed_every=(0.3, 1.5),
    databases_killed_every=(2.0, 3.0),
)


@pytest.fixture(scope="module")
def soaked():
    """A soak that has ended, its servers still there, and what it found."""
    # Not tmp_path: as root the servers run as another user.
    with tempfile.TemporaryDirectory(prefix="soak-test-") as folder:
        Path(folder).chmod(0o755)
        options = {"fsync": "off", "max_connections": "60"}
        with (
            EmbeddedPostgres(Path(folder) / "source", options=options) as source,
            EmbeddedPostgres(Path(folder) / "store", options=options) as store,
        ):
            soak = Soak(PLAN, Path(folder), source, store)
            evidence = soak.perform(print)
            yield soak, evidence


def change(soak, statement):
    with closing(soak.made.databases.connect(MERGE_STORE)) as store, store, store.cursor() as cursor:
        cursor.execute(statement)
        assert cursor.rowcount == 1


def judged_again(soak):
    return findings(read_evidence(soak.made, soak.history, soak.watching.looks))


def test_nothing_is_lost_and_nothing_is_extra_though_jobs_and_databases_were_killed(soaked):
    soak, evidence = soaked
    report = soak.report(evidence)
    assert report["findings"] == []
    assert report["kills"]["jobs"] > 0
    assert report["kills"].keys() & {"source", "merge store"}
    assert sum(report["strategies"].values()) == report["batches"] >= 2
    assert report["looks_of_a_consumer"] > 0
    assert report["changes"] > PLAN.first
    assert report["results"].get("DIED"), "no job died, so none was killed while it worked"
    json.dumps(report)


def test_rows_that_were_tampered_with_are_found(soaked):
    soak, _ = soaked
    versions = f'public."{FORENSIC.table("customers")}"'
    live = f'public."{LIVE.table("addresses")}"'
    assert judged_again(soak) == []
    change(
        soak,
        f"UPDATE {versions} SET phone = 'x' WHERE ctid = (SELECT ctid FROM {versions} WHERE ds_batch_in = 1 LIMIT 1)",
    )
    assert any(one.startswith("batch 1: it held what the source never was") for one in judged_again(soak))
    change(soak, f"DELETE FROM {live} WHERE ctid = (SELECT ctid FROM {live} LIMIT 1)")
    assert "the live merge tables: addresses: 1 rows lost, 0 extra, 0 differ" in judged_again(soak)
