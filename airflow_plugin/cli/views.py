"""`dagfactory views`: the merge job's commands for consumers' views under this command."""

from __future__ import annotations

import typer

from airflow_plugin.cli.merge_job import PASSED_THROUGH, run_merge_job

views = typer.Typer(help="What consumers see: views, the roles that read them, and their rights.", no_args_is_help=True)


@views.callback()
def group() -> None:
    """What consumers see: views, the roles that read them, and their rights."""


@views.command(context_settings=PASSED_THROUGH)
def plan(context: typer.Context) -> None:
    """Show the SQL that would bring consumers' views to the model. All options are those of merge-job views plan.

    Example: dagfactory views plan --model ./model

    Exit codes: those of merge-job views plan.
    """
    run_merge_job("views", "plan", handed_on=context.args)


@views.command(context_settings=PASSED_THROUGH)
def reconcile(context: typer.Context) -> None:
    """Bring consumers' views and rights to the model. All options are those of merge-job views reconcile.

    Example: dagfactory views reconcile --platform YellowLive --model ./model

    Exit codes: those of merge-job views reconcile.
    """
    run_merge_job("views", "reconcile", handed_on=context.args)
