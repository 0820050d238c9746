"""Old names of options and commands, until a later release removes them.

They are hidden from --help, do what they did, and print the new name on standard error.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand

from airflow_plugin.cli import db, doctor, last_good, merge_job, migrate_cutover, runs, streams_change
from airflow_plugin.cli import streams_preview as preview
from airflow_plugin.cli.merge_job import PASSED_THROUGH
from config_schema.echo import echo
from config_schema.errors import SHARED_LOG_VARIABLE


class WithOldOptions(TyperCommand):
    """A command of whose options some had another name."""

    old_options: ClassVar[Mapping[str, str]] = {}

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line with the new names in the place of the old ones."""
        return super().parse_args(ctx, list(self._renamed(args)))

    def _renamed(self, args: list[str]) -> Iterator[str]:
        for number, one in enumerate(args):
            name, sign, value = one.partition("=")
            if "--" in args[:number] or name not in self.old_options:
                yield one
                continue
            new = self.old_options[name]
            if not os.environ.get(SHARED_LOG_VARIABLE):  # nobody who reads such a log has written the command
                echo(f"{name} is now {new}: the old name goes with a later release", err=True)
            yield f"{new}{sign}{value}"


def with_old_options(old: Mapping[str, str]) -> type[TyperCommand]:
    """Return the class of a command that takes these options by their old names too."""
    return type(WithOldOptions.__name__, (WithOldOptions,), {"old_options": dict(old)})


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
