"""`merge-job feed`: set up, look, take down, and refuse with all reasons."""

from __future__ import annotations

import json

import pytest

from config_schema.model import Milestoning
from config_schema.source_check import CheckLevel
from merge_jobs.admin.check_source import check_source
from tests.warm_python import run_module

TABLES = "CREATE TABLE t (id int PRIMARY KEY, word text); CREATE TABLE u (id int PRIMARY KEY) PARTITION BY RANGE (id)"


def feed(case, folder, command, *flags):
    case.command(Milestoning.LIVE, folder, "none")  # writes the model
    stream = ("--platform=YellowLive", "--store=Store1", f"--model={folder}")
    done = run_module("merge_jobs", "feed", command, *stream, *flags, env=case.environment)
    assert "Traceback" not in done.stderr
    for password in (case.source.password, case.target.password):
        assert password not in done.stdout + done.stderr
    return done


def test_a_slot_is_created_shown_used_and_dropped(feeding, tmp_path):
    case = feeding(TABLES, "CREATE PUBLICATION changes FOR TABLE t")
    case.drop_slots()
    slot, stream = case.slot(Milestoning.LIVE), "YellowLive Store1"
    assert feed(case, tmp_path, "drop").stdout == f"{stream}: the slot {slot} is not there\n"
    assert f"the feed cannot be used: there is no slot {slot}" in feed(case, tmp_path, "status").stdout
    assert feed(case, tmp_path, "create").stdout == f"{stream}: the slot {slot} is created\n"
    assert feed(case, tmp_path, "create").stdout == f"{stream}: the slot {slot} is there already\n"
    shown = json.loads(feed(case, tmp_path, "status", "--json").stdout)
    assert (shown["slot"], shown["exists"], shown["problem"]) == (slot, True, None)
    assert shown["datasets"] == {"t": None, "u": "the table is no ordinary one"}
    case.merge(Milestoning.LIVE)
    case.execute("INSERT INTO t VALUES (1)")
    assert case.merge(Milestoning.LIVE).datasets["t"].strategy == "change_feed"
    assert "of WAL, of 10240 that it may" in feed(case, tmp_path, "status").stdout
    case.change_feed = None  # the slot would hold WAL back for ever
    refused = feed(case, tmp_path, "status")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert feed(case, tmp_path, "drop").stdout == f"{stream}: the slot {slot} is dropped\n"
    assert case.at_server(f"SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot}'") == [(0,)]


def test_a_source_that_does_not_fit_is_refused_with_all_reasons(feeding, tmp_path):
    case = feeding(TABLES, "CREATE PUBLICATION changes FOR TABLE t")
    case.drop_slots()
    case.at_server("ALTER PUBLICATION changes RENAME TO other")
    case.at_server("ALTER TABLE t REPLICA IDENTITY NOTHING")
    refused = feed(case, tmp_path, "create")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "dataset t: there is no publication 'changes'; dataset u: " in refused.stderr
    assert "[DF5115]" in refused.stderr
    case.at_server("ALTER PUBLICATION other RENAME TO changes")
    assert "dataset t: the table has no replica identity" in feed(case, tmp_path, "create").stderr
    case.at_server(f"ALTER ROLE {case.source.user} NOREPLICATION")
    assert "the job's user has no REPLICATION" in feed(case, tmp_path, "create").stderr
    slots = "SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'yellowlive%'"
    assert case.at_server(slots) == [(0,)]
    case.change_feed = None
    assert "Give the datastore a change_feed" in feed(case, tmp_path, "create").stderr


def test_a_check_of_the_source_says_how_changes_are_found_and_what_the_slot_holds_back(feeding):
    case = feeding(TABLES, "CREATE PUBLICATION changes FOR TABLE t")
    stream = case.job(Milestoning.LIVE).stream
    with pytest.MonkeyPatch.context() as patch:
        for name, value in case.secrets.items():
            patch.setenv(name, value)
        found = check_source(stream)
        assert {one.name: one.strategy for one in found.datasets} == {"t": "change_feed", "u": "version_diff"}
        said = {(one.level, one.dataset): one.what for one in found.findings if one.code == "DF5605"}
        assert "MB of WAL, of 10240 that it may" in said[CheckLevel.NOTE, ""]
        assert said[CheckLevel.WARNING, "u"] == "the table is no ordinary one"
        case.drop_slots()
        found = check_source(stream)
    assert {one.name: one.strategy for one in found.datasets} == {"t": "version_diff", "u": "version_diff"}
    said = {(one.level, one.dataset): one.what for one in found.findings if one.code == "DF5605"}
    assert said[CheckLevel.WARNING, ""] == f"there is no slot {case.slot(Milestoning.LIVE)}"
