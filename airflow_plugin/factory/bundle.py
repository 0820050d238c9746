"""A bundle of DAGs of which Airflow parses only what has changed, for platforms with many streams (docs/factory.md).

Configured in `[dag_processor] dag_bundle_config_list`, as `dagfactory bootstrap --bundle` prints it. The dag-processor
calls `refresh` each second, between parses, and is held up as little as can be: a thread asks the database (watch.py).
"""

from __future__ import annotations

import logging
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
from airflow_plugin.factory.shard_files.watch import News, Watch
from config_schema.errors import FileUnwritable, StreamFactoryError, ValueWrong

# For Airflow, which compares its clock with the time at which any dag-processor last refreshed a bundle, by the clock
# of that one: a dag-processor whose clock is behind would never look.
ALWAYS = -(10**9)
FIRST_WAIT = 0.9  # seconds that the dag-processor waits for the first look
WAIT = 0.25  # and for later ones, which a database nearby answers in some milliseconds
TELL_SECONDS = 60.0  # between warnings of the same trouble

log = logging.getLogger(__name__)


class StreamBundle(BaseDagBundle):
    """The DAGs of platforms, named as in the model, in files that the bundle writes itself.

    Not versioned: a task runs by its row as it is now, as it does from a factory file in a dags folder.
    """

    supports_versioning = False

    def __init__(self, *, platforms: Sequence[str], refresh_interval: int = 0, **kwargs: Any) -> None:
        """Take the platforms by name. Raise StreamFactoryError where `platforms` names none."""
        super().__init__(refresh_interval=ALWAYS, **kwargs)
        self._interval, self._refreshed = refresh_interval, float("-inf")
        if isinstance(platforms, str) or not platforms or not all(isinstance(one, str) and one for one in platforms):
            todo = 'Write "kwargs": {"platforms": ["YellowLive"]}, with the names that the platforms have in the model'
            raise ValueWrong(f"bundle {self.name}: platforms", platforms, "names no platforms", todo)
        self.platforms = tuple(dict.fromkeys(platforms))
        self._kept: list[tuple[Watch, Keeper]] = []
        self._warned: dict[str, tuple[str, float]] = {}

    @property
    def path(self) -> Path:
        """Return the folder of the files; workers have one of their own, with every file that there can be."""
        return self.base_dir / ("workers" if _is_worker() else "files")

    def initialize(self) -> None:
        """Write what is not there yet, and nothing that is waited for longer than FIRST_WAIT.

        Raises FolderOfAnother where another user of the machine could write there.
        """
        make_folder(self.path)
        if _is_worker():
            self._write_for_worker()
        else:
            self._keep(FIRST_WAIT)
        super().initialize()

    def refresh(self) -> None:
        """Have Airflow parse what has changed since the last call.

        Raises StreamFactoryError where nothing is known of a platform and Airflow cannot be asked what it has stored:
        Airflow then leaves all DAGs as they are.
        """
        now = time.monotonic()
        if now - self._refreshed < self._interval:
            return
        self._refreshed = now
        errors = self._keep(WAIT)
        for error in errors[1:]:
            log.error("%s", error)
        if errors:
            raise errors[0]

    def get_current_version(self) -> None:
        """Name no version: there is none to go back to."""

    def _write_for_worker(self) -> None:
        for platform in self.platforms:
            ShardFolder(self.path, platform).write_for_workers(range(MOST_FILES))

    def _keep(self, seconds: float) -> list[StreamFactoryError]:
        """Look at all platforms, for so many seconds together; return what is wrong with those that cannot be kept."""
        if not self._kept:
            make_folder(self.path)
            self._kept = [(Watch(one), self._keeper(one)) for one in self.platforms]
        until = time.monotonic() + seconds
        wishes = [watch.ask() for watch, _ in self._kept]
        errors = []
        for (watch, keeper), wish in zip(self._kept, wishes, strict=True):
            watch.wait(wish, until)
            news = watch.news()
            self._tell(watch.original, news)
            try:
                keeper.keep(news, lambda: stored_dags(self.name))
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

    def _tell(self, platform: str, news: News) -> None:
        said, at = self._warned.get(platform, ("", 0.0))
        trouble = "" if news.trouble is None else str(news.trouble)
        if trouble and (trouble != said or time.monotonic() - at > TELL_SECONDS):
            log.warning("%s: the stream table cannot be read; the DAGs stay as they are: %s", platform, trouble)
            if news.trouble is not None and news.trouble.private:
                log.warning("%s: the control database that is down: %s", platform, news.trouble.private)
            self._warned[platform] = (trouble, time.monotonic())
        elif said and not trouble:
            log.info("%s: the stream table can be read again", platform)
            del self._warned[platform]


def _is_worker() -> bool:
    """Return whether this process runs a task.

    Not public: only a task's process has a connection to its supervisor. Without this a worker has the files of the
    present number of shards, and lacks one where there were more when the task was queued; Airflow tries again then.
    """
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    return hasattr(runner, "SUPERVISOR_COMMS")
