"""`dagfactory migrate shadow`: a trial merged by the real job beside the stream's own tables, and taken away again."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import psycopg2
import pytest
import yaml
from typer.testing import CliRunner

import config_schema
from airflow_plugin.cli.program import app
from airflow_plugin.control.model_state import ModelState
from airflow_plugin.control.session import ControlSession
from airflow_plugin.migrate.rows import chosen_config
from airflow_plugin.rows.evaluation import plan_of
from airflow_plugin.rows.last_good import Row
from airflow_plugin.settings import platform_settings
from airflow_plugin.streams.opening import reading
from tests.warm_python import run_module

EXAMPLES = Path(config_schema.__file__).parent / "examples"
CUSTOMERS = """CREATE TABLE customers (id varchar(20) PRIMARY KEY, "firstName" varchar(100) NOT NULL,
    "lastName" varchar(100) NOT NULL, dob date NOT NULL, email varchar(100), phone varchar(100),
    "primaryAddressId" varchar(20), "billingAddressId" varchar(20));
CREATE TABLE addresses (id varchar(20) PRIMARY KEY, "customerId" varchar(20) NOT NULL,
    "streetName" varchar(100) NOT NULL, city varchar(100) NOT NULL, state varchar(100) NOT NULL,
    "zipCode" varchar(30) NOT NULL);
