"""Old names of commands. They do what they did, and print the new name to standard error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

import typer

from airflow_plugin.cli import db, doctor, last_good, merge_job, migrate_cutover, runs, streams_change
from airflow_plugin.cli import streams_preview as preview
from airflow_plugin.cli.merge_job import PASSED_THROUGH
from config_schema.echo import echo


@dataclass(frozen=True)
class Renamed:
    """A command of `dagfactory` by its old name, and its new name."""

    old: str
    new: str
    command: Callable[..., None]
    passed_through: bool = False


RENAMED = (
    Renamed("db init", "dagfactory db upgrade", db.upgrade),
    Renamed("platform tables", "dagfactory db upgrade", db.upgrade),
    Renamed("db check", "dagfactory doctor --merge-stores", doctor.check),
    Renamed("dag show", "dagfactory streams preview", preview.show),
    Renamed("dag simulate", "dagfactory streams preview --file", preview.simulate),
    Renamed("snapshot show", "dagfactory platform last-good", last_good.show),
    Renamed("snapshot accept", "dagfactory platform last-good --forget", last_good.forget_lost),
    Renamed("batch status", "dagfactory runs status", runs.status, passed_through=True),
    Renamed("batch reset", "dagfactory runs reset", runs.reset, passed_through=True),
    Renamed("batch sql", "dagfactory runs sql", runs.sql, passed_through=True),
    Renamed("batch trust", "dagfactory runs trust", runs.trust, passed_through=True),
    Renamed("views plan", "dagfactory views reconcile --dry-run", merge_job.plan, passed_through=True),
    Renamed("simulate", "merge-job simulate", merge_job.simulate, passed_through=True),
    Renamed("streams edit", "dagfactory streams set --editor", streams_change.edit),
    Renamed("migrate rollback", "dagfactory migrate cutover --undo", migrate_cutover.rollback),
)


def add_old_names(app: typer.Typer, groups: Mapping[str, typer.Typer]) -> None:
    """Add the old names, hidden in --help, to the program and to its groups that still exist."""
    found = dict(groups)
    for one in RENAMED:
        group, _, name = one.old.rpartition(" ")
        if group and group not in found:
            found[group] = typer.Typer(no_args_is_help=True)
            app.add_typer(found[group], name=group, hidden=True, help=f"Old names of commands: dagfactory {group} ...")
        settings = PASSED_THROUGH if one.passed_through else None
        into = found[group] if group else app
        into.command(name, hidden=True, context_settings=settings, help=f"Old name of {one.new}.")(_noting(one))


def _noting(renamed: Renamed) -> Callable[..., None]:
    @wraps(renamed.command)
    def run(*given: Any, **options: Any) -> None:
        new = f"dagfactory {renamed.old} is now {renamed.new}: the old name goes with a later release"
        echo(new, err=True)
        renamed.command(*given, **options)

    return run
