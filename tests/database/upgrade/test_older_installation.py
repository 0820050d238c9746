"""An installation of commit 243f474, with its data, upgraded: nothing is lost, and its streams go on."""

from __future__ import annotations

import json
import subprocess
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from typer.testing import CliRunner

from airflow_plugin.cli.program import app
from config_schema import names
from config_schema.load import load_model
from config_schema.model import Ecosystem
from config_schema.result import MergeResult
from merge_jobs.database.connections import place_of
from merge_jobs.run.job import Job, run
from merge_jobs.stream import stream_of
from tests.conftest import FreshDatabase
from tests.database.upgrade.installation import COLUMNS, HERE, PLATFORMS, model, write_model


@dataclass
class Installation:
    """Both databases as the earlier commit left them, and today's programs on them."""

    store: FreshDatabase
    source: FreshDatabase
    folder: Path
    synced: Path = field(init=False)
    ecosystem: Ecosystem = field(init=False)

    def __post_init__(self) -> None:
        for database in (self.store, self.source):
            label = database.name.partition("_")[0]
            self.execute((HERE / f"{label}.sql").read_text("utf-8"), database)
        self.synced = self.folder / "synced"
        write_model(self.synced, model())
        git = ["git", "-C", str(self.synced)]
        subprocess.run([*git, "init", "-q"], check=True)
        subprocess.run([*git, "add", "-A"], check=True)
        author = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
        subprocess.run([*git, *author, "commit", "-q", "-m", "The model"], check=True)
        server = self.store.server
        wanted = model(server.host, server.port, store=self.store.name, source=self.source.name)
        write_model(self.folder / "for_jobs", wanted)
        self.ecosystem = load_model(self.folder / "for_jobs").ecosystem

    def execute(self, statements: str, database: FreshDatabase | None = None) -> None:
        with closing((database or self.store).connect()) as connection, connection:
            connection.cursor().execute(statements)

    def query(self, statement: str, database: FreshDatabase | None = None) -> list[tuple[Any, ...]]:
        with closing((database or self.store).connect()) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    def dagfactory(self, *command: str) -> str:
        environment = {names.dsn_variable(names.platform_name(one)): self.store.dsn for one in PLATFORMS}
        done = CliRunner().invoke(app, command, env=environment, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    def job(self, platform: str, key: str, run_id: str) -> MergeResult:
        """Run today's job on a stream."""
        secrets = {
            "POSTGRES_USERNAME": self.store.user,
            "POSTGRES_PASSWORD": self.store.password,
            "PRODUCER_USERNAME": self.source.user,
            "PRODUCER_PASSWORD": self.source.password,
        }
        store, _, dataset = key.partition("#")
        stream = stream_of(self.ecosystem, platform, store, dataset or None)
        source, merge_store = (
            place_of(one, None, secrets) for one in (stream.store.source, stream.platform.merge_store)
        )
        return run(Job(stream, source, merge_store, run_id))

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """The rows of all tables but the row maps', as text; a new column, the last and NULL, makes no difference."""
        tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1"
        return {
            name: sorted(self.query(f"SELECT rtrim(t::text, ',)') || ')' FROM \"{name}\" t"))
            for (name,) in self.query(tables)
            if not name.endswith("schema_version")
        }


@pytest.fixture
def older(new_database, tmp_path) -> Installation:
    return Installation(new_database("store"), new_database("source"), tmp_path)


def source_rows(older: Installation, dataset: str) -> list[tuple[Any, ...]]:
    columns = ", ".join(name for name, _, _ in COLUMNS[dataset])
    return sorted(older.query(f"SELECT {columns} FROM {dataset}", older.source))


def open_rows(older: Installation, platform: str, stream: str, dataset: str) -> list[tuple[Any, ...]]:
    table = names.merge_table(names.platform_name(platform), stream.partition("#")[0], dataset)
    columns = ", ".join(name for name, _, _ in COLUMNS[dataset])
    only = " WHERE ds_batch_out = 2147483647" if platform == "YellowForensic" else ""
    return sorted(older.query(f'SELECT {columns} FROM "{table}"{only}'))


def test_the_dump_has_what_an_installation_has(older):
    metrics = "SELECT key, batch_id, batch_status FROM {}_batch_metrics WHERE batch_status <> 'committed' ORDER BY 1"
    assert older.query(metrics.format("yellowforensic")) == [("Store1", 4, "ingested"), ("Store3#events", 3, "failed")]
    status = "SELECT stream_key, status FROM yellowlive_airflow_dsg ORDER BY 1"
    assert older.query(status) == [
        ("Store1", "active"),
        ("Store2", "retired"),
        ("Store3#events", "active"),
        ("Store3#sensors", "paused"),
    ]
    assert older.query("SELECT count(*) FROM yellowlive_rejected_keys") == [(1,)]
    assert older.query("SELECT count(*) FROM pg_class WHERE relname LIKE '%schema_version'") == [(0,)]
    assert older.query("SELECT count(*) FROM pg_class WHERE relname LIKE '%metrics_told'") == [(2,)]


def test_an_upgrade_keeps_every_row_and_a_second_one_has_nothing_to_do(older):
    before = older.everything()
    status = json.loads(
        CliRunner()
        .invoke(
            app,
            ["db", "status", "--model", str(older.synced), "--json"],
            env={names.dsn_variable(names.platform_name(one)): older.store.dsn for one in PLATFORMS},
        )
        .stdout
    )
    assert {(one["state"], one["version"]) for one in status} == {("old", 0)}
    older.dagfactory("db", "upgrade", "--model", str(older.synced))
    after = older.everything()
    assert {table: rows for table, rows in after.items() if table in before} == before
    new = (
        "compiled_model",
        "airflow_dsg_revision",
        "job_model",
        "run_results",
        "progress",
        "source_checks",
        "stream_alerts",
        "erased_keys",
        "erasure_salt",
        "files_read",
    )
    assert after.keys() - before.keys() == {f"{names.platform_name(one)}_{name}" for one in PLATFORMS for name in new}
    assert older.query("SELECT count(*) FROM pg_class WHERE relname LIKE '%metrics_told'") == [(0,)]
    again = older.dagfactory("db", "upgrade", "--model", str(older.synced))
    assert " run" not in again
    assert again.count("up to date") == 4
    assert older.dagfactory("db", "status", "--model", str(older.synced)).count("up to date") == 4


@pytest.mark.parametrize("first", ["upgrade", "sync", "job"])
def test_an_upgraded_installation_goes_on_where_it_stood(older, first):
    """Whatever of today's programs comes first: sync and jobs upgrade by themselves, as their login owns the tables."""
    versions = {
        table: rows for table, rows in older.everything().items() if table.endswith("_merge") and "forensic" in table
    }
    if first == "upgrade":
        older.dagfactory("db", "upgrade", "--model", str(older.synced))
    if first == "job":
        assert older.job("YellowLive", "Store1", "before-sync").code.value == 0
    rows = older.query("SELECT * FROM yellowforensic_airflow_dsg ORDER BY 1")
    done = json.loads(older.dagfactory("sync", str(older.synced), "--yes", "--force-rollback", "--json"))
    assert done
    # What was changed by hand is still seen to be that, and nothing else of a row has changed but what the model says.
    drift = older.dagfactory("plan", str(older.synced))
    assert "retries" in drift
    assert [row[0] for row in older.query("SELECT * FROM yellowforensic_airflow_dsg ORDER BY 1")] == [
        r[0] for r in rows
    ]
    assert older.query("SELECT status FROM yellowlive_airflow_dsg WHERE stream_key = 'Store2'") == [("retired",)]
    older.execute(
        "DELETE FROM events WHERE word = 'twice'; INSERT INTO events VALUES (22, 'event 22');"
        "UPDATE customers SET email = 'new@example.com' WHERE id = 1; DELETE FROM orders WHERE id = 60",
        older.source,
    )
    for platform in PLATFORMS:
        for stream, datasets in {
            "Store1": ("customers", "orders"),
            "Store3#events": ("events",),
            "Store3#sensors": ("sensors",),
        }.items():
            before = {dataset: open_rows(older, platform, stream, dataset) for dataset in datasets}
            result = older.job(platform, stream, f"after-{platform}-{stream}")
            assert result.code.value == 0, result
            for dataset in datasets:
                now = source_rows(older, dataset)
                assert open_rows(older, platform, stream, dataset) == now
                if (
                    stream != "Store1" or platform == "YellowLive"
                ):  # there a batch was open: it is merged, or begun again
                    was = {row[0]: row for row in before[dataset]}
                    counts = result.datasets[dataset].counts
                    assert counts.inserted == len({row[0] for row in now} - was.keys())
                    assert counts.deleted == len(was.keys() - {row[0] for row in now})
                    assert counts.updated == sum(row[0] in was and was[row[0]] != row for row in now)
            again = older.job(platform, stream, f"again-{platform}-{stream}")
            assert again.total.changed == 0
    # Closed versions stay as they were.
    for table, of_before in versions.items():
        closed = {row for row in of_before if not row[0].endswith(",2147483647)")}
        assert closed <= set(older.everything()[table])
    assert older.query("SELECT count(*) FROM yellowlive_rejected_keys") == [(0,)]


def test_the_doctor_tells_of_both_versions(older, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGFACTORY_SETTINGS_DIR", str(tmp_path / "files" / "settings"))
    CliRunner().invoke(app, ["bootstrap", "--model", str(older.synced), "--out", str(tmp_path / "files")])
    command = ["doctor", "--merge-stores", "--model", str(older.synced), "--json"]
    environment = {names.dsn_variable(names.platform_name(one)): older.store.dsn for one in PLATFORMS}

    def versions() -> list[tuple[str, str]]:
        found = json.loads(CliRunner().invoke(app, command, env=environment).stdout)["findings"]
        return [(one["level"], one["what"]) for one in found if " of the tables of " in one["what"]]

    before = versions()
    assert len(before) == 4
    assert {level for level, _ in before} == {"warning"}
    assert all(what.startswith("version 0 of the tables of") for _, what in before)
    older.dagfactory("db", "upgrade", "--model", str(older.synced))
    assert {level for level, _ in versions()} == {"ok"}


def test_an_upgrade_of_it_by_a_login_that_may_not_is_refused_and_changes_nothing(older):
    before = older.everything()
    server, user = older.store.server, f"{older.store.name}_other"
    server.create_role(user, "x")
    older.execute(
        f'GRANT CONNECT ON DATABASE "{older.store.name}" TO "{user}"; '
        f'GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO "{user}"'
    )
    dsn = server.dsn(older.store.name, user, "x")
    environment = {names.dsn_variable(names.platform_name(one)): dsn for one in PLATFORMS}
    for command in (["db", "upgrade", "--model"], ["sync", "--yes", "--force-rollback"]):
        done = CliRunner().invoke(app, [*command, str(older.synced)], env=environment)
        assert "Run dagfactory db upgrade with the login that owns the tables" in str(done.exception)
    assert older.everything() == before
    with closing(psycopg2.connect(server.dsn(older.store.name))) as admin, admin:
        admin.cursor().execute(f'DROP OWNED BY "{user}"; DROP ROLE "{user}"')
