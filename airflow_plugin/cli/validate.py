"""`dagfactory validate`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import typer

from airflow_plugin.cli.options import Json, ModelFolder


def validate(path: ModelFolder = Path(), as_json: Json = False) -> None:
    """Check a model and print every problem in it, each with what to do.

    Example: dagfactory validate model/

    Exit codes: 0 no problem, 1 problems. With --json they are on stdout, otherwise on stderr.
    """
    from airflow_plugin.sync.graph import stream_graph
    from config_schema.errors import ProblemsFound
    from config_schema.load import load_model

    try:
        model = load_model(path)
        graph = stream_graph(model.ecosystem, model.mappings)
    except ProblemsFound as error:
        if not as_json:
            raise
        json.dump({"problems": [vars(problem) for problem in error.problems]}, sys.stdout, indent=2)
        print()
        raise typer.Exit(1) from None
    streams = sum(len(of_platform) for of_platform in graph.values())
    if as_json:
        print(json.dumps({"problems": []}))
    else:
        print(f"{path}: no problem. {len(graph)} platforms, {streams} streams.")
