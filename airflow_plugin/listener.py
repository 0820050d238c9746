"""What a dag-processor and a scheduler load once, for all the processes that they fork: parses, and tasks."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

from airflow.listeners import hookimpl

from airflow_plugin.airflow_versions import conf, warn_of_unknown_version

# Not public: only the commands `airflow dag-processor` and `airflow scheduler` load them. Where they have another name
# each parse and each task loads our modules, and what they need.
DAG_PROCESSOR = "airflow.jobs.dag_processor_job_runner"
SCHEDULER = "airflow.cli.commands.scheduler_command"
IN_A_PARSE = ("airflow_plugin.factory.publishing",)
IN_A_TASK = (*IN_A_PARSE, "airflow_plugin.operators.pod", "airflow_plugin.operators.process")
# Half of a task's CPU time: models of all objects of Kubernetes, twice.
IN_A_TASK_WITH_A_POD = ("airflow_plugin.operators.kubernetes", "airflow_plugin.operators.kubernetes_job")


@hookimpl
def on_starting(component: object) -> None:
    """Load what a factory file imports in a dag-processor, and what a task imports in a scheduler that runs them."""
    if DAG_PROCESSOR in sys.modules:
        warn_of_unknown_version()
        _load(IN_A_PARSE)
    elif SCHEDULER in sys.modules and "LocalExecutor" in conf.get("core", "executor"):
        _load(IN_A_TASK)
        if find_spec("airflow.providers.cncf") and find_spec("airflow.providers.cncf.kubernetes"):
            _load(IN_A_TASK_WITH_A_POD)


def _load(modules: tuple[str, ...]) -> None:
    for module in modules:
        import_module(module)
