"""A platform's files if its DAGs come from the bundle of streams, and the Airflow settings for that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from airflow_plugin.bootstrap.kubernetes_files import FOLDER, has_bundle
from airflow_plugin.factory.bundle_config import LIST, SECTION, configured, settings_text, with_streams
from airflow_plugin.factory.factory_file import bundle_file
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.model import Platform


class InBundle(NamedTuple):
    """Whether a platform is in the bundle, by its existing files: those of dags/, and the values for the chart.

    A new platform is in the chart's bundle.
    """

    dags: bool
    chart: bool


def in_bundle(out: Path, platform: Platform) -> InBundle:
    """Return how the files below `out` load the platform."""
    short = names.platform_name(platform.name)
    values = out / FOLDER / names.chart_values_file(short)
    for_workers = bundle_file(platform.name, None)
    dags = any(_text(path) == for_workers for path in (out / "dags").glob(f"{short}_factory*.py"))
    return InBundle(dags, chart=has_bundle(_text(values)) if values.exists() else True)


def bundled_files(out: Path, platform: Platform, files: Mapping[PurePosixPath, str]) -> dict[PurePosixPath, str]:
    """Return the files without new factory files; existing ones are kept.

    A parse finds no DAG in those any more, but a worker finds the DAG of its task, which was queued before.
    """
    text = bundle_file(platform.name, None)
    others = {path: content for path, content in files.items() if path.parts[0] != "dags"}
    short = names.platform_name(platform.name)
    there = (PurePosixPath("dags", path.name) for path in sorted((out / "dags").glob(f"{short}_factory*.py")))
    return others | dict.fromkeys(there, text)


class BundleListMalformed(StreamFactoryError):
    """Airflow's list of DAG bundles is not a JSON list of bundles.

    Write a JSON list of bundles there; the error says what cannot be read.
    """

    code = "DF3304"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"[{SECTION}] {LIST}", f"it cannot be read ({reason})", "Write a JSON list of bundles there")


def settings_to_print(platforms: Sequence[str]) -> str:
    """Return the settings for airflow.cfg, with the bundles that are set there now.

    Raises StreamFactoryError if those cannot be read.
    """
    try:
        bundles = configured(_set_now())
    except ValueError as error:
        raise BundleListMalformed(str(error)) from error
    return settings_text(with_streams(bundles, platforms))


def _set_now() -> str | None:
    try:
        from airflow_plugin.airflow_versions import conf
    except ImportError:  # a machine that only syncs has no Airflow
        return None
    found: str | None = conf.get(SECTION, LIST, fallback=None)
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeError):
        return ""
