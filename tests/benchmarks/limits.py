"""What benchmarks with limits share: rows for their targets, the table and the files at the end, and their options."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import yaml
from rich.console import Console

from airflow_plugin.demo.postgres import EmbeddedPostgres
from tests.benchmarks.running import write
from tests.benchmarks.tables import document, markdown_with_notes, print_with_notes

Target = dict[str, Any]


class Measurement(Protocol):
    """What was measured, a dataclass: its ratio to what it is held against, and the targets that it has."""

    @property
    def ratio(self) -> float: ...

    @property
    def targets(self) -> Iterable[Target]: ...


def target(name: str, value: float, limit: float) -> Target:
    """Return the row of a target: a value that is to be at most its limit."""
    return {"kind": "target", "name": name, "value": value, "limit": limit, "reached": value <= limit}


def said(row: Target) -> str:
    """Return a target as a note below the table."""
    missed = "" if row["reached"] else ": NOT REACHED"
    return f"{row['name']}: {row['value']:.2f} (at most {row['limit']:.4g}{missed})"


def report(
    flags: argparse.Namespace,
    screen: Console,
    command: str,
    rows: Sequence[Measurement],
    headings: tuple[Sequence[str], Sequence[str]],
    cells: Sequence[Sequence[str]],
    notes: Sequence[str],
) -> None:
    """Print the table, and write the files that the flags name; `headings` are all of them, and those of numbers."""
    print_with_notes(screen, *headings, cells, notes)
    measured = [{**asdict(row), "ratio": row.ratio} for row in rows]  # type: ignore[call-overload]  # dataclasses
    write(flags.json, json.dumps([*measured, *(one for row in rows for one in row.targets)], indent=1) + "\n")
    if flags.markdown:
        standing = flags.markdown.read_text("utf-8") if flags.markdown.exists() else ""
        write(flags.markdown, document(standing, markdown_with_notes(*headings, cells, notes), command))


def parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that each of these benchmarks has."""
    made = argparse.ArgumentParser(
        prog=f"python -m tests.benchmarks.{name}", description=(description or "").split("\n")[0]
    )
    made.add_argument("--fsync", choices=("on", "off"), default="on")
    made.add_argument("--directory", type=Path, help="where the server's data is kept meanwhile")
    made.add_argument("--json", type=Path, default=Path(f".bench/{name}.json"))
    made.add_argument("--markdown", type=Path, help="write the table into this document too")
    return made


def write_model(
    folder: Path, running: EmbeddedPostgres, store: str, source: dict[str, Any], dataset: dict[str, Any]
) -> None:
    """Write the model of a live platform with one dataset, which it merges into the database `store`."""
    place = {"host": running.host, "port": running.port, "database": store, "credential": store.replace("_", "-")}
    platform = {"milestoning": "live", "namespace": "bench", "image": "none", "merge_store": place}
    written = {
        "name": "Bench",
        "platforms": [{"name": "BenchLive", **platform, "model": {"url": "file:///nowhere"}}],
        "datastores": [{"name": "Shop", "consistency": "single_dataset", "source": source, "datasets": [dataset]}],
    }
    folder.mkdir(parents=True)
    (folder / "ecosystem.yaml").write_text(yaml.safe_dump(written, sort_keys=False))
    (folder / "dsg_platform_mapping.json").write_text("[]")
