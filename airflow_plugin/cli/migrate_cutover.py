"""`dagfactory migrate cutover`, also with --undo."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airflow_plugin.cli.migrate_shadow import ModelFolder, RowsFile, Yes
from config_schema.echo import echo
from config_schema.errors import OptionMissing

if TYPE_CHECKING:
    from airflow_plugin.migrate.cutover import Way
    from airflow_plugin.migrate.cutover_state import Cutover

File = Annotated[Path, typer.Argument(metavar="FILE", help="The static file, in the dags folder.")]
Url = Annotated[
    str, typer.Option("--airflow-url", help="Where Airflow's API answers.", envvar="DAGFACTORY_AIRFLOW_URL")
]
State = Annotated[Path | None, typer.Option("--state", help="Where it is kept how far it is; else beside FILE.")]
Undo = Annotated[bool, typer.Option("--undo", help="Undo a cutover, from wherever it has come to.")]
Timeout = Annotated[float, typer.Option("--timeout", min=1, help="How many seconds each wait may take.")]


def cutover(
    file: File,
    airflow_url: Url,
    rows: RowsFile = None,
    model: ModelFolder = None,
    state: State = None,
    timeout: Timeout = 3600,
    undo: Undo = False,
    yes: Yes = False,
) -> None:
    """Replace a static file by the factory's DAGs, step by step, or undo that.

    The steps are: pause, drain, move the file aside, write the rows, resume. How far it is stands in FILE.cutover.json:
    run the same command again to go on. With --undo, from any step and also weeks later, the row becomes what it was,
    the static file comes back, and its DAG runs. The token of Airflow's API is read from DAGFACTORY_AIRFLOW_TOKEN.

    Example: dagfactory migrate cutover dags/yellowlive__Store1_ingestion.py --rows streams.yaml --airflow-url
    http://localhost:8080 --yes

    Exit codes: 0 done, or shown; 1 an error: run it again to go on, or with --undo.
    """
    if undo:
        rollback(file, airflow_url, state, timeout, yes)
        return

    from airflow_plugin.cli.messages import print_message
    from airflow_plugin.migrate.cutover import carry_out
    from airflow_plugin.migrate.cutover_state import exclusive_cutover, read_state

    way = _way(file, airflow_url, state, timeout)
    with exclusive_cutover(file.absolute().parent):
        found = read_state(way.state)
        if found is None or found.back == "done":
            found = _new(file, rows, model, way)
        _print_steps(found)
        if yes:
            carry_out(found, way)
        else:
            print_message("Nothing was changed: give --yes")


def rollback(file: File, airflow_url: Url, state: State = None, timeout: Timeout = 3600, yes: Yes = False) -> None:
    """Undo a cutover, from any step."""
    from airflow_plugin.cli.messages import print_message
    from airflow_plugin.migrate.cutover import roll_back
    from airflow_plugin.migrate.cutover_state import NotBegun, exclusive_cutover, read_state

    way = _way(file, airflow_url, state, timeout)
    with exclusive_cutover(file.absolute().parent):
        found = read_state(way.state)
        if found is None or found.back == "done":
            raise NotBegun(way.state)
        _print_steps(found)
        if yes:
            roll_back(found, way)
        else:
            print_message("Nothing was changed: give --yes")


def _way(file: Path, url: str, state: Path | None, timeout: float) -> Way:
    from airflow_plugin.airflow_api import TOKEN_VARIABLE, airflow
    from airflow_plugin.cli.messages import print_message
    from airflow_plugin.migrate.cutover import Way
    from airflow_plugin.migrate.cutover_state import state_path
    from airflow_plugin.sync.apply import author

    found = airflow(url, os.environ.get(TOKEN_VARIABLE))
    return Way(found, state or state_path(file.absolute()), author(), print_message, timeout)


def _new(file: Path, rows: Path | None, model: Path | None, way: Way) -> Cutover:
    """Return a new cutover, after everything that it needs was found."""
    from airflow_plugin.migrate.cutover_plan import cutover_of
    from airflow_plugin.migrate.defaults import stream_defaults
    from airflow_plugin.migrate.extract import extracted
    from airflow_plugin.migrate.rows import of_model, of_rows
    from airflow_plugin.static_dags.static_dag import static_files
    from config_schema.errors import ProblemsFound
    from config_schema.load import load_model

    loaded = None if model is None else load_model(model)
    if rows is not None:
        find = of_rows(rows, loaded)
    elif loaded is not None:
        find = of_model(loaded, f"the model in {model}")
    else:
        todo = "Give --rows, as extract wrote them, or --model"
        raise OptionMissing(["--rows", "--model"], todo, str(file))
    known = stream_defaults(loaded, ())
    read = static_files(file)
    if read.problems:  # moving the file takes every DAG in it away, those that nobody sees here too
        raise ProblemsFound(str(file), read.problems)
    streams = [extracted(dag, known) for dag in read.dags]
    return cutover_of(file.absolute(), streams, find, way.airflow)


def _print_steps(found: Cutover) -> None:
    from airflow_plugin.migrate.cutover_state import STEPS

    descriptions = {
        "pause": f"pause {', '.join(dag.static_dag_id for dag in found.dags)}",
        "drain": "wait for their tasks, and end the runs that the pause has left open",
        "move": f"move {found.file} to {found.aside.name}",
        "write": f"write the rows of {', '.join(f'{dag.platform} {dag.stream_key}' for dag in found.dags)}",
        "resume": f"once Airflow has them from the factory, let {', '.join(dag.dag_id for dag in found.dags)} run",
    }
    for number, step in enumerate(STEPS, 1):
        echo(f"{number} {step:<7} {'done    ' if step in found.done else '        '}{descriptions[step]}")
    for dag in found.dags:
        if dag.was_paused:
            echo(f"{dag.static_dag_id} was paused before, and {dag.dag_id} will be")
