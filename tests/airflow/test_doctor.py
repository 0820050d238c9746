"""`dagfactory doctor` beside a real Airflow: its dags folder, and a connection kept in its database."""

from __future__ import annotations

import json
import subprocess
import sys

import psycopg2.extensions


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
