"""Rows that try: in every key, templates, shells, flags, paths, other places. Quarantined, or inert to the letter."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import config_schema
from airflow_plugin.bootstrap.platform_files import platform_settings
from airflow_plugin.rows.evaluation import evaluate_streams
from airflow_plugin.rows.last_good import KnownStream, Row
from airflow_plugin.settings import Allowed
from config_schema.load import load_model
from config_schema.schemas import json_schema
from tests.airflow.of_version import serialized
from tests.row_settings import settings_of_row

MODEL = load_model(Path(config_schema.__file__).parent / "examples")
SETTINGS = platform_settings(MODEL.ecosystem.platform("YellowLive"), MODEL)
KEYS = json_schema("stream")["properties"]
TRIES = (
    "{{ conn.postgres.password }}",
    "{% for key in var.value %}{{ key }}{% endfor %}",
    "${POSTGRES_PASSWORD}",
    "$(touch pwned)",
    "`touch pwned`",
    "'; DROP TABLE yellowlive_airflow_dsg; --",
    '" touch pwned; "',
    "--model=/tmp",
    "-oProxyCommand=touch pwned",
    "../../etc/passwd",
    "/etc/passwd",
    "file:///etc/passwd",
    "ext::sh -c 'touch pwned'",
    "ext::touch%20pwned",
    "https://evil.example/model.git",
    "evil.example",
    "evil.example:5432",
    "pg-data,evil.example",
    "pg-data:5432@evil.example",
    "datasurface_merge?sslmode=disable&host=evil.example",
    "dbname=datasurface_merge host=evil.example",
    "postgresql://evil.example/db",
    "registry.example/merge-job:0.1.0@sha256:" + "0" * 64,
    "registry.example/merge-job:0.1.0\n",
    "yellowlive\u200b",
    "\u0443ellowlive",  # a Cyrillic letter first
    "\u202egnitset",
    "ns\x00yellow",
    "<script>alert(1)</script>",
    "[link](javascript:alert(1))",
    "doc.md",
    "kube-system",
    "yellowforensic",
    "airflow",
    "x" * 100_000,
    "",
)
# Keys of free text: what stands there reaches Airflow's pages, or the job as one argument, and nothing else.
FREE = {"owner", "tags", "datasets"}
REGULAR = {"stream_key", "store_name"}  # letters, digits and _.-, which are what they are: the names of a stream


def texts(key: str, text: str) -> list[Any]:
    """Values of the key's type with the text at each place where a text can stand."""
    kind = KEYS[key]["type"]
    if kind == "string":
        return [text]
    if kind == "array" and KEYS[key]["items"]["type"] == "string":
        return [[text]]
    if key == "tolerations":
        return [[{place: text}] for place in ("key", "operator", "value", "effect")]
    if key == "node_selector":
        return [{text: "ssd"}, {"disk": text}]
    if key == "resources":
        return [{"limits": {"cpu": text}}, {"limits": {text: "1"}}, {text: {"cpu": "1"}}]
    return [text, {text: text}]


@pytest.fixture
def judge(airflow_here, config):
    """What becomes of a row with these changes: its DAG or None, and its problems."""
    from airflow_plugin.factory import build

    def judgement(settings=SETTINGS, **changes):
        row = config("YellowLive", **{"runner": "kubernetes", **changes})
        key = row["stream_key"] if isinstance(row["stream_key"], str) else "Store1"
        found = evaluate_streams([KnownStream(key, Row("active", json.dumps(row)))], settings, build.dag)
        problems = [problem for aside in found.quarantined.values() for problem in aside.problems]
        return next(iter(found.made.values()), None), problems

    return judgement


@pytest.mark.parametrize("key", sorted(KEYS.keys() - FREE - REGULAR))
def test_no_try_in_a_key_that_means_something_gives_a_dag(judge, key):
    for text in TRIES:
        for value in texts(key, text):
            made, problems = judge(**{key: value})
            assert made is None, f"{key}: {value!r:.200}"
            assert problems
            for problem in problems:
                reported = str(problem)
                assert len(reported) < 2500
                assert reported.isprintable(), f"{key}: a log's line could be forged with {reported!r}"


def test_a_row_of_the_model_is_a_dag(judge):
    made, problems = judge()
    assert (made.dag_id, problems) == ("yellowlive__Store1_ingestion", [])


@pytest.mark.parametrize("key", sorted(REGULAR))
def test_the_name_of_a_stream_is_a_name_or_nothing(judge, key):
    for text in TRIES:
        made, _ = judge(stream_key=text, store_name=text)
        assert made is None or text in ("--model", "doc.md", "kube-system", "yellowforensic", "airflow", "evil.example")
        assert judge(**{key: text})[0] is None, "the two must agree"


@pytest.mark.parametrize("key", sorted(FREE))
def test_a_try_in_free_text_is_set_aside_or_stays_text(judge, key, stored_dag):
    plain = judge()[0].get_task("snapshot_merge_job").job
    kept = 0
    for text in TRIES:
        made, problems = judge(**{key: text if key == "owner" else [text]})
        assert (made is None) == bool(problems)
        if made is None:
            continue
        kept += 1
        assert not rendered_differently(made)
        job = made.get_task("snapshot_merge_job").job
        expected = [
            f"--datasets={text}" if key == "datasets" and a.startswith("--datasets=") else a for a in plain.arguments
        ]
        assert list(job.arguments) == expected
        assert (job.secrets, job.platform_name) == (plain.secrets, plain.platform_name)
        tasks = json.dumps(stored_dag(made)["tasks"])
        assert "POSTGRES_USERNAME" not in tasks
        assert "--platform" not in tasks
    assert kept > 20, "this test is about texts that come through"


