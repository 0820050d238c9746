"""The line of a part of a model in its file; computed only if something is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path

import yaml

from config_schema.load.model_files import NotInside, read_inside
from config_schema.load.model_yaml import compose
from config_schema.problem import Problem, Rule

PROBLEMS_ARE_LISTED = Rule("DF1327", "A model has not more problems than are listed.")

MOST_PROBLEMS = 2_000
STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


def with_lines(folder: Path, problems: Iterable[Problem]) -> list[Problem]:
    """Return the first MOST_PROBLEMS, each with its line if YAML or JSON has one, and count the rest."""
    document = cache(lambda file: _Document(_document(folder, file)))
    waiting = iter(problems)
    found = [
        problem
        if problem.line is not None or not problem.path
        else replace(problem, line=document(problem.file).line(problem.path))
        for problem in islice(waiting, MOST_PROBLEMS)
    ]
    if more := sum(1 for _ in waiting):
        what = f"{more} more problems are not listed"
        found.append(PROBLEMS_ARE_LISTED.problem(folder.name, "", what, "Correct those that are listed first"))
    return found


def _document(folder: Path, file: str) -> yaml.Node | None:
    if Path(file).suffix not in (".yaml", ".yml", ".json"):
        return None
    try:
        text = read_inside(folder / file, folder).decode("utf-8-sig")
        return compose(text)  # JSON is YAML, nearly
    except (OSError, NotInside, UnicodeDecodeError, yaml.YAMLError):
        return None


class _Document:
    """The nodes of a file; each mapping is searched once, however many problems are in it."""

    def __init__(self, node: yaml.Node | None) -> None:
        self._node = node
        self._known: dict[int, dict[str, tuple[int, yaml.Node]]] = {}  # by the id of a node, which lives as long

    def line(self, path: str) -> int | None:
        """Return the line of the part at a path, or of the last part of the path that exists."""
        line, node = None, self._node
        for index, key in STEP.findall(path):
            found = self._inside(node, index, key)
            if found is None:
                break
            line, node = found
        if line is None and isinstance(node, yaml.Node):
            line = node.start_mark.line
        return None if line is None else line + 1

    def _inside(self, node: yaml.Node | None, index: str, key: str) -> tuple[int, yaml.Node] | None:
        if isinstance(node, yaml.SequenceNode) and index and int(index) < len(node.value):
            item = node.value[int(index)]
            return item.start_mark.line, item
        waiting, seen = [node], set[int]()
        while waiting:  # the mapping, then those that are merged into it
            one = waiting.pop()
            if not isinstance(one, yaml.MappingNode) or not key or id(one) in seen:
                continue
            seen.add(id(one))
            keys = self._keys(one)
            if key in keys:
                return keys[key]
            if "<<" in keys:
                _, merged = keys["<<"]
                waiting += reversed(merged.value) if isinstance(merged, yaml.SequenceNode) else [merged]
        return None

    def _keys(self, node: yaml.MappingNode) -> dict[str, tuple[int, yaml.Node]]:
        if id(node) not in self._known:
            found: dict[str, tuple[int, yaml.Node]] = {}
            for name, value in node.value:
                if isinstance(name.value, str):
                    found.setdefault(name.value, (name.start_mark.line, value))
            self._known[id(node)] = found
        return self._known[id(node)]
