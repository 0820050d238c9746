"""Options by their old names: hidden from --help, they do what they did and print the new name on standard error."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from typer.core import TyperCommand

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
