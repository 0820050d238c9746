"""Which files of the bundle are written and touched: of changed streams only, and none goes before its DAGs moved."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from airflow_plugin.control.connection import MergeStoreError
from airflow_plugin.control.stream_changes import Looked, StreamState
from airflow_plugin.factory.shard_files import keeper as keeper_module
from airflow_plugin.factory.shard_files.folder import BEGUN, DONE, ShardFolder, modified, stamp
from airflow_plugin.factory.shard_files.keeper import Keeper
from airflow_plugin.factory.shard_files.layout import file_of, shard_of
from airflow_plugin.factory.shard_files.watch import SeenChanges
from airflow_plugin.rows.last_good_file import forgotten_file
from airflow_plugin.settings import snapshot_path
from config_schema import names
from config_schema.errors import StreamFactoryError

AWAY = MergeStoreError("DAGFACTORY_YELLOWLIVE_DSN", "nobody listens there", "Start the server")
PLATFORM_FILE = "yellowlive_factory_platform.py"


class World:
    """A folder of the bundle, what the stream table holds, what Airflow has stored, and the keeper between them."""

    def __init__(self, folder: Path) -> None:
        self.folder = ShardFolder(folder, "YellowLive")
        self.streams: dict[str, StreamState] = {}
        self.stored: dict[str, str] | None = {}
        self.before: dict[str, int] = {}
        self.start()

    def start(self, stale_seconds: float = 0.0, parse_seconds: float = 60.0, store_seconds: float = 0.0) -> None:
        waits = {"stale_seconds": stale_seconds, "parse_seconds": parse_seconds, "store_seconds": store_seconds}
        self.keeper = Keeper(self.folder, **waits)

    def rows(self, *numbers: int, digest: int = 1, retired: bool = False) -> set[str]:
        changed = {f"Store{number}" for number in numbers}
        self.streams |= dict.fromkeys(changed, StreamState(digest, retired, counts=not retired))
        return changed

    def keep(self, changed: set[str] | None = None, trouble: StreamFactoryError | None = None) -> set[str]:
        """A refresh; the files that Airflow will parse after it."""
        before = self.times()
        looked = Looked("1:1:", "here", has_revisions=True, streams=dict(self.streams))
        self.keeper.keep(SeenChanges(changed or set(), None if trouble else looked, trouble), lambda: self.stored)
        return {name for name, at in self.times().items() if at != before.get(name)}

    def times(self) -> dict[str, int]:
        return {path.name: modified(path) for path in self.folder.folder.glob("*.py")}

    def parse(self, *files: str, done: bool = True) -> None:
        """What a parse of these files leaves, of all without any, and what Airflow stores after it."""
        for name in files or self.times():
            path = self.folder.folder / name
            stamp(path, BEGUN, modified(path))
            if not done:
                continue
            stamp(path, DONE, modified(path))
            number = self.folder.number_of(name)
            part = None if number is None else self.folder.shard(number)
            if part is not None and self.stored is not None:
                ids = [names.dag_id("yellowlive", key) for key, state in self.streams.items() if not state.retired]
                self.stored |= {dag_id: name for dag_id in ids if part.has(dag_id)}

    def file(self, number: int, count: int) -> str:
        return self.name(file_of(names.dag_id("yellowlive", f"Store{number}"), count))

    def name(self, number: int) -> str:
        return names.bundle_streams_file("yellowlive", number)


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGFACTORY_SETTINGS_DIR", str(tmp_path / "settings"))
    monkeypatch.setenv("DAGFACTORY_SNAPSHOT_DIR", str(tmp_path / "snapshots"))
    for name in ("settings", "snapshots", "files"):
        (tmp_path / name).mkdir()
    return World(tmp_path / "files")


def test_streams_are_split_over_files_of_about_fifty_and_the_platform_has_its_own(world):
    assert world.keep(world.rows(*range(120))) == {world.name(0), world.name(1), world.name(2), PLATFORM_FILE}
    assert 'platform="YellowLive", part="2/2"' in (world.folder.path(1)).read_text()
    assert 'part="platform"' in world.folder.platform_path.read_text()
    assert world.keep() == set()


def test_only_the_files_of_changed_streams_are_touched(world):
    world.keep(world.rows(*range(120)))
    world.parse()
    assert world.keep(world.rows(7, digest=2)) == {world.file(7, 3)}
    assert world.keep({"Store8"}) == {world.file(8, 3)}


def set_back(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """Set this machine's clock back."""
    now, now_ns = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: now() - seconds)
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() - seconds * 10**9)


