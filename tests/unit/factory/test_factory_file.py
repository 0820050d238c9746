"""The files in dags/ are what bootstrap writes."""

from __future__ import annotations

import ast
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
