"""`merge-job sql`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from config_schema.echo import echo_document
from config_schema.model import Database, Dataset
from merge_jobs.admin.lake_views import views_of_lake
from merge_jobs.cli.options import DatasetName, Places, PlatformName, StoreName, with_places
from merge_jobs.cli.typer_command import errors_printed
from merge_jobs.database.connections import place_of
from merge_jobs.run.flags import mapped_model_of, store_database
from merge_jobs.run.render_sql import datasets_to_show, rendered_sql
from merge_jobs.stream import Stream

DUCKDB = "duckdb"
What = Annotated[
    list[str],
    typer.Argument(
        metavar="STRATEGY|MILESTONING|as-of|duckdb...",
        help="initial, full, ...; live or forensic: all of that file; as-of: what a forensic table looked like; "
        "duckdb: views of rows in a lake.",
    ),
]


@with_places
def sql(
    places: Places,
    what: What,
    platform: PlatformName,
    store: StoreName,
    dataset: DatasetName = None,
) -> None:
    """Print the SQL that a batch would run for a dataset, in order, on both sides. Nothing is run.

    With --model no database is asked and no secret needed; with --git-repo-url the merge store tells the commit. For
    duckdb the merge store tells which files the lake has as the last batch has left it.

    Example: merge-job sql full --platform YellowLive --store Store1 --dataset customers --model ./model

    Exit codes: 0 printed, 1 an error, which is named, 2 a wrong option.
    """
    with errors_printed():
        model, _ = mapped_model_of(places.of_model, places.merge_store, platform)
        stream, datasets = datasets_to_show(model.ecosystem, platform, store, dataset, model.mappings)
        database = store_database(places.merge_store, stream.platform.merge_store)
        texts = [text for one in what for text in _texts(one, stream, datasets, database)]
    echo_document("\n\n".join(texts) + "\n")


def _texts(what: str, stream: Stream, datasets: tuple[Dataset, ...], database: Database) -> list[str]:
    """Return what is to be printed of some of the stream's datasets."""
    if what == DUCKDB:
        return [views_of_lake(place_of(database, None), replace(stream, datasets=datasets))]
    return [rendered_sql(what, stream, of, database) for of in datasets]
