"""Models that `dagfactory model import` makes of other tools' files, checked and planned against a real merge store."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.database.sync.command import edit, git

FILES = Path(__file__).parents[2] / "unit" / "formats" / "files"


def test_the_model_of_its_own_contracts_has_nothing_to_sync(dagfactory, model, synced, tmp_path):
    assert dagfactory("sync", model, "--yes").returncode == 0
    contracts, again = tmp_path / "contracts", tmp_path / "again"
    exported = dagfactory("model", "export", "odcs", model, "--out", contracts)
    imported = dagfactory("model", "import", "odcs", contracts, "--out", again)
    assert (exported.returncode, imported.returncode) == (0, 0)
    shutil.copytree(model / ".git", again / ".git")
    git(again, "add", ".")
    git(again, "commit", "--quiet", "--allow-empty", "--message=From its contracts")
    assert dagfactory("validate", again).returncode == 0
    plan = dagfactory("plan", again)
    assert (plan.returncode, plan.stderr) == (0, "")
    lines = [line.strip() for line in plan.stdout.splitlines()]
    commit, before = (git(folder, "rev-parse", "HEAD")[:12] for folder in (again, model))
    changed = f"~ jobs run the model at {commit}, before: {before}"
    assert lines == [
        *("YellowLive  1 unchanged", changed, "YellowForensic  1 unchanged", changed),
        f"2 unchanged; model at {commit}",
    ]


def test_a_specification_becomes_a_stream(dagfactory, model, synced):
    out = model / "ecosystem" / "market.yaml"
    out.parent.mkdir()
    imported = dagfactory(
        *("model", "import", "uis", FILES / "polygon_market_data.uis.yaml", "--out", out),
        *("--dsn", "postgresql://pg-landing/landing?schema=raw", "--key", "daily_aggregates=ticker,event_timestamp"),
    )
    assert imported.returncode == 0, imported.stderr
    edit(
        model,
        "- {datastore: Store1, dataset: addresses}",
        "- {datastore: Store1, dataset: addresses}\n          - {datastore: market_data, dataset: daily_aggregates}",
        commit=False,
    )
    git(model, "add", ".")
    git(model, "commit", "--quiet", "--message=Market data")
    assert dagfactory("validate", model).returncode == 0
    plan = dagfactory("plan", model)
    assert plan.returncode == 0, plan.stderr
    assert "+ create market_data" in plan.stdout
    assert dagfactory("sync", model, "--yes").returncode == 0
    assert {row.stream_key for row in synced.rows()} == {"Store1", "market_data"}
