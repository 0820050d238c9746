"""`merge-job changes`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from config_schema import names
from config_schema.echo import echo, echo_text
from config_schema.errors import OptionMissing, OptionsConflict, UnknownName
from config_schema.model import Ecosystem, Workspace
from merge_jobs.admin.changes import Sample, changes_of
from merge_jobs.cli.asking_person import asking_person
from merge_jobs.cli.changes_view import as_json as json_of
from merge_jobs.cli.changes_view import change_lines
from merge_jobs.cli.options import AskedBy, Option, Places, PlatformName, Reason, StoreName, with_places
from merge_jobs.cli.typer_command import Json, errors_printed, print_error
from merge_jobs.errors import StoreMismatch
from merge_jobs.process.memory_limit import limit_memory
from merge_jobs.run.flags import mapped_model_of, store_place, stream_model_of
from merge_jobs.run.render_sql import datasets_among, datasets_to_show
from merge_jobs.stream import refuse_in_lake

MOST_KEYS = 100


@with_places
def changes(
    places: Places,
    platform: PlatformName,
    store: StoreName,
    dataset: Annotated[str | None, Option("--dataset", "Only this dataset; a single_dataset store wants one.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", min=1, help="This batch; else the last one.")] = None,
    sample: Annotated[
        int, typer.Option("--sample", min=0, max=MOST_KEYS, help="So many keys of each kind, with values.")
    ] = 0,
    workspace: Annotated[
        str | None, typer.Option("--workspace", help="Values as this workspace may see them; else none that are PII.")
    ] = None,
    by: AskedBy = None,
    reason: Reason = None,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Keep it with the batch, for the pages; values for an hour, and none is printed."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what a batch changed: how many keys, in which columns, and some values if asked for.

    Of a forensic stream it reads the versions that the batch has closed and opened, of a live one what the batch has
    kept (keep_changes in the model). With --sample it shows values, and the history of the stream's row says who asked.
    With --keep the pages show it; a dataset of which nothing is known is shown as such there, and is no error.

    Example: merge-job changes --platform YellowForensic --store Store1 --batch 12 --sample 5 --model ./model

    Exit codes: 0 shown, 1 an error, which is named, or a dataset of which nothing is known of that batch, 2 a wrong
    option.
    """
    limit_memory()
    with errors_printed():
        if workspace is not None and not sample:
            raise OptionMissing(["--sample"], "Give the number of keys; without it no value is shown", "--workspace")
        if workspace is not None and keep:
            raise OptionsConflict(["--workspace", "--keep"])
        if workspace is not None:
            model, _ = mapped_model_of(places.of_model, places.merge_store, platform)
            stream, datasets = datasets_to_show(model.ecosystem, platform, store, dataset, model.mappings)
            seen = _workspace(model.ecosystem, workspace).may_see
        else:
            keys = [names.stream_key(store, dataset), names.stream_key(store)]
            own, _ = stream_model_of(places.of_model, places.merge_store, platform, keys)
            ingested = sorted(sink.dataset for sink in own.served if sink.datastore == store)
            stream, datasets = datasets_among(own.ecosystem, platform, store, dataset, ingested)
            seen = Workspace.may_see
        refuse_in_lake(stream, "runs changes")
        found = changes_of(
            store_place(places.merge_store, stream.platform.merge_store),
            stream,
            datasets,
            batch,
            Sample(sample, seen, by or asking_person(), reason) if sample else None,
            keep=keep,
        )
    if keep:
        found = found and found.without_keys()  # what is printed goes into a log
    if as_json:
        echo_text(json.dumps(json_of(stream, found), indent=2))
    else:
        for line in change_lines(stream, found, is_whole=len(datasets) == len(stream.datasets)):
            echo(line)
    failed = [] if found is None else [one for one in found.datasets.values() if isinstance(one, StoreMismatch)]
    for error in failed:
        print_error(error)
    if failed and not keep:
        raise typer.Exit(1)


def _workspace(ecosystem: Ecosystem, name: str) -> Workspace:
    for one in ecosystem.workspaces:
        if one.name == name:
            return one
    raise UnknownName("--workspace", "workspace", name, [one.name for one in ecosystem.workspaces])
