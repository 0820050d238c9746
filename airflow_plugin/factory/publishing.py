"""All rows of a platform -> DAGs in a DAG file's namespace; a bad row is set aside and told of, the rest load."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from airflow.sdk import get_parsing_context
from airflow.sdk.definitions.dag import DAG

from airflow_plugin.factory import build
from airflow_plugin.factory.plan import dag_plan
from airflow_plugin.factory.rows import candidate_keys, platform_rows
from airflow_plugin.settings import PlatformSettings, platform_settings
from airflow_plugin.stream_table import StreamRow
from config_schema import names
from config_schema.errors import Problem, ProblemsFound, StreamFactoryError
from config_schema.stream import stream_config

log = logging.getLogger(__name__)


@dataclass
class Loaded:
    """The DAGs by id, and what is wrong with the rows that gave none, by stream_key."""

    dags: dict[str, DAG] = field(default_factory=dict)
    set_aside: dict[str, tuple[Problem, ...]] = field(default_factory=dict)


def publish_dags(namespace: dict[str, Any], platform: str) -> None:
    """What `airflow_plugin.factory.publish` does."""
    settings = platform_settings(platform)
    loaded = _loaded_for(settings, get_parsing_context().dag_id)
    log.info("%s: rows that are DAGs now: %d, set aside: %d", platform, len(loaded.dags), len(loaded.set_aside))
    for stream_key, problems in loaded.set_aside.items():
        for problem in problems:
            log.warning("%s: stream %s is set aside: %s", platform, stream_key, problem)
    namespace.update(loaded.dags)


def load(rows: Iterable[StreamRow], settings: PlatformSettings) -> Loaded:
    """The DAGs of rows; of two rows that give the same DAG id the first one, by stream_key, has it."""
    loaded = Loaded()
    for row in sorted(rows, key=lambda row: row.stream_key):
        where = f"{names.stream_table(settings.platform_name)}[{row.stream_key}]"
        try:
            dag = _dag(row, settings, where)
            if dag.dag_id in loaded.dags:
                what = f"another stream has the DAG id {dag.dag_id} already"
                raise ProblemsFound(where, [Problem(where, "stream_key", what, "Rename the store or the dataset")])
        except ProblemsFound as error:
            loaded.set_aside[row.stream_key] = error.problems
        except StreamFactoryError as error:
            loaded.set_aside[row.stream_key] = (Problem(where, error.where, error.what, error.todo),)
        except Exception as error:  # whatever one row does to Airflow, the others load
            problem = Problem(where, "", f"no DAG comes of it ({type(error).__name__}: {error})", "Mend the row")
            loaded.set_aside[row.stream_key] = (problem,)
        else:
            loaded.dags[dag.dag_id] = dag
    return loaded


def _loaded_for(settings: PlatformSettings, dag_id: str | None) -> Loaded:
    """All DAGs; but in a worker, where Airflow names the one it wants, only that one."""
    if dag_id is None:
        return load(platform_rows(settings), settings)
    candidates = candidate_keys(settings.platform_name, dag_id)
    if candidates:
        loaded = load(platform_rows(settings, candidates), settings)
        if dag_id in loaded.dags:
            return loaded
    return load(platform_rows(settings), settings)


def _dag(row: StreamRow, settings: PlatformSettings, where: str) -> DAG:
    config = stream_config(row.config_json, where)
    if config.stream_key != row.stream_key:
        what = f"{config.stream_key!r} is not the stream_key of this row"
        raise ProblemsFound(where, [Problem(where, "stream_key", what, f"Write {row.stream_key!r}")])
    return build.dag(dag_plan(config, settings, paused=row.status == "paused", where=where))
