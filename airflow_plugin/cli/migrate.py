"""`dagfactory migrate`: from static DAG files to rows."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from airflow_plugin.cli.migrate_cutover import cutover
from airflow_plugin.cli.migrate_shadow import shadow
from airflow_plugin.cli.options import Json
from config_schema.echo import echo_text

DIFFERS = 2  # the exit code of compare

migrate = typer.Typer(help="Move from static DAG files to rows: read, compare, try, cut over.", no_args_is_help=True)

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
Retired = Annotated[
    bool,
    typer.Option("--retired", help="As retired rows, for which sync makes no DAGs beside the static ones."),
]
Rows = Annotated[Path | None, typer.Option("--rows", help="Against the rows of this file, as extract writes it.")]
AsModelled = Annotated[bool, typer.Option("--as-modelled", help="Against what sync would write for the model.")]
Strict = Annotated[bool, typer.Option("--strict", help="End with 2 also for what always differs.")]
Load = Annotated[
    bool,
    typer.Option("--load", help="Run the files too, in a child process with an empty environment, to see their DAGs."),
]
NoAirflow = Annotated[bool, typer.Option("--no-airflow", help="Only the plan, at once: Airflow takes seconds to load.")]


@migrate.callback()
def group() -> None:
    """Move from static DAG files to rows: read, compare, try, cut over."""


@migrate.command()
def extract(
    path: DagFiles, out: Out = Path("-"), model: Gap = None, default: Default = None, retired: Retired = False
) -> None:
    """Read static DAG files, which are not run, and write their streams for streams import.

    What a file does not say comes from --default, the model, or the platform's settings file. Secrets are named,
    never read. A stream of which something cannot be read is reported with file and line, and left out.

    Example: dagfactory migrate extract dags/ --model model/ --out streams.yaml

    Exit codes: 0 every ingestion DAG was read; 1 an error, or a stream that was left out.
    """
    from airflow_plugin.cli.messages import print_error
    from airflow_plugin.cli.migrate_view import print_extracted
    from airflow_plugin.migrate.defaults import stream_defaults
    from airflow_plugin.migrate.extract import as_yaml, duplicate_streams, extracted
    from airflow_plugin.static_dags.static_dag import static_files
    from airflow_plugin.streams.transfer import write
    from config_schema.errors import ProblemsFound
    from config_schema.load import load_model

    known = stream_defaults(None if model is None else load_model(model), default or ())
    files = static_files(path)
    streams = [extracted(dag, known) for dag in files.dags]
    problems = [*files.problems, *(one for stream in streams for one in stream.problems), *duplicate_streams(streams)]
    if any(stream.config for stream in streams):
        write(out, as_yaml(streams, "retired" if retired else "active"))
    print_extracted(streams, files.others)
    if problems:
        print_error(ProblemsFound(str(path), problems))
        sys.exit(1)


@migrate.command()
def compare(
    path: DagFiles,
    rows: Rows = None,
    as_modelled: AsModelled = False,
    model: Gap = None,
    default: Default = None,
    load: Load = False,
    strict: Strict = False,
    no_airflow: NoAirflow = False,
    as_json: Json = False,
) -> None:
    """Compare static DAGs with the factory's for the same streams: tasks, schedule, pod.

    The factory's are built of what extract reads, of an edited file (--rows), or of what sync would write
    (--as-modelled). What the factory does otherwise for all streams is shown with the reason, and counts with --strict.

    Example: dagfactory migrate compare dags/ --model model/ --rows streams.yaml

    Exit codes: 0 nothing differs but what always does; 2 something does; 1 an error, or a DAG that cannot be compared.
    """
    from airflow_plugin.cli.messages import print_error
    from airflow_plugin.cli.migrate_view import compared_as_dict, print_compared
    from airflow_plugin.migrate.compare import compared
    from airflow_plugin.migrate.defaults import stream_defaults
    from airflow_plugin.migrate.extract import extracted
    from airflow_plugin.migrate.loading import loaded_files
    from airflow_plugin.migrate.rows import of_extracted, of_model, of_rows
    from airflow_plugin.quiet_airflow import quiet_airflow
    from airflow_plugin.static_dags.static_dag import static_files
    from config_schema.errors import ProblemsFound
    from config_schema.load import load_model

    if as_modelled and (model is None or rows is not None):
        raise typer.BadParameter("--as-modelled is for --model, without --rows")
    loaded = None if model is None else load_model(model)
    known, files = stream_defaults(loaded, default or ()), static_files(path)
    if rows is not None:
        find = of_rows(rows, loaded)
    elif as_modelled and loaded is not None:
        find = of_model(loaded, f"the model in {model}")
    else:
        find = of_extracted(loaded)
    with quiet_airflow():
        read = loaded_files(files) if load else files
        found = [compared(extracted(dag, known), find, with_airflow=not no_airflow) for dag in read.dags]
    if as_json:
        echo_text(json.dumps({"dags": [compared_as_dict(one) for one in found]}, indent=2))
    else:
        print_compared(found)
    problems = [*read.problems, *(problem for one in found for problem in one.problems)]
    if problems:
        print_error(ProblemsFound(str(path), problems))
        sys.exit(1)
    if any(one.differs(strict=strict) for one in found):
        sys.exit(DIFFERS)


for command in (shadow, cutover):
    migrate.command()(command)
