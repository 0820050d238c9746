"""The command `dagfactory`: one file per sub-command, and one place that turns errors into messages and exit codes."""

from __future__ import annotations


def main() -> None:
    """Run the command line and end the process with its exit code."""
    from airflow_plugin.cli.program import run

    run()
