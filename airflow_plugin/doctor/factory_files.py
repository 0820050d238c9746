"""The factory files of a platform in Airflow's dags folder: there, whole in number, and as this version writes them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from airflow_plugin.doctor.finding import Area, Finding, Level
from airflow_plugin.factory.factory_file import bundle_file, factory_file
from airflow_plugin.settings import PlatformSettings
from config_schema import names
from config_schema.problem import Rule

FACTORY_FILES_ARE_THERE = Rule("DF3651", "The dags folder has every factory file of a platform.")
STREAM_IN_ONE_FILE = Rule("DF3652", "A stream is in one factory file, or in the bundle.")
FACTORY_FILE_READABLE = Rule("DF3653", "A factory file can be read.")
FACTORY_FILE_CURRENT = Rule("DF3654", "A factory file is what bootstrap of this version writes.")
FACTORY_FILES_CHECKED = Rule("DF3655", "Doctor knows Airflow's dags folder.")

BOOTSTRAP = "Run dagfactory bootstrap, and put its factory files there"


def dags_folder() -> Path | None:
    """Return Airflow's dags folder; None without Airflow."""
    try:
        from airflow_plugin.airflow_versions import conf
    except ImportError:
        return None
    return Path(conf.get("core", "dags_folder"))


def factory_file_findings(settings: PlatformSettings, folder: Path) -> Iterator[Finding]:
    """Yield findings on the platform's files below `folder`, at any depth."""
    area = Area("factory files", settings.original_platform_name)
    by_count = _found(settings.platform_name, folder)
    if not by_count:
        yield area.error(FACTORY_FILES_ARE_THERE, f"there is none in {folder}", BOOTSTRAP)
        return
    if len(by_count) > 1 or any(len(paths) > 1 for files in by_count.values() for paths in files.values()):
        paths = sorted(str(path) for files in by_count.values() for paths in files.values() for path in paths)
        yield area.error(
            STREAM_IN_ONE_FILE,
            f"a stream is in more than one of {', '.join(paths)}",
            "Keep those of one number of shards",
        )
        return
    ((count, files),) = by_count.items()
    missing = [names.factory_file(settings.platform_name, n, count) for n in range(1, count + 1) if n not in files]
    if missing:
        yield area.error(
            FACTORY_FILES_ARE_THERE, f"{', '.join(missing)} not in {folder}: their streams have no DAG", BOOTSTRAP
        )
    for number, (path,) in sorted(files.items()):
        yield _of_file(area, path, factory_file(settings.original_platform_name, number, count))


def beside_bundle_findings(settings: PlatformSettings, folder: Path) -> Iterator[Finding]:
    """Yield what is wrong with factory files of a platform that has a bundle: a DAG has one file."""
    area = Area("factory files", settings.original_platform_name)
    for_workers = bundle_file(settings.original_platform_name, None)
    by_count = _found(settings.platform_name, folder)
    for path in (path for files in by_count.values() for paths in files.values() for path in paths):
        finding = _of_file(area, path, for_workers)
        if finding.level is Level.WARNING:
            what = f"{path} has the DAGs that the bundle has too: each parse takes them from the other"
            finding = area.error(
                STREAM_IN_ONE_FILE, what, "Run dagfactory bootstrap --bundle, which leaves it for tasks that are queued"
            )
        yield finding


def _found(platform: str, folder: Path) -> dict[int, dict[int, list[Path]]]:
    """Return the files by the number of shards, then by the shard's own number."""
    found: dict[int, dict[int, list[Path]]] = defaultdict(lambda: defaultdict(list))
    name = re.compile(rf"{re.escape(platform)}_factory(?:_(\d{{1,4}})_of_(\d{{1,4}}))?\.py")
    for path in sorted(folder.rglob(f"{platform}_factory*.py")):
        if match := name.fullmatch(path.name):
            found[int(match[2] or 1)][int(match[1] or 1)].append(path)
    return found


def _of_file(area: Area, path: Path, wanted: str) -> Finding:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        return area.error(FACTORY_FILE_READABLE, f"{path} cannot be read ({error})", "Let Airflow read it")
    if text != wanted:
        return area.warning(
            FACTORY_FILE_CURRENT, f"{path} is not what this version writes", "Run dagfactory bootstrap, or know why"
        )
    return area.ok(str(path))
