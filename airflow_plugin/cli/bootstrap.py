"""`dagfactory bootstrap`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airflow_plugin.cli.options import ModelOption, Platforms

if TYPE_CHECKING:
    from config_schema.model import Platform

Out = Annotated[
    Path, typer.Option("--out", help="Folder that gets dags/, settings/ and kubernetes/.", envvar="DAGFACTORY_OUT")
]
Shards = Annotated[
    int, typer.Option("--shards", min=1, max=1000, help="Split each platform's streams over so many factory files.")
]
CreateTables = Annotated[
    bool, typer.Option("--create-tables", help="Create the tables in the merge stores too, as dagfactory db init does.")
]
Diff = Annotated[bool, typer.Option("--diff", help="Show what would change and write nothing.")]


def bootstrap(
    model: ModelOption = Path(),
    out: Out = Path(),
    platform: Platforms = None,
    shards: Shards = 1,
    create_tables: CreateTables = False,
    diff: Diff = False,
) -> None:
    """Write each platform's factory files and settings file; what is right already is left alone.

    For platforms that run in Kubernetes there are also values for the chart and the list of the secrets to create.

    In a settings file that is there already, what the model does not say is kept, `allowed` for one. Factory files that
    it wrote for another number of shards are removed.

    Example: dagfactory bootstrap --model model/ --out airflow/

    Exit codes: 0 done, or nothing to do; 1 an error.
    """
    from airflow_plugin.bootstrap.platform_files import platform_files, settings_path
    from airflow_plugin.bootstrap.write import file_changes, remove, superseded, write
    from airflow_plugin.settings import settings_in
    from airflow_plugin.sync.source import chosen_platforms
    from config_schema import names
    from config_schema.load import load_model

    loaded = load_model(model)
    platforms = chosen_platforms(loaded, platform or ())
    for one in platforms:
        before = settings_in(out / settings_path(one), one.name)
        files = platform_files(one, loaded, shards, before)
        for change in file_changes(out, files):
            if diff:
                print("\n".join(change.diff()) or f"{change.path}: unchanged")
                continue
            write(change)
            print(f"{change.path}: {'unchanged' if change.state == 'unchanged' else 'written'}")
        # After the new ones are there: a stream whose file goes first would lose its DAG for a while.
        for path in superseded(out, files, names.platform_name(one.name), one.name):
            if not diff:
                remove(path)
            print(f"{path}: {'would be removed' if diff else 'removed'}")
    if create_tables:
        _tables(platforms, diff)


def _tables(platforms: Iterable[Platform], diff: bool) -> None:
    from airflow_plugin.sync.apply import create_tables, missing_tables
    from airflow_plugin.sync.stores import merge_stores

    done = "would be created" if diff else "created"
    with merge_stores(platforms, os.environ) as stores:
        for name, tables in (missing_tables(stores) if diff else create_tables(stores)).items():
            print(f"{name}: {', '.join(tables) + ' ' + done if tables else 'all tables are there'}")
