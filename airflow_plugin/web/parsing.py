"""Requests to Airflow to parse the files of changed streams, until it has stored the content of their rows.

A request is what Airflow's `PUT /parseDagFile` writes. One is not always enough: it is lost if the file is being
parsed; a DAG that was stored less than `min_serialized_dag_update_interval` ago is not stored again; and a DAG that is
gone is removed only in a parse `stale_dag_threshold` after the last one that had it. So a thread checks, and asks
again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from airflow.models.dagbag import DagPriorityParsingRequest
from airflow.utils.session import create_session
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from airflow_plugin.web.permissions import EDIT, User
from airflow_plugin.web.seen import unstored
from airflow_plugin.web.stored import DagFile, dag_files, dag_ids_in, parsed_at
from config_schema import names

LEAST_SECONDS = 5.0  # between two requests for a file: many changes need one parse
# From one look to the next. In all more than what Airflow may take to see that a DAG is gone: 50 s, and 60 s to look.
PAUSES = (2.0, 4.0, 8.0, 16.0, 30.0, 60.0, 60.0, 60.0, 60.0)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """The files that Airflow is asked to parse; `note` says why it is not asked, if somebody may wonder."""

    files: tuple[str, ...] = ()
    note: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {"files": list(self.files), "note": self.note}


@dataclass
class Following:
    """A file to parse until its DAGs, by DAG id, have the needed state.

    `version` counts the changes; `asked_version` is the one that Airflow was asked for.
    """

    wanted: dict[str, str | None] = field(default_factory=dict)
    version: int = 0
    asked_version: int = 0
    due: float = 0.0
    turn: int = 0
    asked_at: float = float("-inf")
    parsed_before: datetime | None = None  # when the file was parsed last, at the last request


def ask_to_parse(user: User, platform: str, fingerprints: Mapping[str, str | None]) -> Asked:
    """Have the files of changed streams parsed, if the user may; `fingerprints` are by stream_key.

    None means that a stream's DAG must be removed. As in Airflow, a user may ask for a file if they may edit all of
    its DAGs.
    """
    wanted = {names.dag_id(platform, key): fingerprint for key, fingerprint in fingerprints.items()}
    with create_session(scoped=False) as session:
        files = dag_files(session, platform)
        by_file: dict[DagFile, dict[str, str | None]] = {}
        for dag_id, fingerprint in wanted.items():
            for file in files.of_stream(dag_id):
                by_file.setdefault(file, {})[dag_id] = fingerprint
        refused = {file for file in by_file if not _may_ask(user, session, file)}
    for file in by_file.keys() - refused:
        _follower().follow(platform, file, by_file[file])
    asked = tuple(sorted(file.name for file in by_file.keys() - refused))
    if refused:
        named = ", ".join(sorted(file.name for file in refused))
        return Asked(asked, f"you may not edit all DAGs of {named}: the change shows at its next pass")
    if not by_file and wanted and not files.are_of_bundle:
        return Asked((), f"Airflow has no factory file of {platform} yet")
    return Asked(asked)


def _may_ask(user: User, session: Session, file: DagFile) -> bool:
    dag_ids = dag_ids_in(session, file)
    return user.may(EDIT, dag_ids) == dag_ids


@cache
def _follower() -> Follower:
    return Follower()


class Follower:
    """A thread of this process that asks for files to be parsed, and checks the result."""

    def __init__(self) -> None:
        self._state = threading.Condition()
        self._files: dict[tuple[str, DagFile], Following] = {}
        self._thread: threading.Thread | None = None

    def follow(self, platform: str, file: DagFile, wanted: Mapping[str, str | None]) -> None:
        """Ask for the file as soon as possible, and until its DAGs have the needed state."""
        with self._state:
            one = self._files.setdefault((platform, file), Following())
            one.wanted.update(wanted)
            one.version += 1
            one.due, one.turn = max(time.monotonic(), one.asked_at + LEAST_SECONDS), 0
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="parse requests", daemon=True)
                self._thread.start()
            self._state.notify_all()

    def _run(self) -> None:
        while True:
            for (platform, file), version in self._due().items():
                try:
                    self._serve(platform, file, version)
                except Exception as error:  # the metadata database may be back at the next look
                    log.warning("%s: Airflow cannot be asked to parse it: %s", file.name, type(error).__name__)
                self._put_off(platform, file, version)

    def _due(self) -> dict[tuple[str, DagFile], int]:
        """Wait until a file is due, and return the due ones, with the versions that are needed."""
        with self._state:
            while True:
                now = time.monotonic()
                if due := {key: one.version for key, one in self._files.items() if one.due <= now}:
                    return due
                first = min((one.due for one in self._files.values()), default=None)
                self._state.wait(None if first is None else first - now)

    def _serve(self, platform: str, file: DagFile, version: int) -> None:
        with self._state:
            one = self._files[platform, file]
            wanted = dict(one.wanted)
        with create_session(scoped=False) as session:
            left = unstored(session, platform, wanted)
            at = parsed_at(session, file)
        with self._state:
            for dag_id in wanted.keys() - left:
                if one.wanted.get(dag_id) == wanted[dag_id]:
                    del one.wanted[dag_id]
        # Where the file was not parsed since the last request, that one is still to be served.
        if left and (one.asked_version != version or at != one.parsed_before):
            _request(file)
            one.asked_version, one.asked_at, one.parsed_before = version, time.monotonic(), at

    def _put_off(self, platform: str, file: DagFile, version: int) -> None:
        """Check again later, or stop: everything is stored, or it has taken too long."""
        with self._state:
            one, now = self._files[platform, file], time.monotonic()
            if one.version != version:  # wanted meanwhile: `follow` has said when
                return
            if one.turn < len(PAUSES) and one.wanted:
                one.due = now + PAUSES[one.turn]
                one.turn += 1
            elif now - one.asked_at >= LEAST_SECONDS:
                del self._files[platform, file]
            else:
                one.wanted.clear()
                one.due = one.asked_at + LEAST_SECONDS


def _request(file: DagFile) -> None:
    """Write a request, as Airflow's API does; nothing if one is waiting."""
    try:
        with create_session(scoped=False) as session:
            session.add(DagPriorityParsingRequest(bundle_name=file.bundle, relative_fileloc=file.path))
    except IntegrityError:
        log.debug("%s is asked for already", file.name)
