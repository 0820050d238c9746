"""The parse path: rows -> plans -> DAGs. Read rows.py, plan.py, build.py, publishing.py."""

from __future__ import annotations

from typing import Any


def publish(namespace: dict[str, Any], platform: str) -> None:
    """Put a DAG for each stream of the platform (its name in the model) into a DAG file's `globals()`.

    Raises StreamFactoryError, which Airflow shows as the file's import error, if the rows cannot be read.
    """
    # Here, so that who only wants a plan or a factory file's text does not load Airflow.
    from airflow_plugin.factory.publishing import publish_dags

    publish_dags(namespace, platform)
