"""Reads a command line that consists of `--name=value` only, as the factory writes it, by the command's signature.

Loading typer takes longer than reading a small table. Every other command line, and every mistake, is left to typer.
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
    """Return the arguments for the command; None if typer must read the line."""
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
    """Return the value of an option's text. Raises ValueError for a text that typer must check."""
    (one,) = [part for part in get_args(kind) or (kind,) if part is not NoneType]
    if issubclass(one, Enum):
        return one(text)
    if one not in READ:
        raise ValueError(one)
    return READ[one](text)
