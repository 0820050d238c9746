"""`dagfactory doctor`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airflow_plugin.cli.options import Json, ModelOption, Platforms
from config_schema.echo import echo_text

if TYPE_CHECKING:
    from airflow_plugin.doctor.finding import Finding

Model = Annotated[
    Path | None, typer.Option("--model", help="Look at this model too, and its git.", envvar="DAGFACTORY_MODEL")
]
Dags = Annotated[
    Path | None,
    typer.Option("--dags", help="Airflow's dags folder, if not what Airflow says.", envvar="DAGFACTORY_DAGS"),
]


MergeStores = Annotated[
    bool,
    typer.Option("--merge-stores", help="Only the merge stores of the model's platforms: reached, whole, writable."),
]


def doctor(
    model: Model = None,
    platform: Platforms = None,
    dags: Dags = None,
    merge_stores: MergeStores = False,
    as_json: Json = False,
) -> None:
    """Check all that the factory needs, change nothing, and say what to do about each problem.

    It looks at versions, settings files, factory files, last-good files, merge stores with their tables and rights, and
    the streams: rows quarantined or gone, data that is late. Platforms are those with a settings file here, and those
    of the model. With --merge-stores it needs only the model, no Airflow and no settings file.

    Example: dagfactory doctor --platform YellowLive

    Example: dagfactory doctor --merge-stores --model model/

    Exit codes: 0 there may be warnings, 1 there are errors.
    """
    from airflow_plugin.doctor.examine import examine, examine_merge_stores

    if merge_stores:
        _print(examine_merge_stores(model or Path(), platform or ()), as_json)
    else:
        _print(examine(model, platform or (), dags), as_json)


def check(model: ModelOption = Path(), platform: Platforms = None, as_json: Json = False) -> None:
    """Check merge stores only."""
    doctor(model=model, platform=platform, merge_stores=True, as_json=as_json)


def _print(findings: list[Finding], as_json: bool) -> None:
    from airflow_plugin.cli.doctor_view import print_findings
    from airflow_plugin.doctor.finding import Level, worst

    if as_json:
        echo_text(json.dumps({"findings": [finding.to_dict() for finding in findings]}, indent=2))
    else:
        print_findings(findings)
    if worst(findings) is Level.ERROR:
        raise typer.Exit(1)
