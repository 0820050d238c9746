"""A platform that no code foresaw, of a database whose texts are no texts: only it is unread, and nobody sees its data.

A database with the encoding SQL_ASCII takes any bytes; the driver raises UnicodeDecodeError, none of its own errors.
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest

from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import RowChange, StreamTable
from airflow_plugin.control.unforeseen import PlatformUnread
from airflow_plugin.health.streams import platform_health
from airflow_plugin.rows.last_good import KnownStream, LastGood, Row
from airflow_plugin.rows.last_good_file import write_snapshot
from airflow_plugin.rows.stream_loader import all_streams
from airflow_plugin.settings import snapshot_path
from config_schema import names
from config_schema.schemas import json_schema
from tests.row_settings import settings_of_row
from tests.warm_python import run_module

EXAMPLE = json_schema("stream")["examples"][0]
FINE, ODD = EXAMPLE | {"original_platform_name": "YellowLive"}, EXAMPLE | {"original_platform_name": "OddLive"}
FINE, ODD = ({**one, "platform_name": one["original_platform_name"].lower()} for one in (FINE, ODD))
SECRET = "a value of a row"


@pytest.fixture
def odd_settings(new_database, postgres, monkeypatch, tmp_path):
    """Two platforms with a stream each; a row of the first has bytes that are no text. Return the first's settings."""
    fine, odd = new_database("fine"), new_database("odd")
    with closing(psycopg2.connect(postgres.dsn())) as admin, admin.cursor() as cursor:
        admin.autocommit = True
        cursor.execute(f"DROP DATABASE {odd.name}")
        made = f"CREATE DATABASE {odd.name} OWNER {odd.name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'"
        cursor.execute(made)
    for database, config in ((fine, FINE), (odd, ODD)):
        platform = config["platform_name"]
        (tmp_path / names.settings_file(platform)).write_text(settings_of_row(config).to_json())
        monkeypatch.setenv(names.dsn_variable(platform), database.dsn)
        with closing(database.connect()) as connection, connection:
            table = StreamTable(ControlSession(connection, platform))
            table.create_tables()
            table.write([RowChange("Store1", json.dumps(config), "active", "test")], changed_by="test")
    with closing(odd.connect()) as connection, connection, connection.cursor() as cursor:
        text = r"convert_from('\xff', 'SQL_ASCII')"
        cursor.execute(f"INSERT INTO oddlive_airflow_dsg SELECT 'Odd', '{SECRET}' || {text}, 'active'")
    monkeypatch.setenv("DAGFACTORY_SETTINGS_DIR", str(tmp_path))
    monkeypatch.setenv("DAGFACTORY_SNAPSHOT_DIR", str(tmp_path))
    return settings_of_row(ODD)


def command(*arguments: str):
    return run_module("airflow_plugin", *arguments, env=os.environ)


def test_status_names_the_platform_and_shows_the_others(odd_settings):
    done = command("status", "--json")
    assert [(one["platform"], one["stream"]) for one in json.loads(done.stdout)] == [("YellowLive", "Store1")]
    assert "error: OddLive: unforeseen UnicodeDecodeError. Report it" in done.stderr.replace("\n", " ")
    assert done.returncode == 1
    assert SECRET not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_names_the_platform_and_examines_the_others(odd_settings):
    done = command("doctor", "--json")
    findings = json.loads(done.stdout)["findings"]
    unforeseen = [one for one in findings if one["code"] == PlatformUnread.code]
    assert {one["platform"] for one in unforeseen} == {"OddLive"}
    assert [one["what"] for one in findings if (one["platform"], one["area"]) == ("YellowLive", "streams")]
    assert done.returncode == 1
    assert SECRET not in done.stdout + done.stderr


def test_health_raises_an_error_of_ours_and_logs_where_it_was_but_no_data(odd_settings, caplog):
    with caplog.at_level(logging.ERROR), pytest.raises(PlatformUnread) as raised:
        platform_health(odd_settings)
    assert (raised.value.kind, raised.value.where) == ("UnicodeDecodeError", "oddlive_airflow_dsg")
    assert "unforeseen UnicodeDecodeError in " in caplog.text
    assert "airflow_plugin/health/stored.py:" in caplog.text
    assert SECRET not in caplog.text + str(raised.value)
    assert raised.value.__cause__ is None


def test_a_parse_keeps_the_last_good_dags(odd_settings):
    row = Row("active", json.dumps(ODD))
    before = LastGood("a token", {"Store1": KnownStream("Store1", row, row)}, 0.0)
    write_snapshot(snapshot_path("oddlive"), "oddlive", before)
    known = all_streams(replace(odd_settings, cache_ttl=0))
    assert list(known.streams) == ["Store1"]
    assert isinstance(known.trouble, PlatformUnread)
