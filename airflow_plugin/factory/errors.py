"""Why a worker does not get the DAG of its task, and why the bundle does not write its files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from config_schema.errors import StreamFactoryError
from config_schema.problem import Problem


class DagQuarantined(StreamFactoryError):
    """A worker needs a DAG with a broken row, and has no last-good snapshot of it.

    Correct the row as the problems say; the next try finds it.
    """

    code = "DF2301"
    retryable = True

    def __init__(self, dag_id: str, problems: Iterable[Problem]) -> None:
        self.dag_id, self.problems = dag_id, tuple(problems)
        wrong = "; ".join(map(str, self.problems))
        super().__init__(dag_id, wrong, "This worker has no last-good snapshot to go by")


class DagGone(StreamFactoryError):
    """A worker needs the DAG of a stream that has no row any more.

    Nothing, if it was retired; otherwise run dagfactory sync.
    """

    code = "DF2302"
    retryable = True

    def __init__(self, dag_id: str, table: str) -> None:
        self.dag_id, self.table = dag_id, table
        todo = "Nothing, if it was retired; else run dagfactory sync"
        super().__init__(dag_id, f"{table} has no such stream any more", todo)


class FolderOfAnother(StreamFactoryError):
    """Another user of the machine could write files into the bundle's folder, which Airflow would run.

    Set dag_bundle_storage_path to a folder of Airflow's user.
    """

    code = "DF2304"

    def __init__(self, folder: Path, what: str) -> None:
        self.folder = folder
        todo = (
            "Set [dag_processor] dag_bundle_storage_path to a folder that only Airflow's user, root and the owner of "
            "AIRFLOW_HOME can write to, or remove this one"
        )
        super().__init__(f"folder {folder}", f"{what}, and Airflow runs the files in it", todo)
