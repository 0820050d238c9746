"""Static DAGs held against the factory's, one by one, each with its differences or with why it cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from airflow_plugin.migrate.compare import DagDifference, differences
from airflow_plugin.migrate.extract import Extracted
from airflow_plugin.migrate.rows import Find
from airflow_plugin.preview.shown import shown_dag
from airflow_plugin.static_dags.static_dag import StaticDag
from config_schema.errors import Problem, ProblemsFound


@dataclass(frozen=True)
class Compared:
    """`origin` says where the row comes from, `built_by` what built its DAG; both are empty if there are problems."""

    dag: StaticDag
    origin: str = ""
    built_by: str = ""
    differences: tuple[DagDifference, ...] = ()
    problems: tuple[Problem, ...] = ()

    def differs(self, *, strict: bool) -> bool:
        """Return whether anything differs; without `strict`, differences by design do not count."""
        return any(strict or one.by_design is None for one in self.differences)


def compared(one: Extracted, find: Find, *, with_airflow: bool) -> Compared:
    """Compare with the factory's DAG; if the factory would quarantine the row, return those problems instead."""
    try:
        shown = shown_dag(find(one), datetime.now(UTC), with_airflow=with_airflow)
    except ProblemsFound as error:
        return Compared(one.dag, problems=error.problems)
    return Compared(one.dag, shown.candidate.origin, shown.built.by, differences(one.dag, shown))
