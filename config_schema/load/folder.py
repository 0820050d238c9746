"""load_model: a folder -> Model, or every problem in it at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config_schema.check import check_model, schema_problems
from config_schema.errors import Problem, ProblemsFound
from config_schema.load import documents
from config_schema.load.python_model import ecosystem_of_python
from config_schema.mapping import Assignment, AssignmentStatus, DsgMapping
from config_schema.model import Ecosystem

YAML_FILE = "ecosystem.yaml"
PYTHON_FILE = "eco.py"
MAPPING_FILE = "dsg_platform_mapping.json"
MODEL_FILES = (YAML_FILE, PYTHON_FILE, MAPPING_FILE)


@dataclass(frozen=True)
class Model:
    """A checked model: what there is, and which platform serves which dataset group."""

    ecosystem: Ecosystem
    mappings: tuple[DsgMapping, ...]


def load_model(folder: Path) -> Model:
    """The model in `folder`. Raises ProblemsFound with all that is wrong, in file order.

    Cross-object rules are looked at only once both files have the right shape.
    """
    eco_file, eco_data, problems = _ecosystem_data(folder)
    mapping_data, mapping_problems = _mapping_data(folder)
    problems += mapping_problems
    if not problems:
        ecosystem = documents.structured(eco_data, Ecosystem)
        mappings = tuple(_dsg_mapping(entry) for entry in mapping_data)
        problems += check_model(ecosystem, mappings, eco_file=eco_file, mapping_file=MAPPING_FILE)
        if not problems:
            return Model(ecosystem, mappings)
    raise ProblemsFound(str(folder), problems)


def _ecosystem_data(folder: Path) -> tuple[str, Any, list[Problem]]:
    present = [name for name in (YAML_FILE, PYTHON_FILE) if (folder / name).is_file()]
    if len(present) != 1:
        what = "both are there" if present else "there is no model in this folder"
        advice = f"Keep one of {YAML_FILE} and {PYTHON_FILE}" if present else f"Write {YAML_FILE} or {PYTHON_FILE}"
        return "", None, [Problem(str(folder), "", what, advice)]
    name = present[0]
    try:
        read = ecosystem_of_python if name == PYTHON_FILE else documents.yaml_document
        data = read(folder / name)
    except ProblemsFound as error:
        return name, None, list(error.problems)
    return name, data, schema_problems(data, "ecosystem", name)


def _mapping_data(folder: Path) -> tuple[Any, list[Problem]]:
    try:
        data = documents.json_document(folder / MAPPING_FILE)
    except ProblemsFound as error:
        return None, list(error.problems)
    return data, schema_problems(data, "mapping", MAPPING_FILE)


def _dsg_mapping(entry: dict[str, Any]) -> DsgMapping:
    assignments = tuple(
        Assignment(
            data_platform=one["dataPlatform"],
            status=AssignmentStatus(one["status"]),
            documentation=one.get("documentation", ""),
            production_status=one.get("productionStatus", "NOT_PRODUCTION"),
            deprecations_allowed=one.get("deprecationsAllowed", "NEVER"),
        )
        for one in entry["assignments"]
    )
    return DsgMapping(entry["dsgName"], entry["workspace"], assignments)
