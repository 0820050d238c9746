"""`dagfactory demo`; it needs the extra [demo], so it is imported only when it runs."""

from __future__ import annotations

import typer


def demo(context: typer.Context) -> None:
    """Run the whole product on this machine: PostgreSQL, Airflow, changing data.

    Example: dagfactory demo --exit

    Exit codes: 0 the counts are the truth, 1 they are not, or an error.
    """
    from airflow_plugin.demo.command import demo as command

    program = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    program.command()(command)
    program(args=context.args, prog_name="dagfactory demo")
