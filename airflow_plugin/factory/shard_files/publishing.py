"""What a file of the bundle does when it is parsed or loaded: its DAGs, and stamps that record the parse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import get_parsing_context

from airflow_plugin.factory.publishing import publish_dags, publish_platform_dags
from airflow_plugin.factory.shard_files.folder import BEGUN, DONE, PLATFORM, modified, stamp


def publish_bundle_file(namespace: dict[str, Any], platform: str, part: str | None) -> None:
    """Add the DAGs of a part to the namespace of its file; in a worker only the one that its task needs."""
    if get_parsing_context().dag_id is not None:  # a worker, which takes one DAG, whatever the file has
        publish_dags(namespace, platform)
        return
    if part is None:
        return
    file = Path(namespace["__file__"])
    found = modified(file)
    stamp(file, BEGUN, found)
    if part == PLATFORM:
        publish_platform_dags(namespace, platform)
    elif not publish_dags(namespace, platform, part, in_bundle=True):
        return
    stamp(file, DONE, found)
