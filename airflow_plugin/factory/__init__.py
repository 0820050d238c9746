"""Builds Airflow DAGs from plans, during a parse. Read publishing.py, then build.py; rows/ comes before."""

from __future__ import annotations

from typing import Any


def publish(namespace: dict[str, Any], platform: str, shard: str | None = None) -> None:
    """Add a DAG for each stream of the platform (its name in the model) to a DAG file's `globals()`.

    `shard="1/4"` takes a quarter of the streams; other files take the others. Raises StreamFactoryError, which
    Airflow shows as the file's import error, if the rows cannot be read and were never read before.
    """
    # Here, so that who only wants a plan or a factory file's text does not load Airflow.
    from airflow_plugin.factory.publishing import publish_dags

    publish_dags(namespace, platform, shard)


def publish_file(namespace: dict[str, Any], platform: str, part: str | None = None) -> None:
    """Add DAGs to a file that `airflow_plugin.factory.bundle.StreamBundle` wrote: of a shard, or the platform's.

    Writes a stamp beside the file when all its rows could be read. Raises StreamFactoryError like `publish`.
    """
    from airflow_plugin.factory.shard_files.publishing import publish_bundle_file

    publish_bundle_file(namespace, platform, part)
