"""No command writes past what escapes control characters: `config_schema.echo`, and the console with colours."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGES = ("airflow_plugin", "config_schema", "merge_jobs")
STREAMS = {"stdout", "stderr", "__stdout__", "__stderr__"}
WRITES = {"echo", "secho", "echo_via_pager", "confirm", "prompt"}  # of typer and click
# Where it is done, and what writes for a program that reads it, in JSON or without a word of others.
ALLOWED = {
    "config_schema/echo.py": "the one place of plain lines",
    "airflow_plugin/cli/messages.py": "the one place of questions",
    "airflow_plugin/migrate/loading_child.py": "JSON for the process that started it",
    "merge_jobs/run/request.py": "result lines in JSON, and where in our code an error was raised",
}


def writes(node: ast.AST) -> bool:
    """Return whether this is a way to standard output or error."""
    match node:
        case ast.Call(func=ast.Name("print" | "Console")):
            return True
        case ast.Attribute(ast.Name("typer" | "click"), name):
            return name in WRITES
        case ast.ImportFrom("typer" | "click", imported):
            return not WRITES.isdisjoint(one.name for one in imported)
        case ast.Attribute(ast.Attribute(ast.Name("sys"), stream), "write" | "writelines"):
            return stream in STREAMS
        case ast.Call(ast.Attribute(ast.Name("json"), "dump"), [_, ast.Attribute(ast.Name("sys"), stream)]):
            return stream in STREAMS
    return False


def past_it(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if writes(node):
            yield f"{path.relative_to(ROOT)}:{node.lineno}"


def test_nothing_is_printed_past_what_escapes_control_characters():
    found = {place for package in PACKAGES for path in (ROOT / package).rglob("*.py") for place in past_it(path)}
    assert {place for place in found if place.partition(":")[0] not in ALLOWED} == set()
    assert {place.partition(":")[0] for place in found} == ALLOWED.keys()
