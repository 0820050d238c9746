"""Arguments and options that several sub-commands share, and how a model is found by them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
Branch = Annotated[str, typer.Option("--branch", help="The repository's branch.", envvar="DAGFACTORY_GIT_REPO_BRANCH")]
GitCredential = Annotated[
    str,
    typer.Option(
        "--git-credential",
        help="The secret whose token opens the repository: `git` is read from GIT_TOKEN.",
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
Platforms = Annotated[
    list[str] | None,
    typer.Option("--platform", help="Only this platform; may be given again.", envvar="DAGFACTORY_PLATFORM"),
]
PlatformName = Annotated[
    str, typer.Option("--platform", help="The platform's name in the model.", envvar="DAGFACTORY_PLATFORM")
]
OverwriteDrift = Annotated[
    bool, typer.Option("--overwrite-drift", help="Take what the model says also for rows that were changed by hand.")
]
DetailedExitCode = Annotated[
    bool, typer.Option("--detailed-exitcode", help="End with 2 when there are changes, or rows changed by hand.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def committed_model(
    folder: Path, repository: str | None, branch: str, credential: str, compiled: Path | None = None
) -> CommittedModel:
    """Return the model that the options name, and its commit. Raise StreamFactoryError."""
    import os

    from airflow_plugin.sync.source import model_of_folder, model_of_repository
    from config_schema import names

    if repository is None:
        return model_of_folder(folder, compiled)
    token = os.environ.get(names.secret_variable(credential, "token"))
    return model_of_repository(repository, branch, token, compiled)
