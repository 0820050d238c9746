"""`merge-job describe`: a live database's catalogue as a datastore of the model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from config_schema import names
from config_schema.echo import echo, echo_document
from config_schema.errors import FileUnwritable, ValueWrong
from config_schema.model import Consistency
from merge_jobs.cli.typer_command import errors_printed

PASSWORD_VARIABLE = "DATASURFACE_SOURCE_PASSWORD"
HEADER = """\
# From the catalogue of {place}.
# Nothing there tells whose data it is: every column is `internal` until you say `classification: pii` and the like.
"""


def describe(
    dsn: Annotated[
        str, typer.Option("--dsn", help=f"postgresql://user@host/database; its password: {PASSWORD_VARIABLE}.")
    ],
    schema: Annotated[str, typer.Option("--schema", help="The schema of the tables.")] = "public",
    table: Annotated[
        list[str] | None, typer.Option("--table", help="Only tables of this name or pattern; may be given again.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", help="No tables of this name or pattern; may be given again.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="The datastore's name; else the database's.")] = None,
    credential: Annotated[
        str | None, typer.Option("--credential", help="The secret that jobs read it with; else <database>.")
    ] = None,
    single_dataset: Annotated[
        bool, typer.Option("--single-dataset", help="A stream for each table, not one for all of them.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="A new file; else standard output.")] = None,
) -> None:
    """Write the tables of a live database as a datastore of the model: columns, types, keys.

    It reads no rows. What cannot be described, a table without a key for instance, is a comment in the result that
    says why, and is named on standard error. Look through the result: which columns are PII nobody can read there.

    Example: merge-job describe --dsn postgresql://reader@pg-data/customer_db --exclude 'tmp_*' --out store1.yaml

    Exit codes: 0 written, 1 an error, which is named, 2 a wrong option.
    """
    # SQLAlchemy takes a while to load.
    from config_schema.load.datastore_yaml import printable, yaml_text
    from config_schema.load.described import stream_name
    from merge_jobs.catalogue import TableChoice, described, place_of_dsn

    with errors_printed():
        if out is not None and out.exists():
            raise ValueWrong("--out", str(out), "exists already", "Name a new file, or remove it")
        place = place_of_dsn(dsn, schema, os.environ.get(PASSWORD_VARIABLE))
        consistency = Consistency.SINGLE_DATASET if single_dataset else Consistency.MULTI_DATASET
        title = Path(place.database).stem
        secret = credential or names.dns_label(title) or "source"
        choice = TableChoice(tuple(table or ()), tuple(exclude or ()))
        found = described(place, name or stream_name(title), secret, consistency, choice)
        text = HEADER.format(place=printable(place.in_full())) + yaml_text(found)
        if out is None:
            echo_document(text)
        else:
            _write(out, text)
    for left in found.left_out:
        echo(f"left out: {left.table}: {left.why}", err=True)
    columns = sum(len(dataset.columns) for dataset in found.datastore.datasets)
    echo(f"{len(found.datastore.datasets)} datasets with {columns} columns{f' in {out}' if out else ''}", err=True)


def _write(out: Path, text: str) -> None:
    try:
        out.write_text(text, "utf-8")
    except OSError as error:
        raise FileUnwritable(out, error, "Name another file") from None
