"""`dagfactory plan`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from config_schema.echo import echo, echo_text

if TYPE_CHECKING:
    from airflow_plugin.sync.effects_found import Effects
    from config_schema.load import Model

from airflow_plugin.cli.options import (
    CHANGES,
    Branch,
    DetailedExitCode,
    GitCredential,
    InEnvironment,
    Json,
    ModelFolder,
    OverwriteDrift,
    Platforms,
    Repository,
    committed_model,
)

Against = Annotated[
    Path | None,
    typer.Option("--against", help="Not the tables: rows that dagfactory streams export wrote. Needs no database."),
]


def plan(
    path: ModelFolder = Path(),
    git_repo_url: Repository = None,
    branch: Branch = "main",
    git_credential: GitCredential = "git",
    platform: Platforms = None,
    in_environment: InEnvironment = None,  # set in its callback
    overwrite_drift: OverwriteDrift = False,
    against: Against = None,
    detailed_exitcode: DetailedExitCode = False,
    as_json: Json = False,
) -> None:
    """Show what sync would change, in rows, tables, views and rights, and change nothing.

    Rows are shown field by field. What becomes of merge tables, consumers' views, masks, quality checks and rights
    follows with the next batch, and the views with it.

    A row that was changed by hand since the last sync is shown as drift, and sync leaves it so.

    Example: dagfactory plan model/ --detailed-exitcode

    Exit codes: 0 done, 1 an error, 2 there are changes (with --detailed-exitcode).
    """
    from airflow_plugin.cli.messages import print_warning
    from airflow_plugin.cli.plan_view import left_note, plan_as_dict, print_plan, summary
    from airflow_plugin.streams.transfer import exported_rows, read
    from airflow_plugin.sync.graph import stream_graph
    from airflow_plugin.sync.plan import plan_against
    from airflow_plugin.sync.planned import planned
    from airflow_plugin.sync.safety import refuse_incompatible, refuse_rollback
    from config_schema.errors import StreamFactoryError

    source = committed_model(path, git_repo_url, branch, git_credential)
    left: tuple[str, ...] = ()
    effects: Effects | None = None
    model_at: Callable[[str], Model] = source.model_at
    if against is not None:
        rows = exported_rows(read(against), str(against))
        graph = stream_graph(source.model.ecosystem, source.model.mappings)
        found = plan_against(rows, graph, source.platforms(platform or ()), source.commit)
    else:
        with planned(source, platform or (), os.environ, overwrite_drift=overwrite_drift) as read_now:
            found, left, model_at = read_now.plan, read_now.left, read_now.model_at
            effects = read_now.effects
    if as_json:
        echo_text(json.dumps(plan_as_dict(found, effects, source.model.environment), indent=2))
    else:
        print_plan(found, effects, source.model.environment)
        for name in left:
            echo(left_note(name))
        echo(summary(found, done=False))
    try:
        refuse_rollback(found, source.descends_from)
        refuse_incompatible(found, source.model, model_at, (), loaded=None if effects is None else effects.loaded)
    except StreamFactoryError as error:
        print_warning(error)
    if detailed_exitcode and (found.changes_anything or found.drifted):
        raise typer.Exit(CHANGES)
