"""Which of a model's environments is meant: DAGFACTORY_ENVIRONMENT says it, or the settings of the installation."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from config_schema import names
from config_schema.errors import CommandWrong, UnknownName

_by_settings: list[Callable[[], str | None]] = []  # asked only if a model has environments


def settle_by(settings: Callable[[], str | None]) -> None:
    """Let `settings` say which environment this installation is, where the variable does not."""
    _by_settings[:] = [settings]


def choose_environment(name: str) -> None:
    """Choose an environment for this process and those that it starts."""
    os.environ[names.ENVIRONMENT_VARIABLE] = name


class EnvironmentNotChosen(CommandWrong):
    """A model has environments, and nothing says which of them is meant.

    Set DAGFACTORY_ENVIRONMENT or give --environment. Where a settings file of a platform has the key `environment`,
    commands take it from there.
    """

    code = "DF1120"

    def __init__(self, known: Sequence[str]) -> None:
        self.known = tuple(known)
        what = f"the model has the environments {', '.join(known)}, and none is chosen"
        super().__init__(names.ENVIRONMENT_VARIABLE, what, "Set it, or give --environment")


def chosen_environment(known: Sequence[str]) -> str | None:
    """Return the one of a model's environments that is chosen; None if the model has none and none is chosen.

    Raises:
        EnvironmentNotChosen: the model has environments, and nothing says which.
        UnknownName: the model does not have the environment.
    """
    name = os.environ.get(names.ENVIRONMENT_VARIABLE)
    if not name and not known:
        return None
    name = name or next((found for ask in _by_settings if (found := ask())), None)
    if not name:
        raise EnvironmentNotChosen(known)
    if name not in known:
        where = f"--environment or {names.ENVIRONMENT_VARIABLE}"
        raise UnknownName(where, "environment", name, known, "the model")
    return name