def test_after_the_clock_was_set_back_a_changed_file_is_newer_than_its_last_parse_and_then_of_now(world, monkeypatch):
    world.keep(world.rows(*range(120)))
    world.parse()
    last_finish = time.time() + 1  # by Airflow, which parses what is newer
    file = world.folder.folder / world.file(7, 3)
    set_back(monkeypatch, 3600)
    assert world.keep() == set()
    assert world.keep(world.rows(7, digest=2)) == {file.name}
    assert modified(file) / 1e9 > last_finish
    world.parse(file.name)
    world.keep()
    assert modified(file) / 1e9 <= time.time()  # else Airflow would parse it again and again
    assert world.keep() == set()
    assert world.keep(world.rows(7, digest=3)) == {file.name}
    assert abs(modified(file) / 1e9 - time.time()) < 60


def test_files_of_the_future_are_of_now_once_a_dag_processor_that_was_started_again_has_parsed_them(world, monkeypatch):
    world.keep(world.rows(*range(120)))
    world.parse()
    set_back(monkeypatch, 3600)
    world.start()
    world.keep()
    world.parse()
    world.keep()
    assert all(at / 1e9 <= time.time() for at in world.times().values())
    assert world.keep() == set()


def test_a_retired_stream_is_parsed_again_when_airflow_can_take_its_dag_for_deleted(world):
    world.keep(world.rows(*range(120)))
    world.parse()
    assert world.keep(world.rows(7, retired=True)) == {world.file(7, 3)}
    world.parse()
    assert world.keep() == {world.file(7, 3)}
    world.parse()
    assert world.keep() == set()


def test_a_file_that_changes_soon_after_a_parse_is_parsed_again_when_airflow_stores_its_dags_again(world, monkeypatch):
    """Airflow does not store a DAG that it has stored less than min_serialized_dag_update_interval ago."""
    monkeypatch.setattr(keeper_module, "STORE_SECONDS", 0.0)
    world.start(store_seconds=1.0)
    world.keep(world.rows(*range(120)))
    world.parse()
    assert world.keep(world.rows(7, digest=2)) == {world.file(7, 3)}
    world.parse()
    assert world.keep() == set()  # not before that time is over
    time.sleep(1.1)
    assert world.keep() == {world.file(7, 3)}
    world.parse()
    time.sleep(1.1)
    assert world.keep() == set()  # nothing has changed since
    assert world.keep(world.rows(7, digest=3)) == {world.file(7, 3)}
    world.parse()
    time.sleep(1.1)
    assert world.keep() == set()  # the parse before that was long ago


def test_a_file_more_is_parsed_and_stored_before_the_one_that_loses_to_it_is_touched(world):
    world.keep(world.rows(*range(120)))
    world.parse()
    changed = world.rows(*range(120, 151))
    gaining, losing = world.name(3), world.name(1)
    touched = world.keep(changed)
    assert gaining in touched
    assert losing not in touched
    assert world.keep({"Store7"}) <= {world.file(7, 4)} - {losing}
    world.parse(*(world.times().keys() - {losing}))
    assert world.keep() == {losing}
    assert world.folder.shard(1) == shard_of(1, 4)
    world.parse()
    assert world.keep() == set()


def test_dags_that_a_parse_of_the_losing_file_took_back_are_waited_for(world):
    world.keep(world.rows(*range(120)))
    world.parse()
    world.keep(world.rows(*range(120, 151)))
    gaining, losing = world.name(3), world.name(1)
    world.parse(gaining)
    world.parse(losing)
    assert world.keep() == {gaining}
    world.parse(gaining)
    assert losing in world.keep()


def test_where_airflow_cannot_be_asked_a_file_waits_as_long_as_a_parse_may_take(world):
    world.stored = None
    world.keep(world.rows(*range(120)))
    world.parse()
    world.keep(world.rows(*range(120, 151)))
    world.parse(world.name(3))
    assert world.name(1) not in world.keep()
    world.start(parse_seconds=0)
    assert world.name(1) in world.keep()


def test_with_fewer_streams_a_file_goes_when_its_dags_are_stored_elsewhere(world):
    world.keep(world.rows(*range(151)))
    world.parse()
    going, gaining = world.name(3), world.name(1)
    for number in range(110, 151):
        del world.streams[f"Store{number}"]
        world.stored.pop(names.dag_id("yellowlive", f"Store{number}"))
    assert world.keep({f"Store{number}" for number in range(110, 151)}) >= {gaining}
    assert going in world.times()
    world.parse(gaining)
    world.keep()
    assert going not in world.times()
    assert world.folder.shard(1) == shard_of(1, 3)