@pytest.mark.parametrize("runner", ["kubernetes", "process"])
def test_even_places_that_settings_admit_are_rendered_by_nothing(judge, config, runner):
    text = "{{ 7 * 7 }}"
    changes = {
        "runner": runner,
        "postgres_database": text,
        "datasets": [text],
        "owner": text,
        "tags": [text],
        "pool": text,
    }
    made, problems = judge(settings_of_row(config("YellowLive", **changes)), **changes)
    assert problems == []
    assert not rendered_differently(made)


def test_the_child_gets_each_argument_to_the_letter(judge, config, tmp_path, monkeypatch):
    program = tmp_path / "job.py"
    program.write_text(
        "import json, os, pathlib, sys\n"
        f"pathlib.Path({str(tmp_path / 'argv')!r}).write_text(json.dumps([sys.argv[1:], sorted(os.environ)]))\n"
    )
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://not for any job")
    monkeypatch.setenv("HR_PASSWORD", "not for this job")
    for text in TRIES[:7]:
        changes = {"runner": "process", "postgres_database": text[:63], "datasets": [text, "--run-id=other"]}
        row = config("YellowLive", **changes)
        settings = settings_of_row(row, merge_job_command=(sys.executable, str(program)))
        made, problems = judge(settings, **changes)
        assert problems == []
        task = made.get_task("snapshot_merge_job")
        with pytest.raises(Exception, match="the merge job"):  # this one tells no result
            task.execute({"run_id": text})
        argv, environment = json.loads((tmp_path / "argv").read_text())
        assert argv == [*task.job.arguments, f"--run-id={text}"]
        assert f"--datasets={text},--run-id=other" in argv
        assert not {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "HR_PASSWORD"} & set(environment)
    assert not (tmp_path / "pwned").exists()
    assert not Path("pwned").exists()


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"stream_key":' * 50_000,
        '{"stream_key": "Store1", "stream_key": "Store1"}',
        "9" * 100_000,
        '"\\ud800"',
        "\ufeff{}",
        "x" * 2_000_000,
        "null",
        "NaN",
    ],
)
def test_a_text_that_is_made_to_hurt_the_parser_hurts_nobody(airflow_here, config, text):
    from airflow_plugin.factory import build

    good = KnownStream("Store1", Row("active", json.dumps(config("YellowLive", runner="kubernetes"))))
    bad = KnownStream("Bad", Row("active", text))
    found = evaluate_streams([good, bad], SETTINGS, build.dag)
    assert list(found.made) == ["yellowlive__Store1_ingestion"]
    assert list(found.quarantined) == ["Bad"]


def test_the_dag_processor_stores_the_good_row_and_names_each_that_tries(real_airflow, streams, config):
    streams.settle("YellowLive", runners=("kubernetes",), allowed=Allowed(shortest_schedule=300))
    markup = "<img src=x onerror=alert(1)>{{ 7 * 7 }}"
    streams.write("YellowLive", config("YellowLive", runner="kubernetes", owner=markup, tags=[markup]))
    tries = {
        "Image": {"datasurface_docker_image": "evil.example/miner"},
        "Namespace": {"namespace_name": "kube-system"},
        "Runner": {"runner": "process"},
        "Secret": {"source_credential_secret_name": "yellowforensic-postgres"},
        "Host": {"postgres_hostname": "evil.example"},
        "Model": {"git_repo_url": "ext::touch%20pwned"},
        "Often": {"schedule": "* * * * *"},
        "Always": {"schedule": "@continuous"},
        "Chance": {"schedule": "R R * * *"},
        "Node": {"tolerations": [{"operator": "Exists"}]},
        "Forged": {"owner": "x\n2026 INFO all is well"},
    }
    for store, changes in tries.items():
        streams.write("YellowLive", config("YellowLive", store, **{"runner": "kubernetes", **changes}))
    real_airflow.parse()
    assert real_airflow.import_errors() == []
    assert real_airflow.dag_ids() == ["yellowlive__Store1_ingestion"]
    assert (markup,) in real_airflow.query("SELECT name FROM dag_tag")
    assert real_airflow.query("SELECT owners FROM dag WHERE dag_id LIKE '%%_ingestion'") == [(markup,)]
    log = "\n".join(path.read_text() for path in (real_airflow.home / "logs" / "dag_processor").rglob("*.log"))
    for store in tries:
        assert f"yellowlive_airflow_dsg[{store}]" in log
    assert "\n2026 INFO" not in log


@pytest.fixture
def stored_dag(airflow_here):
    return serialized


def rendered_differently(dag) -> list[str]:
    """Tasks that Airflow's own rendering changes, the pod's operator included."""
    import pickle

    context = {"dag": dag, "ti": SimpleNamespace(), "run_id": "r", "conn": SimpleNamespace(), "var": SimpleNamespace()}
    merge = dag.get_task("snapshot_merge_job")
    operators = [*dag.tasks, *([merge.worker()] if hasattr(merge, "worker") else [])]
    changed = []
    for operator in operators:
        before = pickle.dumps([operator.__dict__.get("job"), operator.__dict__.get("place"), operator.owner])
        operator.render_template_fields(context, dag.get_template_env())
        after = pickle.dumps([operator.__dict__.get("job"), operator.__dict__.get("place"), operator.owner])
        if before != after or operator.template_fields:
            changed.append(operator.task_id)
    return changed
