"""What Airflow finds of us by entry points."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from jsonschema import Draft7Validator

from airflow_plugin import listener


def test_the_provider_says_of_itself_what_airflow_accepts(airflow_here):
    import airflow

    (entry,) = entry_points(group="apache_airflow_provider", name="provider_info").select(
        value="airflow_plugin.provider:get_provider_info"
    )
    schema = json.loads(Path(airflow.__file__).with_name("provider_info.schema.json").read_text())
    Draft7Validator(schema).validate(entry.load()())


def test_airflow_finds_the_plugin_and_the_option_of_airflow_cfg(airflow_here, monkeypatch):
    from airflow.providers_manager import ProvidersManager

    from airflow_plugin.plugin import StreamFactoryPlugin
    from airflow_plugin.settings import settings_dir

    (entry,) = entry_points(group="airflow.plugins", name="stream_factory")
    assert entry.load() is StreamFactoryPlugin
    assert (
        "settings_dir"
        in dict(ProvidersManager().provider_configs)["airflow-stream-factory"]["stream_factory"]["options"]
    )
    monkeypatch.delenv("DAGFACTORY_SETTINGS_DIR", raising=False)
    monkeypatch.setenv("AIRFLOW__STREAM_FACTORY__SETTINGS_DIR", "/there")
    assert settings_dir() == Path("/there")


PROBE = """
import sys
from pathlib import Path

Path({found!r}).write_text(" ".join(sorted(sys.modules)))
"""


def test_a_dag_processor_loads_what_factory_files_import_once_for_all_of_them(real_airflow, tmp_path):
    found = tmp_path / "modules"
    (real_airflow.dags_folder / "probe.py").write_text(f"# airflow dag\n{PROBE.format(found=str(found))}")
    real_airflow.parse()
    (real_airflow.dags_folder / "probe.py").unlink()
    modules = found.read_text().split()
    assert "airflow_plugin.factory.publishing" in modules
    assert not [one for one in modules if one.startswith(("airflow_plugin.cli", "airflow_plugin.sync"))]


SCHEDULER = """
import atexit, sys
from pathlib import Path

atexit.register(lambda: Path({found!r}).write_text(" ".join(sorted(sys.modules))))
sys.argv = ["airflow", "scheduler", "--num-runs", "1", "--skip-serve-logs"]
from airflow.__main__ import main
main()
"""


def test_a_scheduler_that_runs_tasks_itself_loads_what_they_need_once_for_all_of_them(real_airflow, tmp_path):
    found = tmp_path / "modules"
    command = [sys.executable, "-c", SCHEDULER.format(found=str(found))]
    subprocess.run(command, env=real_airflow.environment, timeout=300, check=True, capture_output=True)
    modules = found.read_text().split()
    assert {*listener.IN_A_TASK, *listener.IN_A_TASK_WITH_A_POD} <= set(modules)
    assert not [one for one in modules if one.startswith(("airflow_plugin.cli", "airflow_plugin.sync"))]


def test_a_scheduler_whose_tasks_run_elsewhere_loads_nothing_for_them(real_airflow):
    starting = f"""
import sys
import airflow_plugin.listener as listener
import {listener.SCHEDULER}
listener.on_starting(None)
assert not {{*listener.IN_A_TASK, *listener.IN_A_TASK_WITH_A_POD}} & set(sys.modules), sorted(sys.modules)
"""
    environment = real_airflow.environment | {"AIRFLOW__CORE__EXECUTOR": "CeleryExecutor"}
    subprocess.run([sys.executable, "-c", starting], env=environment, timeout=300, check=True)
