"""From a static DAG to the factory's, in steps that can be repeated: each step recognises what is done already.

Pause the static DAG, wait for its tasks, move its file, write the row, and resume the factory's DAG once Airflow has
it. The rollback is the same backwards, from any step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from airflow_plugin.airflow_api import AirflowClient, DagNow
from airflow_plugin.control.stream_table import RowChange, StreamRow
from airflow_plugin.jobs.merge_job import MERGE_TASK
from airflow_plugin.migrate.cutover_state import STEPS, Cutover, DagCutover, digest, sync_folder, write_state
from airflow_plugin.streams.changing import apply
from airflow_plugin.streams.opening import PlatformStreams, changing
from config_schema.errors import FileUnwritable, StreamFactoryError

POLL_SECONDS = 1.0
NOTE = "Left open by the pause of a cutover from its static file to the factory"
AGAIN = "Run the same command again to go on, or dagfactory migrate cutover --undo"

Notify = Callable[[str], None]


@dataclass(frozen=True)
class Way:
    """What the steps need: Airflow, the state file, who is notified, and the time limit of each wait."""

    airflow: AirflowClient
    state: Path
    changed_by: str
    notify: Notify
    seconds: float


class RollbackOpen(StreamFactoryError):
    """A cutover should continue, but its rollback has begun.

    Finish that: dagfactory migrate cutover --undo.
    """

    code = "DF3209"

    def __init__(self, state: Path) -> None:
        super().__init__(str(state), "it is being rolled back", "Finish that: dagfactory migrate cutover --undo")


class StaticFileChanged(StreamFactoryError):
    """The static DAG file has changed or moved since the cutover began, so it cannot be moved safely.

    Restore it, and run the command again: it continues where it was.
    """

    code = "DF3210"

    def __init__(self, file: Path, what: str, todo: str) -> None:
        self.file = file
        super().__init__(str(file), what, f"{todo}. {AGAIN}")


class RowChanged(StreamFactoryError):
    """A row is neither as it was when the cutover began nor as the cutover writes it.

    Look at dagfactory streams history, and restore one of them.
    """

    code = "DF3211"

    def __init__(self, table: str, row: str) -> None:
        what = f"{row} was changed since the cutover began, or is gone"
        super().__init__(table, what, "Look at dagfactory streams history, and bring it to what it was")


class StepNotDone(StreamFactoryError):
    """Airflow did not do in time what a step of the cutover waits for.

    Run the command again: it continues where it was; a longer --timeout waits longer.
    """

    code = "DF3212"
    retryable = True

    def __init__(self, airflow: str, waited_for: str, seconds: float) -> None:
        self.waited_for, self.seconds = waited_for, seconds
        super().__init__(f"Airflow at {airflow}", f"{waited_for}, after {seconds:g} s", AGAIN)


def carry_out(cutover: Cutover, way: Way) -> Cutover:
    """Perform the open steps. Raises StreamFactoryError; the state then records what was done."""
    if cutover.back == "begun":
        raise RollbackOpen(way.state)
    write_state(way.state, cutover)
    for step in STEPS[len(cutover.done) :]:
        way.notify(f"{step}: begun")
        _DOING[step](cutover, way)
        cutover = cutover.with_done(step)
        write_state(way.state, cutover)
        way.notify(f"{step}: done")
    return cutover


def roll_back(cutover: Cutover, way: Way) -> Cutover:
    """Undo what is done, and what may be half done. Raises StreamFactoryError; it can be run again."""
    cutover = replace(cutover, back="begun")
    write_state(way.state, cutover)
    for step, undo in _UNDOING.items():
        way.notify(f"undo {step}: begun")
        undo(cutover, way)
        way.notify(f"undo {step}: done")
    cutover = replace(cutover, back="done", done=())
    write_state(way.state, cutover)
    return cutover


# --- Forwards


def _pause(cutover: Cutover, way: Way) -> None:
    for dag in cutover.dags:
        way.airflow.set_paused(dag.static_dag_id, True)


def _drain(cutover: Cutover, way: Way) -> None:
    for dag in cutover.dags:
        _drain_dag(dag.static_dag_id, way)


def _drain_dag(dag_id: str, way: Way) -> None:
    """Wait for running tasks. A paused DAG starts no others, so runs with tasks left are ended here."""

    def at_rest() -> bool:
        return not way.airflow.tasks_at_work(dag_id)

    _wait(at_rest, f"tasks of {dag_id} are still at work", way)
    while runs := way.airflow.open_runs(dag_id):
        for run_id in runs:
            # What follows the merge only decides whether to run again at once, and the next run sees to that.
            merged = way.airflow.has_succeeded(dag_id, run_id, MERGE_TASK)
            way.airflow.end_run(dag_id, run_id, "success" if merged else "failed", NOTE)
            way.notify(f"drain: run {run_id} of {dag_id} ended as {'success' if merged else 'failed'}")


def _move(cutover: Cutover, way: Way) -> None:
    _move_once(cutover.path, cutover.aside, cutover.sha256, "moved aside")


def _move_once(source: Path, target: Path, sha256: str, deed: str) -> None:
    """Move the file unless it is at its target already. Raises FileUnwritable, which says that it cannot be `deed`."""
    if _moved(source, target, sha256):
        return
    try:
        source.rename(target)
        sync_folder(source.parent)
    except OSError as error:
        raise FileUnwritable(source, error, AGAIN, deed) from error


def _moved(source: Path, target: Path, sha256: str) -> bool:
    """Return whether the file is at its target.

    Raises StaticFileChanged if it is at both places, at neither, or has changed.
    """
    there = [path for path in (source, target) if path.exists()]
    if len(there) != 1:
        what = f"both it and {target} are there" if there else f"neither it nor {target} is there"
        raise StaticFileChanged(source, what, "Leave the right one of them")
    if digest(there[0]) != sha256:
        what = "it is not as it was when the cutover began"
        raise StaticFileChanged(there[0], what, "Put back what it was")
    return there[0] == target


def _write(cutover: Cutover, way: Way) -> None:
    for platform, dags in _by_platform(cutover):
        with changing(platform) as table:
            rows = table.rows()
            changes = [
                RowChange(dag.stream_key, dag.config_json, "active", "cutover")
                for dag in dags
                if not _is(rows.get(dag.stream_key), (dag.config_json, "active"), dag.row_before, table)
            ]
            apply(table, changes, way.changed_by)


def _resume(cutover: Cutover, way: Way) -> None:
    for dag in cutover.dags:

        def has_it(dag: DagCutover = dag) -> bool:
            now = way.airflow.dag(dag.dag_id)
            return now is not None and not now.is_stale and now.fileloc != dag.fileloc

        _wait(has_it, f"Airflow has no {dag.dag_id} of the factory yet", way)
        way.airflow.set_paused(dag.dag_id, dag.was_paused)


_DOING: dict[str, Callable[[Cutover, Way], None]] = {
    "pause": _pause,
    "drain": _drain,
    "move": _move,
    "write": _write,
    "resume": _resume,
}


# --- Backwards


def _stop_factory(cutover: Cutover, way: Way) -> None:
    for dag in cutover.dags:
        now = way.airflow.dag(dag.dag_id)
        if now is not None and not now.is_stale and not _is_static(now, dag):
            way.airflow.set_paused(dag.dag_id, True)
            _drain_dag(dag.dag_id, way)


def _unwrite(cutover: Cutover, way: Way) -> None:
    for platform, dags in _by_platform(cutover):
        with changing(platform) as table:
            rows = table.rows()
            changes = []
            for dag in dags:
                row = rows.get(dag.stream_key)
                if row is None:
                    continue
                # Where there was no row, whatever has become of ours since is only retired.
                before = dag.row_before or (row.config_json, "retired")
                other = (dag.config_json, "active") if dag.row_before else (row.config_json, row.status)
                if not _is(row, before, other, table):
                    changes.append(RowChange(dag.stream_key, *before, "rollback"))
            apply(table, changes, way.changed_by)


def _move_back(cutover: Cutover, way: Way) -> None:
    _move_once(cutover.aside, cutover.path, cutover.sha256, "moved back")


def _let_static_run(cutover: Cutover, way: Way) -> None:
    for dag in cutover.dags:

        def is_back(dag: DagCutover = dag) -> bool:
            now = way.airflow.dag(dag.static_dag_id)
            return now is not None and not now.is_stale and _is_static(now, dag)

        _wait(is_back, f"Airflow has no {dag.static_dag_id} of {cutover.file} yet", way)
        way.airflow.set_paused(dag.static_dag_id, dag.was_paused)


_UNDOING: dict[str, Callable[[Cutover, Way], None]] = {
    "resume": _stop_factory,
    "write": _unwrite,
    "move": _move_back,
    "pause": _let_static_run,
}


# --- Both


def _is_static(now: DagNow, dag: DagCutover) -> bool:
    return now.dag_id == dag.static_dag_id and now.fileloc == dag.fileloc


def _is(row: StreamRow | None, wanted: tuple[str, str], other: tuple[str, str] | None, table: PlatformStreams) -> bool:
    """Return whether a row is as needed. Raises RowChanged if it is not as it was before, either."""
    now = None if row is None else (row.config_json, row.status)
    if now == wanted:
        return True
    # What an earlier rollback has retired is as good as no row.
    if now == other or (other is None and row is not None and row.status == "retired"):
        return False
    key = "the row" if row is None else row.stream_key
    raise RowChanged(table.name, key)


def _by_platform(cutover: Cutover) -> Iterator[tuple[str, list[DagCutover]]]:
    for platform in dict.fromkeys(dag.platform for dag in cutover.dags):
        yield platform, [dag for dag in cutover.dags if dag.platform == platform]


def _wait(true: Callable[[], bool], what: str, way: Way) -> None:
    """Wait until something becomes true. Raises StepNotDone if it does not in time."""
    give_up, said = time.monotonic() + way.seconds, False
    while not true():
        if not said:
            way.notify(f"waiting: {what}")
            said = True
        if time.monotonic() >= give_up:
            raise StepNotDone(way.airflow.url, what, way.seconds)
        time.sleep(POLL_SECONDS)
