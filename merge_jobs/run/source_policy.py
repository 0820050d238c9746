"""The servers, files and secrets that a job may use: the row's arguments and the model in git must agree.

This is checked before a session is opened: whoever can write a row must not get a password sent elsewhere.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Sequence
from dataclasses import replace

from config_schema.errors import CommandWrong
from config_schema.model import Database, DatasetSink, Lake, SourceKind
from config_schema.tls import is_address
from merge_jobs.stream import Stream

FILE, PRIVATE = "file:", "private:"
SYNC = "Run dagfactory sync"  # one that comes between the reading of the row and the job resolves itself: retryable

NOT_ALLOWED = "is not allowed by the platform's settings"
NOT_ABSOLUTE = "is no absolute path"
NO_FILE = "is no regular file"
NO_FOLDER = "is no folder"
BY_LINKS = "leads by links to a file that the settings allow under another name"


class SourceNotAdmitted(CommandWrong):
    """The model names a producer's server or file that the settings do not allow, or that is not a file.

    Run dagfactory bootstrap, or add it to allowed.source_hosts or allowed.source_files; or correct the model.
    """

    code = "DF5302"

    def __init__(self, source: str, reason: str, todo: str, real: str = "") -> None:
        """Take the server or path of the model, and for a symbolic link the `real` path that it leads to."""
        self.source, self.reason, self.real = source, reason, real or source
        leads = f" (a link to {real!r})" if real and real != source else ""
        super().__init__("--source-hosts", f"the model's source {source!r}{leads} {reason}", todo)


class WarehouseNotAdmitted(CommandWrong):
    """The model names a folder for the platform's lake that the platform's settings do not allow.

    Run dagfactory bootstrap, or add the folder to allowed.source_files; or correct the model.
    """

    code = "DF5309"

    def __init__(self, warehouse: str) -> None:
        self.warehouse = warehouse
        todo = "Run dagfactory bootstrap, or add the folder to allowed.source_files, with / at its end"
        super().__init__("--source-hosts", f"the model's warehouse {warehouse!r} {NOT_ALLOWED}", todo)


class RowOutdated(CommandWrong):
    """A row asks for a secret or a dataset that the model does not have any more for this platform.

    Run dagfactory sync; if one ran between reading the row and the job, the next run is right.
    """

    code = "DF5303"
    retryable = True

    def __init__(self, option: str, value: str, what: str) -> None:
        self.option, self.value = option, value
        super().__init__(option, what, SYNC)


def check_source_host(source: Database, hosts: Sequence[str] | None) -> None:
    """Raise SourceNotAdmitted for a producer's server that is not in `hosts` (host:port); None allows all.

    For a database that is a file see admitted_source.
    """
    server = f"{source.host}:{source.port}"
    if hosts is None or source.is_on_disk or server in hosts:
        return
    raise SourceNotAdmitted(server, NOT_ALLOWED, "Run dagfactory bootstrap, or add it to allowed.source_hosts")


def admits_private(source: Database, hosts: Sequence[str] | None) -> bool:
    """Return whether an API's server may have an address of a private network.

    It may where `hosts` says so (`private:host:port`), or names it by its address; None allows all.
    """
    return hosts is None or is_address(source.host) or f"{PRIVATE}{source.host}:{source.port}" in hosts


def admitted_source(source: Database, hosts: Sequence[str] | None) -> Database:
    """Return the source, a file by its real path, so that no symbolic link is followed later.

    `hosts` has `file:/path` for each file, or folder with a slash at the end, and at least `file:`. None allows
    every file, and so do hosts of an older plugin, which contain none of these. Raises SourceNotAdmitted for
    another file.
    """
    files = None if hosts is None else [one.removeprefix(FILE) for one in hosts if one.startswith(FILE)]
    is_folder = source.kind is SourceKind.FILES and source.is_on_disk
    if not source.is_on_disk:
        return source
    if not files:
        path = source.database if is_folder else os.path.abspath(source.database)
        return replace(source, database=_real_path(path, is_folder))
    real, end = _real_path(source.database, is_folder), "/" if is_folder else ""
    admitted = [path for path in files if path.startswith("/")]
    if not any(_holds(path, real + end) for path in admitted):
        todo = "Run dagfactory bootstrap, or add it to allowed.source_files"
        raise SourceNotAdmitted(source.database, NOT_ALLOWED, todo, real)
    # By the name in the model it is known whose the file is: /proc/self/root and the like give each file others.
    named = os.path.normpath(source.database)
    if named != real and not any(_names(path, named + end) for path in admitted):
        todo = f"Write {real} in the model, or let the settings name it as the model does: run dagfactory bootstrap"
        raise SourceNotAdmitted(source.database, BY_LINKS, todo, real)
    return replace(source, database=real)


def check_warehouse(lake: Lake | None, hosts: Sequence[str] | None) -> None:
    """Raise WarehouseNotAdmitted for a lake in a folder that `hosts` do not have as `file:/path/`; None allows all."""
    if lake is None or hosts is None:
        return
    named = os.path.normpath(lake.warehouse.removeprefix("file://"))
    real = os.path.realpath(named) + "/"
    folders = [one.removeprefix(FILE) for one in hosts if one.startswith(f"{FILE}/") and one.endswith("/")]
    # By its name it is known whose the folder is, as of a source.
    is_named = f"{named}/" == real or any(_names(folder, f"{named}/") for folder in folders)
    if not is_named or not any(_holds(folder, real) for folder in folders):
        raise WarehouseNotAdmitted(lake.warehouse)


def _real_path(path: str, is_folder: bool) -> str:
    """Return the path without links. Raises SourceNotAdmitted if it is not absolute, or no file or folder as meant."""
    try:
        if not path.startswith("/"):
            raise SourceNotAdmitted(path, NOT_ABSOLUTE, "Write it from / on in the model")
        real = os.path.realpath(path)
        is_one = stat.S_ISDIR if is_folder else stat.S_ISREG
        is_other = os.path.lexists(real) and not is_one(os.stat(real).st_mode)
    except (OSError, ValueError) as error:
        reason = f"cannot be read ({type(error).__name__})"
        raise SourceNotAdmitted(path, reason, "Correct the path in the model") from error
    if is_other:
        if is_folder:
            raise SourceNotAdmitted(path, NO_FOLDER, "Name the folder of the files in the model")
        raise SourceNotAdmitted(path, NO_FILE, "Name the database's file in the model")
    return real


def _holds(admitted: str, real: str) -> bool:
    """Return whether an allowed file is this one, or an allowed folder contains it; the folder may be a link itself."""
    folder = os.path.realpath(admitted)
    return real.startswith(folder.rstrip("/") + "/") if admitted.endswith("/") else real == folder


def _names(admitted: str, named: str) -> bool:
    """Return whether an allowed file or folder is written as this one, or as a folder that contains it."""
    written = os.path.normpath(admitted)
    return named.startswith(written.rstrip("/") + "/") if admitted.endswith("/") else named == written


def check_credential(source: Database, credential: str | None) -> None:
    """Raise RowOutdated if the row and the synced model name different secrets for the source."""
    if credential is None or credential == source.credential or not source.needs_login:
        return
    what = f"the row names the secret {credential!r}, and the model {source.credential!r}"
    raise RowOutdated("--source-credential", credential, what)


def check_served(stream: Stream, served: Collection[DatasetSink]) -> None:
    """Raise RowOutdated for a dataset that is in no dataset group served by the platform."""
    for dataset in stream.datasets:
        if DatasetSink(stream.store.name, dataset.name) not in served:
            what = f"{stream.platform.name} serves no dataset group with {dataset.name} of {stream.store.name}"
            raise RowOutdated("--datasets", dataset.name, what)
