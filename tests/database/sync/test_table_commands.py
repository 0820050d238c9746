"""The tables of a platform by command: created, upgraded, widened, and said what they lack."""

from __future__ import annotations

import json
from pathlib import Path

import config_schema
from config_schema.sql import versions
from config_schema.sql.versions import Part, of_part
from tests.database.sync.command import assert_one_clear_error

EXAMPLES = Path(config_schema.__file__).parent / "examples"


def test_bootstrap_creates_the_tables_where_asked_to_and_with_diff_only_tells(dagfactory, model, synced, tmp_path):
    command = ("bootstrap", "--model", model, "--out", tmp_path / "out", "--platform", "YellowLive", "--create-tables")
    reported = dagfactory(*command, "--diff")
    assert "YellowLive: yellowlive_airflow_dsg" in reported.stdout
    assert reported.stdout.strip().endswith("would be created")
    assert synced.tables() == []
    created = dagfactory(*command).stdout.strip()
    last = ("_compiled_model", "yellowlive_airflow_dsg_revision", "yellowlive_job_model", "yellowlive_stream_alerts")
    assert created.endswith(", ".join(last) + " created")
    assert dagfactory(*command).stdout.strip().endswith("YellowLive: all tables are there")


def test_db_upgrade_creates_the_tables_and_says_so(dagfactory, model, synced):
    of_live = ("--model", model, "--platform", "YellowLive")
    migrations = ", ".join(map(str, of_part(Part.STREAMS)))
    tables = versions.tables("yellowlive", Part.STREAMS)
    absent = "YellowLive: the tables of batches are not made yet"
    assert dagfactory("db", "upgrade", *of_live, "--dry-run").stdout.splitlines() == [
        f"YellowLive: {migrations} would be run",
        f"YellowLive: {', '.join(tables)} would be created",
        absent,
    ]
    assert synced.tables() == []
    assert dagfactory("db", "upgrade", *of_live).stdout.splitlines() == [
        f"YellowLive: {migrations} run",
        f"YellowLive: {', '.join(tables)} created",
        absent,
    ]
    assert synced.tables() == sorted([*tables, "yellowlive_schema_version"])
    again = [f"YellowLive: version {of_part(Part.STREAMS)[-1].number} of the tables of streams, up to date", absent]
    assert dagfactory("db", "upgrade", *of_live).stdout.splitlines() == again
    status = dagfactory("db", "status", *of_live)
    assert (status.returncode, status.stdout.splitlines()) == (0, again)


def test_db_status_says_which_version_there_is_and_which_is_wanted(dagfactory, model, synced):
    dagfactory("sync", model, "--yes")
    before, last = of_part(Part.STREAMS)[-2:]
    of_batches = [str(one) for one in of_part(Part.BATCHES)]
    synced.execute("DELETE FROM yellowlive_schema_version WHERE number = %s", last.number)
    old = dagfactory("db", "status", "--model", model)
    assert old.returncode == 1
    assert f"and this program wants {last.number}: {last} is missing" in old.stdout
    reported = json.loads(dagfactory("db", "status", "--model", model, "--json").stdout)
    assert [(one["platform"], one["part"], one["state"], one["version"], one["missing"]) for one in reported] == [
        ("YellowForensic", "streams", "current", last.number, []),
        ("YellowForensic", "batches", "not made", 0, of_batches),
        ("YellowLive", "streams", "old", before.number, [str(last)]),
        ("YellowLive", "batches", "not made", 0, of_batches),
    ]
    assert f"YellowLive: {last} run\n" in dagfactory("db", "upgrade", "--model", model).stdout
    assert dagfactory("db", "status", "--model", model).returncode == 0
    synced.execute("UPDATE yellowlive_schema_version SET checksum = 'x' WHERE number = 1")
    changed = dagfactory("db", "status", "--model", model)
    assert changed.returncode == 1
    assert "0001 stream_tables was another one when it was run" in changed.stdout


def test_db_upgrade_says_what_it_widened(dagfactory, model, synced):
    dagfactory("platform", "tables", "--model", model)
    synced.execute("ALTER TABLE yellowlive_airflow_dsg ALTER COLUMN config_json TYPE varchar(100)")
    refused = dagfactory("sync", model, "--yes")
    assert_one_clear_error(refused, "Run dagfactory db upgrade")
    shown = dagfactory("db", "upgrade", "--model", model, "--dry-run")
    assert "YellowLive: config_json takes 100 characters, and would be widened" in shown.stdout
    done = dagfactory("db", "upgrade", "--model", model)
    assert done.stdout.splitlines()[-1] == "YellowLive: config_json took 100 characters, now any"
    assert "config_json" not in dagfactory("db", "upgrade", "--model", model).stdout
    assert dagfactory("sync", model, "--yes").returncode == 0


def test_check_tells_what_lacks_of_the_tables_and_what_to_do(dagfactory, model, synced):
    before = dagfactory("doctor", "--merge-stores", "--model", model, "--platform", "YellowLive")
    assert before.returncode == 1
    assert "yellowlive_airflow_dsg" in before.stdout
    assert "dagfactory db upgrade" in before.stdout
    assert synced.tables() == []
    dagfactory("sync", model)
    after = dagfactory("doctor", "--merge-stores", "--model", model, "--platform", "YellowLive", "--json")
    assert after.returncode == 0
    assert {finding["level"] for finding in json.loads(after.stdout)["findings"]} <= {"ok", "warning"}
    synced.execute("DROP TABLE yellowlive_model_state")
    gone = dagfactory("doctor", "--merge-stores", "--model", model)
    assert "there is no yellowlive_model_state" in gone.stdout
