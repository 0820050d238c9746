"""Walks through the documents of other tools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def mappings(value: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each mapping in a document, with its path."""
    if isinstance(value, dict):
        yield path, value
        for key, one in value.items():
            yield from mappings(one, f"{path}.{key}".strip("."))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from mappings(one, f"{path}[{index}]")
