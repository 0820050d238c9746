"""`merge-job reset`."""

from __future__ import annotations

from typing import Annotated

import typer

from merge_jobs.commands.options import (
    DatasetName,
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
)
from merge_jobs.flags import StoreFlags, model_of, store_place
from merge_jobs.reset import Reset, reset_batch
from merge_jobs.stream import Stream, stream_of


def reset(
    platform: PlatformName,
    store: StoreName,
    dataset: DatasetName = None,
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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be reset.")] = False,
) -> None:
    """Take a stream's open batch back to its start: drop what it has staged, and let the next run read it anew.

    A committed batch is never reset, and a stream that a job is working on is not touched.

    Example: merge-job reset --platform YellowLive --store Store1 --model ./model

    Exit codes: 0 reset or nothing to reset, 1 refused or an error, which is named, 2 a wrong option.
    """
    with errors_told():
        flags = StoreFlags(postgres_host, postgres_port, postgres_database, postgres_schema, postgres_credential)
        ecosystem, commit = model_of(model_flags(model, git_repo_url, git_repo_branch, git_credential), flags, platform)
        stream = stream_of(ecosystem, platform, store, dataset)
        place = store_place(flags, stream.platform.merge_store)
        typer.echo(_told(stream, reset_batch(place, stream, commit, lock_wait, dry_run), dry_run))


def _told(stream: Stream, done: Reset | None, dry_run: bool) -> str:
    if done is None:
        return f"{stream}: there is no batch, nothing to reset"
    would = "would be reset" if dry_run else "is reset to started"
    staging = ", ".join(done.staging) or "none"
    gone = "staging tables to drop" if dry_run else "staging tables dropped"
    return f"{stream} batch {done.batch_id}: {would} (was {done.status.value}, run {done.run_id}); {gone}: {staging}"
