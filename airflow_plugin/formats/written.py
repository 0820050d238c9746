"""Files that exports and imports write: documents of other tools, and parts of the model with what they leave out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from config_schema.errors import FileUnwritable, ValueWrong
from config_schema.load.datastore_yaml import ModelDumper, yaml_text
from config_schema.load.described import DescribedDatastore
from config_schema.load.yaml_writer import dumped
from config_schema.printable import printable
from config_schema.problem import Problem

ANOTHER = "Name another one"


def export_text(document: Mapping[str, Any]) -> str:
    """Return a document as YAML; a text that any reader could take for something else is in quotes."""
    return dumped(dict(document), ModelDumper)


def model_text(files: Iterable[str], notes: Iterable[Problem], described: Iterable[DescribedDatastore]) -> str:
    """Return datastores as a file of the model, below comments with what the files say and the model does not."""
    lines = [f"From {', '.join(files)}."]
    lines += [f"Not in the model: {one.file}: {one.path}: {one.what}. {one.todo}" for one in notes]
    return "".join(f"# {printable(line)}\n" for line in lines) + yaml_text(*described)


def check_new(out: Path | None) -> None:
    """Raise ValueWrong if the file is there, or the folder has files: nothing is overwritten."""
    if out is not None and (any(out.iterdir()) if out.is_dir() else out.exists()):
        raise ValueWrong("--out", str(out), "exists already", "Name a new one, or remove it")


def write_new(out: Path | None, text: str, print_document: Callable[[str], None]) -> None:
    """Write a text into a file, or print it. Raises FileUnwritable."""
    if out is None:
        print_document(text)
        return
    if out.is_dir():
        raise ValueWrong("--out", str(out), "is a folder", "Name a file in it")
    _write(out, text)


def write_files(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files into a folder, which is made if it is missing. Raises FileUnwritable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileUnwritable(folder, error, ANOTHER, "made") from None
    for name, text in texts.items():
        _write(folder / name, text)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise FileUnwritable(path, error, ANOTHER) from None
