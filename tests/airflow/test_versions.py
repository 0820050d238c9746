"""What we need of Airflow and what happens when it is gone; what is said of an unknown version."""

from __future__ import annotations

import ast
import logging
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import airflow_plugin
from airflow_plugin import airflow_versions, listener, metrics
from airflow_plugin.doctor.finding import Level
from airflow_plugin.doctor.versions import version_findings
from airflow_plugin.factory.bundle import _is_worker
from airflow_plugin.factory.shard_files.stored import stored_dags

OURS = Path(airflow_plugin.__file__).parent


def imports(statements: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Modules of Airflow and the names taken from them; not those that only types need."""
    for statement in statements:
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test):
            continue
        if isinstance(statement, ast.ImportFrom) and (statement.module or "").partition(".")[0] == "airflow":
            yield from ((str(statement.module), name.name) for name in statement.names)
        if isinstance(statement, ast.Import):
            yield from ((name.name, "") for name in statement.names if name.name.partition(".")[0] == "airflow")
        for part in ("body", "orelse", "handlers", "finalbody"):
            yield from imports(getattr(statement, part, []))


def test_all_that_is_imported_from_airflow_is_there(airflow_here):
    wanted = {
        one for path in OURS.rglob("*.py") for one in imports(ast.parse(path.read_text()).body) if "slack" not in one[0]
    }
    assert len(wanted) > 40
    missing = [(module, name) for module, name in sorted(wanted) if name and not hasattr(import_module(module), name)]
    assert missing == []


def test_every_name_that_has_moved_is_found_and_a_wrong_one_is_an_error(airflow_here, monkeypatch):
    for name in airflow_versions.__all__:
        assert getattr(airflow_versions, name) is not None
    assert set(airflow_versions.__all__) == set(airflow_versions.PLACES)
    with pytest.raises(AttributeError):
        airflow_versions.__getattr__("Nothing")
    monkeypatch.setitem(airflow_versions.PLACES, "Gone", ("airflow.sdk.nothing", "airflow.sdk.exceptions"))
    with pytest.raises(ImportError, match=r"'Gone' from any of airflow\.sdk\.nothing, airflow\.sdk\.exceptions"):
        airflow_versions.__getattr__("Gone")


def test_a_place_whose_module_or_name_is_gone_is_passed_over(airflow_here, monkeypatch):
    places = ("airflow.sdk.nothing", "airflow.sdk", "airflow.sdk.exceptions")
    monkeypatch.setitem(airflow_versions.PLACES, "AirflowRuntimeError", places)
    found = airflow_versions.__getattr__("AirflowRuntimeError")
    monkeypatch.delitem(airflow_versions.__dict__, "AirflowRuntimeError")
    assert found is import_module("airflow.sdk.exceptions").AirflowRuntimeError


@pytest.fixture
def unknown(monkeypatch):
    monkeypatch.setattr(airflow_versions, "KNOWN", ("2.11",))
    airflow_versions.unknown_version.cache_clear()
    yield
    monkeypatch.undo()
    airflow_versions.unknown_version.cache_clear()


def test_an_unknown_version_is_a_warning_of_doctor_and_of_a_starting_dag_processor(unknown, caplog, monkeypatch):
    (finding,) = [one for one in version_findings() if one.code == "DF3604"]
    assert (finding.level, "is not known" in finding.what) == (Level.WARNING, True)
    monkeypatch.setitem(sys.modules, listener.DAG_PROCESSOR, listener)
    with caplog.at_level(logging.WARNING):
        listener.on_starting(None)
    assert [record.getMessage() for record in caplog.records if "is not known" in record.getMessage()] != []


def test_a_version_that_is_tested_is_not_worth_a_word(airflow_here, caplog):
    assert [one for one in version_findings() if one.code == "DF3604"] == []
    airflow_versions.warn_of_unknown_version()
    assert caplog.records == []


def test_where_airflows_metrics_are_gone_a_warning_is_all(airflow_here, monkeypatch, caplog):
    monkeypatch.setattr(airflow_versions, "STATS_OF_TASKS", ("airflow.gone", "airflow.gone.too"))
    metrics.send_from_task("stream_factory.x.", {metrics.STREAMS: 1}, {})
    assert "the metrics were not sent: No module named 'airflow.gone'" in caplog.text


def test_where_a_dag_processor_or_a_task_cannot_be_told_it_is_taken_for_another_process(airflow_here, monkeypatch):
    monkeypatch.setattr(listener, "DAG_PROCESSOR", "airflow.gone")
    listener.on_starting(None)
    task_runner = import_module("airflow.sdk.execution_time.task_runner")
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", None, raising=False)
    assert _is_worker()
    monkeypatch.delitem(sys.modules, "airflow.sdk.execution_time.task_runner")
    assert not _is_worker()


def test_where_airflows_tables_are_gone_nothing_is_known_of_stored_files(airflow_here, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "airflow.models.dag", None)
    assert stored_dags("streams") is None
    assert "cannot be asked which files it has stored" in caplog.text


def test_where_with_blocks_are_kept_nowhere_dags_that_have_a_name_are_read(airflow_here, tmp_path):
    file = tmp_path / "static.py"
    named, block = "named = DAG('named', schedule=None)", "with DAG('block', schedule=None):\n    pass"
    file.write_text(f"from airflow.sdk import DAG\n{named}\n{block}\n")
    program = f"""
import sys
sys.path.insert(0, {str(OURS / "migrate")!r})
import loading_child
if "gone" in sys.argv:
    sys.modules["airflow.sdk.definitions._internal.contextmanager"] = None
    context = loading_child._dag_context()
    del sys.modules["airflow.sdk.definitions._internal.contextmanager"]  # Airflow itself needs it for a block
    loading_child._dag_context = lambda: context
print("found:", sorted(dag.dag_id for dag in loading_child._loaded({str(file)!r})))
"""
    for argument, found in (("there", ["block", "named"]), ("gone", ["named"])):
        run = [sys.executable, "-c", program, argument]
        done = subprocess.run(run, capture_output=True, text=True, check=False)
        assert f"found: {found}" in done.stdout, done.stderr
