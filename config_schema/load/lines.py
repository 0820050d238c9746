"""The line of a part of a model in its file; computed only if something is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import yaml

from config_schema.load.model_files import NotInside, read_inside
from config_schema.load.model_yaml import compose
from config_schema.problem import Problem

STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


def with_lines(folder: Path, problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems, each with its line if the file is YAML or JSON and has one."""
    document = cache(_document)
    return [
        problem
        if problem.line is not None or not problem.path
        else replace(problem, line=_line(document(folder, problem.file), problem.path))
        for problem in problems
    ]


def _document(folder: Path, file: str) -> yaml.Node | None:
    if Path(file).suffix not in (".yaml", ".yml", ".json"):
        return None
    try:
        text = read_inside(folder / file, folder).decode("utf-8-sig")
        return compose(text)  # JSON is YAML, nearly
    except (OSError, NotInside, UnicodeDecodeError, yaml.YAMLError):
        return None


def _line(node: yaml.Node | None, path: str) -> int | None:
    """Return the line of the part at a path, or of the last part of the path that exists."""
    line = None
    for index, key in STEP.findall(path):
        found = next(_inside(node, index, key), None)
        if found is None:
            break
        line, node = found
    if line is None and isinstance(node, yaml.Node):
        line = node.start_mark.line
    return None if line is None else line + 1


def _inside(node: yaml.Node | None, index: str, key: str) -> Iterator[tuple[int, yaml.Node]]:
    if isinstance(node, yaml.SequenceNode) and index and int(index) < len(node.value):
        item = node.value[int(index)]
        yield item.start_mark.line, item
    elif isinstance(node, yaml.MappingNode) and key:
        for name, value in node.value:
            if name.value == key:
                yield name.start_mark.line, value
        for name, value in node.value:
            if name.value == "<<":
                for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    yield from _inside(merged, index, key)
