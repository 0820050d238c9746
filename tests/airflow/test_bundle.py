"""The bundle under real dag-processors: what has changed is parsed at once and nothing else, and no DAG goes missing.

One dag-processor goes on through all tests, since it takes a while to start; each test leaves all files parsed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import RowChange, StreamTable
from airflow_plugin.factory.bundle_config import CLASSPATH, DAGS_FOLDER, FIRST_STALE_DAG_THRESHOLD, with_streams
from airflow_plugin.factory.factory_file import bundle_file
from airflow_plugin.factory.shard_files.folder import modified, touch
from airflow_plugin.factory.shard_files.layout import file_count, file_of
from config_schema import names
from tests.airflow.conftest import Streams, config
from tests.airflow.real_airflow import OF_PLATFORM, RealAirflow
from tests.airflow.running_processor import RunningProcessor, bundle_settings, running_processor
from tests.relay import Relay

TABLE = "yellowlive_airflow_dsg"
AWAY, REFRESH = "the stream table cannot be read", "Refreshing bundle"  # in the dag-processor's log
MANY = int(os.environ.get("DAGFACTORY_TEST_MANY_STREAMS", "1000"))
STORED = 120.0  # seconds that a change may take on a machine that does much else
# Whatever was ever taken for deleted, though it was there a moment later.
WATCH_STALE = """
CREATE TABLE IF NOT EXISTS went_stale (dag_id text);
TRUNCATE went_stale;
CREATE OR REPLACE FUNCTION note_stale() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO went_stale VALUES (NEW.dag_id); RETURN NULL; END $$;
CREATE OR REPLACE TRIGGER note_stale AFTER UPDATE ON dag
    FOR EACH ROW WHEN (NEW.is_stale AND NOT OLD.is_stale) EXECUTE FUNCTION note_stale();
