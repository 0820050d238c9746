"""The row to which a static DAG is compared, or that replaces it: extracted, edited in a file, or from the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from airflow_plugin.migrate.extract import Extracted
from airflow_plugin.preview.candidates import Candidate, candidates_of_model, settings_for
from airflow_plugin.streams.transfer import exported_rows, imported, read
from config_schema.errors import OptionMissing, ProblemsFound, UnknownName
from config_schema.load import Model, load_model
from config_schema.problem import Rule
from config_schema.stream import StreamConfig, stream_config

STREAM_OF_THE_DAG = Rule("DF3225", "The rows or the model have a stream with the DAG id of the static DAG.")

Find = Callable[[Extracted], Candidate]  # raises ProblemsFound where there is none


def of_extracted(model: Model | None) -> Find:
    """Return the config that extract reads, before anybody has edited it."""

    def find(one: Extracted) -> Candidate:
        if one.config is None or one.platform is None:
            raise ProblemsFound(str(one.dag.file), one.problems)
        settings, origin = settings_for(one.platform, model)
        return Candidate("its file, as extracted", one.config.stream_key, one.config.to_json(), settings, origin)

    return find


def of_rows(path: Path, model: Model | None) -> Find:
    """Return rows of a document written by extract or `streams export`. Raises StreamFactoryError for another."""
    candidates = []
    for platform, rows in exported_rows(read(path), str(path)).items():
        settings, origin = settings_for(platform, model)
        candidates += [Candidate(str(path), row.stream_key, row.config_json, settings, origin) for row in rows]
    return _by_dag_id(candidates, str(path))


def of_model(model: Model, origin: str) -> Find:
    """Return what sync would write for a model."""
    return _by_dag_id(candidates_of_model(model, origin), origin)


def _by_dag_id(candidates: Iterable[Candidate], where: str) -> Find:
    known = {one.dag_id: one for one in candidates}

    def find(one: Extracted) -> Candidate:
        for dag_id in (one.dag_id, one.dag.dag_id):
            if dag_id in known:
                return known[dag_id]
        what = f"{where} has no stream with the DAG id {one.dag.dag_id}"
        place = f"{one.dag.file}:{one.dag.line}"
        raise ProblemsFound(where, [STREAM_OF_THE_DAG.problem(place, "", what, "Check its platform and store")])

    return find


def chosen_config(platform: str, stream_key: str, rows: Path | None, model: Path | None) -> StreamConfig:
    """Return one stream's config, from a file of rows or as sync would write it. Raises StreamFactoryError."""
    if rows is not None:
        where = str(rows)
        known = {change.stream_key: change.config_json for change in imported(read(rows), where, platform)}
    elif model is not None:
        where = f"the model in {model}"
        known = {one.stream_key: one.config_json for one in candidates_of_model(load_model(model), where, [platform])}
    else:
        todo = "Give --rows, as extract wrote it, or --model"
        raise OptionMissing(["--rows", "--model"], todo, stream_key)
    if stream_key not in known:
        raise UnknownName(where, "stream", stream_key, known)
    return stream_config(known[stream_key], f"{where}: {stream_key}")
