"""`dagfactory bootstrap --roles`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from config_schema.echo import echo, echo_document

if TYPE_CHECKING:
    from airflow_plugin.bootstrap.logins.target import LoginStore


def bootstrap_roles(
    model: Path, out: Path, platforms: Sequence[str], settings: Path | None, *, printed: bool, diff: bool
) -> None:
    """Make the logins of components, or print the SQL that makes them. Raises StreamFactoryError."""
    from airflow_plugin.bootstrap.logins.files import FOLDER, LoginFiles
    from airflow_plugin.bootstrap.logins.make import make_logins
    from airflow_plugin.bootstrap.logins.script import script

    for target in _targets(model, platforms, settings):
        if printed:
            echo_document(script(target, os.environ) + "\n")
            continue
        changed = False
        for step in make_logins(target, os.environ, LoginFiles(out / FOLDER), dry_run=diff):
            changed = True
            echo(f"{target.original}: {'would be done: ' if diff else ''}{step}")
        if not changed:
            echo(f"{target.original}: all logins and rights are there")


def _targets(model: Path, platforms: Sequence[str], settings: Path | None) -> list[LoginStore]:
    from airflow_plugin.bootstrap.logins.target import of_platform, of_settings
    from airflow_plugin.sync.source import chosen_platforms
    from config_schema.load import load_model

    if settings is not None:
        return [of_settings(settings)]
    return [of_platform(one) for one in chosen_platforms(load_model(model), platforms)]
