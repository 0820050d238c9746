"""`dagfactory doctor`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from airflow_plugin.cli.options import Json, Platforms

Model = Annotated[
    Path | None, typer.Option("--model", help="Look at this model too, and its git.", envvar="DAGFACTORY_MODEL")
]
Dags = Annotated[
    Path | None,
    typer.Option("--dags", help="Airflow's dags folder, if not what Airflow says.", envvar="DAGFACTORY_DAGS"),
]


def doctor(model: Model = None, platform: Platforms = None, dags: Dags = None, as_json: Json = False) -> None:
    """Look at all that the factory needs, change nothing, and say of each thing whether it is well and what to do.

    Versions, settings files, factory files, snapshots, merge stores with tables and rights, and the streams: rows set
    aside or gone, data that is late. Platforms are those with a settings file here, and those of the model.

    Example: dagfactory doctor --platform YellowLive

    Exit codes: 0 there may be warnings, 1 there are errors.
    """
    from airflow_plugin.cli.doctor_view import print_findings
    from airflow_plugin.doctor.examine import examine
    from airflow_plugin.doctor.finding import Level, worst

    findings = examine(model, platform or (), dags)
    if as_json:
        print(json.dumps({"findings": [finding.to_dict() for finding in findings]}, indent=2))
    else:
        print_findings(findings)
    if worst(findings) is Level.ERROR:
        raise typer.Exit(1)
