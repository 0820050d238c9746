"""The comments of our database objects: a JSON object that names the owning stream and the kind of object."""

from __future__ import annotations

import json
from typing import Any


def parsed_comment(comment: str | None) -> dict[str, Any]:
    """Return the content of such a comment; empty for any other, or for None. Anybody may write comments."""
    try:
        data = json.loads(comment or "")
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
