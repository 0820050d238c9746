"""`dagfactory simulate`, the old name of `merge-job simulate`."""

from __future__ import annotations

import typer

from airflow_plugin.cli.merge_job import run_merge_job


def simulate(context: typer.Context) -> None:
    """Run `merge-job simulate`."""
    run_merge_job("simulate", handed_on=context.args)
