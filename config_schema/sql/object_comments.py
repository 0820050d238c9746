"""What is ours in a database says so in its comment, as a JSON object: whose it is, and of which kind."""

from __future__ import annotations

import json
from typing import Any


def parsed_comment(comment: str | None) -> dict[str, Any]:
    """Return what a comment of ours says; empty for any other, or for None. Anybody may write comments."""
    try:
        data = json.loads(comment or "")
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
