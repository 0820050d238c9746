"""The last-good snapshot of a platform on this machine."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

from airflow_plugin.doctor.finding import Area, Finding
from airflow_plugin.health.streams import snapshot_problems
from airflow_plugin.rows.last_good_file import read_snapshot
from airflow_plugin.settings import PlatformSettings, snapshot_path
from config_schema.errors import StreamFactoryError
from config_schema.problem import Rule

SNAPSHOT_IS_READABLE = Rule("DF3631", "The user who runs doctor can read the last-good snapshot.")
SNAPSHOT_IS_OURS = Rule("DF3632", "The last-good snapshot belongs to the user who runs doctor.")
SNAPSHOT_IS_WRITABLE = Rule("DF3633", "The user who runs doctor can write a last-good snapshot into its folder.")
SNAPSHOT_IS_THERE = Rule("DF3634", "There is a last-good snapshot.")


def snapshot_findings(settings: PlatformSettings) -> Iterator[Finding]:
    """Yield whether the snapshot exists, who owns it, whether it can be used, and how old it is."""
    area = Area("snapshot", settings.original_platform_name)
    path = snapshot_path(settings.platform_name)
    try:
        owner = path.stat().st_uid
    except FileNotFoundError:
        yield _not_there(area, path)
        return
    except OSError as error:
        yield area.warning(
            SNAPSHOT_IS_READABLE,
            f"{path} cannot be read ({error.strerror})",
            "Run this as the user of the dag-processor",
        )
        return
    if owner != os.geteuid():
        what = f"{path} belongs to {_user(owner)}, and this is {_user(os.geteuid())}: it is not read"
        yield area.warning(SNAPSHOT_IS_OURS, what, "Run this as the user of the dag-processor")
        return
    try:
        snapshot = read_snapshot(path, settings.platform_name)
    except StreamFactoryError as error:
        yield from area.of_error(error)
        return
    problems = list(snapshot_problems(settings, snapshot))
    for problem in problems:
        yield area.of_problem(problem)
    if snapshot is not None and not problems:
        yield area.ok(f"{path}: {len(snapshot.streams)} streams, as seen {snapshot.age:.0f} s ago")


def _not_there(area: Area, path: Path) -> Finding:
    there = next((folder for folder in path.parents if folder.exists()), None)
    if there is not None and not os.access(there, os.W_OK | os.X_OK):
        what = f"there is no {path}, and {_user(os.geteuid())} cannot write one into {there}"
        return area.error(
            SNAPSHOT_IS_WRITABLE, what, "Let the dag-processor's user write there, or set DAGFACTORY_SNAPSHOT_DIR"
        )
    what = f"there is no {path}: were the merge store away now, a parse here would have no DAGs"
    return area.warning(
        SNAPSHOT_IS_THERE, what, "Nothing, where no dag-processor runs; else look why its parse does not write one"
    )


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
