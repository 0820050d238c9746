"""How long an answer may get: lists end where their JSON reaches so many bytes, and say where to go on. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

MOST_BYTES = 1 << 20
Item = TypeVar("Item")


def fitting(items: Iterable[Item], most: int = MOST_BYTES) -> list[Item]:
    """Return the first of the items, as many as have `most` bytes of JSON together; one at least, if there is one."""
    found: list[Item] = []
    left = most
    for item in items:
        text = json.dumps(item, ensure_ascii=False, separators=(",", ":"))
        left -= len(text.encode(errors="replace")) + 1
        if left < 0 and found:
            break
        found.append(item)
    return found


def page(name: str, items: Sequence[dict[str, Any]], total: int, offset: int) -> dict[str, Any]:
    """Return a page of a list under its name: those of the items that fit, and the offset of the next one, if any."""
    found = fitting(items)
    end = offset + len(found)
    return {"total": total, "next": end if found and end < total else None, name: found}
