"""Compiling a model that is code, and loading a model with what was compiled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from config_schema.errors import StreamFactoryError
from config_schema.load.folder import PYTHON_FILE, CodeReader
from config_schema.load.model_files import files_digest
from config_schema.load.python_model import ecosystem_of_python
from config_schema.model.compiled import CompiledModel


def is_code(folder: Path) -> bool:
    """Return whether the model in `folder` is code, that is to be evaluated."""
    return (folder / PYTHON_FILE).is_file()


def compiled(folder: Path, commit: str | None) -> CompiledModel:
    """Return what the model's code gives, evaluated in a closed process; nothing is evaluated where it is no code.

    Raise ProblemsFound or StreamFactoryError.
    """
    data = ecosystem_of_python(folder / PYTHON_FILE) if is_code(folder) else None
    return CompiledModel(commit, files_digest(folder), data)


def reading(model: CompiledModel) -> CodeReader:
    """Return what reads an eco.py as it was compiled, and refuses other files than those that it was compiled of."""

    def read(path: Path) -> Any:
        if model.ecosystem is None or files_digest(path.parent) != model.digest:
            what = f"the compiled model of commit {model.commit} was made of other files"
            raise StreamFactoryError(str(path), what, "Compile the model again: dagfactory model compile")
        return model.ecosystem

    return read
