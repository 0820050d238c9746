"""`dagfactory model import`: parts of the model from a live database, and from files of other tools."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from airflow_plugin.cli.merge_job import PASSED_THROUGH, run_merge_job
from config_schema.echo import echo, echo_document

if TYPE_CHECKING:
    from airflow_plugin.formats.parts import ImportReport
    from config_schema.load.described import DescribedDatastore

DATABASE = "database"
Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Contracts, or a folder with *.odcs.yaml.")]
Name = Annotated[str | None, typer.Option("--name", help="The datastore's name; else the file says it.")]
Credential = Annotated[
    str | None, typer.Option("--credential", help="The secret that jobs read the source with; else <database>.")
]
Dsn = Annotated[
    str | None,
    typer.Option("--dsn", help="Where the tables are, as postgresql://host:5432/database?schema=public; no password."),
]
File = Annotated[Path, typer.Argument(metavar="FILE", help="The file of the other tool, in YAML or JSON.")]
KeyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--key", metavar="TABLE=COLUMN,...", help="The columns that name a row of a table; may be given again."
    ),
]
Server = Annotated[str | None, typer.Option("--server", help="The contract's server that batches read.")]
Out = Annotated[
    Path | None, typer.Option("--out", help="A new file, or a new folder for a whole model; else standard output.")
]


class DatabaseByDefault(TyperGroup):
    """The group of imports, which was one command: options without a name of a command are those of a database."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line; `model import --dsn ...` is what it was before there were other imports."""
        if args and args[0].startswith("-") and args[0] not in ctx.help_option_names:
            new = f"dagfactory model import {DATABASE}"
            echo(f"dagfactory model import is now {new}: the old name goes with a later release", err=True)
            args = [DATABASE, *args]
        return super().parse_args(ctx, args)


imports = typer.Typer(
    cls=DatabaseByDefault, help="Make a part of the model from a database or another tool's file.", no_args_is_help=True
)


@imports.callback()
def group() -> None:
    """Make a part of the model from a database or another tool's file."""


@imports.command(DATABASE, context_settings=PASSED_THROUGH)
def import_database(context: typer.Context) -> None:
    """Write a live database's tables as a datastore of the model.

    Example: dagfactory model import database --dsn postgresql://reader@pg-data/customer_db --out store1.yaml

    Exit codes: 0 written, 1 an error, 2 a wrong option.
    """
    run_merge_job("describe", handed_on=context.args, called_as=f"dagfactory model import {DATABASE}")


@imports.command("odcs")
def import_odcs(
    file: Files,
    name: Name = None,
    server: Server = None,
    dsn: Dsn = None,
    credential: Credential = None,
    key: KeyOption = None,
    out: Out = None,
) -> None:
    """Write data contracts (ODCS) as datastores of the model.

    What a contract says and the model does not is listed on standard error, with its place in the file. The files of
    dagfactory model export odcs make the whole model that they were written from; --out is then a new folder.

    Example: dagfactory model import odcs orders.odcs.yaml --credential orders-reader --out model/ecosystem/orders.yaml

    Exit codes: 0 written, 1 an error, 2 a wrong option.
    """
    from airflow_plugin.formats.draft import database_of_dsn
    from airflow_plugin.formats.odcs.files import PART, contract_files, import_contracts
    from airflow_plugin.formats.odcs.servers import Choice
    from airflow_plugin.formats.rows import keys_given
    from airflow_plugin.formats.written import check_new, write_files, write_new

    check_new(out)
    source = database_of_dsn(dsn, credential) if dsn else None
    choice = Choice(name, server, credential, source, keys_given(key or ()))
    reports: list[ImportReport] = []
    try:
        texts = import_contracts(contract_files(file), choice, reports, to_files=out is not None)
    finally:
        print_notes(reports)
    if out is not None and PART not in texts:
        write_files(out, texts)
    else:
        write_new(out, texts[PART], echo_document)
    say_next(out)


@imports.command("uis")
def import_uis(
    file: File,
    name: Name = None,
    dsn: Dsn = None,
    credential: Credential = None,
    key: KeyOption = None,
    out: Out = None,
) -> None:
    """Write a Unified Ingestion Specification (UIS) as a datastore of the model.

    An endpoint becomes a dataset with the columns, types and checks that the file asks for. Batches read tables: name
    the database into which another tool loads the records of an API by --dsn, and the keys by --key. What the file
    says and the model does not is listed on standard error, with its place in the file.

    Example: dagfactory model import uis polygon.yaml --dsn postgresql://pg/landing --key daily_aggregates=ticker,t

    Exit codes: 0 written, 1 an error, 2 a wrong option.
    """
    from airflow_plugin.formats.draft import database_of_dsn
    from airflow_plugin.formats.parts import ImportReport
    from airflow_plugin.formats.rows import keys_given
    from airflow_plugin.formats.uis import UisChoice, read_uis
    from airflow_plugin.formats.written import check_new

    check_new(out)
    choice = UisChoice(name, database_of_dsn(dsn, credential) if dsn else None, keys_given(key or ()))
    report = ImportReport(file)
    _write_part(out, [report], lambda: read_uis(report, choice))


@imports.command("airbyte")
def import_airbyte(
    file: File,
    name: Name = None,
    dsn: Dsn = None,
    credential: Credential = None,
    key: KeyOption = None,
    out: Out = None,
) -> None:
    """Write the streams of an Airbyte connection as a datastore of the model.

    A connection as Airbyte's API or octavia writes it, or a configured catalogue: its streams become datasets, with
    their columns and keys. The source is the connection's, if it is a database; no password is read. What the file
    says and the model does not is listed on standard error, with its place in the file.

    Example: dagfactory model import airbyte connection.yaml --credential shop-reader --out model/ecosystem/shop.yaml

    Exit codes: 0 written, 1 an error, 2 a wrong option.
    """
    from airflow_plugin.formats.airbyte import AirbyteChoice, read_airbyte
    from airflow_plugin.formats.draft import database_of_dsn
    from airflow_plugin.formats.parts import ImportReport
    from airflow_plugin.formats.rows import keys_given
    from airflow_plugin.formats.written import check_new

    check_new(out)
    source = database_of_dsn(dsn, credential) if dsn else None
    reports = [ImportReport(file)]
    choice = AirbyteChoice(name, source, credential, keys_given(key or ()))
    _write_part(out, reports, lambda: read_airbyte(reports, choice))


def _write_part(out: Path | None, reports: list[ImportReport], read: Callable[[], DescribedDatastore]) -> None:
    """Write the datastore that is read, with the notes of its files, which are printed even if it cannot be read."""
    from airflow_plugin.formats.written import model_text, write_new

    try:
        described = read()
    finally:
        print_notes(reports)
    notes = [note for report in reports for note in report.noted()]
    write_new(out, model_text([report.file.name for report in reports], notes, [described]), echo_document)
    say_next(out)


def print_notes(reports: Iterable[ImportReport]) -> None:
    """Print what files say and the model does not, before an error or at the end."""
    from airflow_plugin.cli.messages import print_note

    for report in reports:
        for note in report.noted():
            print_note(str(note))


def say_next(out: Path | None) -> None:
    """Print what to do with the part of the model that was written."""
    if out is None:
        return
    check = f"dagfactory validate {out}" if out.is_dir() else "dagfactory validate, with it in the model's folder"
    echo(f"Written: {out}. Look through it, then run {check}", err=True)
