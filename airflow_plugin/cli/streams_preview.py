"""`dagfactory streams preview`: the DAG that a config would give, before it is a row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from airflow_plugin.cli.options import Json, Platforms
from config_schema.echo import echo_text

Stream = typer.Argument(metavar="STREAM", help="A stream_key, or the id of its DAG.")
File = Annotated[Path, typer.Argument(metavar="FILE", help="A JSON file with one config_json; - is stdin.")]
Rows = Annotated[
    Path | None,
    typer.Option("--file", help="Not the model: a JSON file with a config_json, or a list of them; - is stdin."),
]
AnyModel = Annotated[Path | None, typer.Option("--model", help="Folder with the model.", envvar="DAGFACTORY_MODEL")]
Model = Annotated[Path, typer.Option("--model", help="Folder with the model.", envvar="DAGFACTORY_MODEL")]
Against = Annotated[
    Path | None, typer.Option("--model", help="Show what differs from what this model says.", envvar="DAGFACTORY_MODEL")
]
NoAirflow = Annotated[bool, typer.Option("--no-airflow", help="Only the plan, at once: Airflow takes seconds to load.")]


def preview(
    stream: Annotated[str | None, Stream] = None,
    model: AnyModel = None,
    file: Rows = None,
    platform: Platforms = None,
    no_airflow: NoAirflow = False,
    as_json: Json = False,
) -> None:
    """Print the DAG that a stream of the model, or a config in a file, would give.

    It shows tasks, schedule, arguments, secrets by reference and the pod, and needs no database. The settings are those
    of the platform's settings file, or what bootstrap would write. Where Airflow is installed, it builds the DAG and
    the pod. For a FILE without STREAM every problem of the config is printed, and, with --model, what differs from the
    config that sync would write. --json prints an object with dags, or without STREAM with problems,
    differences and dag.

    Example: dagfactory streams preview Store1 --model model/ --platform YellowLive

    Example: dagfactory streams preview --file store1.json --model model/

    Exit codes: 0 shown; 1 an error, or the config has problems, which are all named; 2 a wrong option.
    """
    if stream is not None:
        show(stream, model or Path(), file, platform, no_airflow, as_json)
    elif file is not None:
        simulate(file, model, no_airflow, as_json)
    else:
        raise typer.BadParameter("name a STREAM of the model, or a config with --file")


def show(
    stream: Annotated[str, Stream],
    model: Model = Path(),
    file: Rows = None,
    platform: Platforms = None,
    no_airflow: NoAirflow = False,
    as_json: Json = False,
) -> None:
    """Print the DAG of a stream of the model, or of a file."""
    from datetime import UTC, datetime

    from airflow_plugin.cli.preview_view import print_dag
    from airflow_plugin.preview.candidates import candidates_of_file, candidates_of_model, named
    from airflow_plugin.preview.shown import shown_dag
    from airflow_plugin.quiet_airflow import quiet_airflow
    from config_schema.load import load_model

    with quiet_airflow():
        if file:
            there = candidates_of_file(file, platform or ())
        else:
            there = candidates_of_model(load_model(model), f"the model in {model}", platform or ())
        now, chosen = datetime.now(UTC), named(stream, there, str(file or model))
        shown = [shown_dag(one, now, with_airflow=not no_airflow) for one in chosen]
    if as_json:
        echo_text(json.dumps({"dags": [one.to_dict() for one in shown]}, indent=2))
        return
    for one in shown:
        print_dag(one)


def simulate(file: File, model: Against = None, no_airflow: NoAirflow = False, as_json: Json = False) -> None:
    """Print the DAG of a config that is not stored yet, or every problem for which it would be quarantined."""
    from datetime import UTC, datetime

    from airflow_plugin.cli.messages import print_error
    from airflow_plugin.cli.preview_view import print_dag, print_differences
    from airflow_plugin.preview.candidates import candidate_of_file, candidates_of_model, differences
    from airflow_plugin.preview.shown import shown_dag
    from airflow_plugin.quiet_airflow import quiet_airflow
    from config_schema.errors import ProblemsFound
    from config_schema.load import load_model

    shown, found, origin = None, ProblemsFound(str(file), []), f"the model in {model}"
    with quiet_airflow():
        loaded = None if model is None else load_model(model)
        candidate = candidate_of_file(file, loaded)
        differing = None if loaded is None else differences(candidate, candidates_of_model(loaded, origin))
        try:
            shown = shown_dag(candidate, datetime.now(UTC), with_airflow=not no_airflow)
        except ProblemsFound as error:
            found = error
    if as_json:
        shown_candidate = {"problems": found.problems, "differences": differing, "dag": shown and shown.to_dict()}
        echo_text(json.dumps(shown_candidate, indent=2, default=vars))
    else:
        if shown:
            print_dag(shown)
        if differing is not None:
            print_differences(differing, origin)
        if found.problems:
            print_error(found)
    if found.problems:
        raise typer.Exit(1)
