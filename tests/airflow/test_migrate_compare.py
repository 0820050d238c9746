"""`dagfactory migrate compare` with the pod that the factory's task would ask for, as Airflow builds it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import config_schema
from airflow_plugin.cli.program import app

STATIC = Path(__file__).parents[1] / "unit" / "migrate" / "static_dags" / "yellowlive__Store1_ingestion.py"
EXAMPLES = Path(config_schema.__file__).parent / "examples"

pytestmark = pytest.mark.usefixtures("airflow_here")


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "airflow"
    assert CliRunner().invoke(app, ["bootstrap", "--model", str(EXAMPLES), "--out", str(folder)]).exit_code == 0
    file = folder / "settings" / "yellowlive.settings.json"
    file.write_text(
        json.dumps(json.loads(file.read_text()) | {"allowed": {"resources": {"memory": "1Gi", "cpu": "1"}}})
    )
    monkeypatch.setenv("DAGFACTORY_SETTINGS_DIR", str(file.parent))


def compared(path: Path):
    done = CliRunner().invoke(app, ["migrate", "compare", str(path), "--model", str(EXAMPLES), "--json"])
    (dag,) = json.loads(done.stdout)["dags"]
    return dag, done.exit_code


def test_the_pod_that_airflow_builds_is_the_same_but_for_what_always_differs():
    dag, code = compared(STATIC)
    assert [one for one in dag["differences"] if one["by_design"] is None] == []
    assert (code, dag["built_by"][:7]) == (0, "Airflow")
    always = {one["path"]: (one["static"], one["factory"]) for one in dag["differences"]}
    assert always["pod.volumes./workspace/model"] == ("emptyDir", None)
    assert always["pod.volumes./tmp"] == (None, "emptyDir")
    assert always["tasks.check_result.operator"] == ("BranchPythonOperator", "CheckResult")
    assert "pod.security_context" in always


@pytest.mark.parametrize(
    ("volume", "told"),
    [
        ('config_map=k8s.V1ConfigMapVolumeSource(name="git-config")', "configMap git-config"),
        (
            'persistent_volume_claim=k8s.V1PersistentVolumeClaimVolumeSource(claim_name="models")',
            "persistentVolumeClaim models",
        ),
        ('secret=k8s.V1SecretVolumeSource(secret_name="certificates")', "secret certificates"),
        ('host_path=k8s.V1HostPathVolumeSource(path="/data")', "hostPath /data"),
    ],
)
def test_a_volume_that_holds_something_is_a_difference(tmp_path, volume, told):
    path = tmp_path / "dag.py"
    path.write_text(STATIC.read_text().replace("empty_dir=k8s.V1EmptyDirVolumeSource()", volume))
    dag, code = compared(path)
    differs = {one["path"]: (one["static"], one["factory"]) for one in dag["differences"] if one["by_design"] is None}
    assert (code, differs) == (2, {"pod.volumes./workspace/model": (told, None)})
