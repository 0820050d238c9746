"""`merge-job check-source`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from config_schema import names
from config_schema.echo import echo, echo_text
from config_schema.source_check import CheckLevel, SourceCheck
from merge_jobs.admin.check_source import check_source as looked_at
from merge_jobs.cli.options import (
    DatasetName,
    Option,
    Places,
    PlatformName,
    SourceCredential,
    SourceHosts,
    StoreName,
    with_places,
)
from merge_jobs.cli.typer_command import Json, errors_printed
from merge_jobs.process.memory_limit import limit_memory
from merge_jobs.process.shutdown import ended_by_signals, raised_at_once
from merge_jobs.run.flags import store_place, stream_model_of
from merge_jobs.stores.postgres import source_checks
from merge_jobs.stream import Stream, Tables, stream_of, with_tables

STOPS_BATCHES = 3


@with_places
def check_source(
    places: Places,
    platform: PlatformName,
    store: StoreName,
    dataset: DatasetName = None,
    datasets: Annotated[str, Option("--datasets", "Names with commas between them; none: all of the store.")] = "",
    source_credential: SourceCredential = None,
    source_hosts: SourceHosts = None,
    tables: Annotated[Tables, Option("--tables", "shadow: for the trial of that stream.")] = Tables.OWN,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Record nothing in the merge store, which need not be there.")
    ] = False,
    exit_zero: Annotated[
        bool, typer.Option("--exit-zero", help="End with 0 whatever is found: what was recorded says it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Look at a stream's source: reach, login, tables, columns, types, rights; read no row.

    It reads the catalogue, and runs the queries of a batch so that they give no row. What it finds is recorded for the
    pages, doctor and the health DAG.

    Example: merge-job check-source --platform YellowLive --store Store1 --model ./model --dry-run

    Exit codes: 0 a batch can read it, 3 something stops a batch, 1 an error, which is named, 2 a wrong option.
    """
    limit_memory()
    with errors_printed(), ended_by_signals(), raised_at_once():
        keys = [names.stream_key(store, dataset)] if tables is Tables.OWN else []
        model, commit = stream_model_of(places.of_model, places.merge_store, platform, keys)
        wanted = tuple(name for name in datasets.split(",") if name)
        own = stream_of(model.ecosystem, platform, store, dataset, wanted)
        hosts = None if source_hosts is None else source_hosts.split(",")
        served = None if places.of_model.git is None else model.served
        found = looked_at(own, hosts, source_credential, served)
        stream = with_tables(own, tables, model.ecosystem)
        _print(stream, found, as_json)
        if not dry_run:
            place = store_place(places.merge_store, stream.platform.merge_store)
            source_checks.record(place, stream, commit, found)
    raise typer.Exit(STOPS_BATCHES if found.errors and not exit_zero else 0)


def _print(stream: Stream, found: SourceCheck, as_json: bool) -> None:
    if as_json:
        echo_text(json.dumps({"stream_key": stream.key, **found.to_dict()}, indent=2))
        return
    for one in found.findings:
        echo(f"{one.level.value}: {one}")
    for dataset in found.datasets:
        why = f": {dataset.why}" if dataset.why else ""
        echo(f"dataset {dataset.name}: can be read; changes are found by {dataset.strategy}{why}")
    counts = ", ".join(f"{found.count(level)} {level.value}s" for level in CheckLevel)
    readable = f"{len(found.datasets)} of {len(stream.datasets)} datasets can be read"
    echo(f"{stream}: source {found.source}: {readable}; {counts}")