INSERT INTO customers VALUES ('C1', 'Ann', 'Bee', '1990-01-01'), ('C2', 'Cem', 'Dee', '1991-01-01');"""


class Trial:
    """The example model with its source and merge store on real servers."""

    def __init__(self, folder: Path, source, target, platform: str) -> None:
        self.folder, self.source, self.target, self.platform = folder, source, target, platform
        model = yaml.safe_load((EXAMPLES / "ecosystem.yaml").read_text())
        for one in model["platforms"]:
            one["merge_store"] |= {"host": target.server.host, "port": target.server.port, "database": target.name}
            one["merge_store"]["tls"] = "disable"  # the servers of these tests are built without it
        place = {"host": source.server.host, "port": source.server.port, "database": source.name, "tls": "disable"}
        model["datastores"][0]["source"] |= place
        self.model = folder / "model"
        self.model.mkdir()
        (self.model / "ecosystem.yaml").write_text(yaml.safe_dump(model))
        (self.model / "dsg_platform_mapping.json").write_text((EXAMPLES / "dsg_platform_mapping.json").read_text())

    def query(self, statement: str, *values):
        connection = psycopg2.connect(self.target.dsn)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def tables(self) -> list[str]:
        return [name for (name,) in self.query("SELECT relname FROM pg_class WHERE relname LIKE '%Store1%' ORDER BY 1")]

    def migrate(self, *arguments: object):
        given = ["migrate", "shadow", *map(str, arguments), "--platform", self.platform]
        return CliRunner().invoke(app, given)

    def row(self, key: str):
        with reading(self.platform) as table:
            return table.row(key)

    def merge(self, key: str, run_id: str):
        """Run the job of a row as the factory plans it, but for the model, which is in a folder here."""
        settings = platform_settings(self.platform)
        plan = plan_of(key, Row("active", self.row(key).config_json), settings, "")
        given = [one for one in plan.job.run_arguments(run_id) if not one.startswith("--git-")]
        secrets = {
            "POSTGRES_USERNAME": self.target.user,
            "POSTGRES_PASSWORD": self.target.password,
            "CUSTOMER_DB_USERNAME": self.source.user,
            "CUSTOMER_DB_PASSWORD": self.source.password,
        }
        return run_module("merge_jobs", *given, f"--model={self.model}", env={"PATH": os.environ["PATH"], **secrets})

    def merged(self, key: str, run_id: str) -> dict:
        done = self.merge(key, run_id)
        assert done.returncode == 0, done.stdout + done.stderr
        (line,) = [one for one in done.stdout.splitlines() if one.startswith("DATASURFACE_RESULT={")]
        return json.loads(line.partition("=")[2])


@pytest.fixture(params=["YellowLive", "YellowForensic"])
def trial(request, new_database, tmp_path, monkeypatch) -> Trial:
    source, target = new_database("source"), new_database("merge")
    connection = psycopg2.connect(source.dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute(CUSTOMERS)
    connection.close()
    made = Trial(tmp_path, source, target, request.param)
    done = CliRunner().invoke(app, ["bootstrap", "--model", str(made.model), "--out", str(tmp_path / "airflow")])
    assert done.exit_code == 0, done.output
    monkeypatch.setenv("DAGFACTORY_SETTINGS_DIR", str(tmp_path / "airflow" / "settings"))
    monkeypatch.setenv(f"DAGFACTORY_{request.param.upper()}_DSN", target.dsn)
    done = CliRunner().invoke(app, ["platform", "tables", "--model", str(made.model), "--platform", request.param])
    assert done.exit_code == 0, done.output or done.exception
    connection = made.target.connect()
    with connection:
        ModelState(ControlSession(connection, request.param.lower())).record_commit("c1", applied_by="test")
    connection.close()
    return made


def test_a_trial_merges_into_tables_of_its_own_and_leaves_nothing_behind(trial):
    short = trial.platform.lower()
    # What is there already: the stream's own row and tables, as after a cutover of an earlier try.
    rows = trial.folder / "rows.yaml"
    config = chosen_config(trial.platform, "Store1", None, trial.model)
    row = {"Store1": {"status": "active", "config": config.to_dict()}}
    rows.write_text(yaml.safe_dump({"format": 1, "platforms": {trial.platform: row}}))
    done = CliRunner().invoke(app, ["streams", "import", str(rows), "--platform", trial.platform])
    assert done.exit_code == 0, done.output or done.exception
    assert trial.merged("Store1", "own-1")["datasets"]["customers"]["counts"]["inserted"] == 2
    before = trial.tables()
    batches = trial.query(f"SELECT * FROM {short}_batch_metrics")

    dry = trial.migrate("Store1", "--rows", rows)
    assert (dry.exit_code, "Nothing was changed" in dry.stdout) == (0, True)
    assert trial.query(f"SELECT stream_key FROM {short}_airflow_dsg") == [("Store1",)]

    done = trial.migrate("Store1", "--rows", rows, "--yes")
    assert done.exit_code == 0, done.output or done.exception
    assert f"DAG {short}__Store1__shadow_ingestion" in done.stdout
    reported = json.loads(trial.row("Store1__shadow").config_json)
    assert reported["shadow"] is True
    assert not {"schedule", "time_slice_seconds", "latency_seconds"} & reported.keys()

    result = trial.merged("Store1__shadow", "trial-1")
    assert (result["stream_key"], result["datasets"]["customers"]["counts"]["inserted"]) == ("Store1__shadow", 2)
    mine = [name for name in trial.tables() if "__shadow" in name]
    assert f"{short}_Store1__shadow_customers_merge" in mine
    assert trial.merged("Store1__shadow", "trial-2")["batches"] == 0
    # What the stream has itself is as it was.
    assert [name for name in trial.tables() if "__shadow" not in name] == before
    assert trial.query(f"SELECT * FROM {short}_batch_metrics WHERE key = 'Store1'") == batches
    live = 'SELECT id, "firstName" FROM {} ORDER BY id'
    own_rows = trial.query(live.format(f'"{short}_Store1_customers_merge"'))
    assert trial.query(live.format(f'"{short}_Store1__shadow_customers_merge"')) == own_rows

    dry = trial.migrate("Store1", "--remove")
    assert f"{short}_Store1__shadow_customers_merge: would be dropped" in dry.stdout
    assert [name for name in trial.tables() if "__shadow" in name] == mine

    done = trial.migrate("Store1", "--remove", "--yes")
    assert done.exit_code == 0, done.output or done.exception
    assert trial.tables() == before
    assert trial.row("Store1__shadow").status == "retired"
    for table in ("batch_counter", "batch_metrics", "row_maps", "rejected_keys"):
        assert trial.query(f"SELECT DISTINCT key FROM {short}_{table} WHERE key <> 'Store1'") == []
    functions = "SELECT proname FROM pg_proc WHERE proname LIKE '%shadow%'"
    assert trial.query(functions) == []
    assert trial.query(f"SELECT * FROM {short}_batch_metrics") == batches
    assert trial.merged("Store1", "own-2")["batches"] == 0

    # And it can be tried once more.
    assert trial.migrate("Store1", "--model", trial.model, "--yes").exit_code == 0
    assert trial.merged("Store1__shadow", "trial-3")["datasets"]["customers"]["counts"]["inserted"] == 2


@pytest.mark.parametrize("trial", ["YellowLive"], indirect=True)
def test_without_a_synced_model_no_trial_begins(trial):
    trial.query("DELETE FROM yellowlive_model_state")
    done = trial.migrate("Store1", "--model", trial.model, "--yes")
    assert "no synced model is recorded for YellowLive" in str(done.exception)


@pytest.mark.parametrize("trial", ["YellowLive"], indirect=True)
def test_a_sync_leaves_a_trial_alone(trial):
    assert trial.migrate("Store1", "--model", trial.model, "--yes").exit_code == 0
    for command in (["init"], ["config", "user.email", "a@b.example"], ["config", "user.name", "a"], ["add", "."]):
        subprocess.run(["git", "-C", trial.model, *command], check=True, capture_output=True)
    subprocess.run(["git", "-C", trial.model, "commit", "-m", "first"], check=True, capture_output=True)
    head = subprocess.run(["git", "-C", trial.model, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    trial.query("UPDATE yellowlive_model_state SET model_commit = %s", head.stdout.strip())
    done = CliRunner().invoke(app, ["sync", str(trial.model), "--platform", "YellowLive", "--yes"])
    assert done.exit_code == 0, done.output or done.exception
    assert "shadow" not in done.output
    assert trial.row("Store1__shadow").status == "active"
    assert trial.row("Store1").status == "active"


@pytest.mark.parametrize("trial", ["YellowLive"], indirect=True)
@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (["Store1"], "Give --rows, as extract wrote it, or --model"),
        (["Store9", "--model", "MODEL"], "there is no stream 'Store9'"),
        (["Store1", "--remove"], "there is no stream 'Store1__shadow'"),
    ],
)
def test_what_cannot_be_is_refused(trial, arguments, reported):
    done = trial.migrate(*[trial.model if one == "MODEL" else one for one in arguments], "--yes")
    assert done.exit_code == 1
    assert reported in str(done.exception)
