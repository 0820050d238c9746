"""Runs parse_child.py for each way, turn by turn: the medians of what a parse is made of, and of a worker's build."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_plugin.factory.factory_file import bundle_file
from tests.benchmarks.factory import streams
from tests.benchmarks.factory.dag_files import DagFiles, Kind

ROOT = Path(__file__).parents[3]

AIRFLOW_CONSTRUCTS = [
    "airflow.sdk.bases.operator:BaseOperatorMeta.__call__",
    "airflow.sdk.definitions.dag:DAG.__init__",
    "airflow.sdk.definitions._internal.mixins:DependencyMixin.__rshift__",
    "airflow.sdk.definitions.asset:AssetAlias.__init__",
]
OURS_WATCHED = {
    "publish": ["airflow_plugin.factory.publishing:publish_dags"],
    "read": ["airflow_plugin.factory.publishing:all_streams"],
    "judge": ["airflow_plugin.rows.evaluation:plan_of"],
    "keep": ["airflow_plugin.factory.publishing:keep"],
    "construct": AIRFLOW_CONSTRUCTS,
}
# What a DAG file of this kind loads that is not Airflow's.
MODULES = {
    Kind.OURS: ["airflow_plugin.factory.publishing"],
    Kind.OURS_SAME_OPERATORS: ["airflow_plugin.factory.publishing", "tests.benchmarks.factory.same_operators"],
    Kind.DAG_FACTORY: ["dagfactory", "tests.benchmarks.factory.same_operators"],
    Kind.STATIC: [],
}
WATCHED: dict[Kind, dict[str, list[str]]] = {
    Kind.OURS: OURS_WATCHED,
    Kind.OURS_SAME_OPERATORS: OURS_WATCHED,
    Kind.DAG_FACTORY: {"read": ["dagfactory.dagfactory:load_yaml_file"], "construct": AIRFLOW_CONSTRUCTS},
    Kind.STATIC: {"construct": AIRFLOW_CONSTRUCTS},
}


@dataclass(frozen=True)
class Parsed:
    """A parse of all files: DAGs and tasks found, the seconds of each part, and a child's peak memory.

    Two ways with the same `digest` have the same tasks in one DAG, in Airflow's own serialisation.
    """

    dags: int
    tasks: int
    digest: str
    seconds: Mapping[str, float]
    cpu_seconds: Mapping[str, float]
    rss_mb: float


@dataclass(frozen=True)
class Costs:
    """Of one way: a parse as if for the first time; one after it that finds nothing changed, measured for ours only;
    and what a worker needs to have one DAG, in wall and CPU seconds; for ours also from a file of the bundle.
    """

    first: Parsed
    again: Parsed | None
    worker: tuple[float, float]
    bundle_worker: tuple[float, float] | None = None


def costs(ways: Sequence[DagFiles], environment: Mapping[str, str], parses: int, workers: int) -> dict[Kind, Costs]:
    """The medians of so many turns, each with a parse of each way; and of so many builds in a worker after them."""
    snapshots = str(Path(environment["AIRFLOW_HOME"], "stream_factory", "snapshots"))
    turn = {}
    for way in ways:
        turn[way.kind, False] = _parse(way, removed=[snapshots])
        if "publish" in WATCHED[way.kind]:
            turn[way.kind, True] = _parse(way, removed=[])
    works = [_work(way) for way in ways]
    works += [_work(way, of_bundle=True) for way in ways if way.kind is Kind.OURS]
    answers = _measured([*turn.values()] * parses + works * workers, environment)
    end = len(turn) * parses
    parsed = {
        which: _median([_whole(answer) for answer in answers[at : end : len(turn)]]) for at, which in enumerate(turn)
    }
    return {
        way.kind: Costs(
            first=parsed[way.kind, False],
            again=parsed.get((way.kind, True)),
            worker=_middle(answers[end + at :: len(works)]),
            bundle_worker=_middle(answers[end + len(ways) :: len(works)]) if way.kind is Kind.OURS else None,
        )
        for at, way in enumerate(ways)
    }


def _parse(way: DagFiles, removed: list[str]) -> dict[str, Any]:
    return {
        "what": "parse",
        "dag_id": way.dag_id,
        "removed": removed,
        "python_path": list(map(str, way.python_path)),
        "modules": MODULES[way.kind],
        "watched": WATCHED[way.kind],
        "groups": [list(map(str, group)) for group in way.groups],
    }


def _work(way: DagFiles, *, of_bundle: bool = False) -> dict[str, Any]:
    file = way.file
    if of_bundle:
        file = file.parent.with_name(f"{file.parent.name}_bundle") / "of_any_shard.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(bundle_file(streams.PLATFORM, None))
    return {
        "what": "work",
        "python_path": list(map(str, way.python_path)),
        "file": str(file),
        "dag_id": way.dag_id,
    }


def _measured(requests: list[dict[str, Any]], environment: Mapping[str, str]) -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.factory.parse_child"],
        cwd=ROOT,
        env=dict(environment),
        input=json.dumps(requests),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answers: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return answers


def _whole(children: list[dict[str, Any]]) -> Parsed:
    """The sums of all children; the memory of the largest of the first ones, which parse a file each."""

    def total(what: str) -> dict[str, float]:
        return {name: sum(child[what].get(name, 0.0) for child in children) for name in children[-1][what]}

    largest = max((child for child in children if child["files"] == 1), key=lambda child: child["rss_mb"])
    return Parsed(
        dags=sum(child["dags"] for child in children),
        tasks=sum(child["tasks"] for child in children),
        digest="".join(child["digest"] for child in children),
        seconds=_parts(total("seconds")),
        cpu_seconds=_parts(total("cpu_seconds")),
        rss_mb=largest["rss_mb"],
    )


def _parts(clocks: Mapping[str, float]) -> dict[str, float]:
    """Of the clocks: what follows each other in a parse, and our own share of it."""
    read = clocks.get("read", 0.0)
    parts = {"import": clocks["import"], "read": read, "build": clocks["load"] - read, "serialise": clocks["serialise"]}
    if "publish" in clocks:
        parts |= {"judge": clocks["judge"], "keep": clocks["keep"]}
        parts["own"] = clocks["import"] + clocks["publish"] - clocks["construct"]
    return parts


def _median(runs: Sequence[Parsed]) -> Parsed:
    def middle(of: list[Mapping[str, float]]) -> dict[str, float]:
        return {name: statistics.median(parts[name] for parts in of) for name in of[0]}

    return Parsed(
        dags=runs[0].dags,
        tasks=runs[0].tasks,
        digest=runs[0].digest,
        seconds=middle([run.seconds for run in runs]),
        cpu_seconds=middle([run.cpu_seconds for run in runs]),
        rss_mb=statistics.median(run.rss_mb for run in runs),
    )


def _middle(answers: Sequence[Mapping[str, float]]) -> tuple[float, float]:
    wall, cpu = (statistics.median(answer[what] for answer in answers) for what in ("seconds", "cpu_seconds"))
    return wall, cpu
