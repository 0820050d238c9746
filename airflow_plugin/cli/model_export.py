"""`dagfactory model export`: the model in the formats of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from airflow_plugin.cli.options import ModelFolder
from config_schema.echo import echo, echo_document

Datastores = Annotated[
    list[str] | None, typer.Option("--datastore", help="Only the contract of this datastore; may be given again.")
]
Version = Annotated[str, typer.Option("--contract-version", help="The version that the contracts have.")]
Folder = Annotated[
    Path | None, typer.Option("--out", help="The folder of the files; not needed for one datastore, which is printed.")
]

exports = typer.Typer(help="Write the model in the formats of other tools.", no_args_is_help=True)


@exports.callback()
def group() -> None:
    """Write the model in the formats of other tools."""


@exports.command()
def odcs(
    path: ModelFolder = Path(),
    datastore: Datastores = None,
    contract_version: Version = "1.0.0",
    out: Folder = None,
) -> None:
    """Write the data contract (ODCS) of each datastore.

    A contract has the schema, keys, classifications, quality checks, owner, servers, latencies and schedules of a
    datastore, in the words of the Open Data Contract Standard. One more file holds what no contract says, so that
    dagfactory model import odcs makes the same model of the folder.

    Example: dagfactory model export odcs model/ --out contracts/

    Exit codes: 0 written, 1 an error, 2 a wrong option.
    """
    from airflow_plugin.formats.odcs.whole import contracts_of
    from airflow_plugin.formats.written import export_text, write_files
    from config_schema import names
    from config_schema.errors import OptionMissing, UnknownName
    from config_schema.load.folder import load_placed

    model, _ = load_placed(path)
    stores = [one.name for one in model.ecosystem.datastores]
    for name in datastore or ():
        if name not in stores:
            raise UnknownName("--datastore", "datastore", name, stores)
    files = contracts_of(model, contract_version)
    if datastore:
        files = {one: files[one] for one in map(names.contract_file, dict.fromkeys(datastore))}
    texts = {name: export_text(contract) for name, contract in files.items()}
    if out is not None:
        write_files(out, texts)
        others = sorted(
            set() if datastore else {path.name for path in out.glob(names.contract_file("*"))} - texts.keys()
        )
        for name in others:
            echo(f"not of this model, and left as it is: {out / name}", err=True)
        echo(f"{len(texts)} files in {out}", err=True)
    elif len(texts) == 1:
        echo_document(next(iter(texts.values())))
    else:
        raise OptionMissing(["--out"], "Name a folder, or one --datastore", str(path), f"there are {len(texts)} files")
