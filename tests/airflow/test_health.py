"""The health DAG of a platform: there whatever becomes of rows, and red with a list where streams need a hand."""

from __future__ import annotations

HEALTH = "yellowlive_health"
NOBODY = "postgresql://reader:secret%20word@127.0.0.1:1/merge"
TABLE = "yellowlive_airflow_dsg"


def stored_hash(real_airflow) -> str:
    ((found,),) = real_airflow.query(
        "SELECT dag_hash FROM serialized_dag WHERE dag_id = %s ORDER BY last_updated DESC LIMIT 1", HEALTH
    )
    return found


def test_the_health_dag_is_there_with_an_empty_table_and_without_a_database_and_stays_the_same(
    real_airflow, streams, config
):
    streams.settle("YellowLive", runners=("process",))
    streams.write_text("YellowLive")
    real_airflow.parse()
    assert real_airflow.import_errors() == []
    assert real_airflow.all_dag_ids() == [HEALTH]
    (row,) = real_airflow.query(
        "SELECT timetable_summary, is_paused, max_active_runs FROM dag WHERE dag_id = %s", HEALTH
    )
    assert row == ("*/5 * * * *", False, 1)
    first = stored_hash(real_airflow)

    streams.write("YellowLive", config("YellowLive"))
    real_airflow.parse(DAGFACTORY_YELLOWLIVE_DSN=NOBODY)
    assert HEALTH in real_airflow.all_dag_ids()
    assert stored_hash(real_airflow) == first
    assert real_airflow.versions()[HEALTH] == 1
