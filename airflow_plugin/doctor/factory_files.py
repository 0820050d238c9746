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

BOOTSTRAP = "Run dagfactory bootstrap, and put its factory files there"


def dags_folder() -> Path | None:
    """Return Airflow's dags folder; None without Airflow."""
    try:
        from airflow.sdk.configuration import conf
    except ImportError:
        return None
    return Path(conf.get("core", "dags_folder"))


def factory_file_findings(settings: PlatformSettings, folder: Path) -> Iterator[Finding]:
    """Yield findings on the platform's files below `folder`, at any depth."""
    area = Area("factory files", settings.original_platform_name)
    by_count = _found(settings.platform_name, folder)
    if not by_count:
        yield area.error(f"there is none in {folder}", BOOTSTRAP)
        return
    if len(by_count) > 1 or any(len(paths) > 1 for files in by_count.values() for paths in files.values()):
        paths = sorted(str(path) for files in by_count.values() for paths in files.values() for path in paths)
        yield area.error(f"a stream is in more than one of {', '.join(paths)}", "Keep those of one number of shards")
        return
    ((count, files),) = by_count.items()
    missing = [names.factory_file(settings.platform_name, n, count) for n in range(1, count + 1) if n not in files]
    if missing:
        yield area.error(f"{', '.join(missing)} not in {folder}: their streams have no DAG", BOOTSTRAP)
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
            finding = area.error(what, "Run dagfactory bootstrap --bundle, which leaves it for tasks that are queued")
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
        return area.error(f"{path} cannot be read ({error})", "Let Airflow read it")
    if text != wanted:
        return area.warning(f"{path} is not as this version writes it", "Run dagfactory bootstrap, or know why")
    return area.ok(str(path))
