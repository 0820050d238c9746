"""eco.py to plain data: `createEcosystem()` runs in a closed process, twice, and must give the same.

Model code cannot see who runs it: not the folder's path, the command or the environment. So it could give different
models to a check and to a sync only by chance, which the second run detects.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from config_schema.errors import ProblemsFound
from config_schema.load.closed_process import CodeFailed, evaluate
from config_schema.load.documents import FILE_IS_READABLE
from config_schema.load.model_files import NotInside, model_files, read_inside
from config_schema.problem import Rule

CODE_GIVES_A_MODEL = Rule("DF1324", "`createEcosystem()` of eco.py runs to its end, and gives the same each time.")


def ecosystem_of_python(path: Path) -> Any:
    """Return the data of the Ecosystem that `createEcosystem()` of the file gives.

    Raises ProblemsFound with the last line of Python's error, or if two evaluations differ.
    """
    try:
        read_inside(path, path.parent)
    except (NotInside, OSError) as error:
        what = str(error) if isinstance(error, NotInside) else f"cannot be read: {error.strerror}"
        todo = "Keep the model's files in its folder, as regular files"
        raise ProblemsFound(str(path), [FILE_IS_READABLE.problem(path.name, "", what, todo)]) from error
    try:
        with tempfile.TemporaryDirectory(prefix="model-") as made:
            copy, root = Path(made, "model"), Path(made, "root")
            root.mkdir()
            _copy(path.parent, copy)
            Path(made).chmod(0o755)
            first, second = evaluate(copy, root), evaluate(copy, root)
    except CodeFailed as error:
        raise _failed(path, str(error)) from error
    if first != second:
        raise _failed(path, "it gives another ecosystem each time that it runs")
    return first


def _copy(folder: Path, into: Path) -> None:
    """Copy the model's files, readable for any user, without links that lead out of the folder."""
    into.mkdir()
    for path in model_files(folder):
        target = into / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / path, target)
        target.chmod(0o644)
    for made, _, _ in os.walk(into):
        os.chmod(made, 0o755)


def _failed(path: Path, what: str) -> ProblemsFound:
    advice = "Run it with Python to see more; it must define createEcosystem() and needs no environment or secrets"
    return ProblemsFound(str(path), [CODE_GIVES_A_MODEL.problem(path.name, "createEcosystem()", what, advice)])
