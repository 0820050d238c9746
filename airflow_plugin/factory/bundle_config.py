"""The Airflow settings for a bundle of streams: printed by `dagfactory bootstrap --bundle`, checked by doctor."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

NAME = "streams"
CLASSPATH = "airflow_plugin.factory.bundle.StreamBundle"
DAGS_FOLDER: dict[str, Any] = {
    "name": "dags-folder",
    "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
    "kwargs": {},
}
SECTION, LIST = "dag_processor", "dag_bundle_config_list"
# A file that has changed is parsed at once whatever the interval; looks at the bundle are that often at most.
INTERVALS = {"min_file_process_interval": 3600, "bundle_refresh_check_interval": 1}
# For the start that moves DAGs from factory files: in seconds, longer than Airflow is stopped and then parses all.
FIRST_STALE_DAG_THRESHOLD = 3600
SORT_MODE = ("file_parsing_sort_mode", "modified_time")  # Airflow's default; with others only the interval counts

NOTES = """\
# Set this for the dag-processor, the scheduler and the workers, in airflow.cfg or as environment variables
# (AIRFLOW__DAG_PROCESSOR__...), and start them again. What it means for other DAG files: one that has changed is parsed
# at once, as before; one that has not, but makes DAGs of something outside of it, is parsed once an hour instead of
# each 30 s. For the sake of such files leave min_file_process_interval out: then streams are parsed as often, too.
# Where factory files had the DAGs, set stale_dag_threshold = 3600 too for the first start, and take it out when all
# DAGs are parsed: until a DAG's first parse in the bundle the file that Airflow knows of has it no more.
"""


def configured(text: str | None) -> list[dict[str, Any]]:
    """Return the bundles of a `dag_bundle_config_list`; Airflow's own if none is set. Raises ValueError."""
    found = json.loads(text) if text else [DAGS_FOLDER]
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError("not a list of bundles")
    return found


def with_streams(bundles: Sequence[dict[str, Any]], platforms: Sequence[str]) -> list[dict[str, Any]]:
    """Return the bundles with the platforms (their names in the model) added to the bundle of streams."""
    new: dict[str, Any] = {"name": NAME}
    existing = next((one for one in bundles if one.get("classpath") == CLASSPATH), new)
    before = existing.get("kwargs") or {}
    kwargs = {**before, "platforms": list(dict.fromkeys([*before.get("platforms", []), *platforms]))}
    streams = {**existing, "classpath": CLASSPATH, "kwargs": kwargs}
    others = [one for one in bundles if one is not existing]
    return [*others, streams]


def settings_text(bundles: Sequence[dict[str, Any]]) -> str:
    """Return the settings as a part of airflow.cfg."""
    lines = [f"[{SECTION}]", f"{LIST} = {json.dumps(list(bundles))}"]
    lines += [f"{key} = {value}" for key, value in INTERVALS.items()]
    return NOTES + "\n".join([*lines, " = ".join(SORT_MODE), ""])


def of_platform(bundles: Sequence[dict[str, Any]], platform: str) -> list[dict[str, Any]]:
    """Return the bundles of streams that contain the platform (its name in the model)."""
    ours = [one for one in bundles if one.get("classpath") == CLASSPATH]
    return [one for one in ours if platform in (one.get("kwargs") or {}).get("platforms", [])]
