"""`dagfactory platform tables`: the tables that the factory itself has for a platform."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airflow_plugin.cli.options import ModelOption, Platforms

if TYPE_CHECKING:
    from airflow_plugin.sync.stores import ConnectedStore

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]


def tables(model: ModelOption = Path(), platform: Platforms = None, dry_run: DryRun = False) -> None:
    """Create the tables of platforms that are missing, and bring older ones up to date.

    These are the stream table, its history and the model state. sync creates them, too. config_json is widened in
    tables that were made elsewhere, so that a config of any length fits. Logins that bootstrap --roles has made get the
    rights that they lack.

    Example: dagfactory platform tables --model model/ --platform YellowLive

    Exit codes: 0 done, or nothing to do; 1 an error.
    """
    with _stores(model, platform) as (stores, is_code):
        if dry_run:
            _show(stores)
        else:
            _create(stores, is_code)
            _widen(stores, only_changes=True)


def init(model: ModelOption = Path(), platform: Platforms = None) -> None:
    """Create missing tables only."""
    with _stores(model, platform) as (stores, is_code):
        _create(stores, is_code)


def upgrade(model: ModelOption = Path(), platform: Platforms = None) -> None:
    """Widen config_json only."""
    with _stores(model, platform) as (stores, _):
        _widen(stores)


@contextmanager
def _stores(folder: Path, platforms: Sequence[str] | None) -> Iterator[tuple[list[ConnectedStore], bool]]:
    """Yield the platforms' merge stores, connected, and whether the model is code."""
    from airflow_plugin.sync.source import chosen_platforms
    from airflow_plugin.sync.stores import merge_stores
    from config_schema.load import load_model

    model = load_model(folder)
    with merge_stores(chosen_platforms(model, platforms or ()), os.environ) as stores:
        yield stores, bool(model.is_code)


def _create(stores: Sequence[ConnectedStore], is_code: bool) -> None:
    from airflow_plugin.sync.apply import create_tables, grant_rights

    for name, created in create_tables(stores, compiled=is_code).items():
        print(f"{name}: {', '.join(created) + ' created' if created else 'all tables are there'}")
    for name, granted in grant_rights(stores).items():
        for grant in granted:
            print(f"{name}: granted {grant}")


def _widen(stores: Sequence[ConnectedStore], *, only_changes: bool = False) -> None:
    from airflow_plugin.sync.apply import upgrade_tables

    for name, limit in upgrade_tables(stores).items():
        if limit is not None or not only_changes:
            print(f"{name}: {'nothing to do' if limit is None else f'config_json took {limit} characters, now any'}")


def _show(stores: Sequence[ConnectedStore]) -> None:
    from airflow_plugin.sync.apply import config_limits, missing_tables

    limits = config_limits(stores)
    for name, missing in missing_tables(stores).items():
        print(f"{name}: {', '.join(missing) + ' would be created' if missing else 'all tables are there'}")
        if limits[name] is not None:
            print(f"{name}: config_json takes {limits[name]} characters, and would be widened")
