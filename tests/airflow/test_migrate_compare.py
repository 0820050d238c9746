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
    ("volume", "reported"),
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
def test_a_volume_that_holds_something_is_a_difference(tmp_path, volume, reported):
    path = tmp_path / "dag.py"
    path.write_text(STATIC.read_text().replace("empty_dir=k8s.V1EmptyDirVolumeSource()", volume))
    dag, code = compared(path)
    differs = {one["path"]: (one["static"], one["factory"]) for one in dag["differences"] if one["by_design"] is None}
    assert (code, differs) == (2, {"pod.volumes./workspace/model": (reported, None)})


def loaded(path: Path, *arguments: str):
    """What compare says of a file that it also loads."""
    command = ["migrate", "compare", str(path), "--model", str(EXAMPLES), "--json", "--load", *arguments]
    done = CliRunner().invoke(app, command)
    return json.loads(done.stdout)["dags"], done


def test_a_file_that_is_loaded_has_the_dag_that_its_syntax_tree_tells(monkeypatch):
    monkeypatch.setenv("HIDDEN", "from the environment")
    path = STATIC.with_name("yellowforensic__Store1_ingestion.py")
    read = json.loads(compare_as_modelled(path).stdout)["dags"][0]["differences"]
    ((dag,), done) = loaded(path, "--as-modelled")
    assert done.exit_code == 2
    assert dag["differences"][1].pop("static") == sorted(read[1].pop("static"))  # tags are a set there
    assert dag["differences"] == read


def compare_as_modelled(path: Path):
    return CliRunner().invoke(
        app, ["migrate", "compare", str(path), "--model", str(EXAMPLES), "--json", "--as-modelled"]
    )


def test_what_only_a_run_tells_is_known_when_a_file_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDULE", "@daily")
    path = tmp_path / "dag.py"
    text = STATIC.with_name("yellowforensic__Store1_ingestion.py").read_text()
    text = text.replace('schedule="*/10 * * * *"', 'schedule=os.environ.get("SCHEDULE", "@hourly")')
    path.write_text(text.replace("import pendulum", "import os\n\nimport pendulum"))
    ((dag,), _) = loaded(path, "--as-modelled")
    # The environment is empty: what the file says then, not what it says here.
    assert {"dag.schedule": ("@hourly", "*/10 * * * *")}.items() <= {
        one["path"]: (one["static"], one["factory"]) for one in dag["differences"]
    }.items()


def test_a_file_that_does_not_load_here_is_reported(tmp_path):
    (dags, done) = loaded(STATIC)
    assert (dags, done.exit_code) == ([], 1)
    assert "it does not load: ModuleNotFoundError: No module named 'airflow.providers" in done.stderr
    assert "Compare it without --load" in done.stderr
