"""`merge-job`: merge a stream, or change a producer's data on purpose."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from config_schema.result import TOKEN_VARIABLE, ResultCode
from merge_jobs.job import MAX_DELETE_FRACTION
from merge_jobs.model_source import GitModel
from merge_jobs.report import log_to_stdout, report
from merge_jobs.request import Request, StoreFlags, perform
from merge_jobs.simulator import simulate
from merge_jobs.strategies import Wanted

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(simulate)


def main() -> None:
    app(prog_name="merge-job")


@app.callback()
def _describe() -> None:
    """Copies a producer's tables, merges them, and says in its last lines what it did."""


def _option(name: str, text: str) -> typer.models.OptionInfo:
    """An option with its twin in the environment: --postgres-host is DATASURFACE_POSTGRES_HOST."""
    twin = "DATASURFACE_" + name.removeprefix("--").upper().replace("-", "_")
    option: typer.models.OptionInfo = typer.Option(name, envvar=twin, help=text)
    return option


@app.command()
def merge(
    platform: Annotated[str, _option("--platform", "The platform's name in the model.")],
    store: Annotated[str, _option("--store", "The datastore's name.")],
    run_id: Annotated[str, _option("--run-id", "Names this run: what it has committed is not done twice.")],
    dataset: Annotated[str | None, _option("--dataset", "The dataset, for a single_dataset store only.")] = None,
    datasets: Annotated[str, _option("--datasets", "Names with commas between them; none: all of the store.")] = "",
    model: Annotated[Path | None, _option("--model", "A folder with the model, used as it is.")] = None,
    git_repo_url: Annotated[
        str | None, _option("--git-repo-url", "The model's repository; the commit is the one that sync recorded.")
    ] = None,
    git_repo_branch: Annotated[str, _option("--git-repo-branch", "Its branch.")] = "main",
    git_credential: Annotated[str, _option("--git-credential", "The secret with its token.")] = "git",
    postgres_host: Annotated[str | None, _option("--postgres-host", "The merge store; else as modelled.")] = None,
    postgres_port: Annotated[int | None, _option("--postgres-port", "Its port.")] = None,
    postgres_database: Annotated[str | None, _option("--postgres-database", "Its database.")] = None,
    postgres_schema: Annotated[str | None, _option("--postgres-schema", "The schema of its tables.")] = None,
    postgres_credential: Annotated[
        str | None, _option("--postgres-credential", "The secret with its user name and password.")
    ] = None,
    source_credential: Annotated[
        str | None, _option("--source-credential", "The secret of the source; else as modelled.")
    ] = None,
    strategy: Annotated[Wanted, _option("--strategy", "How the delta is found.")] = Wanted.AUTO,
    time_slice_seconds: Annotated[float, _option("--time-slice-seconds", "Repeat batches so long; 0: one batch.")] = 0,
    max_delete_fraction: Annotated[
        float, _option("--max-delete-fraction", "Fail rather than delete a larger part of a table.")
    ] = MAX_DELETE_FRACTION,
    lock_wait: Annotated[float, _option("--lock-wait", "Seconds to wait for another job on the stream.")] = 0,
) -> None:
    """Take a snapshot of a stream's datasets and merge it. Each option has a twin, DATASURFACE_..., in the environment.

    Passwords come from the environment only: secret `postgres` is POSTGRES_USERNAME and POSTGRES_PASSWORD.

    Example: merge-job merge --platform YellowLive --store Store1 --model ./model --run-id by-hand-1

    Exit codes: 0 done or more to do, 1 an error that the result line tells, 2 a wrong option.
    """
    log_to_stdout()
    token = os.environ.get(TOKEN_VARIABLE) or secrets.token_hex(16)
    result = perform(
        Request(
            platform=platform,
            store=store,
            run_id=run_id,
            dataset=dataset,
            datasets=tuple(name for name in datasets.split(",") if name),
            model=model,
            git=None if git_repo_url is None else GitModel(git_repo_url, git_repo_branch, git_credential),
            merge_store=StoreFlags(
                postgres_host, postgres_port, postgres_database, postgres_schema, postgres_credential
            ),
            source_credential=source_credential,
            strategy=strategy,
            time_slice_seconds=time_slice_seconds,
            max_delete_fraction=max_delete_fraction,
            lock_wait=lock_wait,
        )
    )
    report(result, token)
    raise typer.Exit(1 if result.code is ResultCode.ERROR else 0)
