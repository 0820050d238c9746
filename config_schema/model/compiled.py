"""A compiled model: the output of a model's code for the files of a commit, read instead of running the code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from config_schema.errors import FileMalformed

FORMAT = 1


@dataclass(frozen=True)
class CompiledModel:
    """`commit` is None for a folder that is not in git; `ecosystem` is plain data, None if the model is not code."""

    commit: str | None
    digest: str  # of the files, see load/model_files.py
    ecosystem: Any

    def to_json(self) -> str:
        """Return the document that `compiled_from_json` reads."""
        return json.dumps({"format": FORMAT, **vars(self)}, separators=(",", ":"), sort_keys=True)


def compiled_from_json(text: str, where: str) -> CompiledModel:
    """Return the compiled model in a document. Raises FileMalformed if the document is something else."""
    try:
        data = json.loads(text)
        if data["format"] == FORMAT:
            return CompiledModel(data["commit"], str(data["digest"]), data["ecosystem"])
        what = f"it has format {data['format']!r}, and this version reads {FORMAT}"
    except (ValueError, KeyError, TypeError, RecursionError):
        what = "it is no compiled model"
    raise FileMalformed(where, what, "Write it with dagfactory model compile of the same version")
