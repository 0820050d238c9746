"""`dagfactory runs`: the batches of the merge job, and what people can do between runs."""

from __future__ import annotations

import typer

from airflow_plugin.cli.merge_job import PASSED_THROUGH, run_merge_job

HELP = "Look at the batches of streams, and act between runs."

runs = typer.Typer(help=HELP, no_args_is_help=True)


@runs.callback()
def group() -> None:
    """Look at the batches of streams, and act between runs."""


@runs.command(context_settings=PASSED_THROUGH)
def status(context: typer.Context) -> None:
    """Show each stream's last batch, what is open, and which jobs are running.

    Example: dagfactory runs status --platform YellowLive --model ./model

    Exit codes: 0 shown, 1 an error, 2 a wrong option.
    """
    run_merge_job("status", handed_on=context.args, called_as="dagfactory runs status")


@runs.command(context_settings=PASSED_THROUGH)
def changes(context: typer.Context) -> None:
    """Show what a batch changed: how many keys, in which columns, and some values if asked for.

    Example: dagfactory runs changes --platform YellowForensic --store Store1 --batch 12 --sample 5 --model ./model

    Exit codes: 0 shown, 1 an error, 2 a wrong option.
    """
    run_merge_job("changes", handed_on=context.args, called_as="dagfactory runs changes")


@runs.command(context_settings=PASSED_THROUGH)
def diff(context: typer.Context) -> None:
    """Compare datasets with their source now: equal, or which keys differ and in which columns.

    Example: dagfactory runs diff --platform YellowLive --store Store1 --dataset customers --model ./model

    Exit codes: 0 equal, 3 something differs, 1 an error, 2 a wrong option.
    """
    run_merge_job("diff", handed_on=context.args, called_as="dagfactory runs diff")


@runs.command(context_settings=PASSED_THROUGH)
def check_source(context: typer.Context) -> None:
    """Look at a stream's source: reach, login, tables, columns, types, rights; read no row.

    Example: dagfactory runs check-source --platform YellowLive --store Store1 --model ./model

    Exit codes: 0 a batch can read it, 3 something stops a batch, 1 an error, 2 a wrong option.
    """
    run_merge_job("check-source", handed_on=context.args, called_as="dagfactory runs check-source")


@runs.command(context_settings=PASSED_THROUGH)
def reset(context: typer.Context) -> None:
    """Take the open batch of a stream back to its start.

    Example: dagfactory runs reset --platform YellowLive --store Store1 --model ./model

    Exit codes: 0 reset or nothing to reset, 1 refused or an error, 2 a wrong option.
    """
    run_merge_job("reset", handed_on=context.args, called_as="dagfactory runs reset")


@runs.command(name="approve-delete", context_settings=PASSED_THROUGH)
def approve_delete(context: typer.Context) -> None:
    """Approve the deletes that a stream's batch was refused for; the next run goes on with them, once.

    Example: dagfactory runs approve-delete --platform YellowLive --store Store1 --model ./model

    Exit codes: 0 approved, 1 nothing is refused or an error, 2 a wrong option.
    """
    run_merge_job("approve-delete", handed_on=context.args, called_as="dagfactory runs approve-delete")


@runs.command(context_settings=PASSED_THROUGH)
def trust(context: typer.Context) -> None:
    """Use version diff or key-hash diff again where an audit has switched it off.

    Example: dagfactory runs trust --platform YellowLive --store Store1 --model ./model

    Exit codes: 0 done or nothing to do, 1 an error, 2 a wrong option.
    """
    run_merge_job("trust", handed_on=context.args, called_as="dagfactory runs trust")


@runs.command(context_settings=PASSED_THROUGH)
def erase(context: typer.Context) -> None:
    """Erase keys of a dataset for good, for data protection: every version; or lift that again.

    Example: dagfactory runs erase --platform YellowLive --store Store1 --dataset customers --keys key.json

    Exit codes: 0 done, or erased already, 1 an error, 2 a wrong option.
    """
    run_merge_job("erase", handed_on=context.args, called_as="dagfactory runs erase")


@runs.command(context_settings=PASSED_THROUGH)
def sql(context: typer.Context) -> None:
    """Print the SQL that a batch would run for a dataset; run nothing.

    Example: dagfactory runs sql full --platform YellowLive --store Store1 --dataset customers --model ./model

    Exit codes: 0 printed, 1 an error, 2 a wrong option.
    """
    run_merge_job("sql", handed_on=context.args, called_as="dagfactory runs sql")
