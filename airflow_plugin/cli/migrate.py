"""`dagfactory migrate`: from static DAG files to rows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

migrate = typer.Typer(help="From static DAG files to rows: read, compare, try, cut over.", no_args_is_help=True)

DagFiles = Annotated[Path, typer.Argument(metavar="PATH", help="A DAG file, or a folder of them; they are not run.")]
Out = Annotated[Path, typer.Option("--out", help="Where to write the rows; - is stdout.")]
Gap = Annotated[
    Path | None,
    typer.Option("--model", help="A model's folder, for what the files do not say.", envvar="DAGFACTORY_MODEL"),
]
Default = Annotated[
    list[str] | None,
    typer.Option("--default", metavar="KEY=VALUE", help="For what a file does not say; may be given again."),
]


@migrate.callback()
def group() -> None:
    """From static DAG files to rows: read, compare, try, cut over."""


@migrate.command()
def extract(path: DagFiles, out: Out = Path("-"), model: Gap = None, default: Default = None) -> None:
    """Read static ingestion DAGs by their syntax tree, and write their streams as `streams import` takes them.

    What a file does not say comes from --default, the model, or the platform's settings file. Secrets are named,
    never read. A stream of which something cannot be read is told with file and line, and left out.

    Example: dagfactory migrate extract dags/ --model model/ --out streams.yaml

    Exit codes: 0 every ingestion DAG was read; 1 an error, or a stream that was left out.
    """
    from airflow_plugin.cli.migrate_view import print_extracted
    from airflow_plugin.cli.wording import print_error
    from airflow_plugin.migrate.extract import as_yaml, extracted, twice
    from airflow_plugin.migrate.gaps import gaps
    from airflow_plugin.migrate.static_dag import static_files
    from airflow_plugin.streams.transfer import write
    from config_schema.errors import ProblemsFound
    from config_schema.load import load_model

    known = gaps(None if model is None else load_model(model), default or ())
    files = static_files(path)
    streams = [extracted(dag, known) for dag in files.dags]
    problems = [*files.problems, *(one for stream in streams for one in stream.problems), *twice(streams)]
    if any(stream.config for stream in streams):
        write(out, as_yaml(streams))
    print_extracted(streams, files.others)
    if problems:
        print_error(ProblemsFound(str(path), problems))
        sys.exit(1)
