"""`dagfactory demo`: the product on this machine, from an empty folder to counts that are checked."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from airflow_plugin.demo.airflow import DemoAirflow, check_port, run_to_end
from airflow_plugin.demo.consumer import show_consumers
from airflow_plugin.demo.databases import Databases, create_databases
from airflow_plugin.demo.errors import DagFilesBroken, DemoFolderRefused, DemoTooSlow
from airflow_plugin.demo.model import DemoModel
from airflow_plugin.demo.postgres import EmbeddedPostgres
from airflow_plugin.demo.processes import Processes, inherited_environment, python_module
from airflow_plugin.demo.report import Report
from airflow_plugin.demo.rounds import PLATFORMS, Line, run_round
from config_schema import names
from config_schema.errors import FileUnwritable
from config_schema.load import load_model

DSN_VARIABLE = "DAGFACTORY_DSN"
CHANGES = 12
SEED = 7
NAMES = tuple(platform.original for platform in PLATFORMS)
SHOWN_SECONDS = 90
SCHEDULED_SECONDS = 150
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Exit = Annotated[bool, typer.Option("--exit", help="End after the check; otherwise the UI stays up until Ctrl+C.")]
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="How many rounds; every second one changes data.")]
Port = Annotated[int, typer.Option("--port", min=1, max=65535, help="Port of Airflow's UI.", envvar="DAGFACTORY_PORT")]
Dir = Annotated[
    Path | None, typer.Option("--dir", help="Keep everything here, for the next time too.", envvar="DAGFACTORY_DIR")
]
ModelFolder = Annotated[
    Path | None, typer.Option("--model", help="Another model of the same datasets than config_schema/examples.")
]


def demo(
    end: Exit = False, rounds: Rounds = 3, port: Port = 8080, directory: Dir = None, model: ModelFolder = None
) -> None:
    """Run the whole product on this machine: PostgreSQL, Airflow, two platforms, changing data.

    A server of yours is taken instead of the embedded PostgreSQL if DAGFACTORY_DSN names one, with a role that may
    create roles and databases.

    Example: dagfactory demo --exit --port 8090

    Exit codes: 0 the counts are the truth, 1 they are not, or an error.
    """
    check_port(port)
    if model is not None:
        load_model(model)  # a broken one is reported before anything is started
    report = Report()
    with stopped_by_signals(), demo_folder(directory) as folder, _postgres(folder, report) as databases:
        processes = Processes(folder)
        try:
            demo_model = DemoModel(folder / "model", databases, *([model] if model else []))
            right = _run(folder, port, rounds, databases, demo_model, processes, report)
            if not end:
                report.wait_for_interrupt()
        finally:
            ignore_signals()  # stopping takes seconds, and must not be cut short by an impatient second Ctrl+C
            report.step("Stopping")
            processes.end()
    raise typer.Exit(0 if right else 1)


def _run(
    folder: Path,
    port: int,
    rounds: int,
    databases: Databases,
    model: DemoModel,
    processes: Processes,
    report: Report,
) -> bool:
    environment = model.secrets() | {names.dsn_variable(p.name): databases.dsn("datasurface_merge") for p in PLATFORMS}
    ours = inherited_environment() | environment
    report.step("Producer: customers and addresses")
    _simulate(databases, ours, "--create-tables", "--max-changes", "0")
    report.step("Model: committed to git, without schedules for now")
    model.commit(scheduled=False)
    _sync(model, ours, report)
    airflow = DemoAirflow(folder / "airflow", port, databases.dsn("airflow"), environment, processes)
    _drop_in_factory_files(model, folder / "files", airflow, ours)
    with contextlib.closing(airflow.api):
        _start(airflow, report)
        lines = _all_rounds(rounds, airflow, databases, ours, report)
        report.table(lines)
        _change_configuration(airflow, model, ours, report)
        show_consumers(databases, model.folder, ours, report)
        report.outcome(lines, airflow)
    return not any(line.differs for line in lines)


def _sync(model: DemoModel, environment: dict[str, str], report: Report) -> None:
    command = python_module("airflow_plugin", "sync", str(model.folder), "--yes")
    report.say(run_to_end(command, environment, "dagfactory sync"))


def _drop_in_factory_files(model: DemoModel, out: Path, airflow: DemoAirflow, environment: dict[str, str]) -> None:
    command = python_module("airflow_plugin", "bootstrap", "--model", str(model.folder), "--out", str(out))
    run_to_end(command, environment, "dagfactory bootstrap")
    shutil.copytree(out / "dags", airflow.dags, dirs_exist_ok=True)
    shutil.copytree(out / "settings", airflow.home / "stream_factory", dirs_exist_ok=True)


def _start(airflow: DemoAirflow, report: Report) -> None:
    with report.waiting("Airflow: metadata tables"):
        airflow.migrate()
    with report.waiting("Airflow: starting") as update:
        airflow.start()
        for healthy in airflow.becoming_healthy():
            update(f"Airflow: {', '.join(healthy) or 'starting'}")
    with report.waiting("Airflow: waiting for the DAGs"):
        _until(SHOWN_SECONDS, lambda: _shown(airflow, dict.fromkeys(NAMES)), airflow, "the DAGs")


def _all_rounds(
    rounds: int, airflow: DemoAirflow, databases: Databases, environment: dict[str, str], report: Report
) -> list[Line]:
    lines: list[Line] = []
    with report.rounds(rounds) as (advance, announce_line):
        for number in range(1, rounds + 1):
            label = "first load" if number == 1 else "changes" if number % 2 == 0 else "nothing changed"
            if label == "changes":
                limits = ("--max-changes", str(CHANGES), "--seed", str(SEED + number))
                announce_line(_simulate(databases, environment, *limits).strip())
            lines += run_round(f"{number} {label}", airflow, databases, announce_line)
            advance()
    return lines


def _change_configuration(airflow: DemoAirflow, model: DemoModel, environment: dict[str, str], report: Report) -> None:
    """Commit and sync other schedules: they reach Airflow through rows, and no DAG file changes."""
    report.step("Model: the schedules come in, by another commit and another sync")
    before = {run["dag_run_id"] for run in airflow.api.runs(PLATFORMS[0].dag_id)}  # of an earlier demo in this folder
    model.commit(scheduled=True)
    _sync(model, environment, report)
    schedules = {p.name: p.schedule for p in load_model(model.folder).ecosystem.platforms}

    def scheduled_run() -> bool:
        runs = airflow.api.runs(PLATFORMS[0].dag_id)
        return any(
            run["run_type"] == "scheduled" and run["state"] == "success" and run["dag_run_id"] not in before
            for run in runs
        )

    with report.waiting("Airflow: waiting until it shows them"):
        _until(SHOWN_SECONDS, lambda: _shown(airflow, schedules), airflow, "the schedules")
    with report.waiting("Airflow: waiting for a scheduled run"):
        _until(SCHEDULED_SECONDS, scheduled_run, airflow, "a scheduled run")
    report.step("A scheduled run has passed: configuration changed, and no file did")


def _shown(airflow: DemoAirflow, schedules: Mapping[str, str | None]) -> bool:
    """Return whether Airflow has each platform's DAG, with the schedule that it should have."""
    dags = {platform: airflow.api.dag(platform.dag_id) for platform in PLATFORMS}
    return all(dag and dag["timetable_summary"] == schedules[platform.original] for platform, dag in dags.items())


