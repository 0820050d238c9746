"""`merge-job views`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from config_schema import names
from config_schema.admitted import CONSUMER_DB, database_words, refuse_other_database
from config_schema.echo import echo, echo_document, echo_text
from config_schema.model import Database, Platform
from config_schema.model.mapping import Model
from config_schema.printable import printable
from merge_jobs.cli.options import OnlyPlatform, Places, with_places
from merge_jobs.cli.typer_command import Json, errors_printed, print_error, typer_command
from merge_jobs.run.flags import StoreFlags, platform_model_of, store_database
from merge_jobs.views.reconcile import Reconciled, reconcile

views = typer.Typer(help="Manage consumers' views, the roles that read them, and their rights.", no_args_is_help=True)


@views.callback()
def group() -> None:
    """Manage consumers' views, the roles that read them, and their rights."""


DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print the SQL, and change nothing.")]
RightsOnly = Annotated[
    bool, typer.Option("--rights-only", help="Only roles and rights on the views that are there; no view is touched.")
]


@views.command("reconcile")
@typer_command
@with_places
def reconcile_views(
    places: Places,
    platform: OnlyPlatform = None,
    dry_run: DryRun = False,
    rights_only: RightsOnly = False,
    as_json: Json = False,
) -> None:
    """Bring consumers' views, roles and rights in line with the model.

    Each workspace is one transaction, and only what this program made is changed. Use --rights-only for rights that
    must be withdrawn at once: no merge store is asked then, and a view that cannot be changed is not in the way.

    Example: merge-job views reconcile --platform YellowLive --model ./model

    Exit codes: 0 done or nothing to do, 1 something stands in the way, or an error, which is named, 2 a wrong option.
    """
    with errors_printed():
        found, _ = platform_model_of(places.of_model, places.merge_store, platform)
        reconciled = _all(found, places.merge_store, platform, dry_run=dry_run, rights_only=rights_only)
        if as_json:
            _print_json(list(reconciled), dry_run=dry_run)
        else:
            _end(reconciled, dry_run=dry_run)


@views.command("plan", hidden=True)
@typer_command
@with_places
def plan_views(places: Places, platform: OnlyPlatform = None) -> None:
    """Do what merge-job views reconcile --dry-run does."""
    reconcile_views(**vars(places), platform=platform, dry_run=True)


@views.command("grants", hidden=True)
@typer_command
@with_places
def apply_grants(places: Places, platform: OnlyPlatform = None) -> None:
    """Do what merge-job views reconcile --rights-only does."""
    reconcile_views(**vars(places), platform=platform, rights_only=True)


def _all(
    model: Model, flags: StoreFlags, platform: str | None, *, dry_run: bool, rights_only: bool = False
) -> Iterator[Reconciled]:
    def store_of(one: Platform) -> Database:
        # What the command says of the merge store is of the platform that it names.
        named = platform is None or names.is_platform(platform, one.name)
        return store_database(flags, one.merge_store) if named else one.merge_store

    for one in model.ecosystem.platforms:
        refuse_other_database(os.environ, one.name, CONSUMER_DB, _consumers(one))
    only = [] if platform is None else [platform]
    return reconcile(model, store_of, only, dry_run=dry_run, rights_only=rights_only)


def _consumers(platform: Platform) -> str | None:
    place = platform.consumer_db
    if place is None:
        return None
    return database_words(place.host, place.port, place.database, place.credential, platform.consumer_reader)


def _end(workspaces: Iterator[Reconciled], *, dry_run: bool) -> None:
    changes = problems = 0
    for one in workspaces:
        done = one.failed is None
        changes += len(one.plan.changes) if done else 0
        problems += len(one.problems)
        _print(one, dry_run)
    echo(f"{changes} change{'' if changes == 1 else 's'}{' to make' if dry_run else ''}")
    if problems:
        raise typer.Exit(1)


def _print_json(workspaces: list[Reconciled], *, dry_run: bool) -> None:
    echo_text(json.dumps({"dry_run": dry_run, "workspaces": [_as_json(one, dry_run) for one in workspaces]}, indent=2))
    problems = [problem for one in workspaces for problem in one.problems]
    for problem in problems:
        print_error(problem)
    if problems:
        raise typer.Exit(1)


def _as_json(one: Reconciled, dry_run: bool) -> dict[str, Any]:
    return {
        "workspace": one.plan.workspace,
        "database": one.database,
        "changes": [
            {"what": change.what, "sql": text} for change, text in zip(one.plan.changes, one.statements, strict=True)
        ],
        "done": one.failed is None and not dry_run,
        "notes": list(one.plan.notes),
        "problems": [str(problem) for problem in one.problems],
    }


def _print(one: Reconciled, dry_run: bool) -> None:
    for change, text in zip(one.plan.changes, one.statements, strict=True):
        if dry_run:
            # Names of what readers have made are in it: none ends the comment before SQL that somebody pastes.
            echo_document(f"-- {printable(f'{one.plan.workspace}: {change.what}')}\n{text}\n\n")
        elif one.failed is None:
            echo(f"{one.plan.workspace}: {change.what}")
    for note in one.plan.notes:
        echo(f"note: {note}", err=True)
    for problem in one.problems:
        print_error(problem)
