"""Files to plain data, and plain data to and from the model's dataclasses (by plain_data.py)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from config_schema.errors import ProblemsFound
from config_schema.load import model_yaml
from config_schema.load.model_files import NotInside, read_inside
from config_schema.load.yaml_scalars import KindsByKey
from config_schema.model.plain_data import plain, structured
from config_schema.problem import Rule

FILE_IS_READABLE = Rule("DF1321", "A file of a model can be read: it is YAML or JSON in UTF-8, in the model's folder.")
FILE_IS_THERE = Rule("DF1322", "A file that a model needs is there.")

# What users' eco.py import from here.
__all__ = ["json_document", "plain", "structured", "yaml_document"]

# What a person who meets an error of YAML's can do about it, by words in it.
ADVICE = {
    "could be a text or a number": "Put it in quotes, or write a plain decimal number",
    "is no finite number": "Write a decimal number",
    "'\\t'": "Indent with blanks: YAML takes no tabs",
    "that cannot start any token": "Put the value in quotes",
    "expected alphabetic or numeric character": "Put a value that begins with * or & in quotes",
    "another document": "Write one document: a second line of --- begins another",
    "is given twice": "Keep one of them",
    "a key is no text": "Write a name before the colon",
    "mapping values are not allowed": "Put a value with a colon in quotes, and look at the indentation",
}
MOST_VALUES = 5_000_000  # of a JSON document: each takes some 60 bytes, where its text may have three
LONG_NUMBER = re.compile(r"\d{4000}")
JSON_PLACE = "Write it beside the model; see config_schema/examples"


def yaml_document(path: Path, folder: Path | None = None, kinds: KindsByKey | None = None) -> Any:
    """Return the data of a file; `folder` is the model's folder, by default the file's own.

    Returns None if the file is empty. `kinds` says what the keys of another format have, as in model_yaml.load.
    Raises ProblemsFound, with the line, if it is not YAML.
    """
    text = _text(path, folder or path.parent)
    try:
        return model_yaml.load(text, kinds)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = f"not YAML: {' '.join(filter(None, (error.problem, error.note)))}"
        if error.problem and "but found another document" in error.problem:
            said = "not YAML: there is another document in it"
        raise _unreadable(path, said, mark.line + 1 if mark else None) from error
    except yaml.reader.ReaderError as error:
        what = f"not YAML: the character U+{int(error.character):04X} cannot stand there"
        raise _unreadable(path, what, text.count("\n", 0, error.position) + 1) from error
    except yaml.YAMLError as error:
        raise _unreadable(path, f"cannot be read: {error}") from error


def json_document(path: Path) -> Any:
    """Return a JSON file's data. Raises ProblemsFound, with the line, if it does not exist or is not JSON."""
    text = _text(path, path.parent)
    if text.count(",") > MOST_VALUES:
        raise _unreadable(path, f"it has more than {MOST_VALUES} values")
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise _unreadable(path, f"not JSON: {error.msg}", error.lineno) from error
    except _NotOurs as error:
        raise _unreadable(path, f"not JSON: {error}", _line_of(text, error.text)) from error
    except RecursionError as error:
        raise _unreadable(path, "not JSON of ours: it is nested too deep") from error
    except ValueError as error:  # a number of thousands of digits
        line = next((at for at, one in enumerate(text.splitlines(), 1) if LONG_NUMBER.search(one)), None)
        raise _unreadable(path, "not JSON of ours: a number is too large", line) from error


class _NotOurs(ValueError):
    """Something that Python reads as JSON and we do not; `text` is a word by which its line is found."""

    def __init__(self, what: str, text: str) -> None:
        super().__init__(what)
        self.text = text


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _NotOurs(f"the key {key!r} is given twice", json.dumps(key, ensure_ascii=False))
        found[key] = value
    return found


def _no_number(word: str) -> None:
    raise _NotOurs(f"{word} is no number", word)


def _line_of(text: str, word: str) -> int | None:
    """Return the line of a key that a mapping has twice, otherwise the only line that contains the word."""
    try:
        model_yaml.load(text)
    except yaml.MarkedYAMLError as error:
        if error.problem_mark is not None:
            return int(error.problem_mark.line) + 1
    return text.count("\n", 0, text.index(word)) + 1 if text.count(word) == 1 else None


def _text(path: Path, folder: Path) -> str:
    """Return the file's text, without a byte order mark. Raises ProblemsFound."""
    try:
        data = read_inside(path, folder)
    except NotInside as error:
        raise _unreadable(path, str(error), todo="Keep the model's files in its folder, as regular files") from error
    except FileNotFoundError as error:
        problem = FILE_IS_THERE.problem(path.name, "", "the file is missing", JSON_PLACE)
        raise ProblemsFound(str(path), [problem]) from error
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _unreadable(path, f"the byte 0x{data[error.start]:02x} is no UTF-8", line, "Save it as UTF-8") from error


def _unreadable(path: Path, what: str, line: int | None = None, todo: str | None = None) -> ProblemsFound:
    advice = todo or next((advice for word, advice in ADVICE.items() if word in what), "Correct the file")
    return ProblemsFound(str(path), [FILE_IS_READABLE.problem(path.name, "", what, advice, line)])