def test_a_file_deleted_or_changed_by_hand_is_written_again(world):
    world.keep(world.rows(*range(120)))
    world.parse()
    world.folder.path(1).unlink()
    world.folder.path(2).write_text("import os")
    world.folder.platform_path.unlink()
    assert world.keep() == {world.name(1), world.name(2), PLATFORM_FILE}
    assert world.folder.shard(2) == shard_of(2, 3)


def test_what_changed_while_its_file_was_parsed_is_parsed_once_more(world, monkeypatch):
    monkeypatch.setattr(keeper_module, "AGAIN_SECONDS", (0.0,))
    world.keep(world.rows(*range(120)))
    world.parse()
    file = world.folder.folder / world.file(7, 3)
    found = modified(file)
    stamp(file, BEGUN, found)
    assert world.keep(world.rows(7, digest=2)) == {file.name}
    stamp(file, DONE, found)  # Airflow has counted the touch for this parse
    assert world.keep() == {file.name}
    world.parse()
    assert world.keep() == set()


def test_a_parse_that_could_not_read_the_rows_is_followed_by_another(world, monkeypatch):
    monkeypatch.setattr(keeper_module, "AGAIN_SECONDS", (0.0,))
    world.start(parse_seconds=0)
    world.keep(world.rows(*range(40)))
    world.parse(done=False)
    assert world.keep() == {world.name(0), PLATFORM_FILE}
    world.parse()
    assert world.keep() == set()


def test_a_parse_that_goes_on_is_left_alone(world, monkeypatch):
    monkeypatch.setattr(keeper_module, "AGAIN_SECONDS", (0.0,))
    world.keep(world.rows(*range(40)))
    world.parse(done=False)
    assert world.keep() == set()


def test_after_a_change_of_the_settings_all_is_parsed(world, tmp_path):
    world.keep(world.rows(*range(120)))
    world.parse()
    settings = tmp_path / "settings" / names.settings_file("yellowlive")
    settings.write_text("{}")
    assert world.keep() == world.times().keys()
    world.parse()
    os.utime(settings)
    assert world.keep() <= {PLATFORM_FILE}  # its text is the same


def test_forgotten_streams_and_a_removed_snapshot_are_seen(world):
    snapshot = snapshot_path("yellowlive")
    snapshot.touch()
    world.keep(world.rows(*range(120)))
    world.parse()
    forgotten_file(snapshot).write_text("Store7\n")
    assert world.keep() == {world.file(7, 3)}
    world.parse()
    world.keep()
    world.parse()
    snapshot.unlink()
    assert world.keep() == world.times().keys() - {PLATFORM_FILE}


def test_while_the_table_is_away_no_file_goes_and_those_of_other_dag_processors_come(world):
    world.keep(world.rows(*range(120)))
    world.parse()
    assert world.keep(trouble=AWAY) == set()
    world.stored[names.dag_id("yellowlive", "Store900")] = world.name(3)
    assert world.keep(trouble=AWAY) == {world.name(3)}


def test_a_new_machine_begins_with_the_files_that_airflow_has_stored(world):
    world.stored = {f"yellowlive__Store{number}_ingestion": world.file(number, 5) for number in range(40)}
    assert world.keep(trouble=AWAY) == {*(world.name(number) for number in range(5)), PLATFORM_FILE}
    assert world.folder.shard(2) == shard_of(2, 5)


def test_a_table_away_from_the_beginning_is_an_import_error_or_where_nothing_is_known_an_error_of_the_bundle(world):
    assert world.keep(trouble=AWAY) == {world.name(0), PLATFORM_FILE}
    world.folder.remove(0)
    world.start()
    world.stored = None
    with pytest.raises(MergeStoreError, match="nobody listens there"):
        world.keep(trouble=AWAY)


def test_files_left_by_an_earlier_run_are_taken_over(world):
    world.keep(world.rows(*range(120)))
    world.parse()
    world.start()
    assert world.keep(set(world.streams)) == world.times().keys() - {PLATFORM_FILE}
    assert len(world.times()) == 4


def test_workers_have_every_file_name_with_a_text_that_follows_the_plugin(tmp_path):
    folder = ShardFolder(tmp_path, "YellowLive")
    folder.write_for_workers(range(20))
    names_of_all = sorted([PLATFORM_FILE, *(names.bundle_streams_file("yellowlive", number) for number in range(20))])
    assert sorted(path.name for path in tmp_path.iterdir()) == names_of_all
    text = folder.platform_path.read_text()
    assert text.endswith('publish_file(globals(), platform="YellowLive")\n')
    for path in tmp_path.iterdir():
        path.write_text("of an older plugin")
    folder.write_for_workers(range(20))
    assert {path.read_text() for path in tmp_path.iterdir()} == {text}
