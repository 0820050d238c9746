"""`dagfactory doctor` on a platform that is well, and with one thing after the other made wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
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
from airflow_plugin.doctor import versions
from airflow_plugin.rows.last_good import KnownStream, LastGood, Row
from airflow_plugin.rows.last_good_file import write_snapshot
from config_schema.errors import StreamFactoryError
from config_schema.job_model import FORMAT, JobModelRow, RowKind, state_of
from config_schema.model import GitRepository
from config_schema.schemas import json_schema
from config_schema.sql.component_logins import ComponentRights, Duty
from config_schema.sql.versions import Part, of_part

EXAMPLES = Path(config_schema.__file__).parent / "examples"
EXAMPLE: dict[str, Any] = json_schema("stream")["examples"][0]
CODE = re.compile(r"DF\d{4}")
TABLE = "yellowlive_airflow_dsg"
OTHERS = ("model_state", "schema_version")
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


def test_logins_that_may_do_more_than_they_need_are_named_with_those_that_there_are(well, monkeypatch):
    owner, reader = well.database.dsn, os.environ["DAGFACTORY_YELLOWLIVE_DSN"]
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", owner)
    level, area, text = well.only()
    assert (level, area) == ("warning", "logins")
    assert text.startswith(
        f"DAGFACTORY_YELLOWLIVE_DSN (dag-processor, workers): {well.database.name}, who owns the tables"
    )
    assert text.endswith(
        f"which is there: {', '.join(f'{well.database.name}_yellowlive_{one}' for one in ('reader', 'worker'))}"
    )
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", reader)
    monkeypatch.setenv("DAGFACTORY_WEB_DSN_YELLOWLIVE", well.database.superuser_dsn)
    assert "DAGFACTORY_WEB_DSN_YELLOWLIVE (api-server): postgres, who owns the tables" in well.only()[2]
    monkeypatch.setenv("DAGFACTORY_WEB_DSN_YELLOWLIVE", owner.replace("word", "wrong"))
    assert well.only()[:2] == ("error", "logins")


def test_an_installation_that_stands_is_shown_how_to_make_logins(well, monkeypatch):
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", well.database.dsn)
    monkeypatch.delenv("DAGFACTORY_WEB_DSN_YELLOWLIVE")
    with closing(psycopg2.connect(well.database.superuser_dsn)) as admin, admin, admin.cursor() as cursor:
        for duty in Duty:
            role = f"{well.database.name}_yellowlive_{duty.value}"
            cursor.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')
    level, area, text = well.only()
    assert (level, area) == ("warning", "logins")
    assert "(dag-processor, workers, api-server)" in text
    assert "Run dagfactory bootstrap --roles" in text
    assert well.doctor("--json") == [(level, area, text)]


def test_where_all_is_well_every_line_is_ok(well):
    assert well.doctor() == []
    done = CliRunner().invoke(app, ["doctor", "--dags", str(well.dags)])
    assert done.exit_code == 0
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[0] == "this machine"
    assert f"ok settings {well.settings_file}" in lines
    assert f"ok factory files {well.factory_file}" in lines
    assert f"ok tables {TABLE} can be read, but not written: enough for the factory; no job has run yet" in lines
    assert any(line.startswith("ok streams 1 of 1 streams are fine: 1 active, 0 paused") for line in lines)
    assert any(line.startswith("ok connection DAGFACTORY_YELLOWLIVE_DSN: ") for line in lines)
    assert lines[-1].startswith("0 errors, 0 warnings, ")
    assert "pass word" not in done.stdout


def test_what_everybody_may_make_beside_consumers_views_is_shown_with_the_statement(well):
    name = well.database.name
    well.execute(f'GRANT TEMPORARY ON DATABASE "{name}" TO PUBLIC')
    level, area, text = well.only()
    assert (level, area) == ("warning", "rights")
    assert text.endswith(f'REVOKE TEMPORARY ON DATABASE "{name}" FROM PUBLIC')
    well.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    _, _, text = well.only()
    for statement in text.partition("As its owner: ")[2].split("; "):
        well.execute(statement)
    assert well.doctor() == []


def test_it_changes_nothing(well):
    def state() -> list[tuple[str, int]]:
        return [(str(path), path.stat().st_mtime_ns) for path in sorted(well.home.rglob("*"))]

    before = state()
    well.doctor()
    assert state() == before


@pytest.mark.parametrize(
    ("change", "level", "said"),
    [
        (lambda path: path.unlink(), "error", "there is no settings file in"),
        (lambda path: path.write_text("{"), "error", "not JSON"),
        (lambda path: path.chmod(0o666), "warning", "can be written by anyone, and it says what rows may do"),
    ],
)
def test_a_settings_file_that_is_missing_broken_or_open_to_all(well, change, level, said):
    change(well.settings_file)
    found_level, area, text = well.only()
    assert (found_level, area) == (level, "settings")
    assert said in text


def test_images_whose_name_may_mean_another_image_tomorrow_are_named(well):
    settings = json.loads(well.settings_file.read_text())
    images = {"datasurface_docker_image": "merge-job:latest", "allowed": {"datasurface_docker_image": ["m:1", "m"]}}
    well.settings_file.write_text(json.dumps({**settings, **images}))
    found = [text for level, area, text in well.doctor() if (level, area) == ("warning", "settings")]
    assert [text.partition(":")[0] for text in found] == ["merge-job"]
    assert "merge-job:latest, m: another image may stand under this name tomorrow" in found[0]


def test_settings_that_are_not_what_the_model_says(well):
    settings = json.loads(well.settings_file.read_text())
    well.settings_file.write_text(json.dumps({**settings, "namespace_name": "elsewhere", "max_chain": 7}))
    well.write(namespace_name="elsewhere")
    found = [one for one in well.doctor("--model", EXAMPLES, "--platform", "YellowLive") if one[1] == "settings"]
    assert [(level, text.partition(".")[0]) for level, _, text in found] == [
        ("warning", "the model says otherwise of: namespace_name")
    ]


def test_a_notifier_without_the_provider_that_it_needs(well, monkeypatch):
    settings = json.loads(well.settings_file.read_text())
    settings["notifiers"] = {"slack": {"connection": "slack_default"}}
    well.settings_file.write_text(json.dumps(settings))
    monkeypatch.setattr(versions, "SLACK", "apache-airflow-providers-nobody")
    level, area, text = well.only()
    assert (level, area) == ("error", "versions")
    assert "Install apache-airflow-providers-nobody" in text


@pytest.mark.parametrize(
    ("change", "level", "said"),
    [
        (lambda file: file.unlink(), "error", "there is none in"),
        (lambda file: file.write_text(file.read_text() + "x = 1\n"), "warning", "is not what this version writes"),
        (lambda file: file.rename(file.with_name("yellowlive_factory_1_of_2.py")), "error", "_2_of_2.py not in"),
        (lambda file: shutil.copy(file, file.with_name("yellowlive_factory_1_of_2.py")), "error", "in more than one"),
    ],
)
def test_a_factory_file_that_is_missing_changed_incomplete_or_there_twice(well, change, level, said):
    change(well.factory_file)
    found = {(found_level, area) for found_level, area, text in well.doctor() if said in text}
    assert found == {(level, "factory files")}


def test_shards_that_bootstrap_wrote_are_well(well):
    command = ["bootstrap", "--model", str(EXAMPLES), "--out", str(well.home), "--platform", "YellowLive"]
    assert CliRunner().invoke(app, [*command, "--shards", "3"]).exit_code == 0
    assert well.doctor() == []


@pytest.mark.parametrize(
    ("dsn", "said"),
    [
        ("postgresql://reader:secret%20word@127.0.0.1:1/merge", "nobody listens there (reader@127.0.0.1:1/merge)"),
        ("postgresql://reader:secret@word@127.0.0.1:x/", "this is no well-formed DSN"),
    ],
)
def test_a_merge_store_that_cannot_be_reached_is_one_error_without_its_password(well, monkeypatch, dsn, said):
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", dsn)
    level, area, text = well.only()
    assert (level, area) == ("error", "connection")
    assert said in text
    assert "secret" not in text


def test_where_airflow_is_the_factorys_own_way_to_the_merge_store_is_wanted(well, monkeypatch):
    for name, value in {"POSTGRES_USERNAME": "reader", "POSTGRES_PASSWORD": "word"}.items():
        monkeypatch.setenv(name, value)  # with which sync would get there
    monkeypatch.delenv("DAGFACTORY_YELLOWLIVE_DSN")
    monkeypatch.setattr("airflow_plugin.settings._airflow_connection", lambda connection_id: None)
    found = [one for one in well.doctor("--model", EXAMPLES, "--platform", "YellowLive") if one[1] == "connection"]
    assert [text.partition(".")[0] for _, _, text in found] == ["DAGFACTORY_YELLOWLIVE_DSN: it is not set"]


def test_tables_that_are_missing(well):
    well.execute("DROP TABLE yellowlive_airflow_dsg_history, yellowlive_model_state")
    assert [(level, area) for level, area, _ in well.doctor()] == [("warning", "tables")] * 2
    well.execute(f"DROP TABLE {TABLE}")
    missing = [text for level, area, text in well.doctor() if (level, area) == ("error", "tables")]
    assert missing == [
        f"there is no {TABLE} in schema 'public'. Run dagfactory sync or dagfactory db upgrade, which create it"
    ]


def test_a_user_who_may_not_read_or_only_read(well, monkeypatch):
    server, database = well.database.server, well.database.name
    server.create_role(f"watcher_{database}", "word")
    well.execute(f"GRANT CONNECT ON DATABASE {database} TO watcher_{database}")
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", server.dsn(database, f"watcher_{database}", "word"))
    assert {(level, area, text.partition(" ")[0]) for level, area, text in well.doctor()} == {
        ("error", "tables", table) for table in (TABLE, f"{TABLE}_history", *(f"yellowlive_{one}" for one in OTHERS))
    }
    well.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO watcher_{database}")
    assert well.doctor() == []
    done = CliRunner().invoke(app, ["doctor", "--dags", str(well.dags)])
    assert "can be read, but not written: enough for the factory" in done.stdout


def test_an_older_table_and_a_store_without_a_synced_model(well):
    well.execute(f"ALTER TABLE {TABLE} ALTER config_json TYPE varchar(2048); DELETE FROM yellowlive_model_state")
    assert [(level, area, text.partition(".")[0]) for level, area, text in well.doctor()] == [
        ("warning", "tables", f"{TABLE} takes configs of at most 2048 characters"),
        ("warning", "tables", "no model was synced yet, so that jobs have none to run"),
    ]


def test_changes_that_no_trigger_notes_are_reported_with_the_statement_that_lets_them_be_noted(well):
    well.execute(f"DROP TRIGGER yellowlive_note_revision ON {TABLE}")
    [(level, area, text)] = well.doctor()
    assert (level, area) == ("warning", "tables")
    well.execute(text.partition("run: ")[2])
    assert well.doctor() == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE yellowlive_model_state SET job_model_commit = NULL", "sync has not written it: each job clones"),
        ("UPDATE yellowlive_model_state SET model_commit = 'c2'", "it is of commit c1, and streams run c2: each job"),
        (
            "UPDATE yellowlive_model_state SET job_model_format = 99",
            f"it has format 99, and this program reads {FORMAT}",
        ),
        ("UPDATE yellowlive_model_state SET job_model_branch = 'b'", "it is of branch b of https://git.example/team/"),
    ],
)
def test_jobs_that_read_the_whole_model_are_a_warning_with_what_to_do(well, statement, said):
    well.execute(statement)
    level, area, text = well.only()
    assert (level, area) == ("warning", "job model")
    assert text.startswith(said)
    assert text.endswith("Run dagfactory sync where it can reach the branch that jobs read")


def test_streams_without_a_row_of_the_model_are_named(well):
    for number in range(7):
        well.modelled.append(f"Other{number}")  # so that none is written for it
        well.write(key=f"Other{number}")
    level, area, text = well.only()
    assert (level, area) == ("warning", "job model")
    assert text.startswith(
        "7 streams are not in the model that was synced: Other0, Other1, Other2, Other3, Other4 and 2 more; each job"
    )
    for number in range(7):
        well.write("retired", key=f"Other{number}")
    assert well.doctor() == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE yellowlive_job_model SET document = '[]'",
        "DELETE FROM yellowlive_job_model",
        "INSERT INTO yellowlive_job_model VALUES ('stream', 'Store2', '', '', '')",
    ],
)
def test_rows_of_the_model_that_somebody_else_wrote_are_an_error(well, statement):
    well.execute(statement)
    level, area, text = well.only()
    assert (level, area) == ("error", "job model")
    assert "its rows are not as sync wrote them" in text


def test_tables_of_another_version_are_reported_with_what_is_wanted(well):
    last = of_part(Part.STREAMS)[-1]
    done = CliRunner().invoke(app, ["doctor", "--dags", str(well.dags)])
    assert f"version {last.number} of the tables of streams, up to date" in done.stdout
    well.execute(f"DELETE FROM yellowlive_schema_version WHERE number = {last.number}")
    level, area, text = well.only()
    assert (level, area) == ("warning", "tables")
    assert text == (
        f"version {of_part(Part.STREAMS)[-2].number} of the tables of streams, "
        f"and this program wants {last.number}: {last} is missing. "
        "Run dagfactory db upgrade with the login that owns the tables"
    )
    well.execute(
        "INSERT INTO yellowlive_schema_version (number, part, name, checksum, older_may_run) "
        "VALUES (9000, 'streams', 'of_tomorrow', 'x', false)"
    )
    level, area, text = well.only()
    assert (level, area) == ("error", "tables")
    assert "9000 of_tomorrow is not for programs that do not know it" in text


def test_rows_set_aside_rows_gone_and_late_data_are_errors_with_what_to_do(well):
    well.write(key="Store2", shedule="@daily")
    well.write(key="Store3", latency_seconds=60)
    well.execute(f"UPDATE {TABLE} SET updated_at = now() - interval '1 day' WHERE stream_key = 'Store3'")
    well.execute(f"DELETE FROM {TABLE} WHERE stream_key = 'Store1'")
    found = well.doctor()
    assert {(level, area) for level, area, _ in found} == {("error", "streams")}
    gone, broken, late = (text for _, _, text in found)
    assert gone.startswith(f"{TABLE}[Store1]: the row is gone, though its stream was never retired. Bring the row back")
    assert broken.startswith(f"{TABLE}[Store2]: shedule: unknown key 'shedule'. Did you mean 'schedule'?")
    assert late.startswith(f"{TABLE}[Store3]: latency_seconds: late by ")


@pytest.mark.parametrize(
    ("change", "level", "area", "said"),
    [
        (lambda path: path.unlink(), "warning", "snapshot", "there is no"),
        (lambda path: path.write_text("x"), "error", "snapshot", "it is no snapshot. Remove it"),
        (lambda path: path.chmod(0o666), "error", "snapshot", "others than Airflow's user can have written it"),
        (lambda path: os.utime(path, (0, 0)), "error", "snapshot", "by the dag-processor of this machine. Look at its"),
    ],
)
def test_a_snapshot_that_is_missing_unusable_or_old(well, change, level, area, said):
    change(well.snapshot)
    found = well.only()
    assert found[:2] == (level, area)
    assert said in found[2]


def test_an_old_snapshot_is_reported_while_the_merge_store_is_away_too(well, monkeypatch):
    os.utime(well.snapshot, (0, 0))
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", "postgresql://127.0.0.1:1/merge")
    assert [(level, area) for level, area, _ in well.doctor()] == [("error", "snapshot"), ("error", "connection")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_snapshot_of_another_user_is_left_to_that_user(well):
    os.chown(well.snapshot, 1, 1)
    level, area, text = well.only()
    assert (level, area) == ("warning", "snapshot")
    assert "belongs to" in text
    assert "Run this as the user of the dag-processor" in text


def test_the_models_repository_is_fetched_and_a_change_that_is_not_committed_is_reported(well, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(EXAMPLES, model)
    eco = model / "ecosystem.yaml"
    eco.write_text(eco.read_text().replace("https://git.example/team/model.git", str(model)))

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@t.example"]
        subprocess.run(["git", *identity, *arguments], cwd=model, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-q", "-m", "model")

    def of_model() -> Found:
        return [one for one in well.doctor("--model", model, "--platform", "YellowLive") if one[1] == "model"]

    assert of_model() == []
    (model / "dsg_platform_mapping.json").write_text((model / "dsg_platform_mapping.json").read_text() + "\n")
    ((level, _, text),) = of_model()
    assert (level, "and sync refuses that" in text) == ("warning", True)
    git("branch", "-m", "other")
    assert [level for level, _, _ in of_model()] == ["warning", "error"]


def test_a_model_that_is_broken_is_reported_and_the_rest_looked_at(well, tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "ecosystem.yaml").write_text("name: [")
    found = well.doctor("--model", tmp_path / "broken")
    assert {(level, area) for level, area, _ in found} == {("error", "model")}


def test_platforms_are_those_of_settings_files_and_of_the_model_and_can_be_chosen(well, monkeypatch):
    monkeypatch.setenv("DAGFACTORY_YELLOWFORENSIC_DSN", "postgresql://127.0.0.1:1/merge")
    done = CliRunner().invoke(app, ["doctor", "--json", "--model", str(EXAMPLES)])
    platforms = [one["platform"] for one in json.loads(done.stdout)["findings"] if one["platform"]]
    assert list(dict.fromkeys(platforms)) == ["YellowLive", "YellowForensic"]
    with pytest.raises(StreamFactoryError) as raised:
        well.doctor("--platform", "Yellow")
    assert raised.value.todo == "Did you mean 'YellowLive'? Choose from: YellowLive"


WITHOUT_AIRFLOW = """
import importlib.metadata, sys
from importlib.metadata import PackageNotFoundError

