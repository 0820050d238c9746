"""`dagfactory db`: the product's own tables of a platform, and their versions."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from airflow_plugin.cli.options import InEnvironment, Json, ModelOption, Platforms
from config_schema.echo import echo, echo_text

if TYPE_CHECKING:
    from airflow_plugin.sync.stores import ConnectedStore
    from config_schema.sql.versions import TablesVersion

db = typer.Typer(help="Create and upgrade the tables of platforms.", no_args_is_help=True)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]


@db.callback()
def group() -> None:
    """Create and upgrade the tables of platforms."""


@db.command()
def status(
    model: ModelOption = Path(),
    platform: Platforms = None,
    in_environment: InEnvironment = None,  # set in its callback
    as_json: Json = False,
) -> None:
    """Show which version the tables of platforms have, and which this program wants.

    A version is the number of the last migration that was run. Tables of streams are made by sync, those of batches by
    the first job.

    Example: dagfactory db status --model model/ --json

    Exit codes: 0 all tables are as this program wants them, 1 some are not, or an error, which is named.
    """
    from airflow_plugin.sync.apply import table_versions
    from config_schema.sql.versions import State

    with _stores(model, platform) as stores:
        found = [(name, one) for name, parts in table_versions(stores).items() for one in parts.values()]
    if as_json:
        echo_text(json.dumps([_as_json(name, one) for name, one in found], indent=2))
    else:
        for name, one in found:
            echo(f"{name}: {one}")
    if any(one.state in (State.OLD, State.TOO_NEW, State.CHANGED) for _, one in found):
        raise typer.Exit(1)


@db.command()
def upgrade(
    model: ModelOption = Path(),
    platform: Platforms = None,
    in_environment: InEnvironment = None,  # set in its callback
    dry_run: DryRun = False,
) -> None:
    """Create the tables of platforms that are missing, and run the migrations that older ones lack.

    Each migration is run in a transaction of its own: one that fails leaves the tables as they were before it, and a
    second try goes on there. Sync and jobs run migrations too, where their login may; it has to own the tables.
    config_json is widened in tables that were made elsewhere, so that a config of any length fits. Logins that
    bootstrap --roles has made get the rights that they lack.

    Example: dagfactory db upgrade --model model/ --platform YellowLive

    Exit codes: 0 done, or nothing to do; 1 an error.
    """
    with _stores(model, platform) as stores:
        _show(stores) if dry_run else _upgrade(stores)


@contextmanager
def _stores(folder: Path, platforms: Sequence[str] | None) -> Iterator[list[ConnectedStore]]:
    """Yield the platforms' merge stores, connected."""
    from airflow_plugin.sync.source import chosen_platforms
    from airflow_plugin.sync.stores import merge_stores
    from config_schema.load import load_model

    with merge_stores(chosen_platforms(load_model(folder), platforms or ()), os.environ) as stores:
        yield stores


def _upgrade(stores: Sequence[ConnectedStore]) -> None:
    from airflow_plugin.sync.apply import grant_rights, run_migrations, widen_configs

    for name, found, run in run_migrations(stores):
        echo(f"{name}: {_run(found, run, 'run')}")
        if found.lost and run:
            echo(f"{name}: {', '.join(found.lost)} created")
    for name, limit in widen_configs(stores).items():
        if limit is not None:
            echo(f"{name}: config_json took {limit} characters, now any")
    for name, granted in grant_rights(stores).items():
        for grant in granted:
            echo(f"{name}: granted {grant}")


def _show(stores: Sequence[ConnectedStore]) -> None:
    from airflow_plugin.sync.apply import config_limits, table_versions
    from config_schema.sql.versions import Part

    limits = config_limits(stores)
    for name, parts in table_versions(stores).items():
        for found in parts.values():
            needed = found.needed if found.part is Part.STREAMS or found.tables else ()
            echo(f"{name}: {_run(found, needed, 'would be run')}")
            if found.lost and needed:
                echo(f"{name}: {', '.join(found.lost)} would be created")
        if limits[name] is not None:
            echo(f"{name}: config_json takes {limits[name]} characters, and would be widened")


def _run(found: TablesVersion, run: Sequence[Any], how: str) -> str:
    return f"{', '.join(map(str, run))} {how}" if run else str(found)


def _as_json(platform: str, found: TablesVersion) -> dict[str, Any]:
    return {
        "platform": platform,
        "part": found.part.value,
        "state": found.state.value,
        "version": found.version,
        "wanted_version": found.wanted_version,
        "missing": [str(one) for one in found.missing],
        "newer": [str(one) for one in found.newer],
        "changed": [str(one) for one in found.changed],
        "lost_tables": list(found.lost) if found.tables else [],
    }
