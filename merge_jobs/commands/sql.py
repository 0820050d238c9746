"""`merge-job sql`."""

from __future__ import annotations

from typing import Annotated

import typer

from merge_jobs.commands.options import (
    DatasetName,
    GitBranch,
    GitCredential,
    GitUrl,
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
from merge_jobs.flags import StoreFlags, model_of, store_database
from merge_jobs.shown_sql import datasets_to_show, shown_sql

What = Annotated[
    list[str],
    typer.Argument(
        metavar="STRATEGY|MILESTONING|as-of...",
        help="initial, full, ...; live or forensic: all of that file; as-of: what a forensic table looked like.",
    ),
]


def sql(
    what: What,
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
) -> None:
    """Print the SQL that a batch would run for a dataset, in order, on both sides. Nothing is run.

    With --model no database is asked and no secret needed; with --git-repo-url the merge store tells the commit.

    Example: merge-job sql full --platform YellowLive --store Store1 --dataset customers --model ./model

    Exit codes: 0 printed, 1 an error, which is named, 2 a wrong option.
    """
    with errors_told():
        flags = StoreFlags(postgres_host, postgres_port, postgres_database, postgres_schema, postgres_credential)
        ecosystem, _ = model_of(model_flags(model, git_repo_url, git_repo_branch, git_credential), flags, platform)
        stream, datasets = datasets_to_show(ecosystem, platform, store, dataset)
        database = store_database(flags, stream.platform.merge_store)
        texts = [shown_sql(one, stream, of, database) for one in what for of in datasets]
    typer.echo("\n\n".join(texts))
