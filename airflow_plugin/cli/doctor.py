"""`dagfactory doctor`, and how it prints findings: by platform, in colours, with what to do below each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from airflow_plugin.cli.options import InEnvironment, Json, ModelOption, Platforms
from airflow_plugin.doctor.finding import Finding, Level, worst
from config_schema.echo import echo_text
from config_schema.terminal import PlainConsole

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
Producers = Annotated[
    bool, typer.Option("--producers", help="Only the sources of streams, as jobs have looked at them.")
]


def doctor(
    model: Model = None,
    platform: Platforms = None,
    in_environment: InEnvironment = None,  # set in its callback
    dags: Dags = None,
    merge_stores: MergeStores = False,
    producers: Producers = False,
    as_json: Json = False,
) -> None:
    """Check all that the factory needs, change nothing, and say what to do about each problem.

    It looks at versions, settings files, factory files, last-good files, merge stores with their tables and rights, and
    the streams: rows quarantined or gone, data that is late. Platforms are those with a settings file here, and those
    of the model. With --merge-stores it needs only the model, no Airflow and no settings file. With --producers it says
    what was found when the source of each stream was looked at, and when that was.

    Example: dagfactory doctor --platform YellowLive

    Example: dagfactory doctor --producers

    Example: dagfactory doctor --merge-stores --model model/

    Exit codes: 0 there may be warnings, 1 there are errors.
    """
    from airflow_plugin.doctor.examine import examine, examine_merge_stores, examine_producers

    if producers:
        _print(examine_producers(platform or ()), as_json)
    elif merge_stores:
        _print(examine_merge_stores(model or Path(), platform or ()), as_json)
    else:
        _print(examine(model, platform or (), dags), as_json)


def check(model: ModelOption = Path(), platform: Platforms = None, as_json: Json = False) -> None:
    """Check merge stores only."""
    doctor(model=model, platform=platform, merge_stores=True, as_json=as_json)


def _print(findings: list[Finding], as_json: bool) -> None:
    if as_json:
        echo_text(json.dumps({"findings": [finding.to_dict() for finding in findings]}, indent=2))
    else:
        print_findings(findings)
    if worst(findings) is Level.ERROR:
        raise typer.Exit(1)


COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "bold red"}
LEVEL_WIDTH = max(len(level.value) for level in Level)
MACHINE = "this machine"


def print_findings(findings: Sequence[Finding]) -> None:
    """Print findings, in colours where the terminal has them."""
    console = PlainConsole()
    for line in _lines(findings):
        console.print(line, soft_wrap=True)


def _lines(findings: Sequence[Finding]) -> Iterator[Text]:
    width = max((len(finding.area) for finding in findings), default=0)
    for platform, of_platform in groupby(findings, key=lambda finding: finding.platform):
        yield Text(platform or MACHINE, "bold")
        for finding in of_platform:
            level = f"  {finding.level.value:{LEVEL_WIDTH}}"
            yield Text.assemble((level, COLOURS[finding.level]), f"  {finding.area:{width}}  ", _text(finding))
            if finding.todo:
                yield Text(f"  {'':{LEVEL_WIDTH}}  {'':{width}}  -> {finding.todo}")
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    yield Text(f"{counts[Level.ERROR]} errors, {counts[Level.WARNING]} warnings, {counts[Level.OK]} ok")


def _text(finding: Finding) -> str:
    return f"{finding.what} [{finding.code}]" if finding.code else finding.what
