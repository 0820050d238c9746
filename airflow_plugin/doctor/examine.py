"""Everything in order: this machine, then platform by platform. Nothing of it changes anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from airflow_plugin.control.unforeseen import unforeseen_in
from airflow_plugin.doctor.bundle import BUNDLE_LIST_IS_VALID, bundle_findings, bundles
from airflow_plugin.doctor.factory_files import (
    FACTORY_FILES_CHECKED,
    beside_bundle_findings,
    dags_folder,
    factory_file_findings,
)
from airflow_plugin.doctor.finding import Area, Finding
from airflow_plugin.doctor.merge_store import merge_store_findings
from airflow_plugin.doctor.producers import producer_findings
from airflow_plugin.doctor.settings_files import SETTINGS_FILE_IS_THERE, settings_findings
from airflow_plugin.doctor.snapshots import snapshot_findings
from airflow_plugin.doctor.tls import platform_tls_findings
from airflow_plugin.doctor.versions import notifier_findings, version_findings
from airflow_plugin.factory.bundle_config import of_platform
from airflow_plugin.platforms_here import platforms_with_settings
from airflow_plugin.quiet_airflow import quiet_airflow
from airflow_plugin.settings import PlatformSettings, settings_dir
from config_schema import names
from config_schema.errors import StreamFactoryError, UnknownName
from config_schema.load import Model, load_model


def examine(model_folder: Path | None, platforms: Sequence[str] = (), dags: Path | None = None) -> list[Finding]:
    """Return all findings, for the named platforms, or for those of the settings files and the model.

    Raises StreamFactoryError for an unknown name.
    """
    with quiet_airflow(as_server=True):
        return list(_all(model_folder, platforms, dags))


def examine_producers(platforms: Sequence[str] = ()) -> list[Finding]:
    """Return what jobs have found at the sources of streams, of the named platforms or of all with a settings file.

    Raises StreamFactoryError for an unknown name.
    """
    known = platforms_with_settings()
    chosen = [names.meant_platform(name, known) for name in platforms] or known
    found: list[Finding] = []
    for name in chosen:
        if name not in known:
            raise UnknownName("--platform", "platform", name, known)
        found += _of_one(name, _of_producers(name))
    return found


def _of_producers(name: str) -> Iterator[Finding]:
    settings, of_file = settings_findings(name, None)
    yield from producer_findings(settings) if settings is not None else of_file


def examine_merge_stores(model_folder: Path, platforms: Sequence[str] = ()) -> list[Finding]:
    """Return what is found at the merge stores of the model's platforms; streams are not looked at.

    Raises StreamFactoryError for a model that cannot be read, or a name that is no platform of it.
    """
    from airflow_plugin.bootstrap.platform_files import platform_settings
    from airflow_plugin.sync.source import chosen_platforms

    model = load_model(model_folder)
    return [
        finding
        for platform in chosen_platforms(model, platforms)
        for finding in _of_one(
            platform.name, merge_store_findings(platform_settings(platform, model), model, streams=False)
        )
    ]


def _all(model_folder: Path | None, platforms: Sequence[str], dags: Path | None) -> Iterator[Finding]:
    model, found = _model(model_folder)
    modelled = [one.name for one in model.ecosystem.platforms] if model else []
    known = list(dict.fromkeys([*modelled, *platforms_with_settings()]))
    platforms = [names.meant_platform(name, known) for name in platforms]
    for name in platforms:
        if name not in known:
            raise UnknownName("--platform", "platform", name, known)
    yield from version_findings()
    yield from found
    if not known:
        todo = "Run dagfactory bootstrap and put its settings files there, or name the model with --model"
        yield Area("settings").error(SETTINGS_FILE_IS_THERE, f"there is no settings file in {settings_dir()}", todo)
    folder = dags or dags_folder()
    if folder is None:
        todo = "Name the folder with --dags, if it is on this machine"
        yield Area("factory files").warning(
            FACTORY_FILES_CHECKED, "not checked, because there is no Airflow here that knows their folder", todo
        )
    for name in platforms or known:
        yield from _of_one(name, _of_platform(name, model, folder))


def _of_one(platform: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """Yield the findings of a platform; an error that ends them is the last, and the next platform is examined."""
    try:
        with unforeseen_in(platform):
            yield from findings
    except StreamFactoryError as error:
        yield from Area("doctor", platform).of_error(error)


def _of_platform(name: str, model: Model | None, folder: Path | None) -> Iterator[Finding]:
    settings, found = settings_findings(name, model)
    yield from found
    if settings is None:
        return
    yield from notifier_findings(settings)
    if folder is not None:
        yield from _of_dag_files(settings, folder)
        yield from snapshot_findings(settings)
    yield from merge_store_findings(settings, model, folder)
    yield from platform_tls_findings(settings, model)
    platform = next((one for one in model.ecosystem.platforms if one.name == name), None) if model else None
    if platform is not None:
        from airflow_plugin.doctor.model import repository_findings

        yield from repository_findings(platform, settings)


def _of_dag_files(settings: PlatformSettings, folder: Path) -> Iterator[Finding]:
    """Yield findings on the bundle, or on the factory files, that have the platform's DAGs."""
    try:
        found = bundles()
    except ValueError as error:
        todo = "Write a JSON list of bundles, as dagfactory bootstrap --bundle prints it"
        yield Area("bundle", settings.original_platform_name).error(
            BUNDLE_LIST_IS_VALID, f"dag_bundle_config_list: {error}", todo
        )
        return
    if of_platform(found, settings.original_platform_name):
        yield from bundle_findings(settings, found)
        yield from beside_bundle_findings(settings, folder)
    else:
        yield from factory_file_findings(settings, folder)


def _model(folder: Path | None) -> tuple[Model | None, list[Finding]]:
    """Return the model, or None if there is no usable one, and the findings on its folder."""
    if folder is None:
        return None, []
    from airflow_plugin.doctor.model import folder_findings

    try:
        return load_model(folder), list(folder_findings(folder))
    except StreamFactoryError as error:
        return None, Area("model").of_error(error)
