"""The DAG files that are parsed: what each way of having thousands of streams puts into a dags folder."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

from airflow_plugin.factory.factory_file import factory_file
from airflow_plugin.factory.shards import Shard
from airflow_plugin.jobs.merge_job import (
    CHECK_TASK,
    MERGE_TASK,
    RESCHEDULE_TASK,
    WAIT_TASK,
)
from airflow_plugin.operators.schedule import RETRY_DELAY, START
from airflow_plugin.rows.plan import DagPlan
from config_schema import names
from tests.benchmarks.factory import streams
from tests.benchmarks.factory.static_file import static_file


class Kind(Enum):
    """A way of having thousands of streams."""

    OURS = "ours"
    OURS_SAME_OPERATORS = "ours_same_operators"
    DAG_FACTORY = "dag_factory"
    STATIC = "static"


# More than ONE_FILE are split over files of PER_SHARD, as docs/performance.md advises; dag-factory's sooner, because
# its files take longer to be read.
ONE_FILE, PER_SHARD, PER_YAML = 1000, 500, 250

# As with our factory file: imports that stand here literally are paid once for all parses.
DAG_FACTORY_FILE = '''\
"""DAGs from {yaml}."""

import airflow.providers.cncf.kubernetes.operators.pod
import airflow.providers.common.sql.sensors.sql
import airflow.providers.standard.operators.python
import airflow.providers.standard.sensors.python
import airflow.sdk.bases.branch
import airflow.sdk.definitions.dag
import airflow.timetables.assets

from dagfactory import load_yaml_dags

load_yaml_dags(globals(), config_filepath="{yaml}")
'''
DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True)
class DagFiles:
    """A dags folder: its files, one DAG of them and the file that has it, and what Python needs beside to run them."""

    kind: Kind
    files: tuple[Path, ...]
    dag_id: str
    file: Path
    python_path: tuple[Path, ...] = ()

    @property
    def groups(self) -> list[list[Path]]:
        """A file for each child, as Airflow has it; of the thousands of static files only the first."""
        if self.kind is Kind.STATIC:
            first, *others = self.files
            return [[first], others] if others else [[first]]
        return [[file] for file in self.files]


def write_files(kind: Kind, folder: Path, count: int, python_path: tuple[Path, ...] = ()) -> DagFiles:
    """Fill a new dags folder with the DAGs of so many streams."""
    folder.mkdir(parents=True)
    files = tuple(WRITERS[kind](folder, count))
    dag_id = streams.plan(count).dag_id
    ours = kind in (Kind.OURS, Kind.OURS_SAME_OPERATORS)
    at = next(at for at in range(len(files)) if Shard(at + 1, len(files)).has(dag_id)) if ours else -1
    return DagFiles(kind, files, dag_id, files[at], python_path)


def _ours(folder: Path, count: int) -> Iterator[Path]:
    yield from _factory_files(folder, count, lambda text: text)


def _ours_same_operators(folder: Path, count: int) -> Iterator[Path]:
    def with_pods(text: str) -> str:
        literal = "import airflow.providers.cncf.kubernetes.operators.pod\n"
        text = text.replace("import airflow.sdk", literal + "import airflow.sdk", 1)
        return text.replace("from airflow_plugin.factory import", "from tests.benchmarks.factory.same_operators import")

    yield from _factory_files(folder, count, with_pods)


def _factory_files(folder: Path, count: int, changed: Callable[[str], str]) -> Iterator[Path]:
    shards = 1 if count <= ONE_FILE else math.ceil(count / PER_SHARD)
    for number in range(1, shards + 1):
        path = folder / names.factory_file(streams.PLATFORM_NAME, number, shards)
        path.write_text(changed(factory_file(streams.PLATFORM, number, shards)))
        yield path


def _dag_factory(folder: Path, count: int) -> Iterator[Path]:
    for first in range(1, count + 1, PER_YAML):
        config = folder / f"streams_{first:05}.yaml"
        numbers = range(first, min(first + PER_YAML, count + 1))
        document = {"default": DEFAULTS} | dict(_entry(streams.plan(number)) for number in numbers)
        config.write_text(yaml.dump(document, Dumper=DUMPER, sort_keys=False))
        path = config.with_suffix(".py")
        path.write_text(DAG_FACTORY_FILE.format(yaml=config))
        yield path


DEFAULTS = {
    "start_date": START.date(),
    "catchup": False,
    "max_active_runs": 1,
    "is_paused_upon_creation": False,
}


def _entry(plan: DagPlan) -> tuple[str, dict[str, Any]]:
    """The DAG as dag-factory's YAML has it: the same tasks with the same arguments."""
    operators = "airflow_plugin.operators.routing"
    tasks = {
        MERGE_TASK: {
            "operator": "tests.benchmarks.factory.same_operators.PodTask",
            "job": _plain(asdict(plan.job)),
            "place": _plain(asdict(plan.pod)),  # type: ignore[arg-type]
            "retries": plan.retries,
            "retry_delay": RETRY_DELAY.total_seconds(),
            "weight_rule": "absolute",
        },
        CHECK_TASK: {"operator": f"{operators}.CheckResult", "dependencies": [MERGE_TASK]},
        RESCHEDULE_TASK: {
            "operator": f"{operators}.RescheduleImmediately",
            "stream_key": plan.job.stream_key,
            "max_chain": plan.max_chain,
            "dependencies": [CHECK_TASK],
        },
        WAIT_TASK: {"operator": f"{operators}.WaitForTrigger", "dependencies": [CHECK_TASK]},
    }
    return plan.dag_id, {
        "schedule": plan.schedule,
        "tags": list(plan.tags),
        "default_args": {"owner": plan.owner},
        "doc_md": plan.doc,
        "tasks": tasks,
    }


def _plain(value: Any) -> Any:
    """What YAML has no tuples for."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _static(folder: Path, count: int) -> Iterator[Path]:
    for number in range(1, count + 1):
        path = folder / f"store{number:05}_ingestion.py"
        path.write_text(static_file(streams.plan(number)))
        yield path


WRITERS: dict[Kind, Callable[[Path, int], Iterator[Path]]] = {
    Kind.OURS: _ours,
    Kind.OURS_SAME_OPERATORS: _ours_same_operators,
    Kind.DAG_FACTORY: _dag_factory,
    Kind.STATIC: _static,
}
