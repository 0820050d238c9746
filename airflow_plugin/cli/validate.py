"""`dagfactory validate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from airflow_plugin.cli.options import Json, ModelFolder
from config_schema.echo import echo, echo_text

Base = Annotated[
    str | None,
    typer.Option(
        metavar="REVISION",
        help="Refuse changes since this revision of the model's repository to parts that their author does not own.",
    ),
]
Repository = Annotated[str | None, typer.Option(metavar="OWNER/NAME", help="With --base: where the change comes from.")]
Branch = Annotated[str | None, typer.Option(help="With --base: the branch of that repository.")]
Teams = Annotated[
    list[str] | None, typer.Option("--team", help="With --base: a team that makes the change. Repeatable.")
]


def validate(
    path: ModelFolder = Path(),
    base: Base = None,
    repository: Repository = None,
    branch: Branch = None,
    team: Teams = None,
    as_json: Json = False,
) -> None:
    """Check a model and print every problem in it, each with what to do.

    A model that has environments is checked as it is in each of them.

    Example: dagfactory validate model/ --base origin/main --repository crm/model --branch main

    Exit codes: 0 no problem, 1 problems. With --json they are on stdout, otherwise on stderr.
    """
    from airflow_plugin.sync.graph import stream_graph
    from config_schema.errors import ProblemsFound
    from config_schema.load.base import ownership_problems
    from config_schema.load.folder import load_placed
    from config_schema.model.ownership import Author

    author = Author(repository, branch, tuple(team or ()))
    if base is None and author != Author():
        raise typer.BadParameter("--repository, --branch and --team say who changes: give --base too")
    try:
        model, _ = load_placed(path)
        graph = stream_graph(model.ecosystem, model.mappings)
        if base is not None and (refused := ownership_problems(path, base, author)):
            raise ProblemsFound(str(path), refused)
    except ProblemsFound as error:
        if not as_json:
            raise
        echo_text(json.dumps({"problems": [vars(problem) for problem in error.problems]}, indent=2))
        raise typer.Exit(1) from None
    streams = sum(len(of_platform) for of_platform in graph.values())
    if as_json:
        echo_text(json.dumps({"problems": []}))
    else:
        environments = model.ecosystem.environments
        checked = f" in {', '.join(environments)}" if environments else ""
        echo(f"{path}: no problem{checked}. {len(graph)} platforms, {streams} streams.")
