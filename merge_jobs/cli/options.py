"""Options that several sub-commands share, each with a twin in the environment; and how an error is told."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from config_schema.errors import ProblemsFound, StreamFactoryError, text_for_terminal
from config_schema.tls import Tls
from merge_jobs.run.flags import ModelFlags, StoreFlags
from merge_jobs.run.model_source import GitModel

KEYWORD_ONLY = Parameter.KEYWORD_ONLY


def option(name: str, text: str) -> typer.models.OptionInfo:
    """An option with its twin in the environment: --postgres-host is DATASURFACE_POSTGRES_HOST."""
    twin = "DATASURFACE_" + name.removeprefix("--").upper().replace("-", "_")
    info: typer.models.OptionInfo = typer.Option(name, envvar=twin, help=text)
    return info


PlatformName = Annotated[str, option("--platform", "The platform's name in the model.")]
StoreName = Annotated[str, option("--store", "The datastore's name.")]
OnlyPlatform = Annotated[str | None, option("--platform", "Only this platform; needed with --git-repo-url.")]
DatasetName = Annotated[str | None, option("--dataset", "The dataset, for a single_dataset store only.")]
LockWait = Annotated[float, option("--lock-wait", "Seconds to wait for another job on the stream.")]
AskedBy = Annotated[str | None, option("--by", "Who asks for it: kept in the history of the stream's row.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclass(frozen=True)
class Places:
    """Where the model and the merge store are, as options of every command; see `with_places`."""

    model: Annotated[Path | None, option("--model", "A folder with the model, used as it is.")] = None
    git_repo_url: Annotated[
        str | None, option("--git-repo-url", "The model's repository; the commit is the one that sync recorded.")
    ] = None
    git_repo_branch: Annotated[str, option("--git-repo-branch", "Its branch.")] = "main"
    git_credential: Annotated[str, option("--git-credential", "The secret with its token.")] = "git"
    postgres_host: Annotated[str | None, option("--postgres-host", "The merge store; else as modelled.")] = None
    postgres_port: Annotated[int | None, option("--postgres-port", "Its port.")] = None
    postgres_database: Annotated[str | None, option("--postgres-database", "Its database.")] = None
    postgres_schema: Annotated[str | None, option("--postgres-schema", "The schema of its tables.")] = None
    postgres_credential: Annotated[
        str | None, option("--postgres-credential", "The secret with its user name and password.")
    ] = None
    postgres_tls: Annotated[Tls | None, option("--postgres-tls", "How TLS is used to reach it.")] = None
    postgres_tls_ca: Annotated[
        str | None, option("--postgres-tls-ca", "The CA of its certificate: a file, or a mounted Secret's name.")
    ] = None
    least_tls: Annotated[
        Tls | None, option("--least-tls", "The weakest use of TLS for any database: raises what the model says.")
    ] = None

    @property
    def of_model(self) -> ModelFlags:
        git = None if self.git_repo_url is None else (self.git_repo_url, self.git_repo_branch, self.git_credential)
        return ModelFlags(self.model, None if git is None else GitModel(*git))

    @property
    def merge_store(self) -> StoreFlags:
        return StoreFlags(
            self.postgres_host,
            self.postgres_port,
            self.postgres_database,
            self.postgres_schema,
            self.postgres_credential,
            self.postgres_tls,
            self.postgres_tls_ca,
            self.least_tls,
        )


def with_places(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each field of Places, of which it gets one value, `places`."""
    hints = get_type_hints(Places, include_extras=True)
    shared = [
        Parameter(one.name, KEYWORD_ONLY, default=one.default, annotation=hints[one.name]) for one in fields(Places)
    ]
    own = [
        one.replace(kind=KEYWORD_ONLY)
        for one in signature(command, eval_str=True).parameters.values()
        if one.name != "places"
    ]

    @wraps(command)
    def run(**given: Any) -> None:
        places = Places(**{one.name: given.pop(one.name, one.default) for one in shared})
        command(places=places, **given)

    parameters = [*own, *shared]
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # what typer and plain.py read
    run.__annotations__ = {one.name: one.annotation for one in parameters} | {"return": None}
    return run


def tell(error: StreamFactoryError) -> None:
    """An error on stderr, a line for each problem."""
    problems = error.problems if isinstance(error, ProblemsFound) else (text_for_terminal(error, os.environ),)
    for problem in problems:
        typer.echo(f"error: {problem}", err=True)


@contextmanager
def errors_told() -> Iterator[None]:
    """What a user can meet goes to stderr and ends the command with exit code 1."""
    try:
        yield
    except StreamFactoryError as error:
        tell(error)
        raise typer.Exit(1) from None
