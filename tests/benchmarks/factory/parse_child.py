"""What a DAG file costs in the dag-processor's child process (`parse`) and in a worker (`work`).

Reads requests from stdin and writes what was measured, both a list in JSON. It stands for the dag-processor: it has
loaded what that has and what our listener loads, freezes it as that does, loads the airflow modules that a file names,
and parses in a child.
"""

from __future__ import annotations

import functools
import gc
import hashlib
import importlib
import json
import logging
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.factory.clocks import Clock, Clocks, watch

Measured = dict[str, Any]

# What the dag-processor has loaded, and a worker.
LOADED = (
    "airflow.cli.commands.dag_processor_command",
    "airflow.dag_processing.processor",
    "airflow.sdk.execution_time.task_runner",
)
BUNDLE = "dags-folder"


def main() -> None:
    """Serve each request in a process of its own, so that none profits of another's imports."""
    requests = json.load(sys.stdin)
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "client"
    for module in LOADED:
        importlib.import_module(module)
    logging.disable(logging.INFO)
    gc.freeze()
    serve: dict[str, Callable[[Measured], Any]] = {"parse": _as_processor, "work": _as_worker}
    measured = [_forked(functools.partial(serve[request["what"]], request))[0] for request in requests]
    json.dump(measured, sys.stdout)


def _as_processor(request: Measured) -> list[Measured]:
    """The manager: what each group of files costs in its child."""
    import structlog
    from airflow.dag_processing import processor
    from airflow.listeners.listener import get_listener_manager

    sys.path[:0] = request["python_path"]
    for folder in request["removed"]:
        shutil.rmtree(folder, ignore_errors=True)
    importlib.import_module("psycopg2.extras")  # it has a connection to its metadata database
    get_listener_manager().hook.on_starting(component=None)
    processor._pre_import_airflow_modules(request["groups"][0][0], structlog.get_logger())
    gc.freeze()
    return [_child(request, [Path(file) for file in group]) for group in request["groups"]]


def _child(request: Measured, files: list[Path]) -> Measured:
    measured, kilobytes = _forked(lambda: _parse(request, files))
    return {**measured, "rss_mb": kilobytes * 1024 / 1e6}


def _parse(request: Measured, files: list[Path]) -> Measured:
    """As `airflow.dag_processing.processor._parse_file`, with a clock on each part."""
    import structlog
    from airflow.dag_processing import processor

    clocks = Clocks()
    with clocks["import"]:
        for module in request["modules"]:
            importlib.import_module(module)
    watch(request["watched"], clocks)
    dags = tasks = 0
    digest = ""
    for file in files:
        with clocks["load"]:
            place = {"dag_folder": str(file), "bundle_path": file.parent, "bundle_name": BUNDLE}
            bag = processor.BundleDagBag(**place, load_op_links=False)
        with clocks["serialise"]:
            serialised, errors = processor._serialize_dags(bag, structlog.get_logger())
        if errors or bag.import_errors:
            raise RuntimeError(f"{file}: {errors or bag.import_errors}")
        found = [dag for dag in bag.dags.values() if dag.dag_id.endswith("_ingestion")]  # not those of the platform
        dags += len(found)
        tasks += sum(len(dag.tasks) for dag in found)
        digest += "".join(_digest(dag.data) for dag in serialised if dag.dag_id == request["dag_id"])
    counts = {"files": len(files), "dags": dags, "tasks": tasks, "digest": digest}
    return {**counts, "seconds": clocks.wall, "cpu_seconds": clocks.cpu}


def _digest(serialised: Measured) -> str:
    """The same for DAGs with the same tasks."""
    tasks = sorted(json.dumps(task, sort_keys=True) for task in serialised["dag"]["tasks"])
    return hashlib.sha256("".join(tasks).encode()).hexdigest()


def _as_worker(request: Measured) -> Measured:
    """As `airflow.sdk.execution_time.task_runner.parse`: nothing of the file is loaded before."""
    from airflow.dag_processing.dagbag import BundleDagBag
    from airflow.sdk.definitions._internal.dag_parsing_context import _airflow_parsing_context_manager

    sys.path[:0] = request["python_path"]
    file, clock = Path(request["file"]), Clock()
    with _airflow_parsing_context_manager(dag_id=request["dag_id"], task_id="snapshot_merge_job"), clock:
        place = {"dag_folder": str(file), "bundle_path": file.parent, "bundle_name": BUNDLE}
        bag = BundleDagBag(**place, safe_mode=False, load_op_links=False)
    if request["dag_id"] not in bag.dags:
        raise RuntimeError(f"{file}: {bag.import_errors or 'no such DAG'}")
    return {"dags": len(bag.dags), "seconds": clock.wall, "cpu_seconds": clock.cpu}


def _forked(work: Callable[[], Any]) -> tuple[Any, int]:
    """What `work` returns in a child process, and the child's peak memory in kilobytes."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            answer = json.dumps(work())
            with os.fdopen(writing, "w") as pipe:
                pipe.write(answer)
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        sys.exit("A measured process failed: see above")
    return json.loads(answer), usage.ru_maxrss


if __name__ == "__main__":
    main()
