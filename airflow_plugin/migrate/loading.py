"""Loads static DAG files for real, if that is asked for: in a child process with an empty environment.

This finds values that the syntax tree does not contain; what a file reads from its environment is missing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from airflow_plugin.migrate.factory_pod import pod_of_manifest
from airflow_plugin.static_dags.ast_values import Unread
from airflow_plugin.static_dags.schedules import cron_of_seconds
from airflow_plugin.static_dags.static_dag import (
    MERGES,
    StaticDag,
    StaticFiles,
    StaticTask,
)
from airflow_plugin.static_dags.unfollowed import MERGE_TASK
from config_schema.errors import StreamFactoryError

TIME_LIMIT_SECONDS = 60
MARK = "DAGS="
SHOWN = 300


def loaded_files(read: StaticFiles) -> StaticFiles:
    """Return the same DAGs as loaded from their files; a file that does not load is a Problem."""
    problems = list(read.problems)
    dags: list[StaticDag] = []
    for file in dict.fromkeys(dag.file for dag in read.dags):
        try:
            dags += _of_file(file, [dag for dag in read.dags if dag.file == file])
        except StreamFactoryError as error:
            problems.append(error.as_problem(error.where))
    return StaticFiles(tuple(dags), read.others, tuple(problems))


class StaticFileNotLoaded(StreamFactoryError):
    """A static DAG file, loaded as Airflow loads it, gives no DAGs, other DAGs, or none in time.

    Compare it without --load: the syntax tree needs no imports.
    """

    code = "DF3203"

    def __init__(self, file: Path, what: str) -> None:
        self.file = file
        super().__init__(str(file), what, "Compare it without --load: the syntax tree needs no imports")


def _of_file(file: Path, read: Iterable[StaticDag]) -> Iterator[StaticDag]:
    found = {dag["dag_id"]: dag for dag in _loaded(file)}
    for dag in read:
        one = found.get(dag.dag_id) if "dag_id" not in dag.unread else None
        if one is None:
            what = f"loaded, it has no DAG {dag.dag_id}, but {', '.join(found) or 'none'}"
            raise StaticFileNotLoaded(file, what)
        yield _static_dag(dag, one)


def _loaded(file: Path) -> list[dict[str, Any]]:
    child = Path(__file__).with_name("loading_child.py")
    with tempfile.TemporaryDirectory(prefix="static-dag-") as home:
        environment = {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": home, "AIRFLOW_HOME": home}
        try:
            done = subprocess.run(
                [sys.executable, "-I", str(child), str(file.absolute()), MARK],
                env=environment,
                cwd=home,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIME_LIMIT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            what = f"it did not load within {TIME_LIMIT_SECONDS} s"
            raise StaticFileNotLoaded(file, what) from error
    lines = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if done.returncode != 0 or not lines:
        said = done.stderr.strip().splitlines()
        what = f"it does not load: {said[-1][:SHOWN] if said else f'exit code {done.returncode}'}"
        raise StaticFileNotLoaded(file, what)
    dags: list[dict[str, Any]] = json.loads(lines[-1].removeprefix(MARK))
    return dags


def _static_dag(read: StaticDag, found: dict[str, Any]) -> StaticDag:
    """Return the DAG from the syntax tree, completed by the loaded one; `others` come from the tree only."""
    merge = next(task for task in found["tasks"] if _is_merge(task))
    pod = merge["pod"]
    asked = pod_of_manifest(pod, keep_failed=pod["keep_failed"], deferrable=pod["deferrable"])
    schedule, unread = _schedule(found["schedule"], read.line)
    return replace(
        read,
        schedule=schedule,
        timezone=found["schedule"].get("zone") or ("UTC" if "seconds" in found["schedule"] else found["timezone"]),
        catchup=found["catchup"],
        max_active_runs=found["max_active_runs"],
        tags=tuple(found["tags"]),
        tasks=tuple(StaticTask(one["task_id"], one["operator"], tuple(one["downstream"])) for one in found["tasks"]),
        pod=replace(asked, others=read.pod.others),
        unread=unread,
        **{key: merge[key] for key in ("retries", "owner", "pool", "priority", "execution_timeout")},
    )


def _is_merge(task: dict[str, Any]) -> bool:
    pod = task["pod"]
    words = pod["spec"]["containers"][0].get("args") or () if pod else ()
    return pod is not None and (task["task_id"] == MERGE_TASK or any(word in MERGES for word in words))


def _schedule(found: dict[str, Any], line: int) -> tuple[str | None, dict[str, Unread]]:
    if "cron" in found:
        return found["cron"], {}
    cron = cron_of_seconds(found["seconds"]) if "seconds" in found else None
    if cron is not None:
        return cron, {}
    what = "no cron comes as often as this timedelta" if "seconds" in found else f"a schedule of {found['other']}"
    return None, {"schedule": Unread(line, what)}
