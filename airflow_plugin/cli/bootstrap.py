"""`dagfactory bootstrap`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from airflow_plugin.cli.options import ModelOption, Platforms

Out = Annotated[Path, typer.Option("--out", help="Folder that gets dags/ and settings/.", envvar="DAGFACTORY_OUT")]
Diff = Annotated[bool, typer.Option("--diff", help="Show what would change and write nothing.")]


def bootstrap(model: ModelOption = Path(), out: Out = Path(), platform: Platforms = None, diff: Diff = False) -> None:
    """Write each platform's factory file and settings file; what is right already is left alone.

    Example: dagfactory bootstrap --model model/ --out airflow/

    Exit codes: 0 done, or nothing to do; 1 an error.
    """
    from airflow_plugin.bootstrap.platform_files import platform_files
    from airflow_plugin.bootstrap.write import file_changes, write
    from airflow_plugin.sync.source import chosen_platforms
    from config_schema.load import load_model

    platforms = chosen_platforms(load_model(model), platform or ())
    changes = [change for one in platforms for change in file_changes(out, platform_files(one))]
    for change in changes:
        if diff:
            print("\n".join(change.diff()) or f"{change.path}: unchanged")
            continue
        write(change)
        print(f"{change.path}: {'unchanged' if change.state == 'unchanged' else 'written'}")