"""


@dataclass
class World:
    """A platform with 60 streams in 2 files, and the dag-processor that has them; `relay` is its way to the rows."""

    real: RealAirflow
    streams: Streams
    processor: RunningProcessor
    relay: Relay

    def write(self, *numbers: int, status: str = "active", **changes: Any) -> None:
        configs = [config("YellowLive", f"Store{number}", **changes) for number in numbers]
        self.streams.write("YellowLive", *configs, status=status)

    def execute(self, statement: str) -> None:
        with closing(psycopg2.connect(self.streams.dsn)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def wait(self, what: str, seen: Any, seconds: float = STORED) -> Any:
        return self.processor.wait(what, seen, seconds)

    def log(self) -> str:
        return self.processor.log.read_text()

    def heartbeat(self) -> Any:
        """When the loop of the dag-processor was last alive."""
        ((found,),) = self.real.query("SELECT max(latest_heartbeat) FROM job WHERE job_type = 'DagProcessorJob'")
        return found

    def minute(self, number: int) -> str:
        """The schedule of a stream as Airflow has it."""
        ((found,),) = self.real.query("SELECT timetable_summary FROM dag WHERE dag_id = %s", dag_id(number))
        return found

    def parsed(self) -> dict[str, Any]:
        """When each DAG was last parsed."""
        return dict(self.real.query("SELECT dag_id, last_parsed_time FROM dag"))

    def files(self) -> dict[str, str]:
        rows = self.real.query("SELECT dag_id, relative_fileloc FROM dag WHERE NOT is_stale")
        return {one: file for one, file in rows if not one.endswith(OF_PLATFORM)}

    def bundles(self, dag_ids: list[str]) -> set[str]:
        """The bundles that Airflow has these DAGs of."""
        return {one for (one,) in self.real.query("SELECT bundle_name FROM dag WHERE dag_id = ANY(%s)", dag_ids)}

    def stale(self) -> set[str]:
        return {one for (one,) in self.real.query("SELECT dag_id FROM went_stale")}

    def are_answered(self) -> bool:
        """Whether each file was parsed, with its rows, since it was last touched."""
        stamps = self.processor.files / ".parses"
        files = list(self.processor.files.glob("*.py"))
        done = [(file, stamps / f"{file.name}.done") for file in files]
        return all(mark.exists() and mark.stat().st_mtime_ns == file.stat().st_mtime_ns for file, mark in done)


def dag_id(number: int) -> str:
    return names.dag_id("yellowlive", f"Store{number}")


@pytest.fixture(scope="module")
def running(migrated_airflow: RealAirflow, postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    before = dict(migrated_airflow.environment)
    migrated_airflow.forget_dags()
    postgres.create_role("bundle", "bundle")
    postgres.create_database("bundle", "bundle")
    streams = Streams(migrated_airflow, postgres.dsn("bundle", "bundle", "bundle"))
    relay = Relay(postgres.port)
    streams.settle("YellowLive", runners=("process",))
    streams.write("YellowLive", *(config("YellowLive", f"Store{number}", schedule="0 0 * * *") for number in range(60)))
    migrated_airflow.query(WATCH_STALE)
    (migrated_airflow.dags_folder / "yellowlive_factory.py").unlink()
    way = streams.dsn.replace(f":{postgres.port}/", f":{relay.port}/")
    environment = bundle_settings("YellowLive", classpath="tests.airflow.failing_bundle.FailingBundle") | {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        names.dsn_variable("yellowlive"): way,
        "AIRFLOW__SCHEDULER__PARSING_CLEANUP_INTERVAL": "1",
        "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "2",
    }
    try:
        with running_processor(migrated_airflow, tmp_path_factory.mktemp("bundle"), environment) as processor:
            world = World(migrated_airflow, streams, processor, relay)
            processor.wait("the first pass", lambda: len(world.files()) == 60, 600)
            yield world
    finally:
        relay.close()
        migrated_airflow.query("DROP TRIGGER note_stale ON dag")
        migrated_airflow.forget_dags()
        migrated_airflow.environment = before


@pytest.fixture
def world(running: World) -> Iterator[World]:
    running.wait("all files are parsed", running.are_answered)
    time.sleep(2)  # what was parsed is stored
    running.real.query("TRUNCATE went_stale")
    yield running
    running.relay.release()


def test_of_a_changed_row_only_the_file_is_parsed_and_nothing_else(world):
    before = world.parsed()
    world.write(7, schedule="7 0 * * *")
    world.wait("the change", lambda: world.minute(7) == "7 0 * * *")
    after = world.parsed()
    parsed = {world.files()[one] for one in world.files() if after[one] != before[one]}
    assert parsed == {names.bundle_streams_file("yellowlive", file_of(dag_id(7), 2))}
    assert {one for one in after if one.endswith(OF_PLATFORM) and after[one] != before[one]} == set()
    assert world.stale() == set()


def test_of_rows_that_change_while_their_file_is_parsed_the_last_is_stored(world):
    for round in range(3):
        until = time.monotonic() + 2 + round / 2
        minute = 0
        while time.monotonic() < until:
            minute += 1
            world.write(8, schedule=f"{minute % 60} {round} * * *")
        wanted = f"{minute % 60} {round} * * *"
        world.wait("the last change", lambda wanted=wanted: world.minute(8) == wanted)
    assert world.stale() == set()


def test_a_file_that_is_deleted_by_hand_is_there_again_and_so_are_its_dags(world):
    file = world.processor.files / names.bundle_streams_file("yellowlive", 1)
    file.unlink()
    world.wait("the file", file.exists)
    # Airflow may have listed the folder just then; if so the DAGs of this file are back with its parse.
    world.wait("its parse", world.are_answered)
    world.wait("its DAGs", lambda: len(world.files()) == 60)
    assert world.stale() <= {dag_id(number) for number in range(60) if file_of(dag_id(number), 2) == 1}


def test_while_refresh_raises_all_dags_stay_and_after_it_changes_are_seen(world):
    fail = world.processor.files.with_name("fail")
    fail.touch()
    try:
        world.wait("the error", lambda: "this bundle is to fail" in world.log())
        world.write(9, schedule="9 0 * * *")
        time.sleep(3)
        assert world.minute(9) == "0 0 * * *"
    finally:
        fail.unlink()
    world.wait("the change", lambda: world.minute(9) == "9 0 * * *")
    assert world.stale() == set()


def test_while_nothing_changes_airflow_does_not_look_through_all_dags_each_second(world):
    refreshes, beaten = world.log().count(REFRESH), world.heartbeat()
    world.wait("some turns of the loop", lambda: (world.heartbeat() - beaten).total_seconds() >= 10)
    assert world.log().count(REFRESH) <= refreshes + 1


def test_a_sync_that_is_rolled_back_is_not_seen_and_one_that_commits_late_is(world):
    before = world.parsed()
    with closing(psycopg2.connect(world.streams.dsn)) as sync:
        rows = [RowChange(f"Store{one}", json.dumps(config("YellowLive", f"Store{one}")), "active", "test")
                for one in range(60)]  # fmt: skip
        table = StreamTable(ControlSession(sync, "yellowlive"))
        table.write(rows, changed_by="test")
        time.sleep(3)
        sync.rollback()
        time.sleep(3)
        assert world.parsed() == before
        late = RowChange("Store10", json.dumps(config("YellowLive", "Store10", schedule="10 0 * * *")),
                                      "active", "test")  # fmt: skip
        table.write([late], changed_by="test")
        world.write(11, schedule="11 0 * * *")
        world.wait("the later change", lambda: world.minute(11) == "11 0 * * *")
        sync.commit()
    world.wait("the one that was begun before", lambda: world.minute(10) == "10 0 * * *")


@pytest.mark.parametrize("how", ["hold", "refuse"])
def test_while_the_database_hangs_or_refuses_all_dags_stay_and_its_changes_come_with_it(world, how):
    warnings = world.log().count(AWAY)
    getattr(world.relay, how)()
    world.write(12, schedule=f"{len(how)} 12 * * *")
    world.wait("a warning", lambda: world.log().count(AWAY) > warnings)
    beaten = world.heartbeat()
    world.wait("the loop goes on", lambda: (world.heartbeat() - beaten).total_seconds() >= 6)
    assert world.stale() == set()
    world.relay.release()
    world.wait("the change", lambda: world.minute(12) == f"{len(how)} 12 * * *")
    assert world.stale() == set()


def test_after_a_restore_the_rows_that_went_back_are_stored_and_later_changes_seen(world, postgres):
    with maintenance(postgres) as cursor:
        world.relay.refuse()
        end_sessions(cursor, "bundle")
        cursor.execute("CREATE DATABASE bundle_dump TEMPLATE bundle OWNER bundle")
        world.relay.release()
        world.write(13, schedule="13 0 * * *")
        world.wait("the change", lambda: world.minute(13) == "13 0 * * *")
        world.relay.refuse()
        end_sessions(cursor, "bundle")
        cursor.execute("DROP DATABASE bundle WITH (FORCE)")
        cursor.execute("ALTER DATABASE bundle_dump RENAME TO bundle")
    world.relay.release()
    world.wait("what it was before", lambda: world.minute(13) == "0 0 * * *")
    world.write(14, schedule="14 0 * * *")
    world.wait("a later change", lambda: world.minute(14) == "14 0 * * *")
    assert world.stale() == set()


def test_changes_come_while_there_are_two_dag_processors_and_when_one_is_killed_over_a_change(world, tmp_path):
    environment = bundle_settings("YellowLive") | {names.dsn_variable("yellowlive"): world.streams.dsn}
    with running_processor(world.real, tmp_path, environment, "two") as other:
        other.wait("its first pass", lambda: len(list((other.files / ".parses").glob("*.done"))) >= 3, 600)
        world.write(15, schedule="15 0 * * *")
        world.wait("the change", lambda: world.minute(15) == "15 0 * * *")
        world.write(15, schedule="15 1 * * *")
        time.sleep(0.5)
        other.process.kill()
        world.wait("the change by the one that is left", lambda: world.minute(15) == "15 1 * * *")
    assert world.stale() == set()


def test_started_again_after_the_clock_was_set_back_a_dag_processor_stores_changes_and_rests(world, tmp_path):
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        pytest.skip("there is no libfaketime on this machine (the package faketime)")
    environment = bundle_settings("YellowLive") | {names.dsn_variable("yellowlive"): world.streams.dsn}
    # It does not know the way in which Python sleeps.
    (tmp_path / "sitecustomize.py").write_text(
        "import select, time\ntime.sleep = lambda seconds: select.select([], [], [], seconds)\n"
    )
    slow = {"LD_PRELOAD": str(library), "FAKETIME": "-3h", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}
    slow["PYTHONPATH"] = str(tmp_path)
    world.relay.refuse()  # the other dag-processor does not see what is changed
    with running_processor(world.real, tmp_path, environment, "back") as before:
        before.wait("its first pass", lambda: len(list(before.files.glob(".parses/*.done"))) >= 3, 600)
    with running_processor(world.real, tmp_path, environment | slow, "back") as after:
        files = list(after.files.glob("*.py"))
        after.wait(
            "no file is of the future", lambda: all(modified(one) / 1e9 < time.time() - 9000 for one in files), 600
        )
        for minute in (17, 18):
            world.write(17, schedule=f"{minute} 3 * * *")
            after.wait("the change", lambda minute=minute: world.minute(17) == f"{minute} 3 * * *", STORED)
        before_rest = world.parsed()
        time.sleep(3)
        assert world.parsed() == before_rest
    # Two dag-processors whose clocks are so far apart mark the DAGs of each other as stale: that is Airflow itself.
    world.relay.release()
    for file in world.processor.files.glob("*.py"):
        touch(file)
    world.wait("all DAGs", lambda: len(world.files()) == 60)


def test_a_platform_moves_from_its_factory_file_to_the_bundle_and_no_dag_is_stale_for_a_moment(world, tmp_path):
    moved = [names.dag_id("yellowforensic", f"Moved{number}") for number in range(3)]
    world.streams.settle("YellowForensic", runners=("process",))
    world.streams.write("YellowForensic", *(config("YellowForensic", f"Moved{number}") for number in range(3)))
    factory_file = world.real.dags_folder / names.factory_file("yellowforensic")
    # By another name: the other dag-processor takes what it does not know of its own bundle for deleted.
    bundle = {"name": "moved", "classpath": CLASSPATH, "kwargs": {"platforms": ["YellowForensic"]}}
    try:
        world.real.parse(**with_bundles())
        assert world.bundles(moved) == {"dags-folder"}
        # As if Airflow had been away for longer than its own stale_dag_threshold.
        world.real.query("UPDATE dag SET last_parsed_time = now() - interval '5 minutes' WHERE dag_id = ANY(%s)", moved)
        factory_file.write_text(bundle_file("YellowForensic", None))
        environment = {
            **with_bundles(bundle),
            "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": str(FIRST_STALE_DAG_THRESHOLD),
        }
        with running_processor(world.real, tmp_path, environment, "moving") as other:
            other.wait("the DAGs in the bundle", lambda: world.bundles(moved) == {"moved"}, 600)
        assert world.stale() & set(moved) == set()
    finally:
        factory_file.unlink()
        for table in ("dag_version", "dag"):
            world.real.query(f"DELETE FROM {table} WHERE starts_with(dag_id, %s)", "yellowforensic")


def with_bundles(*more: dict[str, Any]) -> dict[str, str]:
    found = [*with_streams([DAGS_FOLDER], ["YellowLive"]), *more]
    return bundle_settings("YellowLive") | {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(found)}


WORKER = """
import sys
from pathlib import Path
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.sdk.definitions._internal.dag_parsing_context import _airflow_parsing_context_manager
from airflow.sdk.execution_time import task_runner
from tests.airflow.of_version import dag_bag

