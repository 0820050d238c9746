"""`dagfactory batch`: the merge job's commands for operators under this command."""

from __future__ import annotations

import typer

from airflow_plugin.cli.merge_job import PASSED_THROUGH, run_merge_job

batch = typer.Typer(help="The batches of a platform's streams.", no_args_is_help=True)


@batch.callback()
def group() -> None:
    """The batches of a platform's streams."""


@batch.command(context_settings=PASSED_THROUGH)
def status(context: typer.Context) -> None:
    """Show last batches, what is open and who is at work. All options are those of merge-job status.

    Example: dagfactory batch status --platform YellowLive --model ./model

    Exit codes: those of merge-job status.
    """
    run_merge_job("status", handed_on=context.args)


@batch.command(context_settings=PASSED_THROUGH)
def reset(context: typer.Context) -> None:
    """Take a stream's open batch back to its start. All options are those of merge-job reset.

    Example: dagfactory batch reset --platform YellowLive --store Store1 --model ./model

    Exit codes: those of merge-job reset.
    """
    run_merge_job("reset", handed_on=context.args)


@batch.command(context_settings=PASSED_THROUGH)
def sql(context: typer.Context) -> None:
    """Print the SQL that a batch would run for a dataset. All options are those of merge-job sql.

    Example: dagfactory batch sql full --platform YellowLive --store Store1 --dataset customers --model ./model

    Exit codes: those of merge-job sql.
    """
    run_merge_job("sql", handed_on=context.args)


@batch.command(context_settings=PASSED_THROUGH)
def trust(context: typer.Context) -> None:
    """Let version diff in again where an audit has put it off. All options are those of merge-job trust.

    Example: dagfactory batch trust --platform YellowLive --store Store1 --model ./model

    Exit codes: those of merge-job trust.
    """
    run_merge_job("trust", handed_on=context.args)
