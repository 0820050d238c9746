"""Options that several sub-commands share, each with a twin in the environment; and how an error is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from config_schema.errors import ProblemsFound, StreamFactoryError
from merge_jobs.flags import ModelFlags
from merge_jobs.model_source import GitModel


def option(name: str, text: str) -> typer.models.OptionInfo:
    """An option with its twin in the environment: --postgres-host is DATASURFACE_POSTGRES_HOST."""
    twin = "DATASURFACE_" + name.removeprefix("--").upper().replace("-", "_")
    info: typer.models.OptionInfo = typer.Option(name, envvar=twin, help=text)
    return info


PlatformName = Annotated[str, option("--platform", "The platform's name in the model.")]
StoreName = Annotated[str, option("--store", "The datastore's name.")]
DatasetName = Annotated[str | None, option("--dataset", "The dataset, for a single_dataset store only.")]
ModelFolder = Annotated[Path | None, option("--model", "A folder with the model, used as it is.")]
GitUrl = Annotated[
    str | None, option("--git-repo-url", "The model's repository; the commit is the one that sync recorded.")
]
GitBranch = Annotated[str, option("--git-repo-branch", "Its branch.")]
GitCredential = Annotated[str, option("--git-credential", "The secret with its token.")]
StoreHost = Annotated[str | None, option("--postgres-host", "The merge store; else as modelled.")]
StorePort = Annotated[int | None, option("--postgres-port", "Its port.")]
StoreDatabase = Annotated[str | None, option("--postgres-database", "Its database.")]
StoreSchema = Annotated[str | None, option("--postgres-schema", "The schema of its tables.")]
StoreCredential = Annotated[str | None, option("--postgres-credential", "The secret with its user name and password.")]
LockWait = Annotated[float, option("--lock-wait", "Seconds to wait for another job on the stream.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def model_flags(folder: Path | None, url: str | None, branch: str, credential: str) -> ModelFlags:
    return ModelFlags(folder, None if url is None else GitModel(url, branch, credential))


def tell(error: StreamFactoryError) -> None:
    """An error on stderr, a line for each problem."""
    for problem in error.problems if isinstance(error, ProblemsFound) else (error,):
        typer.echo(f"error: {problem}", err=True)


@contextmanager
def errors_told() -> Iterator[None]:
    """What a user can meet goes to stderr and ends the command with exit code 1."""
    try:
        yield
    except StreamFactoryError as error:
        tell(error)
        raise typer.Exit(1) from None
