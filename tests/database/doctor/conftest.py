"""What bootstrap and sync make for one platform, with nothing wrong in it."""

from __future__ import annotations

import json
import re
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import make_dsn
from typer.testing import CliRunner

import config_schema
from airflow_plugin.bootstrap.logins.roles import existing_roles, make_role, set_password
from airflow_plugin.cli.program import app
from airflow_plugin.control.job_model import JobModelTable
from airflow_plugin.control.model_state import ModelState
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import RowChange, StreamTable
from airflow_plugin.rows.last_good import KnownStream, LastGood, Row
from airflow_plugin.rows.last_good_file import write_snapshot
from config_schema.job_model import JobModelRow, RowKind, state_of
from config_schema.model import GitRepository
from config_schema.schemas import json_schema
from config_schema.sql.component_logins import ComponentRights, Duty

EXAMPLES = Path(config_schema.__file__).parent / "examples"
EXAMPLE: dict[str, Any] = json_schema("stream")["examples"][0]
CODE = re.compile(r"DF\d{4}")
Found = list[tuple[str, str, str]]


@dataclass
class Installation:
    """What bootstrap and sync made for YellowLive, and the folders of its Airflow."""

    home: Path
    database: Any
    modelled: list[str] = field(default_factory=list)

    @property
    def dags(self) -> Path:
        return self.home / "dags"

    @property
    def factory_file(self) -> Path:
        return self.dags / "yellowlive_factory.py"

    @property
    def settings_file(self) -> Path:
        return self.home / "settings" / "yellowlive.settings.json"

    @property
    def snapshot(self) -> Path:
        return self.home / "snapshots" / "yellowlive.snapshot"

    def execute(self, statement: str) -> None:
        with closing(self.database.connect()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def write(self, status: str = "active", key: str = "Store1", **changes: Any) -> None:
        config = {**EXAMPLE, "stream_key": key, "store_name": key, **changes}
        with closing(self.database.connect()) as connection, connection:
            row = RowChange(key, json.dumps(config), status, "test")
            StreamTable(ControlSession(connection, "yellowlive")).write([row], changed_by="test")
            if key not in self.modelled:
                self.modelled.append(key)
                self.write_job_model(connection)

    def write_job_model(self, connection: Any, commit: str = "c1") -> None:
        """As sync does it, with a row for each stream that was written."""
        settings = json.loads(self.settings_file.read_text())
        rows = [JobModelRow(RowKind.STREAM, key, "{}") for key in self.modelled]
        state = state_of(rows, commit, GitRepository(settings["git_repo_url"], settings["git_repo_branch"]))
        JobModelTable(ControlSession(connection, "yellowlive")).write(rows, state)

    def doctor(self, *options: object) -> Found:
        """Level, area and text of what is not ok; the exit code is 1 where there is an error."""
        done = CliRunner().invoke(app, ["doctor", "--json", "--dags", str(self.dags), *map(str, options)])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        findings = json.loads(done.stdout)["findings"]
        assert done.exit_code == (1 if any(one["level"] == "error" for one in findings) else 0)
        for one in findings:  # by which people look it up
            assert bool(CODE.fullmatch(one["code"])) == (one["level"] != "ok"), one
        return [
            (one["level"], one["area"], f"{one['what']}. {one['todo']}") for one in findings if one["level"] != "ok"
        ]

    def only(self, *options: object) -> tuple[str, str, str]:
        (one,) = self.doctor(*options)
        return one


@pytest.fixture
def well(new_database, tmp_path, monkeypatch) -> Installation:
    installation = Installation(tmp_path, new_database("merge"))
    command = ["bootstrap", "--model", str(EXAMPLES), "--out", str(tmp_path), "--platform", "YellowLive"]
    assert CliRunner().invoke(app, command).exit_code == 0
    for name, value in {
        "AIRFLOW_HOME": tmp_path,
        "DAGFACTORY_SETTINGS_DIR": tmp_path / "settings",
        "DAGFACTORY_SNAPSHOT_DIR": tmp_path / "snapshots",
        "DAGFACTORY_YELLOWLIVE_DSN": installation.database.dsn,
    }.items():
        monkeypatch.setenv(name, str(value))
    with closing(installation.database.connect()) as connection, connection:
        session = ControlSession(connection, "yellowlive")
        StreamTable(session).create_tables()
        ModelState(session).record_commit("c1", applied_by="test")
    give_logins(installation, monkeypatch)
    installation.execute(f'REVOKE TEMPORARY ON DATABASE "{installation.database.name}" FROM PUBLIC')
    installation.write()
    row = Row("active", json.dumps(EXAMPLE))
    installation.snapshot.parent.mkdir()
    write_snapshot(installation.snapshot, "yellowlive", LastGood("", {"Store1": KnownStream("Store1", row, row)}))
    return installation


def give_logins(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dag-processor's and the pages' own, as bootstrap --roles makes them."""
    with closing(psycopg2.connect(installation.database.superuser_dsn)) as admin, admin:
        session = ControlSession(admin, "yellowlive")
        roles = existing_roles(session)
        for role in roles:
            list(make_role(session, role, dry_run=False))
            set_password(session, role, "own")
        ComponentRights(session.execute, "yellowlive", "public").grant_lacking()
    dsns = {role.duty: make_dsn(installation.database.dsn, user=role.name, password="own") for role in roles}
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", dsns[Duty.READER])
    monkeypatch.setenv("DAGFACTORY_WEB_DSN_YELLOWLIVE", dsns[Duty.PAGES])
