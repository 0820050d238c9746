"""Doctor's findings as a person reads them: by platform, what is not well in colour, with what to do below it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.text import Text

from airflow_plugin.doctor.finding import Finding, Level
from config_schema.terminal import PlainConsole

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
            yield Text.assemble((level, COLOURS[finding.level]), f"  {finding.area:{width}}  ", finding.what)
            if finding.todo:
                yield Text(f"  {'':{LEVEL_WIDTH}}  {'':{width}}  -> {finding.todo}")
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    yield Text(f"{counts[Level.ERROR]} errors, {counts[Level.WARNING]} warnings, {counts[Level.OK]} ok")
