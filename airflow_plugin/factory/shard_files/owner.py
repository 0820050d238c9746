"""The owner of the folder of the bundle's files, checked because Airflow runs every file in it.

By default it is in the machine's folder for temporary files, where whoever comes first may make a folder of that name.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from airflow.configuration import AIRFLOW_HOME

from airflow_plugin.factory.errors import FolderOfAnother

OTHERS_WRITE = stat.S_IWOTH


def make_folder(path: Path) -> None:
    """Create the folder if it is missing, and let nobody else write to it or to the bundle's own above it.

    Nor may others write to folders of ours further above, by which they could put another in its place.

    Raises FolderOfAnother where another user could put files there, or another folder in its place.
    """
    path.mkdir(parents=True, exist_ok=True)
    trusted = {0, os.geteuid(), Path(AIRFLOW_HOME).stat().st_uid}
    real = path.resolve()
    for folder in {*_with_parents(path.absolute()), *_with_parents(real)}:  # those that are links, and where they lead
        if folder.lstat().st_uid not in trusted:
            raise FolderOfAnother(folder, "it belongs to another user")
    for folder in (real, real.parent):
        _close(folder)
    for folder in real.parents[1:-1]:  # there others may rename ours, unless only owners may, as in /tmp
        found = folder.stat()
        if found.st_uid == os.geteuid() and found.st_mode & OTHERS_WRITE and not found.st_mode & stat.S_ISVTX:
            _close(folder)


def _with_parents(path: Path) -> tuple[Path, ...]:
    return path, *path.parents[:-1]


def _close(folder: Path) -> None:
    found = folder.stat()
    if not found.st_mode & OTHERS_WRITE:
        return
    if found.st_uid != os.geteuid():
        raise FolderOfAnother(folder, "everybody may write to it")
    folder.chmod(stat.S_IMODE(found.st_mode) & ~OTHERS_WRITE)
