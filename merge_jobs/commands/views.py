"""`merge-job views`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from config_schema.load import Model
from config_schema.model import Database, Platform
from merge_jobs.commands.options import (
    GitBranch,
    GitCredential,
    GitUrl,
    ModelFolder,
    StoreCredential,
    StoreDatabase,
    StoreHost,
    StorePort,
    StoreSchema,
    errors_told,
    model_flags,
    option,
    tell,
)
from merge_jobs.flags import StoreFlags, mapped_model_of, store_database
from merge_jobs.views.reconcile import Reconciled, reconcile

views = typer.Typer(help="Consumers' views, the roles that read them, and who may see what.", no_args_is_help=True)

OnlyPlatform = Annotated[str | None, option("--platform", "Only this platform; needed with --git-repo-url.")]


@views.callback()
def group() -> None:
    """Consumers' views, the roles that read them, and who may see what."""


@views.command("plan")
def plan_views(
    platform: OnlyPlatform = None,
    model: ModelFolder = None,
    git_repo_url: GitUrl = None,
    git_repo_branch: GitBranch = "main",
    git_credential: GitCredential = "git",
    postgres_host: StoreHost = None,
    postgres_port: StorePort = None,
    postgres_database: StoreDatabase = None,
    postgres_schema: StoreSchema = None,
    postgres_credential: StoreCredential = None,
) -> None:
    """Show the SQL that would bring consumers' views, roles and rights to the model, and change nothing.

    Example: merge-job views plan --model ./model

    Exit codes: 0 shown, 1 something stands in the way, or an error, which is named, 2 a wrong option.
    """
    flags = StoreFlags(postgres_host, postgres_port, postgres_database, postgres_schema, postgres_credential)
    with errors_told():
        found, _ = mapped_model_of(model_flags(model, git_repo_url, git_repo_branch, git_credential), flags, platform)
        _end(_all(found, flags, platform, dry_run=True), dry_run=True)


@views.command("reconcile")
def reconcile_views(
    platform: OnlyPlatform = None,
    model: ModelFolder = None,
    git_repo_url: GitUrl = None,
    git_repo_branch: GitBranch = "main",
    git_credential: GitCredential = "git",
    postgres_host: StoreHost = None,
    postgres_port: StorePort = None,
    postgres_database: StoreDatabase = None,
    postgres_schema: StoreSchema = None,
    postgres_credential: StoreCredential = None,
) -> None:
    """Bring consumers' views, roles and rights to the model: each workspace in one transaction, and only what is ours.

    Example: merge-job views reconcile --platform YellowLive --model ./model

    Exit codes: 0 done or nothing to do, 1 something stands in the way, or an error, which is named, 2 a wrong option.
    """
    flags = StoreFlags(postgres_host, postgres_port, postgres_database, postgres_schema, postgres_credential)
    with errors_told():
        found, _ = mapped_model_of(model_flags(model, git_repo_url, git_repo_branch, git_credential), flags, platform)
        _end(_all(found, flags, platform, dry_run=False), dry_run=False)


def _all(model: Model, flags: StoreFlags, platform: str | None, *, dry_run: bool) -> Iterator[Reconciled]:
    def store_of(one: Platform) -> Database:
        return store_database(flags, one.merge_store)

    return reconcile(model, store_of, [] if platform is None else [platform], dry_run=dry_run)


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
