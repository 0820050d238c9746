"""A config in a person's editor, and its text kept where what was saved cannot be used."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config_schema.errors import ProblemsFound, StreamFactoryError
from config_schema.problem import Rule

EDIT_IS_KEPT = Rule("DF3108", "A config edited by hand has no problem; one that has is kept in a file.")


class EditorFailed(StreamFactoryError):
    """The editor cannot be started, or ends with an error; nothing was changed.

    Set VISUAL or EDITOR to an editor that is installed, and edit again.
    """

    code = "DF3107"


def edited(config_json: str) -> str:
    """Return a config as edited in $VISUAL, $EDITOR or vi. Raises EditorFailed if the editor fails."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.NamedTemporaryFile("w+", suffix=".json", encoding="utf-8") as file:
        file.write(_readable(config_json))
        file.flush()
        try:
            code = subprocess.run([*shlex.split(editor), file.name], check=False).returncode
        except (OSError, ValueError) as error:
            raise EditorFailed(editor, f"the editor cannot be started ({error})", "Set EDITOR") from error
        if code != 0:
            raise EditorFailed(editor, f"the editor ended with exit code {code}", "Nothing was changed")
        text = Path(file.name).read_text("utf-8")
    try:
        # As sync writes it, so that saving without a change is none.
        return json.dumps(json.loads(text), sort_keys=True, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


@contextmanager
def keeping(text: str, stream_key: str) -> Iterator[None]:
    """Keep the edited text in a file if it is refused.

    Raises ProblemsFound with the problems for which it was refused, and one that names the file.
    """
    try:
        yield
    except ProblemsFound as error:
        handle, name = tempfile.mkstemp(prefix="stream-", suffix=".json")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        kept = EDIT_IS_KEPT.problem(stream_key, "", f"what you wrote is kept in {name}", "Nothing was changed")
        raise ProblemsFound(error.where, [*error.problems, kept]) from error


def _readable(config_json: str) -> str:
    try:
        return json.dumps(json.loads(config_json), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    except (ValueError, RecursionError):
        return config_json
