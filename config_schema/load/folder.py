"""load_model: a folder -> Model, or every problem in it at once; a model that is code may be compiled before."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from config_schema.chosen_environment import chosen_environment
from config_schema.errors import ProblemsFound, StreamFactoryError
from config_schema.gc_paused import gc_paused
from config_schema.load import documents
from config_schema.load.lines import with_lines
from config_schema.load.model_files import files_digest
from config_schema.load.parts import PARTS_FOLDER, YAML_FILE, gathered
from config_schema.load.python_model import ecosystem_of_python
from config_schema.model import Ecosystem
from config_schema.model.compiled import CompiledModel
from config_schema.model.environments import in_environment, path_in_environment
from config_schema.model.mapping import Model, mapping_of
from config_schema.problem import Problem, Rule
from config_schema.rules.check import Place, check_model, schema_problems

ONE_MODEL = Rule("DF1325", "A folder has one model: ecosystem.yaml or eco.py.")

PYTHON_FILE = "eco.py"
MAPPING_FILE = "dsg_platform_mapping.json"
MODEL_FILES = (YAML_FILE, PARTS_FOLDER, PYTHON_FILE, MAPPING_FILE)


# Gives the ecosystem's data for the path of an eco.py: by running it apart, or what that gave before.
CodeReader = Callable[[Path], Any]


@gc_paused()
def load_model(folder: Path, code: CodeReader = ecosystem_of_python) -> Model:
    """Return the model in `folder`, as it is in the chosen environment; `code` reads it if it is code.

    Rules between objects are checked only once both files pass their schemas.

    Raises:
        ProblemsFound: with all that is wrong in this environment, in file order.
        EnvironmentNotChosen: the model has environments, and none is chosen.
        UnknownName: the model does not have the environment that is chosen.
    """
    model, place = _whole(folder, code)
    environment = chosen_environment(model.ecosystem.environments)
    if problems := _problems_in(environment, model, place):
        raise ProblemsFound(str(folder), with_lines(folder, problems))
    if environment is None:
        return model
    return replace(model, ecosystem=in_environment(model.ecosystem, environment), environment=environment)


@gc_paused()
def load_placed(folder: Path, code: CodeReader = ecosystem_of_python) -> tuple[Model, Place]:
    """Return a folder's model as it stands, checked in each environment, and the place of each part in its files.

    Raises ProblemsFound.
    """
    model, place = _whole(folder, code)
    environments = model.ecosystem.environments or (None,)
    found = [problem for one in environments for problem in _problems_in(one, model, place)]
    if found:
        raise ProblemsFound(str(folder), with_lines(folder, dict.fromkeys(found)))
    return model, place


@gc_paused()
def read_model(folder: Path, code: CodeReader = ecosystem_of_python) -> Model:
    """Return the model in `folder` as it stands, checked by its schema only. Raises ProblemsFound."""
    return _whole(folder, code)[0]


def _whole(folder: Path, code: CodeReader) -> tuple[Model, Place]:
    whole, problems = _read(folder, code)
    if whole is None:
        raise ProblemsFound(str(folder), with_lines(folder, problems))
    return whole


def _problems_in(environment: str | None, model: Model, place: Place) -> list[Problem]:
    """Return the rules that are broken in an environment; None: by the model as it stands."""
    if environment is None:
        return check_model(model.ecosystem, model.mappings, place, MAPPING_FILE)

    def place_there(path: str) -> tuple[str, str]:
        return place(path_in_environment(model.ecosystem, environment, path))

    return check_model(in_environment(model.ecosystem, environment), model.mappings, place_there, MAPPING_FILE)


def has_model(folder: Path) -> bool:
    """Return whether the folder has any file of a model."""
    return any((folder / name).exists() for name in MODEL_FILES)


def _read(folder: Path, code: CodeReader) -> tuple[tuple[Model, Place] | None, list[Problem]]:
    """Return the model and the places of its parts; None if a file does not pass its schema."""
    eco_data, place, problems = _ecosystem_data(folder, code)
    mapping_data, mapping_problems = _mapping_data(folder)
    problems += mapping_problems
    if problems:
        return None, problems
    mappings = tuple(mapping_of(entry) for entry in mapping_data)
    is_code = (folder / PYTHON_FILE).is_file()
    return (Model(documents.structured(eco_data, Ecosystem), mappings, is_code), place), []


def _ecosystem_data(folder: Path, code: CodeReader) -> tuple[Any, Place, list[Problem]]:
    # A link to nothing, or a pipe, is there too: reading it says what it is.
    present = [name for name in (YAML_FILE, PYTHON_FILE) if os.path.lexists(folder / name)]
    if present == [YAML_FILE]:
        return _ecosystem_of_yaml(folder)
    if present == [PYTHON_FILE]:
        return _ecosystem_of_python(folder, code)
    what = "both are there" if present else "there is no model in this folder"
    advice = f"Keep one of {YAML_FILE} and {PYTHON_FILE}" if present else f"Write {YAML_FILE} or {PYTHON_FILE}"
    return None, _in_python, [ONE_MODEL.problem(str(folder), "", what, advice)]


def _ecosystem_of_yaml(folder: Path) -> tuple[Any, Place, list[Problem]]:
    whole = gathered(folder)
    if whole.data is None and whole.problems:
        return None, whole.place, whole.problems
    return whole.data, whole.place, [*whole.problems, *schema_problems(whole.data, "ecosystem", whole.place)]


def _ecosystem_of_python(folder: Path, code: CodeReader) -> tuple[Any, Place, list[Problem]]:
    try:
        data = code(folder / PYTHON_FILE)
    except ProblemsFound as error:
        return None, _in_python, list(error.problems)
    return data, _in_python, schema_problems(data, "ecosystem", _in_python)


def _in_python(path: str) -> tuple[str, str]:
    return PYTHON_FILE, path


def _mapping_data(folder: Path) -> tuple[Any, list[Problem]]:
    try:
        data = documents.json_document(folder / MAPPING_FILE)
    except ProblemsFound as error:
        return None, list(error.problems)
    return data, schema_problems(data, "mapping", lambda path: (MAPPING_FILE, path))


def is_code(folder: Path) -> bool:
    """Return whether the model in `folder` is code, which must be evaluated."""
    return (folder / PYTHON_FILE).is_file()


def compiled(folder: Path, commit: str | None) -> CompiledModel:
    """Return what the model's code gives, evaluated in a closed process; without code nothing is evaluated.

    Raises ProblemsFound or StreamFactoryError.
    """
    data = ecosystem_of_python(folder / PYTHON_FILE) if is_code(folder) else None
    return CompiledModel(commit, files_digest(folder), data)


class CompiledOutdated(StreamFactoryError):
    """A compiled model was made from other files than those that are read with it.

    Compile the model again: dagfactory model compile.
    """

    code = "DF1112"

    def __init__(self, path: Path, commit: str | None) -> None:
        self.commit = commit
        what = f"the compiled model of commit {commit} was made of other files"
        super().__init__(str(path), what, "Compile the model again: dagfactory model compile")


def reading(model: CompiledModel) -> CodeReader:
    """Return a reader of the compiled model for an eco.py, which refuses other files than the compiled ones."""

    def read(path: Path) -> Any:
        if model.ecosystem is None or files_digest(path.parent) != model.digest:
            raise CompiledOutdated(path, model.commit)
        return model.ecosystem

    return read
