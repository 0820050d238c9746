"""`dagfactory bootstrap`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airflow_plugin.cli.options import InEnvironment, ModelOption, Platforms
from config_schema.echo import echo, echo_document, echo_text

if TYPE_CHECKING:
    from airflow_plugin.bootstrap.logins.target import LoginStore
    from config_schema.model import Platform

Out = Annotated[
    Path, typer.Option("--out", help="Folder that gets dags/, settings/ and kubernetes/.", envvar="DAGFACTORY_OUT")
]
Shards = Annotated[
    int, typer.Option("--shards", min=1, max=1000, help="Split each platform's streams over so many factory files.")
]
CreateTables = Annotated[bool, typer.Option("--create-tables", hidden=True)]  # the old way to db upgrade
Roles = Annotated[
    bool,
    typer.Option("--roles", help="Only make the logins of Airflow's components and of sync in the merge stores."),
]
Print = Annotated[bool, typer.Option("--print", help="With --roles: print the SQL for a DBA and connect nowhere.")]
Settings = Annotated[
    Path | None,
    typer.Option("--settings", help="With --roles: the platform of this settings file, and no model."),
]
Bundle = Annotated[
    bool,
    typer.Option(
        "--bundle",
        help="For many streams: a bundle that Airflow parses only what changed of; print what to set for it.",
    ),
]
Diff = Annotated[bool, typer.Option("--diff", help="Show what would change and write nothing.")]


def bootstrap(
    model: ModelOption = Path(),
    out: Out = Path(),
    platform: Platforms = None,
    in_environment: InEnvironment = None,  # set in its callback
    shards: Shards = 1,
    create_tables: CreateTables = False,
    diff: Diff = False,
    roles: Roles = False,
    printed: Print = False,
    settings: Settings = None,
    bundle: Bundle = False,
) -> None:
    """Write the factory files and the settings file of each platform.

    For platforms that run in Kubernetes there are also values for the chart and the list of the secrets to create.

    A file that is right already is not touched. In a settings file that is there already, what the model does not
    say is kept, `allowed` for one. Factory files that it wrote for another number of shards are removed.

    With --bundle the platforms' DAGs come from a bundle that writes its files itself, and what to set in Airflow is
    printed. Factory files that are there already are left for tasks that were queued from them; no new ones are made.

    With --roles it does something else: it makes a role each for the dag-processor, the workers, the api-server and
    sync, with just the rights that they need, by the login of the tables' owner, or by DAGFACTORY_ADMIN_DSN where the
    owner may not make roles. Their DSNs go into files of OUT/logins, unless the environment gives their passwords:
    DAGFACTORY_YELLOWLIVE_READER_PASSWORD, and the same with WORKER, PAGES and SYNC.

    Example: dagfactory bootstrap --model model/ --out airflow/

    Example: dagfactory bootstrap --bundle --model model/ --out airflow/

    Example: dagfactory bootstrap --roles --model model/ --out airflow/

    Exit codes: 0 done, or nothing to do; 1 an error.
    """
    if roles:
        _roles(model, out, platform or (), settings, printed=printed, diff=diff)
        return
    if printed or settings is not None:
        raise typer.BadParameter("it goes with --roles only", param_hint="--print" if printed else "--settings")
    if bundle and shards != 1:
        raise typer.BadParameter("the bundle chooses the number of files itself", param_hint="--shards")
    _files(model, out, platform or (), shards, create_tables=create_tables, diff=diff, bundle=bundle)


def _files(
    model: Path, out: Path, platform: Sequence[str], shards: int, *, create_tables: bool, diff: bool, bundle: bool
) -> None:
    from airflow_plugin.bootstrap.bundle import bundled_files, in_bundle, settings_to_print
    from airflow_plugin.bootstrap.next_steps import next_steps
    from airflow_plugin.bootstrap.platform_files import platform_files, settings_path
    from airflow_plugin.bootstrap.write import file_changes, remove, superseded, write
    from airflow_plugin.cli.messages import print_message
    from airflow_plugin.settings import settings_in
    from airflow_plugin.sync.source import chosen_platforms
    from config_schema import names
    from config_schema.load import load_model

    loaded = load_model(model)
    platforms = chosen_platforms(loaded, platform)
    changed = False
    for one in platforms:
        before = settings_in(out / settings_path(one), one.name)
        existing = in_bundle(out, one)
        files = platform_files(one, loaded, shards, before, bundle=bundle or existing.chart)
        if bundle or existing.dags:
            files = bundled_files(out, one, files)
        for change in file_changes(out, files):
            if diff:
                for line in [*change.diff()] or [f"{change.path}: unchanged"]:
                    echo(line)
                continue
            write(change)
            changed |= change.state != "unchanged"
            echo(f"{change.path}: {'unchanged' if change.state == 'unchanged' else 'written'}")
        # After the new ones are there: a stream whose file goes first would lose its DAG for a while.
        for path in superseded(out, files, names.platform_name(one.name), one.name):
            if not diff:
                remove(path)
            echo(f"{path}: {'would be removed' if diff else 'removed'}")
    if bundle:
        echo_text(settings_to_print([one.name for one in platforms]).removesuffix("\n"))
    if changed:
        for step in next_steps(platforms, out, model, os.environ, bundle=bundle):
            print_message(step)
    if create_tables:
        echo("--create-tables is now dagfactory db upgrade: it goes with a later release", err=True)
        _tables(platforms, diff)


def _tables(platforms: Iterable[Platform], diff: bool) -> None:
    from airflow_plugin.sync.apply import create_tables, missing_tables
    from airflow_plugin.sync.stores import merge_stores

    done = "would be created" if diff else "created"
    with merge_stores(platforms, os.environ) as stores:
        for name, tables in (missing_tables(stores) if diff else create_tables(stores)).items():
            echo(f"{name}: {', '.join(tables) + ' ' + done if tables else 'all tables are there'}")


def _roles(
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
