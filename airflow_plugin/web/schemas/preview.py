"""A config before it is saved: its problems, its DAG, and what it changes."""

from __future__ import annotations

from pydantic import BaseModel

from airflow_plugin.web.schemas.parts import AnyJson, ProblemShape
from airflow_plugin.web.schemas.stream import ChangeShape


class Problems(BaseModel):
    """The problems of a config."""

    problems: list[ProblemShape]


class Task(BaseModel):
    """A task of a DAG."""

    task_id: str
    operator: str
    downstream: list[str]


class DagShape(BaseModel):
    """The DAG that a config gives."""

    dag_id: str
    schedule: str | None
    timezone: str
    tasks: list[Task]
    next_runs: list[str]
    pod: AnyJson | None


class Preview(BaseModel):
    """`dag` is None where the problems let none come about."""

    dag: DagShape | None
    changes: list[ChangeShape]
    problems: list[ProblemShape]
