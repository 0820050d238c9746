"""ecosystem.yaml and the files in the folder ecosystem/ as one document, with the place of each part.

Each file in the folder, or in a folder inside it, adds to the lists of ecosystem.yaml. They are read in the order of
their names.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from config_schema.errors import ProblemsFound, choose_from
from config_schema.load import documents
from config_schema.load.model_files import MOST_FILES, NotInside, check_inside
from config_schema.problem import Finding, Problem, Rule

YAML_FILE = "ecosystem.yaml"
PARTS_FOLDER = "ecosystem"
PART_IS_LISTS = Rule("DF1323", f"A file of the folder {PARTS_FOLDER}/ is a mapping of the lists that it adds to.")
LISTS = ("teams", "platforms", "datastores", "workspaces")
ITEM = re.compile(rf"({'|'.join(LISTS)})\[(\d+)\](.*)")


@dataclass
class Gathered:
    """The whole document; and for each item of its lists, its file and its index in that file."""

    data: Any
    problems: list[Problem] = field(default_factory=list)
    origins: dict[str, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))

    def place(self, path: str) -> tuple[str, str]:
        """Return the file for a path of the whole document, and the path inside that file."""
        found = ITEM.fullmatch(path)
        if found is None or int(found[2]) >= len(self.origins[found[1]]):
            return YAML_FILE, path
        file, index = self.origins[found[1]][int(found[2])]
        return file, f"{found[1]}[{index}]{found[3]}"


def gathered(folder: Path) -> Gathered:
    """Return `ecosystem.yaml` and the files beside it as one document. What cannot be read is one of its problems."""
    whole = Gathered(None)
    try:
        whole.data = documents.yaml_document(folder / YAML_FILE)
    except ProblemsFound as error:
        whole.problems += error.problems
    if isinstance(whole.data, dict):
        _remember(whole, YAML_FILE, whole.data)
    try:
        parts = part_files(folder)
    except NotInside as error:
        whole.problems.append(
            documents.FILE_IS_READABLE.problem(
                PARTS_FOLDER, "", str(error), "Keep the parts of the model in this folder itself"
            )
        )
        return whole
    for path in parts:
        _add(whole, folder, path)
    return whole


def part_files(folder: Path) -> list[Path]:
    """Return the files beside ecosystem.yaml, in the order in which they are read. Raises NotInside."""
    top = folder / PARTS_FOLDER
    if not top.is_dir():
        return []
    check_inside(top, folder)
    found: list[Path] = []
    for path in top.rglob("*"):
        if path.suffix in (".yaml", ".yml") and not path.is_dir():
            found.append(path)
            if len(found) > MOST_FILES:
                raise NotInside(f"it has more than {MOST_FILES} files")
    return sorted(found)


def _add(whole: Gathered, folder: Path, path: Path) -> None:
    file = str(path.relative_to(folder))
    try:
        part = documents.yaml_document(path, folder)
    except ProblemsFound as error:
        whole.problems += [replace(one, file=file) for one in error.problems]
        return
    if part is None:
        return  # nothing in it yet
    whole.problems += [PART_IS_LISTS.problem(file, *finding) for finding in _misshapen(part)]
    if isinstance(part, dict) and isinstance(whole.data, dict):
        lists = {key: part[key] for key in LISTS if isinstance(part.get(key), list)}
        for key, items in lists.items():
            # The schema reports a list of ecosystem.yaml that is not one.
            if isinstance(whole.data.setdefault(key, []), list):
                whole.data[key] += items
        _remember(whole, file, lists)


def _remember(whole: Gathered, file: str, data: dict[Any, Any]) -> None:
    for key in LISTS:
        if isinstance(data.get(key), list):
            whole.origins[key] += [(file, index) for index in range(len(data[key]))]


def _misshapen(part: Any) -> Iterator[Finding]:
    if not isinstance(part, dict):
        yield "", "it is no mapping", f"Write one with any of {', '.join(LISTS)}"
        return
    for key, items in part.items():
        if key not in LISTS:
            yield str(key), f"{key!r} cannot stand in a part of the model", choose_from(str(key), LISTS)
        elif not isinstance(items, list):
            yield key, "it is no list", f"Write a list, as in {YAML_FILE}"