class NoAirflow:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "airflow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

found = importlib.metadata.version
def version(package):
    if package.startswith("apache-airflow"):
        raise PackageNotFoundError(package)
    return found(package)

importlib.metadata.version = version
sys.meta_path.insert(0, NoAirflow())
sys.argv = ["dagfactory", "doctor", "--model", sys.argv[1], "--platform", "YellowLive"]
from airflow_plugin.cli import main
main()
"""


def test_on_a_machine_that_only_syncs_it_works_without_airflow_and_says_so(well, monkeypatch):
    well.settings_file.unlink()
    monkeypatch.delenv("DAGFACTORY_YELLOWLIVE_DSN")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_AIRFLOW, str(EXAMPLES)], capture_output=True, text=True, check=False
    )
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "warning versions Airflow is not installed: what it needs is not looked at [DF3601]" in lines
    assert any("warning factory files not checked, because there is no Airflow here" in line for line in lines)
    assert any(line.startswith("warning settings there is no ") for line in lines)
    assert any("POSTGRES_USERNAME and POSTGRES_PASSWORD are not set" in line for line in lines)
    assert done.stderr == ""


def test_a_static_file_with_the_dag_id_of_a_stream_is_named(well):
    file = well.dags / "victim.py"
    file.write_text('from airflow.sdk import DAG\nwith DAG("yellowlive__Store1_ingestion"):\n    pass\n')
    level, area, text = well.only()
    assert (level, area) == ("error", "streams")
    assert f"the DAG id yellowlive__Store1_ingestion is that of a DAG in {file}" in text
    assert "Retire the stream, or take the static file away" in text
