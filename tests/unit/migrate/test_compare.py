"""`dagfactory migrate compare`: a static DAG held against the factory's, without Airflow (with it: tests/airflow)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

import config_schema
from airflow_plugin.cli.program import app
from airflow_plugin.settings import POD_RESOURCES

STATIC = Path(__file__).parent / "static_dags"
LIVE = STATIC / "yellowlive__Store1_ingestion.py"
EXAMPLES = Path(config_schema.__file__).parent / "examples"
MODEL = ("--model", EXAMPLES)


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch) -> Path:
    """The settings file of YellowLive as bootstrap writes it, and with what the file of Store1 asks for beside."""
    folder = tmp_path / "airflow"
    done = CliRunner().invoke(app, ["bootstrap", "--model", str(EXAMPLES), "--out", str(folder)])
    assert done.exit_code == 0
    file = folder / "settings" / "yellowlive.settings.json"
    given = json.loads(file.read_text())
    file.write_text(json.dumps({**given, "allowed": {"resources": {"memory": "1Gi", "cpu": "1"}}}))
    monkeypatch.setenv("DAGFACTORY_SETTINGS_DIR", str(file.parent))
    return file


def compare(*arguments: object):
    return CliRunner().invoke(app, ["migrate", "compare", *map(str, arguments), "--no-airflow"])


def differing(*arguments: object, always: bool = False) -> dict[str, tuple[Any, Any]]:
    """Paths of what differs, with both sides; or those of what always does."""
    (dag,) = json.loads(compare(*arguments, "--json").stdout)["dags"]
    assert dag["problems"] == []
    return {
        one["path"]: (one["static"], one["factory"])
        for one in dag["differences"]
        if (one["by_design"] is not None) == always
    }


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = LIVE.read_text()
    assert old in text
    (tmp_path / "changed.py").write_text(text.replace(old, new))
    return tmp_path / "changed.py"


def test_what_was_extracted_is_the_same_but_for_what_always_differs():
    done = compare(LIVE, *MODEL)
    assert done.exit_code == 0
    assert "the same" in done.stdout
    assert "differs" not in done.stdout
    assert "the factory's streams have one merge at a time" in done.stdout
    assert compare(LIVE, *MODEL, "--strict").exit_code == 2


def test_what_always_differs_is_reported_too():
    always = differing(LIVE, *MODEL, always=True)
    assert always["dag.max_active_runs"] == (None, 1)
    assert always["pod.env.postgres_USER"] == ("postgres_USER", "POSTGRES_USERNAME")
    assert always["pod.secrets.slack"] == ("token", None)
    assert always["pod.arguments"][1][:3] == ["merge", "--platform=YellowLive", "--store=Store1"]


def test_what_a_model_says_otherwise_is_a_difference():
    done = compare(LIVE, *MODEL, "--as-modelled")
    assert done.exit_code == 2
    assert "dag.schedule: @hourly -> * * * * *" in done.stdout
    assert differing(LIVE, *MODEL, "--as-modelled") == {
        "dag.schedule": ("@hourly", "* * * * *"),
        "dag.retries": (1, 2),
        "dag.owner": ("ingestion", "airflow"),
        "dag.tags": (["ingestion", "yellowlive", "Store1"], ["YellowLive", "live", "Store1"]),
        "pod.image_pull_policy": ("Always", "IfNotPresent"),
        "pod.resources": ({"requests": {"memory": "256Mi", "cpu": "100m"}}, POD_RESOURCES),
    }


def test_the_rows_of_a_file_may_have_been_edited(tmp_path):
    rows = tmp_path / "streams.yaml"
    CliRunner().invoke(app, ["migrate", "extract", str(LIVE), "--model", str(EXAMPLES), "--out", str(rows)])
    assert differing(LIVE, "--rows", rows) == {}
    data = yaml.safe_load(rows.read_text())
    data["platforms"]["YellowLive"]["Store1"]["config"] |= {"schedule": "@daily", "retries": 4}
    rows.write_text(yaml.safe_dump(data))
    assert differing(LIVE, "--rows", rows) == {"dag.schedule": ("@hourly", "@daily"), "dag.retries": (1, 4)}


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        ('"Always"', '"Never"', {}),  # which the row can have too
        ('"yellowlive__Store1_ingestion",\n    default', '"other",\n    default', {"dag.dag_id": ("other", LIVE.stem)}),
        ("catchup=False", "catchup=True", {"dag.catchup": (True, False)}),
        ("catchup=False", "catchup=False, dagrun_timeout=timedelta(hours=1)", {"dag.dagrun_timeout": ("is set", None)}),
        ('"email_on_failure": False', '"email_on_failure": True', {"dag.email_on_failure": ("is set", None)}),
        (
            "[reschedule, wait]",
            "reschedule",
            {
                "tasks.check_result.downstream": (
                    ["reschedule_immediately"],
                    ["reschedule_immediately", "wait_for_trigger"],
                )
            },
        ),
        ('task_id="wait_for_trigger"', 'task_id="done"', "tasks.done"),
        ("get_logs=True", "get_logs=True, hostnetwork=True", {"pod.hostnetwork": ("is set", None)}),
        (
            '"/workspace/model",\n',
            '"/workspace/model",\n        "--chunk", "5",\n',
            {"job.--chunk": ("is given", None)},
        ),
        (
            'k8s.V1EnvVar(name="DATASURFACE_NAMESPACE"',
            'k8s.V1EnvVar(name="CHUNK", value="5"),\n    k8s.V1EnvVar(name="DATASURFACE_NAMESPACE"',
            {"pod.env.CHUNK": ("5", None)},
        ),
        (
            'name="slack", key="token"',
            'name="warehouse", key="token"',
            {"pod.secrets.warehouse": ("token", None)},
        ),
    ],
)
def test_each_difference_is_reported_with_both_sides(tmp_path, old, new, differs):
    found = differing(changed(tmp_path, old, new), *MODEL)
    if isinstance(differs, str):
        assert differs in found
    else:
        assert found == differs


def test_what_looks_like_a_secret_is_not_shown(tmp_path):
    path = changed(tmp_path, '"/workspace/model",\n', '"/workspace/model", "--api-token", "hidden-one",\n')
    path.write_text(
        path.read_text().replace(
            'k8s.V1EnvVar(name="DATASURFACE_NAMESPACE"',
            'k8s.V1EnvVar(name="DB_PASSWORD", value="hidden-two"),\n'
            '    k8s.V1EnvVar(name="SOURCE", value="postgresql://user:hidden-three@host/db"),\n'
            '    k8s.V1EnvVar(name="DATASURFACE_NAMESPACE"',
        )
    )
    for done in (compare(path, *MODEL), compare(path, *MODEL, "--json")):
        assert "DB_PASSWORD" in done.stdout
        assert "hidden-" not in done.output


def test_a_row_that_the_factory_would_set_aside_is_reported_as_that(settings):
    given = json.loads(settings.read_text())
    settings.write_text(json.dumps({**given, "allowed": {}}))
    done = compare(LIVE, *MODEL)
    assert done.exit_code == 1
    assert "resources.requests.memory: '256Mi' is more than is admitted" in done.stderr


def test_what_cannot_be_read_is_a_difference_of_a_row_that_has_it(tmp_path):
    path = changed(tmp_path, '"retries": 1', '"retries": int(input())')
    assert compare(path, *MODEL).exit_code == 1
    found = differing(path, *MODEL, "--default", "retries=1")
    assert list(found) == ["retries"]
    assert "is known only where the file runs" in found["retries"][0]
    assert compare(path, *MODEL, "--default", "retries=1").exit_code == 2


def test_a_dag_without_a_row_is_reported(tmp_path):
    path = changed(tmp_path, '"Store1",\n        "--operation"', '"Store9",\n        "--operation"')
    path.write_text(path.read_text().replace("yellowlive__Store1_ingestion", "yellowlive__Store9_ingestion"))
    done = compare(path, *MODEL, "--as-modelled")
    assert done.exit_code == 1
    assert "has no stream with the DAG id yellowlive__Store9_ingestion" in done.stderr
