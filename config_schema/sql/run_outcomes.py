"""The statements of run_outcomes.sql, by which Airflow's side and jobs ask for the runs that have failed."""

from __future__ import annotations

from config_schema.sql.statements import SqlFile

STATEMENTS = SqlFile(__file__)
