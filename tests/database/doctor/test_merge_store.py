"""`dagfactory doctor` on a merge store with one thing after the other made wrong: tables, models of jobs, rows."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from airflow_plugin.cli.program import app
from config_schema.job_model import FORMAT
from config_schema.sql.versions import Part, of_part
from tests.database.doctor.conftest import EXAMPLES

TABLE = "yellowlive_airflow_dsg"
OTHERS = ("model_state", "schema_version")


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


def test_a_large_store_with_the_settings_of_a_small_one(well, monkeypatch):
    monkeypatch.setattr("airflow_plugin.doctor.merge_store.LARGE", 1)
    monkeypatch.setattr("airflow_plugin.doctor.merge_store.LEAST_WAL", 1 << 50)
    [(level, area, text)] = well.doctor()
    assert (level, area) == ("warning", "connection")
    assert "loads wait for checkpoints and for the WAL. Set max_wal_size to " in text
    monkeypatch.setattr("airflow_plugin.doctor.merge_store.LEAST_WAL", 1)
    monkeypatch.setattr("airflow_plugin.doctor.merge_store.LEAST_BUFFERS", 1)
    assert well.doctor() == []


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
