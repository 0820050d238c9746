"""The files in dags/ are what bootstrap writes."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_plugin.factory.factory_file import factory_file
from config_schema import names

DAGS = Path(__file__).parents[3] / "dags"


@pytest.mark.parametrize("platform", ["YellowLive", "YellowForensic"])
def test_the_files_in_dags_are_those_that_bootstrap_writes(platform):
    text = (DAGS / names.factory_file(names.platform_name(platform))).read_text()
    assert text == factory_file(platform)
    assert len(text.splitlines()) < 10


def test_there_is_no_other_file_in_dags():
    assert sorted(path.name for path in DAGS.glob("*.py")) == ["yellowforensic_factory.py", "yellowlive_factory.py"]


def test_the_imports_that_the_dag_processor_is_to_load_once_stand_there_literally():
    statements = ast.parse(factory_file("YellowLive")).body
    imported = [name.name for statement in statements if isinstance(statement, ast.Import) for name in statement.names]
    assert imported
    assert all(name.startswith("airflow.") for name in imported)


@pytest.mark.parametrize(
    ("module", "ours"),
    [
        # A factory file imports it before Airflow has said what it wants.
        ("airflow_plugin.factory", 2),
        # Airflow reads it while it sets itself up, in each of its processes.
        ("airflow_plugin.provider", 10),
    ],
)
def test_little_of_ours_and_nothing_of_others_is_loaded_before_airflow(module, ours):
    program = (
        f"import sys, {module}; print(*(m for m in sys.modules if m.split('.')[0] not in sys.stdlib_module_names))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], cwd=DAGS.parent, capture_output=True, text=True, check=True
    )
    loaded = [name for name in done.stdout.split() if name != "__main__"]
    assert {name.partition(".")[0] for name in loaded} <= {"airflow_plugin", "config_schema"}
    assert len(loaded) == ours, loaded