task_runner.SUPERVISOR_COMMS = None  # as in the process of a task
bundle = DagBundlesManager().get_bundle(name="streams")
bundle.initialize()
for file in sys.argv[2:]:
    with _airflow_parsing_context_manager(dag_id=sys.argv[1], task_id="snapshot_merge_job"):
        bag = dag_bag(Path(bundle.path, file), bundle.path)
    print(file, sorted(bag.dags), bag.import_errors)
"""


def test_a_worker_on_another_machine_loads_a_dag_from_any_file_that_airflow_has_stored(world, tmp_path):
    files = [names.bundle_streams_file("yellowlive", number) for number in (0, 1, 777)]
    files.append(names.bundle_platform_file("yellowlive"))
    elsewhere = {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(tmp_path)}
    environment = world.real.environment | bundle_settings("YellowLive") | elsewhere
    environment[names.dsn_variable("yellowlive")] = world.streams.dsn
    command = [sys.executable, "-c", WORKER, dag_id(16), *files]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    loaded = [line for line in done.stdout.splitlines() if line.startswith("yellowlive_factory")]
    assert loaded == [f"{file} {[dag_id(16)]} {{}}" for file in files], done.stdout


def test_more_streams_make_more_files_and_no_dag_is_missing_for_a_moment_and_many_are_retired_at_once(world):
    total = 60 + MANY
    world.write(*range(60, total), schedule=None)
    count = file_count(total)
    wanted = {
        dag_id(number): names.bundle_streams_file("yellowlive", file_of(dag_id(number), count))
        for number in range(total)
    }
    world.wait("each in its file", lambda: world.files() == wanted, 10 * STORED)
    assert world.stale() == set()
    world.execute(f"UPDATE {TABLE} SET status = 'retired' WHERE substr(stream_key, 6)::int >= 60")
    world.wait("the retired ones are gone", lambda: len(world.files()) == 60, 10 * STORED)
    assert world.stale() == {dag_id(number) for number in range(60, total)}


@contextmanager
def maintenance(postgres: Any) -> Iterator[Any]:
    with closing(psycopg2.connect(postgres.dsn())) as connection:
        connection.autocommit = True  # databases are made and dropped outside of a transaction
        with connection.cursor() as cursor:
            yield cursor


def end_sessions(cursor: Any, database: str) -> None:
    cursor.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (database,))
