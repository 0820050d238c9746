"""What is ours in a database says so in its comment, as a JSON object: whose it is, and of which kind."""

from __future__ import annotations

import json
from typing import Any


def told_by(comment: str | None) -> dict[str, Any]:
    """What such a comment says; empty for one that is not ours, or for none. It may be anybody's, so anything."""
    try:
        told = json.loads(comment or "")
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
