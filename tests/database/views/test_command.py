"""`merge-job views reconcile` as it is called: SQL to look at, words of what was done, exit codes."""

from __future__ import annotations

import json

import pytest
import yaml

from config_schema.load.documents import plain
from config_schema.model import Milestoning
from tests.warm_python import run_module

TABLE = "CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t VALUES (1, 'one')"


@pytest.fixture
def command(consuming, tmp_path):
    """A case, and a function that runs `merge-job views ...` on its model."""
    case = consuming(TABLE)

    def run(*arguments: str, module: str = "merge_jobs"):
        model = case.model
        (tmp_path / "ecosystem.yaml").write_text(yaml.safe_dump(plain(model.ecosystem)))
        entries = [
            {
                "dsgName": one.dsg_name,
                "workspace": one.workspace,
                "assignments": [
                    {"dataPlatform": to.data_platform, "status": status}
                    for to, status in zip(one.assignments, ("PROVISIONED", "DECOMMISSIONING"), strict=True)
                ],
            }
            for one in model.mappings
        ]
        (tmp_path / "dsg_platform_mapping.json").write_text(json.dumps(entries))
        return run_module(module, "views", *arguments, f"--model={tmp_path}", env=case.merging.environment)

    return case, run


def test_plan_shows_sql_that_brings_everything_about_and_reconcile_then_has_nothing_to_do(command):
    case, run = command
    planned = run("reconcile", "--dry-run")
    assert run("plan").stdout == planned.stdout  # the old name
    assert (planned.returncode, planned.stderr) == (0, "")
    assert case.query("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'ws%'") == [(0,)]
    assert planned.stdout.endswith("changes to make\n")
    case.execute(planned.stdout.rsplit("\n", 2)[0])  # a person may paste it
    done = run("reconcile")
    assert (done.returncode, done.stdout, done.stderr) == (0, "0 changes\n", "")


def test_reconcile_says_what_it_did(command):
    _, run = command
    done = run("reconcile", module="airflow_plugin")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert "Desk: create schema ws_Desk" in lines
    assert lines[-1] == f"{len(lines) - 1} changes"


def test_what_stands_in_the_way_is_an_error_and_ends_with_1(command):
    case, run = command
    case.execute('CREATE SCHEMA "ws_Desk"')
    done = run("reconcile")
    assert done.returncode == 1
    assert done.stderr.startswith("error: schema ws_Desk: it is there")


def test_names_of_what_readers_have_built_begin_no_line(command):
    case, run = command
    case.bring()
    live = case.name(Milestoning.LIVE, "live")
    case.execute(f'CREATE VIEW "theirs\x1b[2J\nDROP TABLE t; --" AS SELECT * FROM {live}')
    case.changed("ALTER TABLE t DROP COLUMN word")
    for done in (run("reconcile", "--dry-run"), run("reconcile")):
        assert "is built on it" in done.stderr
        for line in (done.stdout + done.stderr).splitlines():
            assert line.isprintable()
            assert not line.startswith("DROP TABLE t")


def test_a_platform_that_does_not_exist_is_named(command):
    _, run = command
    done = run("reconcile", "--dry-run", "--platform=Yelow")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no platform 'Yelow'" in done.stderr


def test_rights_alone_wait_for_no_view_and_grants_is_the_old_name(command):
    _, run = command
    for arguments in (["reconcile", "--rights-only"], ["grants"]):
        done = run(*arguments)
        assert (done.returncode, done.stdout, done.stderr) == (0, "0 changes\n", "")
