"""Which file has the DAG id of a stream: the platform's factory file, or a static one, with which it would clash.

Airflow takes each DAG id from whichever file was parsed last: a row with the id of a static file's DAG would take that
DAG over, and the two would change places at each parse.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePath

from airflow_plugin.airflow_api import TOKEN_VARIABLE, AirflowClient, airflow
from airflow_plugin.rows.evaluation import row_place
from airflow_plugin.static_dags.ast_values import TooMuch
from airflow_plugin.static_dags.static_dag import LARGEST, dag_ids_in
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.problem import Problem, Rule

DAG_ID_IS_FREE = Rule("DF2604", "No static file has a DAG with the id of a stream's DAG.")

URL_VARIABLE = "DAGFACTORY_AIRFLOW_URL"
ADVICE = "Retire the stream, or take the static file away; dagfactory migrate cutover does it without a gap"

Owner = Callable[[str], str | None]  # from a DAG id to the file that has it, None where no DAG is there


def airflow_here() -> AirflowClient | None:
    """Return the Airflow that DAGFACTORY_AIRFLOW_URL names; None where that is not set.

    Raises StreamFactoryError for an address without a token.
    """
    url = os.environ.get(URL_VARIABLE)
    return airflow(url, os.environ.get(TOKEN_VARIABLE)) if url else None


def airflow_owner(api: AirflowClient | None) -> Owner | None:
    """Return what asks an Airflow, and raises StreamFactoryError where it does not answer; None without one."""
    if api is None:
        return None

    def owner(dag_id: str) -> str | None:
        found = api.dag(dag_id)
        return None if found is None or found.is_stale else found.fileloc

    return owner


def is_of_factory(platform: str, file: str) -> bool:
    """Return whether a file is a factory file of the platform, by its name, as bootstrap or the bundle writes it."""
    pattern = rf"{re.escape(platform)}_factory(_\d+_of_\d+|_streams_\d+|_platform)?\.py"
    return re.fullmatch(pattern, PurePath(file).name) is not None


def clashes(platform: str, stream_keys: Iterable[str], owner: Owner) -> Iterator[tuple[str, Problem]]:
    """Yield the streams whose DAG ids another file has, with what is wrong."""
    for key in stream_keys:
        dag_id = names.dag_id(platform, key)
        file = owner(dag_id)
        if file is not None and not is_of_factory(platform, file):
            what = f"the DAG id {dag_id} is that of a DAG in {file}, which the stream's would take over"
            yield key, DAG_ID_IS_FREE.problem(row_place(platform, key), "stream_key", what, ADVICE)


def owners_in(folder: Path, platform: str) -> Mapping[str, str]:
    """Return the file of each DAG of the platform that the static files below a folder show; none is run.

    A file that cannot be read is passed over: `dagfactory migrate extract` says what is wrong with it.
    """
    found: dict[str, str] = {}
    for file in sorted(folder.rglob("*.py")):
        if not is_of_factory(platform, file.name) and _names(file, platform):
            try:
                ids = dag_ids_in(file)
            except (StreamFactoryError, RecursionError, TooMuch):
                continue
            found |= {dag_id: str(file) for dag_id in ids}
    return found


def _names(file: Path, text: str) -> bool:
    """Return whether a file may name a DAG of the platform, in any case: most name none, and are not parsed for it."""
    try:
        if not file.is_file() or file.stat().st_size > LARGEST:
            return False
        content = file.read_bytes()
    except OSError:
        return False
    return text.encode() in content.lower()