def _until(seconds: float, happened: Callable[[], bool], airflow: DemoAirflow, what: str) -> None:
    give_up = time.monotonic() + seconds
    while not happened():
        airflow.check_alive()
        if errors := airflow.api.import_errors():
            raise DagFilesBroken(errors[0].strip().splitlines()[-1])
        if time.monotonic() > give_up:
            raise DemoTooSlow("Airflow", what, seconds, airflow.processes.logs)
        time.sleep(0.5)


def _simulate(databases: Databases, environment: dict[str, str], *arguments: str) -> str:
    at = ("--host", databases.host, "--port", str(databases.port), "--database", "customer_db", "--user", "producer")
    command = python_module("merge_jobs", "simulate", *at, "--min-interval", "0", "--max-interval", "0", *arguments)
    secret = {"SIMULATOR_PASSWORD": databases.passwords["producer"]}
    return run_to_end(command, environment | secret, "merge-job simulate")


@contextlib.contextmanager
def _postgres(folder: Path, report: Report) -> Iterator[Databases]:
    passwords = folder / "passwords.json"
    if dsn := os.environ.get(DSN_VARIABLE):
        report.step("PostgreSQL: yours")
        yield create_databases(dsn, DSN_VARIABLE, passwords)
        return
    with EmbeddedPostgres(folder / "postgres") as server:
        report.step(f"PostgreSQL: embedded, port {server.port}")
        yield create_databases(server.dsn(), "embedded PostgreSQL", passwords)


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let TERM and HUP unwind as Ctrl+C does, so that everything is stopped."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_signals() -> None:
    """Ignore signals until `stopped_by_signals` ends."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def demo_folder(given: Path | None) -> Iterator[Path]:
    """Yield the folder, created if missing. Raises StreamFactoryError if another demo uses it."""
    if given is None:
        with tempfile.TemporaryDirectory(prefix="stream-factory-demo-", ignore_cleanup_errors=True) as made:
            Path(made).chmod(0o711)  # as root PostgreSQL runs as another user, who has to walk through
            yield Path(made)
        return
    where = f"--dir {given}"
    if any(character.isspace() for character in str(given.resolve())):
        raise DemoFolderRefused(where, "a path with a space is no address of a model", "Name one without")
    try:
        given.mkdir(parents=True, exist_ok=True)
        lock = (given / "lock").open("w")
    except OSError as error:
        raise FileUnwritable(where, error, "Name a folder of yours", "used") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DemoFolderRefused(where, "another demo runs in it", "End that one, or name another") from error
        yield given.resolve()
