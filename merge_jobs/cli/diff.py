"""`merge-job diff`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from config_schema.echo import echo, echo_text
from merge_jobs.admin.diff import NeverLoaded, compare
from merge_jobs.cli.diff_view import as_json as json_of
from merge_jobs.cli.diff_view import diff_lines
from merge_jobs.cli.options import (
    LockWait,
    Option,
    Places,
    PlatformName,
    SourceCredential,
    SourceHosts,
    StoreName,
    with_places,
)
from merge_jobs.cli.typer_command import Json, errors_printed, print_error
from merge_jobs.database.connections import place_of
from merge_jobs.process.memory_limit import limit_memory
from merge_jobs.process.shutdown import ended_by_signals, raised_at_once
from merge_jobs.run.flags import mapped_model_of, store_place
from merge_jobs.run.render_sql import datasets_to_show
from merge_jobs.run.source_policy import admits_private, admitted_source, check_credential, check_source_host
from merge_jobs.stream import refuse_in_lake

MOST_KEYS = 1000
DIFFERS = 3


@with_places
def diff(
    places: Places,
    platform: PlatformName,
    store: StoreName,
    dataset: Annotated[str | None, Option("--dataset", "Only this dataset; a single_dataset store wants one.")] = None,
    source_credential: SourceCredential = None,
    source_hosts: SourceHosts = None,
    limit: Annotated[
        int, typer.Option("--limit", min=0, max=MOST_KEYS, help="Show so many keys of a dataset at most.")
    ] = 20,
    lock_wait: LockWait = 0,
    as_json: Json = False,
) -> None:
    """Compare datasets with their source now: equal, or which keys differ and in which columns.

    It reads all rows of the source, and takes the locks that merge --dry-run takes; at the end all is rolled back.
    Keys and names of columns are printed, other values are not.

    Example: merge-job diff --platform YellowLive --store Store1 --dataset customers --model ./model

    Exit codes: 0 equal, 3 something differs, 1 an error, which is named, or a dataset that was never loaded, 2 a wrong
    option.
    """
    limit_memory()
    with errors_printed(), ended_by_signals(), raised_at_once():
        model, _ = mapped_model_of(places.of_model, places.merge_store, platform)
        stream, datasets = datasets_to_show(model.ecosystem, platform, store, dataset, model.mappings)
        hosts = None if source_hosts is None else source_hosts.split(",")
        check_source_host(stream.store.source, hosts)
        source = admitted_source(stream.store.source, hosts)
        if places.of_model.git is not None:
            check_credential(source, source_credential)
        refuse_in_lake(stream, "runs diff")
        found = compare(
            store_place(places.merge_store, stream.platform.merge_store),
            place_of(source, source_credential, admits_private=admits_private(source, hosts)),
            stream,
            datasets,
            limit,
            lock_wait,
        )
    if as_json:
        echo_text(json.dumps(json_of(stream, found), indent=2))
    else:
        for line in diff_lines(stream, found):
            echo(line)
    never = [one for one in found.datasets.values() if isinstance(one, NeverLoaded)]
    for error in never:
        print_error(error)
    if never:
        raise typer.Exit(1)
    raise typer.Exit(0 if found.is_equal else DIFFERS)
