"""Runs `dagfactory` as `python -m airflow_plugin`, also where another package has a script of that name."""

from airflow_plugin.cli import main

main()
