"""What a dag-processor loads once, for all the children in which it parses files."""

from __future__ import annotations

import sys
from importlib import import_module

from airflow.listeners import hookimpl

from airflow_plugin.airflow_versions import warn_of_unknown_version

# Not public: only the command `airflow dag-processor` loads it. Where it has another name each parse loads our modules.
DAG_PROCESSOR = "airflow.jobs.dag_processor_job_runner"


@hookimpl
def on_starting(component: object) -> None:
    """Load what a factory file imports, where Airflow starts a dag-processor: its children are forked from it."""
    if DAG_PROCESSOR in sys.modules:
        warn_of_unknown_version()
        import_module("airflow_plugin.factory.publishing")
