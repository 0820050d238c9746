"""`python -m airflow_plugin`: the twin of `dagfactory`, whose name another distribution's script has too."""

from airflow_plugin.cli import main

main()
