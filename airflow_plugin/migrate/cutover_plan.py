"""The checks before the first step of a cutover: the DAGs of a file, their rows, and everything that it needs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from airflow_plugin.airflow_api import AirflowClient, DagNow
from airflow_plugin.migrate.cutover_state import Cutover, DagCutover, digest
from airflow_plugin.migrate.extract import Extracted
from airflow_plugin.migrate.rows import Find
from airflow_plugin.migrate.shadow import check_model
from airflow_plugin.preview.candidates import Candidate
from airflow_plugin.rows.evaluation import plan_of
from airflow_plugin.rows.last_good import Row
from airflow_plugin.static_dags.static_dag import dag_ids_in
from airflow_plugin.streams.opening import reading
from config_schema import names
from config_schema.errors import StreamFactoryError


class CutoverImpossible(StreamFactoryError):
    """A static DAG file cannot be cut over: it has other DAGs, Airflow knows it from elsewhere, or there is no factory.

    Do what the error says first; nothing has been changed.
    """

    code = "DF3206"


def cutover_of(file: Path, streams: Iterable[Extracted], find: Find, airflow: AirflowClient) -> Cutover:
    """Return the cutover of a file's DAGs.

    Raises CutoverImpossible if a step could not be done: nothing has been changed then.
    """
    found = list(streams)
    others = set(dag_ids_in(file)) - {one.dag.dag_id for one in found}
    if not found or others:
        what = f"it has other DAGs too: {', '.join(sorted(others))}" if others else "it has no ingestion DAG"
        raise CutoverImpossible(str(file), what, "Name a file with nothing but ingestion DAGs")
    dags = tuple(_dag_cutover(file, one, find(one), airflow) for one in found)
    return Cutover(str(file), digest(file), dags)


def _dag_cutover(file: Path, one: Extracted, row: Candidate, airflow: AirflowClient) -> DagCutover:
    platform = row.settings.original_platform_name
    plan = plan_of(row.stream_key, Row("active", row.config_json), row.settings, row.origin)
    health = airflow.dag(names.health_dag_id(row.settings.platform_name))
    if health is None or health.is_stale:
        what = f"it has no DAG {names.health_dag_id(row.settings.platform_name)}, so no factory of {platform}"
        todo = "Put the factory file of the platform into the dags folder: dagfactory bootstrap writes it"
        raise CutoverImpossible(f"Airflow at {airflow.url}", what, todo)
    now = _static_now(file, one.dag.dag_id, airflow)
    with reading(platform) as table:
        existing = table.rows().get(row.stream_key)
        check_model(table)
    before = None if existing is None else (existing.config_json, existing.status)
    return DagCutover(
        static_dag_id=one.dag.dag_id,
        dag_id=plan.dag_id,
        platform=platform,
        stream_key=row.stream_key,
        config_json=row.config_json,
        was_paused=now.is_paused,
        fileloc=now.fileloc,
        row_before=before,
    )


def _static_now(file: Path, dag_id: str, airflow: AirflowClient) -> DagNow:
    now, where = airflow.dag(dag_id), f"Airflow at {airflow.url}"
    if now is None or now.is_stale:
        raise CutoverImpossible(where, f"it has no DAG {dag_id}", "See its import errors, or name another file")
    if Path(now.fileloc).name != file.name:
        what = f"it has {dag_id} from {now.fileloc}, not from {file.name}"
        raise CutoverImpossible(where, what, "Name the file in its dags folder")
    return now
