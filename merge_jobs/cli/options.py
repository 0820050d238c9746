"""The options of `merge-job` that can also be set in the environment, as one table for both readers.

plain.py reads the command lines that the factory writes; typer_command.py makes typer's options from the table. typer
itself is not imported here: that takes a fifth of a second, which each run would pay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from config_schema import connect_wait
from config_schema.connect_wait import first_connections
from config_schema.tls import Tls
from merge_jobs.process import shutdown
from merge_jobs.run.flags import ModelFlags, StoreFlags
from merge_jobs.run.model_source import GitModel

KEYWORD_ONLY = Parameter.KEYWORD_ONLY


@dataclass(frozen=True)
class Option:
    """An option of a command; --postgres-host is DATASURFACE_POSTGRES_HOST in the environment."""

    name: str
    help: str

    @property
    def envvar(self) -> str:
        """The environment variable that sets the option."""
        return "DATASURFACE_" + self.name.removeprefix("--").upper().replace("-", "_")


PlatformName = Annotated[str, Option("--platform", "The platform's name in the model.")]
StoreName = Annotated[str, Option("--store", "The datastore's name.")]
OnlyPlatform = Annotated[str | None, Option("--platform", "Only this platform; needed with --git-repo-url.")]
DatasetName = Annotated[str | None, Option("--dataset", "The dataset, for a single_dataset store only.")]
SourceCredential = Annotated[str | None, Option("--source-credential", "The secret of the source; else as modelled.")]
SourceHosts = Annotated[
    str | None,
    Option(
        "--source-hosts", "Sources that may be read, host:port or file:/path with commas between; else as modelled."
    ),
]
LockWait = Annotated[float, Option("--lock-wait", "Seconds to wait for another job on the stream.")]
AskedBy = Annotated[str | None, Option("--by", "Who asks for it: kept in the history of the stream's row.")]
Reason = Annotated[str | None, Option("--reason", "Why: kept in the history too, with --by.")]


@dataclass(frozen=True)
class Places:
    """The options for the address of the model and of the merge store, as fields; see `with_places`."""

    model: Annotated[Path | None, Option("--model", "A folder with the model, used as it is.")] = None
    git_repo_url: Annotated[
        str | None, Option("--git-repo-url", "The model's repository; the commit is the one that sync recorded.")
    ] = None
    git_repo_branch: Annotated[str, Option("--git-repo-branch", "Its branch.")] = "main"
    git_credential: Annotated[str, Option("--git-credential", "The secret with its token.")] = "git"
    postgres_host: Annotated[str | None, Option("--postgres-host", "The merge store; else as modelled.")] = None
    postgres_port: Annotated[int | None, Option("--postgres-port", "Its port.")] = None
    postgres_database: Annotated[str | None, Option("--postgres-database", "Its database.")] = None
    postgres_schema: Annotated[str | None, Option("--postgres-schema", "The schema of its tables.")] = None
    postgres_credential: Annotated[
        str | None, Option("--postgres-credential", "The secret with its user name and password.")
    ] = None
    postgres_tls: Annotated[Tls | None, Option("--postgres-tls", "How TLS is used to reach it.")] = None
    postgres_tls_ca: Annotated[
        str | None, Option("--postgres-tls-ca", "The CA of its certificate: a file, or a mounted Secret's name.")
    ] = None
    least_tls: Annotated[
        Tls | None, Option("--least-tls", "The weakest use of TLS for any database: raises what the model says.")
    ] = None

    connect_wait: Annotated[
        float, Option("--connect-wait", "Seconds for which the first connection to a server is tried again.")
    ] = connect_wait.DEFAULT_SECONDS

    @property
    def of_model(self) -> ModelFlags:
        """The address of the model."""
        git = None if self.git_repo_url is None else (self.git_repo_url, self.git_repo_branch, self.git_credential)
        return ModelFlags(self.model, None if git is None else GitModel(*git))

    @property
    def merge_store(self) -> StoreFlags:
        """The address of the merge store."""
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
    """Return the command with an option for each field of Places; the command gets them as one value, `places`."""
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
        first_connections.set_wait(places.connect_wait, shutdown.pause_or_end)
        command(places=places, **given)

    parameters = [*own, *shared]
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # what plain.py and typer_command.py read
    run.__annotations__ = {one.name: one.annotation for one in parameters} | {"return": None}
    return run
