"""`merge-job trust`."""

from __future__ import annotations

from typing import Annotated

import typer

from merge_jobs.commands.options import (
    GitBranch,
    GitCredential,
    GitUrl,
    LockWait,
    ModelFolder,
    PlatformName,
    StoreCredential,
    StoreDatabase,
    StoreHost,
    StoreName,
    StorePort,
    StoreSchema,
    errors_told,
    model_flags,
    option,
)
from merge_jobs.flags import StoreFlags, model_of, store_place
from merge_jobs.shown_sql import datasets_to_show
from merge_jobs.trust import trust_again


def trust(
    platform: PlatformName,
    store: StoreName,
    dataset: Annotated[str | None, option("--dataset", "Only this dataset; a single_dataset store wants one.")] = None,
    model: ModelFolder = None,
    git_repo_url: GitUrl = None,
    git_repo_branch: GitBranch = "main",
    git_credential: GitCredential = "git",
    postgres_host: StoreHost = None,
    postgres_port: StorePort = None,
    postgres_database: StoreDatabase = None,
    postgres_schema: StoreSchema = None,
    postgres_credential: StoreCredential = None,
    lock_wait: LockWait = 0,
) -> None:
    """Let version diff in again where an audit found that it had missed changes, once the cause is known.

    Example: merge-job trust --platform YellowLive --store Store1 --dataset customers --model ./model

    Exit codes: 0 done or nothing to do, 1 an error, which is named, 2 a wrong option.
    """
    with errors_told():
        flags = StoreFlags(postgres_host, postgres_port, postgres_database, postgres_schema, postgres_credential)
        ecosystem, _ = model_of(model_flags(model, git_repo_url, git_repo_branch, git_credential), flags, platform)
        stream, datasets = datasets_to_show(ecosystem, platform, store, dataset)
        cleared = trust_again(store_place(flags, stream.platform.merge_store), stream, datasets, lock_wait)
    for name, reason in cleared.items():
        typer.echo(f"{stream} {name}: version diff is on again; it was off, as {reason}")
    if not cleared:
        typer.echo(f"{stream}: version diff was not off, nothing to do")
