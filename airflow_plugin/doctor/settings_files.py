"""The settings files: which platforms there are, and whether each file can be used and says what the model says."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from airflow_plugin.doctor.finding import Area, Finding
from airflow_plugin.doctor.versions import airflow_is_here
from airflow_plugin.images import is_mutable
from airflow_plugin.settings import PlatformSettings, settings_dir, settings_in
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.load import Model
from config_schema.problem import Rule

SETTINGS_FILE_IS_THERE = Rule("DF3661", "There is a settings file for the platform.")
SETTINGS_FILE_IS_PROTECTED = Rule("DF3662", "Not everybody may write the settings file.")
PLATFORM_IS_IN_MODEL = Rule("DF3663", "The platform of a settings file is in the model.")
SETTINGS_EQUAL_MODEL = Rule("DF3664", "A settings file says the same as the model.")
IMAGES_STAY = Rule("DF3665", "The name of a merge-job image always means the same image.")

BOOTSTRAP = "Run dagfactory bootstrap, and put its settings file there"


def settings_findings(original: str, model: Model | None) -> tuple[PlatformSettings | None, list[Finding]]:
    """Return the platform's settings, and findings on their file.

    Without a file they are those that bootstrap would write for the model; None if they are unknown.
    """
    area = Area("settings", original)
    path = settings_dir() / names.settings_file(names.platform_name(original))
    try:
        settings = settings_in(path, original)
    except StreamFactoryError as error:
        return None, area.of_error(error)
    if settings is not None:
        found = list(_of_file(area, path)) or [area.ok(str(path))]
        return settings, [*found, *_of_images(area, settings), *(_of_model(area, settings, model) if model else ())]
    lacking = f"there is no {path}"
    missing = (
        area.error(SETTINGS_FILE_IS_THERE, lacking, BOOTSTRAP)
        if airflow_is_here()
        else area.warning(SETTINGS_FILE_IS_THERE, lacking, BOOTSTRAP)
    )
    return _modelled(original, model), [missing]


def _of_file(area: Area, path: Path) -> Iterator[Finding]:
    if path.stat().st_mode & stat.S_IWOTH:
        yield area.warning(
            SETTINGS_FILE_IS_PROTECTED,
            f"{path} can be written by anyone, and it says what rows may do",
            f"chmod o-w {path}",
        )


def _of_images(area: Area, settings: PlatformSettings) -> Iterator[Finding]:
    own = (settings.datasurface_docker_image,) if "kubernetes" in settings.runners else ()
    mutable = [image for image in (*own, *settings.allowed.datasurface_docker_image) if image and is_mutable(image)]
    if mutable:
        yield area.warning(
            IMAGES_STAY,
            f"{', '.join(mutable)}: another image may stand under this name tomorrow, and Kubernetes asks for it at "
            "each pod",
            "Name a version or a digest in the model's image, and run dagfactory bootstrap",
        )


def _of_model(area: Area, settings: PlatformSettings, model: Model) -> Iterator[Finding]:
    wanted = _modelled(settings.original_platform_name, model, settings)
    if wanted is None:
        yield area.warning(
            PLATFORM_IS_IN_MODEL, "the model has no such platform", "Remove its files, if it was given up"
        )
        return
    keys = [one.name for one in fields(settings) if getattr(settings, one.name) != getattr(wanted, one.name)]
    if keys:
        what = f"the model says otherwise of: {', '.join(keys)}"
        yield area.warning(SETTINGS_EQUAL_MODEL, what, "Run dagfactory bootstrap --diff, then dagfactory bootstrap")


def _modelled(original: str, model: Model | None, before: PlatformSettings | None = None) -> PlatformSettings | None:
    """Return what bootstrap would write; None if the model has no such platform."""
    from airflow_plugin.bootstrap.platform_files import platform_settings

    platforms = model.ecosystem.platforms if model else ()
    platform = next((one for one in platforms if one.name == original), None)
    return platform_settings(platform, model, before) if model and platform else None
