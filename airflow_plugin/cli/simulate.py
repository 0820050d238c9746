"""`dagfactory simulate`: the merge job's change simulator under this command."""

from __future__ import annotations

import typer

from airflow_plugin.cli.merge_job import run_merge_job


def simulate(context: typer.Context) -> None:
    """Change a producer's customers and addresses, as people do. All options are those of merge-job simulate.

    Example: dagfactory simulate --dsn postgresql://... --max-changes 100 --seed 7

    Exit codes: those of merge-job simulate.
    """
    run_merge_job("simulate", handed_on=context.args)
