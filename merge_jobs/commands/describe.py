"""`merge-job describe`: a live database's catalogue as a datastore of the model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from config_schema.load.documents import plain
from config_schema.model import Consistency, Datastore
from merge_jobs.commands.options import errors_told
from merge_jobs.errors import CommandWrong

PASSWORD_VARIABLE = "DATASURFACE_SOURCE_PASSWORD"
LINE = 120
HEADER = """\
# From the catalogue of {place}. Nothing there tells whose data it is: every column is `internal` until you say
# `classification: pii` and the like.
"""


class _OneLine(dict[str, Any]):
    """A mapping that is written on one line."""


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)  # lists stand in from their key, as in the examples


_Dumper.add_representer(
    _OneLine, lambda dumper, value: dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=True)
)


def describe(
    dsn: Annotated[
        str, typer.Option("--dsn", help=f"postgresql://user@host/database; its password: {PASSWORD_VARIABLE}.")
    ],
    schema: Annotated[str, typer.Option("--schema", help="The schema of the tables.")] = "public",
    table: Annotated[
        list[str] | None, typer.Option("--table", help="Only tables of this name or pattern; may be given again.")
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
    """Write the tables of a live database as a datastore of the model: columns, types, keys. Reads no rows.

    A table without a key is left out and named. Look through the result: which columns are PII nobody can read there.

    Example: merge-job describe --dsn postgresql://reader@pg-data/customer_db --name Store1 --out store1.yaml

    Exit codes: 0 written, 1 an error, which is named, 2 a wrong option.
    """
    from merge_jobs.catalogue import described, place_of_dsn  # SQLAlchemy takes a while to load

    with errors_told():
        if out is not None and out.exists():
            raise CommandWrong(str(out), "it is there already", "Name a new file, or remove it")
        place = place_of_dsn(dsn, schema, os.environ.get(PASSWORD_VARIABLE))
        consistency = Consistency.SINGLE_DATASET if single_dataset else Consistency.MULTI_DATASET
        secret = credential or Path(place.database).stem.replace("_", "-")
        found = described(place, name or Path(place.database).stem, secret, consistency, table or ())
        text = HEADER.format(place=place) + _yaml(found.datastore)
        if out is None:
            typer.echo(text, nl=False)
        else:
            _write(out, text)
    for left, why in found.left_out:
        typer.echo(f"left out: {left}: {why}", err=True)
    columns = sum(len(dataset.columns) for dataset in found.datastore.datasets)
    typer.echo(
        f"{len(found.datastore.datasets)} datasets with {columns} columns{f' in {out}' if out else ''}", err=True
    )


def _yaml(datastore: Datastore) -> str:
    said = plain(datastore)
    for dataset in said["datasets"]:
        dataset["columns"] = [_OneLine(column) for column in dataset["columns"]]
    document = {"datastores": [said]}
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=LINE)
    return text


def _write(out: Path, text: str) -> None:
    try:
        out.write_text(text, "utf-8")
    except OSError as error:
        raise CommandWrong(str(out), f"it cannot be written ({error.strerror})", "Name another file") from None
