"""A bundle of DAGs of which Airflow parses only what has changed, for platforms with many streams (docs/factory.md).

It is configured in `[dag_processor] dag_bundle_config_list`, as `dagfactory bootstrap --bundle` prints it. The dag-
processor asks each second, between parses, whether it is time to refresh the bundle (`refresh_interval`), and must not
be delayed: a thread queries the database (watch.py).

After each refresh Airflow loads every DAG of the bundle to see whether its file is still there: with 10,000 streams
that would take a sixth of a core if it were done each second. A file that is only to be parsed again needs none:
Airflow sees its time. So the bundle says that it is time if files came or went, something is to be reported, or a
minute is over.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow.configuration import conf
from airflow.dag_processing.bundles.base import BaseDagBundle

from airflow_plugin.factory.shard_files.folder import ShardFolder
from airflow_plugin.factory.shard_files.keeper import Keeper
from airflow_plugin.factory.shard_files.layout import MOST_FILES
from airflow_plugin.factory.shard_files.owner import make_folder
from airflow_plugin.factory.shard_files.stored import stored_dags
from airflow_plugin.factory.shard_files.watch import SeenChanges, Watch
from config_schema.errors import FileUnwritable, StreamFactoryError, ValueWrong

# Answers to Airflow, which compares its clock with the time at which any dag-processor last refreshed a bundle, by the
# clock of that one: a dag-processor whose clock is behind would never look.
NOW, LATER = -(10**9), 10**12
REFRESH_SECONDS = 60.0  # between refreshes while no file comes or goes
FIRST_WAIT = 0.9  # seconds that the dag-processor waits for the first look
WAIT = 0.25  # and for later ones, which a database nearby answers in some milliseconds
JUST_NOW = 0.5  # seconds within which a look counts: Airflow asks for the interval, and then refreshes
REPORT_SECONDS = 60.0  # between warnings of the same trouble

log = logging.getLogger(__name__)


class StreamBundle(BaseDagBundle):
    """The DAGs of platforms, named as in the model, in files that the bundle writes itself.

    It has no versions: a task uses its row as it is now, as it does with a factory file in a dags folder.
    """

    supports_versioning = False

    def __init__(self, *, platforms: Sequence[str], refresh_interval: int = 0, **kwargs: Any) -> None:
        """Set the platforms by name. Raises StreamFactoryError if `platforms` is empty."""
        self._interval, self._looked, self._refreshed = refresh_interval, float("-inf"), float("-inf")
        self._errors: list[Exception] = []
        self._files: frozenset[str] = frozenset()  # at the last refresh
        super().__init__(refresh_interval=NOW, **kwargs)
        if isinstance(platforms, str) or not platforms or not all(isinstance(one, str) and one for one in platforms):
            todo = 'Write "kwargs": {"platforms": ["YellowLive"]}, with the names that the platforms have in the model'
            raise ValueWrong(f"bundle {self.name}: platforms", platforms, "names no platforms", todo)
        self.platforms = tuple(dict.fromkeys(platforms))
        self._kept: list[tuple[Watch, Keeper]] = []
        self._warned: dict[str, tuple[str, float]] = {}

    @property
    def path(self) -> Path:
        """Return the folder of the files; workers have their own, with every file that may be needed."""
        return self.base_dir / ("workers" if _is_worker() else "files")

    def initialize(self) -> None:
        """Write missing files, without waiting longer than FIRST_WAIT.

        Raises FolderOfAnother if another user of the machine could write there.
        """
        make_folder(self.path)
        if _is_worker():
            self._write_for_worker()
        else:
            self._keep(FIRST_WAIT)
        super().initialize()

    @property
    def refresh_interval(self) -> int:
        """Look for changes, let Airflow parse what has changed, and return whether it is time to refresh: NOW or LATER.

        Airflow asks for this, as seconds, just before it would refresh the bundle.
        """
        if not self.is_initialized:
            return NOW
        self._look()
        is_due = bool(self._errors) or time.monotonic() - self._refreshed >= REFRESH_SECONDS
        return NOW if is_due or self._files_now() != self._files else LATER

    @refresh_interval.setter
    def refresh_interval(self, _: int) -> None:
        """Take what Airflow's class sets; it does not count."""

    def refresh(self) -> None:
        """Let Airflow take note of files that came or went.

        Raises StreamFactoryError if nothing is known of a platform and Airflow cannot say what it has stored:
        Airflow then leaves all DAGs as they are.
        """
        self._look()
        errors, self._errors = self._errors, []
        for error in errors[1:]:
            log.error("%s", error)
        if errors:
            raise errors[0]
        self._refreshed, self._files = time.monotonic(), self._files_now()

    def _look(self) -> None:
        """Update the files, unless that was done just now."""
        now = time.monotonic()
        if now - self._looked < max(self._interval, JUST_NOW):
            return
        self._looked = now
        try:
            self._errors = [*self._keep(WAIT)]
        except Exception as error:  # Airflow asks for a number here: refresh raises it, where that is foreseen
            self._errors = [error]

    def _files_now(self) -> frozenset[str]:
        try:
            with os.scandir(self.path) as entries:
                return frozenset(entry.name for entry in entries if entry.name.endswith(".py"))
        except OSError:
            return frozenset()

    def get_current_version(self) -> None:
        """Return None: the bundle has no versions to go back to."""

    def _write_for_worker(self) -> None:
        for platform in self.platforms:
            ShardFolder(self.path, platform).write_for_workers(range(MOST_FILES))

    def _keep(self, seconds: float) -> list[StreamFactoryError]:
        """Update all platforms, within that many seconds together; return the errors of those that fail."""
        if not self._kept:
            make_folder(self.path)
            self._kept = [(Watch(one), self._keeper(one)) for one in self.platforms]
        until = time.monotonic() + seconds
        wishes = [watch.ask() for watch, _ in self._kept]
        errors = []
        for (watch, keeper), wish in zip(self._kept, wishes, strict=True):
            watch.wait(wish, until)
            seen = watch.take_seen()
            self._report(watch.original, seen)
            try:
                keeper.keep(seen, lambda: stored_dags(self.name))
            except StreamFactoryError as error:
                errors.append(error)
            except OSError as error:
                todo = "Let Airflow's user write there"
                errors.append(FileUnwritable(self.path, error, todo, "kept"))
        return errors

    def _keeper(self, platform: str) -> Keeper:
        return Keeper(
            ShardFolder(self.path, platform),
            stale_seconds=conf.getint("dag_processor", "stale_dag_threshold") + 5,
            parse_seconds=conf.getint("dag_processor", "dag_file_processor_timeout") + 5,
            store_seconds=conf.getint("core", "min_serialized_dag_update_interval", fallback=30),
        )

    def _report(self, platform: str, seen: SeenChanges) -> None:
        warned, at = self._warned.get(platform, ("", 0.0))
        trouble = "" if seen.trouble is None else str(seen.trouble)
        if trouble and (trouble != warned or time.monotonic() - at > REPORT_SECONDS):
            log.warning("%s: the stream table cannot be read; the DAGs stay as they are: %s", platform, trouble)
            if seen.trouble is not None and seen.trouble.private:
                log.warning("%s: the control database that is down: %s", platform, seen.trouble.private)
            self._warned[platform] = (trouble, time.monotonic())
        elif warned and not trouble:
            log.info("%s: the stream table can be read again", platform)
            del self._warned[platform]


def _is_worker() -> bool:
    """Return whether this process runs a task.

    This is not public: only a task's process has a connection to its supervisor. Without it a worker has files for
    the current number of shards only, and lacks one if there were more when the task was queued; Airflow then tries
    again.
    """
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    return hasattr(runner, "SUPERVISOR_COMMS")
