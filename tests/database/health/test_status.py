"""`dagfactory status` of real jobs: what each stream is, and how it ends."""

from __future__ import annotations

import json
import os
from contextlib import closing

from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import RowChange, StreamTable
from config_schema.model import Milestoning
from config_schema.schemas import json_schema
from tests.row_settings import settings_of_row
from tests.warm_python import run_module

EXAMPLE = json_schema("stream")["examples"][0] | {"latency_seconds": 3600}


def test_a_stream_that_is_late_is_reported_and_ends_the_command_with_1(merging, tmp_path):
    case = merging("CREATE TABLE customers (id int PRIMARY KEY)")
    rows = [RowChange("Store1", json.dumps(EXAMPLE), "active", "test")]
    rows.append(
        RowChange("Rests", json.dumps(EXAMPLE | {"stream_key": "Rests", "store_name": "Rests"}), "paused", "test")
    )
    with closing(case.target.connect()) as connection, connection:
        table = StreamTable(ControlSession(connection, "yellowlive"))
        table.create_tables()
        table.write(rows, changed_by="test")
    case.run(Milestoning.LIVE)
    (tmp_path / "yellowlive.settings.json").write_text(settings_of_row(EXAMPLE).to_json())

    def status(*arguments):
        environment = {
            "PATH": os.environ["PATH"],
            "DAGFACTORY_YELLOWLIVE_DSN": case.target.dsn,
            "DAGFACTORY_SETTINGS_DIR": str(tmp_path),
            "DAGFACTORY_SNAPSHOT_DIR": str(tmp_path),
        }
        return run_module("airflow_plugin", "status", *arguments, env=environment)

    fresh = status("--json")
    assert fresh.returncode == 0, fresh.stderr
    reported = {line["stream"]: line for line in json.loads(fresh.stdout)}
    assert [reported["Store1"][key] for key in ("last_batch", "met", "latency_seconds")] == [1, True, 3600]
    assert [reported["Rests"][key] for key in ("last_batch", "met", "status")] == [None, None, "paused"]
    for what in ("yellowlive_batch_counter SET last_checked_at", "yellowlive_batch_metrics SET batch_end_time"):
        case.execute(f"UPDATE {what} = now() - interval '2 hours'", on=case.target)
    case.execute("UPDATE yellowlive_airflow_dsg SET updated_at = now() - interval '2 hours'", on=case.target)
    late = status()
    assert late.returncode == 1
    assert "late by 1:00:0" in late.stdout
    assert late.stdout.count("late by") == 1
