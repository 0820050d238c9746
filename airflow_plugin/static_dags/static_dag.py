"""The ingestion DAGs of static files: what is known of each, and what is not, with file and line."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_plugin.static_dags.ast_values import (
    UNKNOWN,
    Made,
    TooMuch,
    Unread,
    first_unread,
    is_plain,
)
from airflow_plugin.static_dags.module import MadeDag, file_read
from airflow_plugin.static_dags.schedules import seconds_of, zone_and_schedule
from airflow_plugin.static_dags.static_pod import StaticPod, static_pod
from airflow_plugin.static_dags.unfollowed import (
    MERGE_TASK,
    unfollowed,
    unread_merge,
    without_merge,
)
from config_schema.errors import FileMalformed, FileUnreadable, StreamFactoryError
from config_schema.problem import Problem, Rule

CODE_IS_FOLLOWED = Rule("DF3226", "Each DAG of a static file can be read without running the file.")

OF_DEFAULTS = ("retries", "owner", "pool", "execution_timeout", "priority_weight")
LARGEST = 1_000_000  # bytes of a file
MERGES = ("snapshot-merge", "merge")
WRITE_PLAINLY = (
    "Write DAG and tasks as constants at the top level of the file; or write the stream's row by hand, and leave the "
    "file out"
)
KNOWN = frozenset(
    (
        "dag_id",
        "description",
        "doc_md",
        "default_args",
        "schedule",
        "schedule_interval",
        "timetable",
        "start_date",
        "catchup",
        "max_active_runs",
        "tags",
        "is_paused_upon_creation",
        "retries",
        "owner",
        "execution_timeout",
        "pool",
        "priority_weight",
        "default_view",
        "orientation",
    )
)


@dataclass(frozen=True)
class StaticTask:
    """A task of a static DAG."""

    task_id: str
    operator: str
    downstream: tuple[str, ...]


@dataclass(frozen=True)
class StaticDag:
    """An ingestion DAG. `others` are further arguments that it sets, for itself or its tasks.

    `unread` has by a key of the stream's config, or by another word, what could not be read.
    """

    file: Path
    line: int
    dag_id: str
    schedule: str | None
    timezone: str
    catchup: bool
    max_active_runs: int | None
    retries: int
    owner: str | None
    execution_timeout: int | None
    pool: str | None
    priority: int | None
    tags: tuple[str, ...]
    tasks: tuple[StaticTask, ...]
    pod: StaticPod
    others: tuple[str, ...] = ()
    unread: dict[str, Unread] = field(default_factory=dict)

    def place(self, unread: Unread) -> str:
        """Return file and line of what cannot be read."""
        return f"{self.file}:{unread.line}"


@dataclass(frozen=True)
class StaticFiles:
    """What files hold: ingestion DAGs, files that hold none (by why not), and what is wrong with others."""

    dags: tuple[StaticDag, ...]
    others: dict[Path, str]
    problems: tuple[Problem, ...]


class StaticFileMissing(StreamFactoryError):
    """There is no DAG file at the given path.

    Name a file, or a folder with *.py files.
    """

    code = "DF3201"

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(str(path), "there is no DAG file", "Name a file, or a folder with *.py files")


class StaticFileTooComplex(StreamFactoryError):
    """A static DAG file is too large, nested too deep, or takes too long to follow.

    Name only files of ingestion DAGs, or write the stream's row by hand.
    """

    code = "DF3202"

    def __init__(self, file: Path, what: str, todo: str = "Write the stream's row by hand") -> None:
        self.file = file
        super().__init__(str(file), what, todo)


def static_files(path: Path) -> StaticFiles:
    """Return the DAGs of a file, or of all `*.py` below a folder. Raises StaticFileMissing if there is none."""
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    if not files or not path.exists():
        raise StaticFileMissing(path)
    dags: list[StaticDag] = []
    others: dict[Path, str] = {}
    problems: list[Problem] = []
    for file in files:
        try:
            found, unread = _static_dags(file)
        except StreamFactoryError as error:
            problems.append(error.as_problem(error.where))
            continue
        dags += found
        problems += [CODE_IS_FOLLOWED.problem(f"{file}:{one.line}", "", one.what, WRITE_PLAINLY) for one in unread]
        if not found and not unread:
            others[file] = "no ingestion DAG that can be read: no pod task with a snapshot merge"
    return StaticFiles(tuple(dags), others, tuple(problems))


def dag_ids_in(file: Path) -> list[str]:
    """Return the ids of all DAGs in a file. Raises StreamFactoryError if it cannot be read."""
    return [str(one.dag.given("dag_id", 0)) for one in file_read(_tree(file)).dags]


def _static_dags(file: Path) -> tuple[list[StaticDag], list[Unread]]:
    """Return the ingestion DAGs of a file, and each place where it may make another one."""
    try:
        tree = _tree(file)
        read = file_read(tree)
        found = [(one, _merge_task(one)) for one in read.dags]
        others = [one for one, merge in found if merge is None]
        unread = [*unfollowed(tree, read), *filter(None, map(unread_merge, others))]
        unread = unread or [*filter(None, map(without_merge, others))]
        return [_static_dag(file, one, merge) for one, merge in found if merge is not None], unread
    except RecursionError as error:
        raise StaticFileTooComplex(file, "it is nested too deep") from error
    except TooMuch as error:
        raise StaticFileTooComplex(file, "it takes too long to follow") from error


def _tree(file: Path) -> ast.Module:
    try:
        if file.stat().st_size > LARGEST:
            what = f"it has more than {LARGEST} bytes"
            raise StaticFileTooComplex(file, what, "Name only files of ingestion DAGs")
        return ast.parse(file.read_bytes())
    except OSError as error:
        raise FileUnreadable(file, error, "Let it be read") from error
    except SyntaxError as error:
        where = f"{file}:{error.lineno or 1}"
        raise FileMalformed(where, f"it is no Python ({error.msg})", "Correct the file, or leave it out") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise FileMalformed(file, f"it is no Python ({error})", "Correct the file, or leave it out") from error


def _merge_task(made: MadeDag) -> Made | None:
    pods = [task for task in made.tasks if task.kind.endswith("PodOperator")]
    for task in pods:
        arguments = task.kwargs.get("arguments")
        words = arguments if isinstance(arguments, list | tuple) else ()
        if task.kwargs.get("task_id") == MERGE_TASK or any(word in MERGES for word in words):
            return task
    ingestion = str(made.dag.given("dag_id", 0)).endswith("_ingestion")
    return pods[0] if len(pods) == 1 and ingestion else None


def _static_dag(file: Path, made: MadeDag, merge: Made) -> StaticDag:
    unread: dict[str, Unread] = {}
    dag, default = made.dag, _defaults(made.dag)

    def argument(key: str, of: Callable[[str], Any], name: str, kind: Any, otherwise: Any = None) -> Any:
        value = of(name)
        if value is None:
            return otherwise
        if isinstance(value, kind) and is_plain(value):
            return value
        unread[key] = first_unread([value]) or Unread(merge.line, f"{name} is no plain value")
        return otherwise

    def of_task(name: str) -> Any:
        return merge.kwargs[name] if name in merge.kwargs else default(name)

    schedule = zone_and_schedule(dag, default("start_date"))
    if isinstance(schedule, Unread):
        unread["schedule"] = schedule
    zone, times = ("UTC", None) if isinstance(schedule, Unread) else schedule
    timeout = _seconds(of_task("execution_timeout"), merge.line)
    if isinstance(timeout, Unread):
        unread["execution_timeout"], timeout = timeout, None
    return StaticDag(
        file=file,
        line=dag.line,
        dag_id=argument("dag_id", lambda name: dag.given(name, 0), "dag_id", str, ""),
        schedule=times,
        timezone=zone,
        catchup=argument("catchup", dag.given, "catchup", bool, False),
        max_active_runs=argument("max_active_runs", dag.given, "max_active_runs", int),
        retries=argument("retries", of_task, "retries", int, 0),
        owner=argument("owner", of_task, "owner", str),
        execution_timeout=timeout,
        pool=argument("pool", of_task, "pool", str),
        priority=argument("priority", of_task, "priority_weight", int),
        tags=tuple(argument("tags", dag.given, "tags", (list, tuple, set), ())),
        tasks=tuple(_task(one, made.edges) for one in made.tasks),
        pod=static_pod(merge, default),
        others=_others(dag),
        unread=unread,
    )


def _others(dag: Made) -> tuple[str, ...]:
    defaults = dag.given("default_args")
    given = {**(defaults if isinstance(defaults, dict) else {}), **dag.kwargs}
    return tuple(key for key, value in given.items() if key not in KNOWN and value)


def _defaults(dag: Made) -> Callable[[str], Any]:
    """Return what default_args sets; Unread for everything if they cannot be read themselves."""
    given = dag.given("default_args")
    if given is None or (isinstance(given, dict) and UNKNOWN not in given):
        return lambda name: (given or {}).get(name)
    if isinstance(given, dict):
        given = given[UNKNOWN]
    unread = given if isinstance(given, Unread) else Unread(dag.line, "default_args is no dict")
    return lambda name: unread if name in OF_DEFAULTS else None


def _task(task: Made, edges: Iterable[tuple[Made, Made]]) -> StaticTask:
    after = sorted({_task_id(other) for one, other in edges if one is task})
    return StaticTask(_task_id(task), task.kind, tuple(after))


def _task_id(task: Made) -> str:
    given = task.kwargs.get("task_id")
    return given if isinstance(given, str) else f"(line {task.line})"


def _seconds(value: Any, line: int) -> int | Unread | None:
    """Return the seconds of a timedelta."""
    if value is None:
        return None
    if isinstance(value, Unread):
        return value
    seconds = seconds_of(value) if isinstance(value, Made) and value.kind == "timedelta" else None
    return Unread(line, "execution_timeout is no timedelta of numbers") if seconds is None else round(seconds)
