"""`dagfactory views`: the views that consumers read."""

from __future__ import annotations

import typer

from airflow_plugin.cli.merge_job import PASSED_THROUGH, run_merge_job

views = typer.Typer(help="Manage what consumers see: views, roles, rights.", no_args_is_help=True)


@views.callback()
def group() -> None:
    """Manage what consumers see: views, roles, rights."""


@views.command(context_settings=PASSED_THROUGH)
def reconcile(context: typer.Context) -> None:
    """Bring consumers' views, roles and rights in line with the model; --dry-run prints the SQL.

    Example: dagfactory views reconcile --platform YellowLive --model ./model

    Exit codes: 0 done or nothing to do, 1 something stands in the way or an error, 2 a wrong option.
    """
    run_merge_job("views", "reconcile", handed_on=context.args)


def plan(context: typer.Context) -> None:
    """Run `dagfactory views reconcile --dry-run`."""
    run_merge_job("views", "plan", handed_on=context.args)
