"""What `dagfactory migrate` prints, to stderr if stdout gets a document."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.text import Text

from airflow_plugin.cli.messages import print_message
from airflow_plugin.migrate.compare import Compared, DagDifference
from airflow_plugin.migrate.extract import Extracted
from config_schema.terminal import PlainConsole


def print_extracted(streams: Iterable[Extracted], others: Mapping[Path, str]) -> None:
    """Print a line for each DAG, and for each file without one."""
    count = 0
    for one in streams:
        place = f"{one.dag.file}:{one.dag.line}"
        if one.config is None:
            print_message(f"{place}: {one.dag.dag_id or 'a DAG'}: left out")
            continue
        count += 1
        renamed = "" if one.dag_id == one.dag.dag_id else f", whose DAG is {one.dag_id} and not {one.dag.dag_id}"
        print_message(f"{place}: {one.platform} {one.config.stream_key}{renamed}")
        if one.others:
            print_message(f"{place}: no config has a key for {', '.join('--' + flag for flag in one.others)}")
    for file, why in others.items():
        print_message(f"{file}: {why}")
    print_message(f"{count} stream{'' if count == 1 else 's'}")


def print_compared(found: Iterable[Compared]) -> None:
    """Print what differs for each DAG, then what always does."""
    console = PlainConsole()
    for one in found:
        place = f"{one.dag.file}:{one.dag.line}"
        if one.problems:
            console.print(
                Text.assemble((one.dag.dag_id or "a DAG", "bold"), f"  {place}: not compared"), soft_wrap=True
            )
            continue
        head = f"  {place}, and {one.origin} (built by {one.built_by})"
        console.print(Text.assemble((one.dag.dag_id or "a DAG", "bold"), head), soft_wrap=True)
        other = [difference for difference in one.differences if difference.by_design is None]
        for difference in other:
            line = Text.assemble(("  differs    ", "bold red"), _difference(difference))
            console.print(line, soft_wrap=True)
        for difference in one.differences:
            if difference.by_design is not None:
                line = Text.assemble(("  always     ", "dim"), _difference(difference), f" ({difference.by_design})")
                console.print(line, soft_wrap=True)
        if not one.built_by.startswith("Airflow"):
            console.print(
                Text("  unknown    volumes, which are known where Airflow builds the pod", "dim"), soft_wrap=True
            )
        if not other:
            console.print(Text("  the same   but for what the factory does for all streams", "green"), soft_wrap=True)


def compared_as_dict(one: Compared) -> dict[str, Any]:
    """Return a comparison as --json shows it."""
    return {
        "dag_id": one.dag.dag_id,
        "file": str(one.dag.file),
        "line": one.dag.line,
        "origin": one.origin,
        "built_by": one.built_by,
        "differs": one.differs(strict=False),
        "differences": [vars(difference) for difference in one.differences],
        "problems": [vars(problem) for problem in one.problems],
    }


def _difference(difference: DagDifference) -> str:
    return f"{difference.path}: {_word(difference.static)} -> {_word(difference.factory)}"


def _word(value: Any) -> str:
    if value is None:
        return "(none)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
