"""The JSON Schemas of the documents that people and programs exchange, and the check of a document by its schema."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any


@cache
def json_schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of `<name>.schema.json`, a file beside this module."""
    loaded: dict[str, Any] = json.loads(Path(__file__).with_name(f"{name}.schema.json").read_text("utf-8"))
    return loaded
