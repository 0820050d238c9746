"""Arguments and options that several sub-commands share, and the model that they name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from config_schema import connect_wait, names

if TYPE_CHECKING:
    from airflow_plugin.sync.source import CommittedModel

CHANGES = 2  # the exit code of --detailed-exitcode

ModelFolder = Annotated[
    Path,
    typer.Argument(
        metavar="PATH",
        help="Folder with ecosystem.yaml or eco.py, and dsg_platform_mapping.json.",
        envvar="DAGFACTORY_MODEL",
    ),
]
ModelOption = Annotated[Path, typer.Option("--model", help="Folder with the model.", envvar="DAGFACTORY_MODEL")]
Repository = Annotated[
    str | None,
    typer.Option(
        "--git-repo-url",
        help="Take the model from this repository and not from PATH.",
        envvar="DAGFACTORY_GIT_REPO_URL",
    ),
]
Branch = Annotated[
    str, typer.Option("--git-repo-branch", help="The repository's branch.", envvar="DAGFACTORY_GIT_REPO_BRANCH")
]
# Jobs of an older image, or of an older plugin, use the old name.
OLD_BRANCH = {"--branch": "--git-repo-branch"}
GitCredential = Annotated[
    str,
    typer.Option(
        "--git-credential",
        help="The secret whose token opens the model's repository: `git` is read from GIT_TOKEN.",
        envvar="DAGFACTORY_GIT_CREDENTIAL",
    ),
]
Compiled = Annotated[
    Path | None,
    typer.Option(
        "--compiled",
        help="Run no code of the model: take what dagfactory model compile wrote into this file.",
        envvar="DAGFACTORY_COMPILED_MODEL",
    ),
]


def _choose_environment(name: str | None) -> str | None:
    from config_schema.chosen_environment import choose_environment

    if name:
        choose_environment(name)
    return name


InEnvironment = Annotated[
    str | None,
    typer.Option(
        "--environment",
        help="The model's environment; else the one in the settings files here, if the model has any.",
        envvar=names.ENVIRONMENT_VARIABLE,
        callback=_choose_environment,
    ),
]
Platforms = Annotated[
    list[str] | None,
    typer.Option("--platform", help="Only this platform; may be given again.", envvar="DAGFACTORY_PLATFORM"),
]


def _named_here(name: str) -> str:
    """Return the model's name of the platform that is meant, as far as settings files here tell it."""
    from airflow_plugin.platforms_here import platform_called

    return platform_called(name)


def _all_named_here(given: list[str] | None) -> list[str] | None:
    return None if given is None else [_named_here(name) for name in given]


PlatformName = Annotated[
    str,
    typer.Option(
        "--platform",
        help="The platform: its name in the model, or the derived one of its tables and DAGs.",
        envvar="DAGFACTORY_PLATFORM",
        callback=_named_here,
    ),
]
PlatformArgument = Annotated[
    str, typer.Argument(metavar="PLATFORM", help="The platform's name, either of both.", callback=_named_here)
]
PlatformNames = Annotated[
    list[str],
    typer.Option("--platform", help="A platform's name, either of both; may be given again.", callback=_all_named_here),
]
OverwriteDrift = Annotated[
    bool, typer.Option("--overwrite-drift", help="Take what the model says also for rows that were changed by hand.")
]
DetailedExitCode = Annotated[
    bool, typer.Option("--detailed-exitcode", help="End with 2 when there are changes, or rows changed by hand.")
]


def _wait(seconds: float | None) -> float | None:
    from config_schema.connect_wait import first_connections

    if seconds is not None:
        first_connections.set_wait(seconds)
    return seconds


ConnectWait = Annotated[
    float | None,
    typer.Option(
        "--connect-wait",
        min=0,
        help="Seconds for which the first connection to a server is tried again; if not given, 15 in a pod, else 0.",
        envvar=connect_wait.VARIABLE,
        callback=_wait,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def committed_model(
    folder: Path, repository: str | None, branch: str, credential: str, compiled: Path | None = None
) -> CommittedModel:
    """Return the model that the options name, and its commit. Raises StreamFactoryError."""
    import os

    from airflow_plugin.sync.source import model_of_folder, model_of_repository

    token = os.environ.get(names.secret_variable(credential, "token"))
    if repository is None:
        return model_of_folder(folder, compiled, token)
    return model_of_repository(repository, branch, token, compiled)
