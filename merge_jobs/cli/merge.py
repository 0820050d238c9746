"""`merge-job merge`."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Iterator
from typing import Annotated

from config_schema.echo import echo
from config_schema.result import TOKEN_VARIABLE, MergeResult, QualityResult, ResultCode
from merge_jobs.cli.options import (
    AskedBy,
    DatasetName,
    LockWait,
    Option,
    Places,
    PlatformName,
    Reason,
    SourceCredential,
    SourceHosts,
    StoreName,
    with_places,
)
from merge_jobs.process.log_lines import LogFormat, log_to_stdout
from merge_jobs.process.memory_limit import limit_memory
from merge_jobs.process.shutdown import ended_by_signals
from merge_jobs.run.job import MergeOptions
from merge_jobs.run.request import Request, keep_failure, perform, report
from merge_jobs.strategies.selection import StrategyOption
from merge_jobs.stream import Tables


@with_places
def merge(
    places: Places,
    platform: PlatformName,
    store: StoreName,
    run_id: Annotated[str, Option("--run-id", "Names this run: what it has committed is not done twice.")],
    dataset: DatasetName = None,
    datasets: Annotated[str, Option("--datasets", "Names with commas between them; none: all of the store.")] = "",
    source_credential: SourceCredential = None,
    source_hosts: SourceHosts = None,
    strategy: Annotated[StrategyOption, Option("--strategy", "How the delta is found.")] = MergeOptions.strategy,
    time_slice_seconds: Annotated[float, Option("--time-slice-seconds", "Repeat batches so long; 0: one batch.")] = 0,
    max_delete_fraction: Annotated[
        float, Option("--max-delete-fraction", "Fail rather than delete a larger part of a table.")
    ] = MergeOptions.max_delete_fraction,
    allow_deletes: Annotated[
        bool, Option("--allow-deletes", "Let one batch of this run delete more than that.")
    ] = False,
    tables: Annotated[
        Tables, Option("--tables", "shadow: into tables of its own, for a trial; names have __shadow.")
    ] = Tables.OWN,
    by: AskedBy = None,
    reason: Reason = None,
    lock_wait: LockWait = 0,
    audit_interval: Annotated[
        float, Option("--audit-interval", "Compare every row once in so many seconds; 0: never.")
    ] = MergeOptions.audit_interval,
    load_connections: Annotated[
        int | None,
        Option("--load-connections", "So many load a large table for the first time; none: by the table's size."),
    ] = None,
    dry_run: Annotated[
        bool,
        Option("--dry-run", "Do one batch and undo it: say what it would do, change nothing. --run-id may be any."),
    ] = False,
    log_format: Annotated[
        LogFormat, Option("--log-format", "json: an object a line; the result's lines stay as they are.")
    ] = LogFormat.TEXT,
) -> None:
    """Take a snapshot of a stream's datasets and merge it.

    Each option may also be set in the environment, as DATASURFACE_... Passwords come from the environment
    only: secret `postgres` is POSTGRES_USERNAME and POSTGRES_PASSWORD.

    With --dry-run it reads what a batch would read, and takes the locks that it takes; at the end all is rolled back.

    Example: merge-job merge --platform YellowLive --store Store1 --model ./model --run-id by-hand-1

    Example: merge-job merge --platform YellowLive --store Store1 --model ./model --run-id any --dry-run

    Exit codes: 0 done or more to do, 1 an error that the result line tells, 2 a wrong option.
    """
    log_to_stdout(log_format, platform=platform, store=store, run_id=run_id)
    token = os.environ.get(TOKEN_VARIABLE) or secrets.token_hex(16)
    request = Request(
        platform=platform,
        store=store,
        run_id=f"dry-run-{secrets.token_hex(4)}" if dry_run else run_id,
        dataset=dataset,
        datasets=tuple(name for name in datasets.split(",") if name),
        model=places.of_model,
        merge_store=places.merge_store,
        source_credential=source_credential,
        source_hosts=None if source_hosts is None else tuple(source_hosts.split(",")),
        tables=tables,
        options=MergeOptions(
            strategy=strategy,
            time_slice_seconds=0 if dry_run else time_slice_seconds,
            max_delete_fraction=max_delete_fraction,
            allow_deletes=allow_deletes,
            asked_by=by,
            reason=reason,
            lock_wait=lock_wait,
            audit_interval=audit_interval,
            load_connections=load_connections,
            dry_run=dry_run,
        ),
    )
    limit_memory()
    with ended_by_signals():
        result = perform(request)
        if dry_run:
            _print_dry_run(result, log_format)
        else:
            keep_failure(request, result)
            report(result, token)
    sys.exit(1 if result.code is ResultCode.ERROR else 0)


def _print_dry_run(result: MergeResult, log_format: LogFormat) -> None:
    """Print what a batch would do; not as the lines of a result, which somebody would act on."""
    if log_format is LogFormat.JSON:
        echo(json.dumps({"dry_run": True, **result.to_dict()}))
        return
    for line in dry_run_lines(result):
        echo(line)


def dry_run_lines(result: MergeResult) -> Iterator[str]:
    """Yield a line for the batch, and one for each dataset."""
    of = f"{result.platform} {result.stream_key}"
    if result.code is ResultCode.ERROR:
        yield f"{of}: a batch would fail: {result.error}"
        return
    if result.batches:
        yield f"{of}: batch {result.batch_id} would be committed, of {result.source_snapshot_time}; nothing was written"
    else:
        yield f"{of}: a batch would find nothing new since batch {result.batch_id}; nothing was written"
    for name, one in sorted(result.datasets.items()):
        counts = one.counts
        changed = f"{counts.inserted} inserted, {counts.updated} updated, {counts.deleted} deleted"
        yield f"  {name}: {changed}, {counts.unchanged} unchanged, {counts.total} total; {one.strategy}: {one.reason}"
        for check in one.quality:
            yield f"    check {check.check} ({check.severity}): {_found(check)}"
    if result.shape_changed:
        yield "  consumers' views would follow"


def _found(check: QualityResult) -> str:
    return str(check) if check.is_measured else f"{check.violations} rows break it"
