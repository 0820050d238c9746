"""`merge-job views`."""

from __future__ import annotations

from collections.abc import Iterator

import typer

from config_schema.load import Model
from config_schema.model import Database, Platform
from merge_jobs.cli.options import (
    OnlyPlatform,
    Places,
    errors_told,
    tell,
    with_places,
)
from merge_jobs.run.flags import StoreFlags, mapped_model_of, store_database
from merge_jobs.views.reconcile import Reconciled, reconcile

views = typer.Typer(help="Consumers' views, the roles that read them, and who may see what.", no_args_is_help=True)


@views.callback()
def group() -> None:
    """Consumers' views, the roles that read them, and who may see what."""


@views.command("plan")
@with_places
def plan_views(places: Places, platform: OnlyPlatform = None) -> None:
    """Show the SQL that would bring consumers' views, roles and rights to the model, and change nothing.

    Example: merge-job views plan --model ./model

    Exit codes: 0 shown, 1 something stands in the way, or an error, which is named, 2 a wrong option.
    """
    with errors_told():
        found, _ = mapped_model_of(places.of_model, places.merge_store, platform)
        _end(_all(found, places.merge_store, platform, dry_run=True), dry_run=True)


@views.command("reconcile")
@with_places
def reconcile_views(places: Places, platform: OnlyPlatform = None) -> None:
    """Bring consumers' views, roles and rights to the model: each workspace in one transaction, and only what is ours.

    Example: merge-job views reconcile --platform YellowLive --model ./model

    Exit codes: 0 done or nothing to do, 1 something stands in the way, or an error, which is named, 2 a wrong option.
    """
    with errors_told():
        found, _ = mapped_model_of(places.of_model, places.merge_store, platform)
        _end(_all(found, places.merge_store, platform, dry_run=False), dry_run=False)


@views.command("grants")
@with_places
def apply_grants(places: Places, platform: OnlyPlatform = None) -> None:
    """Bring roles and rights on the views that stand to the model, and touch no view. reconcile does that too.

    For rights that must go at once: it asks no merge store, and a view that cannot be changed is not in its way.

    Example: merge-job views grants --platform YellowLive --model ./model

    Exit codes: 0 done or nothing to do, 1 something stands in the way, or an error, which is named, 2 a wrong option.
    """
    with errors_told():
        found, _ = mapped_model_of(places.of_model, places.merge_store, platform)
        _end(_all(found, places.merge_store, platform, dry_run=False, rights_only=True), dry_run=False)


def _all(
    model: Model, flags: StoreFlags, platform: str | None, *, dry_run: bool, rights_only: bool = False
) -> Iterator[Reconciled]:
    def store_of(one: Platform) -> Database:
        # What the command says of the merge store is of the platform that it names.
        return store_database(flags, one.merge_store) if platform in (None, one.name) else one.merge_store

    only = [] if platform is None else [platform]
    return reconcile(model, store_of, only, dry_run=dry_run, rights_only=rights_only)


def _end(workspaces: Iterator[Reconciled], *, dry_run: bool) -> None:
    changes = problems = 0
    for one in workspaces:
        done = one.failed is None
        changes += len(one.plan.changes) if done else 0
        problems += len(one.problems)
        _print(one, dry_run)
    typer.echo(f"{changes} change{'' if changes == 1 else 's'}{' to make' if dry_run else ''}")
    if problems:
        raise typer.Exit(1)


def _print(one: Reconciled, dry_run: bool) -> None:
    for change, text in zip(one.plan.changes, one.statements, strict=True):
        if dry_run:
            typer.echo(f"-- {one.plan.workspace}: {change.what}\n{text}\n")
        elif one.failed is None:
            typer.echo(f"{one.plan.workspace}: {change.what}")
    for note in one.plan.notes:
        typer.echo(f"note: {note}", err=True)
    for problem in one.problems:
        tell(problem)
