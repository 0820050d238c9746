"""The factory files under a real dag-processor: what is stored, what is not, and when there is a new version."""

from __future__ import annotations

import json

LIVE, FORENSIC = "yellowlive__Store1_ingestion", "yellowforensic__Store1_ingestion"


def test_each_active_row_is_a_dag_and_a_second_pass_or_an_equal_row_makes_no_new_version(real_airflow, streams, config):
    for platform in ("YellowLive", "YellowForensic"):
        streams.settle(platform, runners=("process", "kubernetes"))
    streams.write("YellowLive", config("YellowLive", schedule="* * * * *"), config("YellowLive", "Store2"))
    streams.write("YellowForensic", config("YellowForensic", runner="kubernetes", milestoning="forensic"))
    # The other way to name a merge store: an Airflow connection, here with an extra that libpq does not know.
    dsn = real_airflow.environment.pop("DAGFACTORY_YELLOWFORENSIC_DSN")
    real_airflow.environment["AIRFLOW_CONN_DAGFACTORY_YELLOWFORENSIC"] = f"{dsn}?sslmode=prefer&cursor=dictcursor"

    real_airflow.parse()
    assert real_airflow.import_errors() == []
    assert real_airflow.dag_ids() == [FORENSIC, LIVE, "yellowlive__Store2_ingestion"]
    assert set(real_airflow.versions().values()) == {1}
    first = hashes(real_airflow)

    real_airflow.parse()
    assert hashes(real_airflow) == first
    assert set(real_airflow.versions().values()) == {1}

    streams.write("YellowLive", config("YellowLive", schedule="*/5 * * * *"))
    real_airflow.parse()
    changed = {dag_id for dag_id, value in hashes(real_airflow).items() if value != first[dag_id]}
    assert changed == {LIVE}


def hashes(real_airflow) -> dict[str, str]:
    """Airflow's own hash of each DAG's newest serialised form."""
    rows = real_airflow.query("SELECT dag_id, dag_hash FROM serialized_dag ORDER BY last_updated")
    return dict(rows)


def test_a_bad_row_is_set_aside_and_reported_and_the_rest_load(real_airflow, streams, config):
    streams.settle("YellowLive", runners=("process",))
    bad = {
        "no_time": config("YellowLive", "no_time", schedule="0 0 30 2 *"),
        "no_zone": config("YellowLive", "no_zone", schedule="@hourly", timezone="Europe/Zurigo"),
        "switched_off": config("YellowLive", "switched_off", runner="kubernetes"),
        "unknown_key": config("YellowLive", "unknown_key", shedule="@daily"),
        "other_platform": config("YellowForensic", "other_platform"),
        # It comes after A#b by stream_key, and would have its DAG id.
        "A__b": config("YellowLive", "A__b"),
    }
    streams.write("YellowLive", *bad.values())
    streams.write_text(
        "YellowLive",
        ("not_json", "{", "active"),
        ("other_key", json.dumps(config("YellowLive", "Store9")), "active"),
        ("gone", json.dumps(config("YellowLive", "gone")), "retired"),
    )
    streams.write(
        "YellowLive",
        config("YellowLive", "A", stream_key="A#b", single_dataset=True, datasets=["b"]),
        config("YellowLive"),
    )

    real_airflow.parse()
    assert real_airflow.import_errors() == []
    assert real_airflow.dag_ids() == ["yellowlive__A__b_ingestion", LIVE]
    warnings = processor_log(real_airflow)
    for key in (*bad, "not_json", "other_key"):
        assert f"stream {key} is quarantined, it has no DAG: yellowlive_airflow_dsg[{key}]" in warnings
    assert "'shedule'. Did you mean 'schedule'?" in warnings
    assert "stream gone" not in warnings


def test_a_paused_row_keeps_its_dag_without_a_schedule(real_airflow, streams, config):
    streams.settle("YellowLive", runners=("process",))
    streams.write("YellowLive", config("YellowLive", schedule="@hourly"), status="paused")
    real_airflow.parse()
    rows = real_airflow.query(
        "SELECT dag_id, timetable_summary, is_paused, max_active_runs FROM dag WHERE dag_id = %s", LIVE
    )
    assert rows == [(LIVE, "None", False, 1)]


def test_a_platform_whose_database_is_away_has_an_import_error_that_says_what_to_do(real_airflow, streams, config):
    for platform in ("YellowLive", "YellowForensic"):
        streams.settle(platform, runners=("process",))
    streams.write("YellowForensic", config("YellowForensic"))
    nobody_there = "postgresql://reader:secret%20word@127.0.0.1:1/merge"

    real_airflow.parse(DAGFACTORY_YELLOWLIVE_DSN=nobody_there)
    assert real_airflow.dag_ids() == [FORENSIC]
    (error,) = real_airflow.import_errors()
    assert "DAGFACTORY_YELLOWLIVE_DSN: nobody listens there, and there is no last-good snapshot yet" in error
    assert "reader" not in error  # whoever may see a DAG of the file sees its import error
    assert "127.0.0.1" not in error
    assert "reader@127.0.0.1:1/merge" in processor_log(real_airflow)
    assert "Start the server" in error
    assert "secret" not in error


def test_without_a_dsn_or_a_table_the_import_error_names_it(real_airflow, streams):
    for platform in ("YellowLive", "YellowForensic"):
        streams.settle(platform)
    del real_airflow.environment["DAGFACTORY_YELLOWLIVE_DSN"]
    real_airflow.parse()
    said = "\n".join(real_airflow.import_errors())
    assert "DAGFACTORY_YELLOWLIVE_DSN: it is not set. Set it to the DSN of the merge store" in said
    assert "yellowforensic_airflow_dsg" in said
    assert "Run dagfactory sync" in said


def processor_log(real_airflow) -> str:
    """What the DAG files logged; JSON lines of which only the texts matter here."""
    files = (real_airflow.home / "logs" / "dag_processor").rglob("*.log")
    return "\n".join(json.loads(line)["event"] for file in files for line in file.read_text().splitlines() if line)
