"""`dagfactory doctor` beside a real Airflow: its dags folder, and a connection kept in its database."""

from __future__ import annotations

import json
import subprocess
import sys

import psycopg2.extensions

from airflow_plugin.factory.factory_file import bundle_file
from tests.airflow.running_processor import bundle_settings


def doctor(real_airflow) -> dict[str, list[str]]:
    """What it says of each area; nothing but its JSON may be on stdout, whatever Airflow says."""
    done = subprocess.run(
        [sys.executable, "-m", "airflow_plugin", "doctor", "--json"],
        env=real_airflow.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout, done.stderr)
    findings = json.loads(done.stdout)["findings"]
    areas = dict.fromkeys(one["area"] for one in findings)
    return {area: [f"{one['level']}: {one['what']}" for one in findings if one["area"] == area] for area in areas}


def test_it_finds_what_airflow_finds(real_airflow, streams, config):
    streams.settle("YellowLive", runners=("process",))
    streams.write("YellowLive", config("YellowLive"))
    del real_airflow.environment["DAGFACTORY_YELLOWLIVE_DSN"]
    parts = psycopg2.extensions.parse_dsn(streams.dsn)
    real_airflow.query(
        "INSERT INTO connection (conn_id, conn_type, host, port, schema, login, password, is_encrypted,"
        " is_extra_encrypted) VALUES ('dagfactory_yellowlive', 'postgres', %s, %s, %s, %s, %s, false, false)",
        *(parts[key] for key in ("host", "port", "dbname", "user", "password")),
    )
    try:
        found = doctor(real_airflow)
    finally:
        real_airflow.query("DELETE FROM connection")
    assert any(line.startswith("ok: apache-airflow 3.") for line in found["versions"])
    assert found["factory files"] == [f"ok: {real_airflow.dags_folder / 'yellowlive_factory.py'}"]
    (connection,) = found["connection"]
    assert connection.startswith("ok: connection dagfactory_yellowlive: ")
    (fine,) = found["streams"]
    assert fine.startswith("ok: 1 of 1 streams are fine")


def test_a_platform_in_the_bundle_is_held_against_factory_files_and_airflow_s_settings(real_airflow, streams, config):
    streams.settle("YellowLive", runners=("process",))
    streams.write("YellowLive", config("YellowLive"))
    settings = bundle_settings("YellowLive")
    real_airflow.environment["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = settings.pop(
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"
    )
    file = real_airflow.dags_folder / "yellowlive_factory.py"
    found = doctor(real_airflow)
    assert found["bundle"] == [
        "ok: it is in the bundle streams",
        "warning: min_file_process_interval is 30 s: all files are parsed as often, changed or not",
        "warning: changes are looked for each 5 s (bundle_refresh_check_interval, refresh_interval)",
    ]
    assert found["factory files"] == [
        f"error: {file} has the DAGs that the bundle has too: each parse takes them from the other"
    ]
    file.write_text(bundle_file("YellowLive", None))
    real_airflow.environment |= settings
    found = doctor(real_airflow)
    assert found["bundle"] == ["ok: it is in the bundle streams"]
    assert found["factory files"] == [f"ok: {file}"]
    real_airflow.environment["AIRFLOW__DAG_PROCESSOR__FILE_PARSING_SORT_MODE"] = "alphabetical"
    assert found["bundle"] != (worse := doctor(real_airflow)["bundle"])
    assert (
        worse[-1] == "error: file_parsing_sort_mode is alphabetical: a changed row waits for min_file_process_interval"
    )
