"""`dagfactory model`: the merge job's reading of a database's catalogue under this command."""

from __future__ import annotations

import typer

from airflow_plugin.cli.merge_job import PASSED_THROUGH, run_merge_job

model = typer.Typer(help="The ecosystem model.", no_args_is_help=True)


@model.callback()
def group() -> None:
    """The ecosystem model."""


@model.command("import", context_settings=PASSED_THROUGH)
def import_datastore(context: typer.Context) -> None:
    """Write a live database's tables as a datastore of the model. All options are those of merge-job describe.

    Example: dagfactory model import --dsn postgresql://reader@pg-data/customer_db --schema public --out store1.yaml

    Exit codes: those of merge-job describe.
    """
    run_merge_job("describe", handed_on=context.args)
