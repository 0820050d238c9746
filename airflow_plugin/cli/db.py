"""`dagfactory db`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import typer

from airflow_plugin.cli.options import Json, ModelOption, Platforms

db = typer.Typer(help="The tables of a platform in its merge store.", no_args_is_help=True)


@db.callback()
def group() -> None:
    """The tables of a platform in its merge store."""


@db.command()
def init(model: ModelOption = Path(), platform: Platforms = None) -> None:
    """Create the stream table, its history and the model state where they are missing. sync does so too.

    Logins that bootstrap --roles has made get the rights on them that they lack.

    Example: dagfactory db init --model model/ --platform YellowLive

    Exit codes: 0 done, or nothing to do; 1 an error.
    """
    from airflow_plugin.sync.apply import create_tables, grant_rights
    from airflow_plugin.sync.source import chosen_platforms
    from airflow_plugin.sync.stores import merge_stores
    from config_schema.load import load_model

    loaded = load_model(model)
    platforms = chosen_platforms(loaded, platform or ())
    with merge_stores(platforms, os.environ) as stores:
        for name, created in create_tables(stores, compiled=loaded.is_code).items():
            print(f"{name}: {', '.join(created) + ' created' if created else 'all tables are there'}")
        for name, granted in grant_rights(stores).items():
            for grant in granted:
                print(f"{name}: granted {grant}")


@db.command()
def upgrade(model: ModelOption = Path(), platform: Platforms = None) -> None:
    """Widen config_json in tables that were made elsewhere, so that a config of any length fits.

    Example: dagfactory db upgrade --model model/ --platform YellowLive

    Exit codes: 0 done, or nothing to do; 1 an error.
    """
    from airflow_plugin.sync.apply import upgrade_tables
    from airflow_plugin.sync.source import chosen_platforms
    from airflow_plugin.sync.stores import merge_stores
    from config_schema.load import load_model

    platforms = chosen_platforms(load_model(model), platform or ())
    with merge_stores(platforms, os.environ) as stores:
        for name, limit in upgrade_tables(stores).items():
            print(f"{name}: {'nothing to do' if limit is None else f'config_json took {limit} characters, now any'}")


@db.command()
def check(model: ModelOption = Path(), platform: Platforms = None, as_json: Json = False) -> None:
    """Look at the tables of platforms: whether they are there, whole, and may be read and written. Changes nothing.

    Example: dagfactory db check --model model/ --platform YellowLive

    Exit codes: 0 all is well, or there are warnings; 1 there are errors.
    """
    from airflow_plugin.bootstrap.platform_files import platform_settings
    from airflow_plugin.cli.doctor_view import print_findings
    from airflow_plugin.doctor.finding import Level, worst
    from airflow_plugin.doctor.merge_store import merge_store_findings
    from airflow_plugin.sync.source import chosen_platforms
    from config_schema.load import load_model

    loaded = load_model(model)
    findings = [
        finding
        for one in chosen_platforms(loaded, platform or ())
        for finding in merge_store_findings(platform_settings(one, loaded), loaded, streams=False)
    ]
    if as_json:
        print(json.dumps({"findings": [finding.to_dict() for finding in findings]}, indent=2))
    else:
        print_findings(findings)
    if worst(findings) is Level.ERROR:
        raise typer.Exit(1)
