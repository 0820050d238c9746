"""A platform has two names, and operators' commands take either; what they list is JSON too."""

from __future__ import annotations

import json
import re

import pytest

from config_schema.model import Milestoning

SECONDS = re.compile(r"T[\d:.]+\+00:00")  # of the moment when a command looked
TABLES = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)"
COMMANDS = [
    ["status", "--json"],
    ["tables", "--json"],
    ["archive", "--json", "--dry-run"],
    ["diff", "--store=Store1", "--json"],
    ["changes", "--store=Store1"],
    ["trust", "--store=Store1"],
    ["reset", "--store=Store1"],
    ["sql", "full", "--store=Store1"],
    ["views", "reconcile", "--json", "--dry-run"],
]


@pytest.fixture
def case(merging):
    made = merging(TABLES)
    made.run(Milestoning.LIVE)
    return made


def flags(case, *command: str) -> list[str]:
    """Return the command with the place of the merge store, by which archive and views find it without a model."""
    place = case.target
    at = [f"--postgres-host={place.server.host}", f"--postgres-port={place.server.port}"]
    return [*command, *at, f"--postgres-database={place.name}", "--postgres-credential=postgres"]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one[0])
def test_a_command_takes_either_name_and_says_the_same(case, merge_job, command):
    with_model_name = merge_job(case, *flags(case, *command), "--platform=YellowLive")
    with_derived_name = merge_job(case, *flags(case, *command), "--platform=yellowlive")
    assert "there is no platform" not in with_model_name.stderr
    assert (with_derived_name.returncode, with_derived_name.stderr) == (
        with_model_name.returncode,
        with_model_name.stderr,
    )
    assert SECONDS.sub("", with_derived_name.stdout) == SECONDS.sub("", with_model_name.stdout)
    if "--json" in command and with_derived_name.returncode == 0:
        json.loads(with_derived_name.stdout)


@pytest.mark.parametrize("command", [one for one in COMMANDS if one[0] != "archive"], ids=lambda one: one[0])
def test_a_name_that_is_neither_is_answered_with_the_nearest(case, merge_job, command):
    done = merge_job(case, *command, "--platform=yelowlive")
    assert done.returncode == 1
    assert done.stderr.startswith("error: --platform: there is no platform 'yelowlive'")
    assert "Did you mean 'YellowLive'?" in done.stderr


def test_a_merge_takes_either_name_and_goes_on_with_the_same_stream(case, merge_job):
    case.execute("INSERT INTO t VALUES (3)")
    done = merge_job(case, "merge", "--platform=yellowlive", "--store=Store1", "--run-id=second")
    assert done.returncode == 0
    assert case.query('SELECT count(*) FROM "yellowlive_Store1_t_merge"') == [(3,)]
    assert case.query("SELECT max(batch_id) FROM yellowlive_batch_metrics") == [(2,)]


def test_what_repair_and_archive_did_is_json(case, merge_job):
    tables = json.loads(merge_job(case, "tables", "--json", "--platform=YellowLive").stdout)
    assert [(one["stream"], one["tables"], one["failed"]) for one in tables["streams"]] == [("Store1", 1, None)]
    archived = merge_job(case, "archive", "--json", "--platform=YellowLive")
    assert (archived.returncode, archived.stdout) == (1, "")  # nobody has synced: which are retired is not known
