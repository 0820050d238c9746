"""`merge-job sql`."""

from __future__ import annotations

from typing import Annotated

import typer

from config_schema.echo import echo_document
from merge_jobs.cli.options import DatasetName, Places, PlatformName, StoreName, with_places
from merge_jobs.cli.typer_command import errors_printed
from merge_jobs.run.flags import mapped_model_of, store_database
from merge_jobs.run.render_sql import datasets_to_show, rendered_sql

What = Annotated[
    list[str],
    typer.Argument(
        metavar="STRATEGY|MILESTONING|as-of...",
        help="initial, full, ...; live or forensic: all of that file; as-of: what a forensic table looked like.",
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

    With --model no database is asked and no secret needed; with --git-repo-url the merge store tells the commit.

    Example: merge-job sql full --platform YellowLive --store Store1 --dataset customers --model ./model

    Exit codes: 0 printed, 1 an error, which is named, 2 a wrong option.
    """
    with errors_printed():
        model, _ = mapped_model_of(places.of_model, places.merge_store, platform)
        stream, datasets = datasets_to_show(model.ecosystem, platform, store, dataset, model.mappings)
        database = store_database(places.merge_store, stream.platform.merge_store)
        texts = [rendered_sql(one, stream, of, database) for one in what for of in datasets]
    echo_document("\n\n".join(texts) + "\n")
