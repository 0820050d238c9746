"""A command line of nothing but `--name=value`, as the factory writes it, read from the command's own signature.

What typer loads to read, word and help costs more than a look at a small table. Whatever is not plain, and every
mistake, is left to it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

READ: Mapping[type, Callable[[str], Any]] = {str: str, int: int, float: float, Path: Path}


def plain_options(
    command: Callable[..., None], arguments: Sequence[str], environment: Mapping[str, str]
) -> dict[str, Any] | None:
    """Return the arguments to call the command with; None if typer has to read the line."""
    given = dict(argument.split("=", 1) for argument in arguments if argument.startswith("--") and "=" in argument)
    if len(given) < len(arguments) or "" in given.values():
        return None
    options: dict[str, Any] = {}
    hints = get_type_hints(command, include_extras=True)
    for name, parameter in inspect.signature(command).parameters.items():
        kind, option = get_args(hints[name])
        text = given.pop("--" + name.replace("_", "-"), environment.get(option.envvar) or None)
        try:
            options[name] = parameter.default if text is None else _read(kind, text)
        except ValueError:
            return None
        if options[name] is inspect.Parameter.empty:
            return None
    return None if given else options


def _read(kind: Any, text: str) -> Any:
    """Return the value of an option's text. Raises ValueError for a text that typer has to judge."""
    (one,) = [part for part in get_args(kind) or (kind,) if part is not NoneType]
    if issubclass(one, Enum):
        return one(text)
    if one not in READ:
        raise ValueError(one)
    return READ[one](text)
