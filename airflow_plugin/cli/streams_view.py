"""Rows, their history and their differences as a person reads them, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from airflow_plugin.control.stream_table import (
    HandChange,
    RowChange,
    StreamRow,
    Version,
)
from airflow_plugin.streams.comparing import RowDifference
from airflow_plugin.sync.diff import FieldChange, field_changes, parsed
from config_schema.echo import echo_text
from config_schema.printable import printable
from config_schema.problem import Problem
from config_schema.terminal import PlainConsole

WIDE = 200  # where the output is no terminal, nothing is cut
SHORT_COMMIT = 12
COLOURS = {"active": "green", "paused": "yellow", "retired": "dim"}


def print_streams(rows: Sequence[StreamRow], by_hand: Mapping[str, HandChange], *, hidden: int = 0) -> None:
    """Print a table of streams, and how many there are; `hidden` are retired ones that were not asked for."""
    table = _table("stream", "status", "milestoning", "schedule", "runner", "updated", "by hand")
    for row in rows:
        config = parsed(row.config_json)
        shown = [str(config.get(key, "")) for key in ("milestoning", "schedule", "runner")]
        hand = by_hand.get(row.stream_key)
        table.add_row(
            Text(row.stream_key, "bold"),
            Text(row.status, COLOURS.get(row.status, "red")),
            *map(Text, shown),
            f"{row.updated_at:%Y-%m-%d %H:%M}",
            Text(hand.changed_by or "in the database" if hand else ""),
        )
    console = _console()
    if rows:
        console.print(table)
    left_out = f", {hidden} retired left out (--all)" if hidden else ""
    console.print(f"{len(rows)} stream{'' if len(rows) == 1 else 's'}{left_out}")


def print_stream(row: StreamRow, by_hand: HandChange | None, problems: Iterable[Problem]) -> None:
    """Print one stream in full."""
    console = _console()
    console.print(Text.assemble((row.stream_key, "bold"), "  ", (row.status, COLOURS.get(row.status, "red"))))
    console.print(f"created {row.created_at:%Y-%m-%d %H:%M:%S%z}, updated {row.updated_at:%Y-%m-%d %H:%M:%S%z}")
    if by_hand:
        console.print(Text(f"{by_hand}: not as the last sync left it", "magenta"))
    data = parsed(row.config_json)
    text = json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) if data else row.config_json
    echo_text(text)
    for problem in problems:
        console.print(Text.assemble(("quarantined: ", "bold red"), str(problem)), soft_wrap=True)


def print_history(versions: Iterable[Version]) -> None:
    """Print a line for each change, then the keys that it changed."""
    console = _console()
    for one in versions:
        commit = f"  model {one.model_commit[:SHORT_COMMIT]}" if one.model_commit else "  by hand"
        head = f"  {one.changed_at:%Y-%m-%d %H:%M:%S}  {one.changed_by}{commit}"
        console.print(Text.assemble((f"{one.id:>6} ", "bold"), (one.change, "cyan"), head), soft_wrap=True)
        if one.reason:
            console.print(Text(f"       reason: {printable(one.reason)}"), soft_wrap=True)
        if one.before_status is not None:
            _print_status(console, one.before_status, one.after_status)
            _print_fields(console, field_changes(parsed(one.before_config_json or ""), parsed(one.after_config_json)))


def print_difference(found: RowDifference) -> None:
    """Print what differs now, key by key."""
    console = _console()
    same = found.status[0] == found.status[1] and not found.fields
    words = "the same as" if same else "now, compared with"
    console.print(Text.assemble((found.stream_key, "bold"), f": {words} {found.origin}"), soft_wrap=True)
    _print_status(console, *found.status)
    _print_fields(console, found.fields)


def print_changes(before: Mapping[str, StreamRow], written: Sequence[RowChange], *, done: bool) -> None:
    """Print what was changed in rows, or would be."""
    console = _console()
    for change in written:
        row = before.get(change.stream_key)
        word = "" if done else "would "
        console.print(Text.assemble((change.stream_key, "bold"), f": {word}{change.change}"), soft_wrap=True)
        if row is not None:
            _print_status(console, row.status, change.status)
            _print_fields(console, field_changes(parsed(row.config_json), parsed(change.config_json)))
    if not written:
        console.print("nothing to do")


def row_as_dict(row: StreamRow, by_hand: HandChange | None) -> dict[str, Any]:
    """Return a row as --json shows it; a config that is not a JSON object stays a text."""
    return {
        "stream_key": row.stream_key,
        "status": row.status,
        "created_at": row.created_at.isoformat(),
        "updated_at": row.updated_at.isoformat(),
        "by_hand": str(by_hand) if by_hand else None,
        "config": parsed(row.config_json) or row.config_json,
    }


def version_as_dict(version: Version) -> dict[str, Any]:
    """Return a version as --json shows it."""
    return {**vars(version), "changed_at": version.changed_at.isoformat()}


def _print_status(console: Console, before: str, after: str) -> None:
    if before != after:
        console.print(f"         status: {before} -> {after}")


def _print_fields(console: Console, fields: Iterable[FieldChange]) -> None:
    for field in fields:
        console.print(Text(f"         {field.key}: {_word(field.before)} -> {_word(field.after)}"), soft_wrap=True)


def _word(value: Any) -> str:
    if value is None:
        return "(not set)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=heading != "by hand")
    return table


def _console() -> Console:
    console = PlainConsole()
    if not console.is_terminal:
        console.width = WIDE
    return console
