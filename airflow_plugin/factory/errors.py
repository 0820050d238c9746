"""Why a worker does not get the DAG that it wants."""

from __future__ import annotations

from collections.abc import Iterable

from config_schema.errors import Problem, StreamFactoryError


class DagQuarantined(StreamFactoryError):
    """A worker wants a DAG whose row is broken, and it has no last-good snapshot to go by.

    Correct the row as the problems say; the next try finds it.
    """

    code = "DF2301"
    retryable = True

    def __init__(self, dag_id: str, problems: Iterable[Problem]) -> None:
        self.dag_id, self.problems = dag_id, tuple(problems)
        wrong = "; ".join(map(str, self.problems))
        super().__init__(dag_id, wrong, "This worker has no last-good snapshot to go by")


class DagGone(StreamFactoryError):
    """A worker wants a DAG whose stream has no row any more.

    Nothing, if it was retired; else run dagfactory sync.
    """

    code = "DF2302"
    retryable = True

    def __init__(self, dag_id: str, table: str) -> None:
        self.dag_id, self.table = dag_id, table
        todo = "Nothing, if it was retired; else run dagfactory sync"
        super().__init__(dag_id, f"{table} has no such stream any more", todo)
