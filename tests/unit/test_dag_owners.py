"""Which file has a DAG id: rows do not take over the DAG of a static file, and a clash that is there is found."""

from __future__ import annotations

import pytest

from airflow_plugin.airflow_api import AirflowUnanswered
from airflow_plugin.health.dag_owners import (
    airflow_here,
    airflow_owner,
    clashes,
    is_of_factory,
    owners_in,
)
from config_schema.errors import VariableMissing

STATIC = 'from airflow import DAG\nwith DAG(f"{PLATFORM}__Victim_ingestion"):\n    pass\n'


@pytest.mark.parametrize(
    ("file", "ours"),
    [
        ("/dags/yellowlive_factory.py", True),
        ("sub/yellowlive_factory_2_of_4.py", True),
        ("/dags/yellowlive__Victim_ingestion.py", False),
        ("/dags/yellowforensic_factory.py", False),
        ("/dags/xyellowlive_factory.py", False),
        ("/dags/yellowlive_factory.py.bak", False),
    ],
)
def test_a_factory_file_is_known_by_its_name(file, ours):
    assert is_of_factory("yellowlive", file) is ours


def test_static_files_with_the_dag_id_of_a_stream_are_found_in_the_dags_folder(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "yellowlive_factory.py").write_text('publish(globals(), platform="YellowLive")')
    (tmp_path / "sub" / "victim.py").write_text(f'PLATFORM = "YellowLive".lower()\n{STATIC}')
    (tmp_path / "other.py").write_text('from airflow import DAG\nDAG("yellowforensic__Victim_ingestion")')
    (tmp_path / "broken.py").write_text("yellowlive = (")
    (tmp_path / "deep.py").write_text(f"yellowlive = {'(' * 5000}1{')' * 5000}")
    found = owners_in(tmp_path, "yellowlive")
    assert found == {"yellowlive__Victim_ingestion": str(tmp_path / "sub" / "victim.py")}
    reported = dict(clashes("yellowlive", ["Victim", "Store1"], found.get))
    assert list(reported) == ["Victim"]
    assert "sub/victim.py" in reported["Victim"].what
    assert "migrate cutover" in reported["Victim"].todo


def test_airflow_is_asked_only_where_its_address_is_set(monkeypatch):
    monkeypatch.delenv("DAGFACTORY_AIRFLOW_URL", raising=False)
    assert airflow_owner(airflow_here()) is None
    monkeypatch.setenv("DAGFACTORY_AIRFLOW_URL", "http://127.0.0.1:1")
    monkeypatch.delenv("DAGFACTORY_AIRFLOW_TOKEN", raising=False)
    with pytest.raises(VariableMissing) as missing:
        airflow_here()
    assert missing.value.variables == ("DAGFACTORY_AIRFLOW_TOKEN",)
    monkeypatch.setenv("DAGFACTORY_AIRFLOW_TOKEN", "secret-token")
    with pytest.raises(AirflowUnanswered) as raised:
        airflow_owner(airflow_here())("yellowlive__Store1_ingestion")
    assert raised.value.retryable
    assert "secret-token" not in str(raised.value)
