"""Updates a platform's factory files so that Airflow parses exactly what has changed; see folder.py for how.

If a stream moves to another file, the file that gains it is parsed and stored before the file that loses it: Airflow
takes a DAG for deleted if it is missing from the file that it has stored for it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from airflow_plugin.control.stream_changes import Looked
from airflow_plugin.factory.shard_files.folder import (
    ShardFolder,
    begun_at,
    done_at,
    modified,
    parses,
    take_from_future,
    touch,
)
from airflow_plugin.factory.shard_files.layout import file_count, file_of, holds, shard_of
from airflow_plugin.factory.shard_files.watch import SeenChanges
from airflow_plugin.factory.shards import Shard
from airflow_plugin.rows.last_good_file import forgotten_file
from airflow_plugin.settings import settings_dir, snapshot_path
from config_schema import names

# What Airflow has stored: the file of each DAG of the bundle that is not stale; None where it cannot be asked.
Stored = Callable[[], Mapping[str, str] | None]

STORE_SECONDS = 10.0  # from the end of a parse until its DAGs are stored, at most
AGAIN_SECONDS = (2.0, 4.0, 8.0, 16.0, 30.0, 60.0)  # after a touch that no parse has answered yet


class Keeper:
    """Updates the files of one platform.

    `stale_seconds`, `parse_seconds` and `store_seconds` are Airflow's: after how long a DAG that is missing from
    its file is stale, how long a parse may take, and how long a stored DAG is not stored again.
    """

    def __init__(
        self, folder: ShardFolder, *, stale_seconds: float, parse_seconds: float, store_seconds: float
    ) -> None:
        self.folder = folder
        self._stale_seconds, self._parse_seconds, self._store_seconds = stale_seconds, parse_seconds, store_seconds
        self._parts: dict[int, Shard] = {}
        self._seen: dict[int, int] = {}  # the modification times of the files when they were read
        self._again: dict[Path, tuple[float, int]] = {}  # when the file was touched, and how often, without an answer
        self._later: dict[Path, float] = {}  # when a file is to be touched once more
        self._changed: set[str] = set()  # streams whose files are not touched yet
        self._settings: str | None = None
        self._forgotten = modified(self._forgotten_file)
        self._has_snapshot = False

    @property
    def is_empty(self) -> bool:
        """Return whether there are no files for streams."""
        return not self._parts

    def keep(self, seen: SeenChanges, stored: Stored) -> None:
        """Write and touch the files that the changes require.

        Raises OSError, after which the next call does the rest.
        """
        self._changed |= seen.changed
        self.folder.write_platform()
        self._see_files()
        if seen.looked is None or not seen.is_current:
            self._keep_what_is_stored(seen, stored)
        else:
            if self.is_empty:
                self._write_all(_count(self._stored_numbers(stored() or {})) or file_count(seen.looked.counting))
            waiting = self._reshape(file_count(seen.looked.counting), stored)
            self._touch_changed(seen.looked, waiting)
            self._touch_unanswered(waiting)
        self._touch_for_settings()
        self._touch_for_snapshot()

    # --- files that are there

    def _see_files(self) -> None:
        """Write again what was deleted or changed by hand; accept what another process wrote."""
        there = self.folder.files()
        for number in self._parts.keys() - there.keys():
            self._write(number, self._parts[number])
        for number, changed_at in there.items():
            if changed_at == self._seen.get(number):
                continue
            part = self.folder.shard(number)
            if part is None:
                self._write(number, self._parts.get(number) or shard_of(number, number + 1))
            else:
                self._parts[number] = part
        self._seen = there

    def _keep_what_is_stored(self, seen: SeenChanges, stored: Stored) -> None:
        """While the table cannot be read: keep all files of which Airflow has DAGs, also other dag-processors'.

        If Airflow does not find a file, it takes all its DAGs for deleted.
        """
        placed = stored()
        if placed is None and self.is_empty and seen.trouble is not None:
            raise seen.trouble
        numbers = self._stored_numbers(placed or {})
        for number in numbers - self._parts.keys():
            self._write(number, shard_of(number, max(_count(numbers), _count(self._parts))))
        if self.is_empty and seen.trouble is not None:  # so that its import error says what is wrong
            self._write_all(1)

    def _stored_numbers(self, placed: Mapping[str, str]) -> set[int]:
        """Return the numbers of this platform's files that Airflow has DAGs of."""
        numbers = map(self.folder.number_of, set(placed.values()))
        return {number for number in numbers if number is not None}

    def _write(self, number: int, part: Shard) -> None:
        self.folder.write(number, part)
        self._parts[number] = part
        self._again[self.folder.path(number)] = (time.monotonic(), 0)

    def _write_all(self, count: int) -> None:
        for number in range(count):
            self._write(number, shard_of(number, count))

    # --- their number

    def _reshape(self, count: int, stored: Stored) -> set[int]:
        """Change the number of files to `count`, as far as no DAG would be missing; return those that must wait."""
        wanted = {number: shard_of(number, count) for number in range(count)}
        if self._parts == wanted:
            return set()
        for number, part in wanted.items():
            existing = self._parts.get(number)
            if existing is None or (existing != part and not holds(existing, part)):
                self._write(number, part)
        losing = {number for number, part in self._parts.items() if wanted.get(number) != part}
        placed = stored()
        return {number for number in losing if not self._let_go(number, wanted, placed)}

    def _let_go(self, number: int, wanted: Mapping[int, Shard], placed: Mapping[str, str] | None) -> bool:
        """Remove from a file the streams that moved to others, once all are stored there."""
        if not self._are_elsewhere(number, wanted, placed):
            return False
        if number in wanted:
            self._write(number, wanted[number])
        else:
            self.folder.remove(number)
            del self._parts[number]
            self._again.pop(self.folder.path(number), None)
        return True

    def _are_elsewhere(self, number: int, wanted: Mapping[int, Shard], placed: Mapping[str, str] | None) -> bool:
        path = self.folder.path(number)
        if placed is not None:
            here = [dag_id for dag_id, file in placed.items() if file == path.name]
            if all(file_of(dag_id, len(wanted)) == number for dag_id in here):
                return True
        part = self._parts[number]
        gaining = [other for other, its in wanted.items() if other != number and (holds(part, its) or holds(its, part))]
        # Each is asked, for those that are to be parsed again.
        gained = [self._has_gained(self.folder.path(other), path) for other in gaining]
        return all(gained)

    def _has_gained(self, gaining: Path, losing: Path) -> bool:
        """Return whether a file was parsed after the one that loses to it, and long enough ago to be stored."""
        now, _, done = parses(gaining)
        if done < now:
            return False
        if done_at(gaining) <= done_at(losing):  # a parse of the other has taken the DAGs back
            self._touch([gaining])
            return False
        return time.time() - done_at(gaining) > self._parse_seconds

    # --- what Airflow is to parse

    def _touch_changed(self, looked: Looked, waiting: set[int]) -> None:
        now = time.monotonic()
        # Airflow takes a DAG for deleted only at a parse that is so much younger than the last that had it.
        changed = {path for path, due in self._later.items() if now >= due}
        for path in changed:
            del self._later[path]
        for key in self._changed:
            path = self._path_of(key)
            changed.add(path)
            state = looked.streams.get(key)
            waits = [self._stale_seconds] if state is None or state.retired else []
            if self._is_stored_lately(path):
                waits.append(self._store_seconds + STORE_SECONDS)
            if waits:
                self._later[path] = max(self._later.get(path, 0.0), now + max(waits))
        self._touch(changed - {self.folder.path(number) for number in waiting})
        self._changed.clear()

    def _is_stored_lately(self, path: Path) -> bool:
        """Return whether Airflow may have stored DAGs of the file so recently that it would not store them again."""
        if not self._store_seconds:
            return False
        _, begun, done = parses(path)
        return begun > done or time.time() - done_at(path) < self._store_seconds + STORE_SECONDS

    def _touch_unanswered(self, waiting: set[int]) -> None:
        """Touch files again that were touched during a parse, or parsed while the table could not be read."""
        due = []
        for path in (self.folder.platform_path, *(self.folder.path(number) for number in self._parts.keys() - waiting)):
            now, begun, done = parses(path)
            if done >= now:
                self._again.pop(path, None)
                take_from_future(path)
                continue
            at, tries = self._again.setdefault(path, (time.monotonic(), 0))
            is_parsed_now = begun > done and 0 <= time.time() - begun_at(path) < self._parse_seconds and begun >= now
            if not is_parsed_now and time.monotonic() - at > AGAIN_SECONDS[min(tries, len(AGAIN_SECONDS) - 1)]:
                due.append(path)
        for path in due:
            _, tries = self._again[path]
            touch(path)
            self._again[path] = (time.monotonic(), tries + 1)

    def _touch_for_settings(self) -> None:
        settings = _digest(settings_dir() / names.settings_file(self.folder.platform))
        if self._settings is not None and settings != self._settings:
            self._touch([*self._paths(), self.folder.platform_path])
            self._later[self.folder.platform_path] = time.monotonic() + self._stale_seconds
        self._settings = settings

    def _touch_for_snapshot(self) -> None:
        """Touch the files of forgotten streams, to remove their DAGs; all files if the snapshot was removed."""
        forgotten = modified(self._forgotten_file)
        if forgotten != self._forgotten:
            self._forgotten = forgotten
            try:
                keys = self._forgotten_file.read_text("utf-8").splitlines()
            except (OSError, UnicodeError):
                keys = []
            paths = {self._path_of(key) for key in keys}
            self._touch(paths)
            self._later |= dict.fromkeys(paths, time.monotonic() + self._stale_seconds)
        has_snapshot = snapshot_path(self.folder.platform).exists()
        if self._has_snapshot and not has_snapshot:
            self._touch(self._paths())
        self._has_snapshot = has_snapshot

    @property
    def _forgotten_file(self) -> Path:
        return forgotten_file(snapshot_path(self.folder.platform))

    def _paths(self) -> list[Path]:
        return [self.folder.path(number) for number in self._parts]

    def _path_of(self, stream_key: str) -> Path:
        """Return the file of the stream, or the file that will have it."""
        dag_id = names.dag_id(self.folder.platform, stream_key)
        having = [number for number, part in self._parts.items() if part.has(dag_id)]
        narrowest = max(having, key=lambda number: self._parts[number].count, default=0)
        return self.folder.path(narrowest)

    def _touch(self, paths: Iterable[Path]) -> None:
        for path in paths:
            touch(path)
            self._again[path] = (time.monotonic(), 0)


def _count(numbers: Iterable[int]) -> int:
    """Return the number of files if the last has the highest of the numbers."""
    return max(numbers, default=-1) + 1


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
