"""The jsonschema package's errors in our words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from config_schema.errors import Finding, choose_from

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError


def worded(error: ValidationError) -> Iterator[Finding]:
    """Where, what and what to do, of each thing that an error of the jsonschema package is about."""
    path = _path(error.absolute_path)
    inside = f"{path}." if path else ""
    schema: dict[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    wanted = _wanted(schema)
    instance: Any = error.instance
    allowed: Any = error.validator_value
    match error.validator:
        case "additionalProperties":
            known = schema.get("properties", {})
            for key in instance.keys() - known.keys():
                yield f"{inside}{key}", f"unknown key {key!r}", choose_from(str(key), known)
        case "required":
            properties = schema.get("properties", {})
            for key in allowed:
                if key not in instance:
                    yield f"{inside}{key}", "the key is missing", _wanted(properties.get(key, {}))
        case "enum":
            yield path, f"{_shown(instance)} is not known", choose_from(str(instance), map(str, allowed))
        case "type":
            kinds = allowed if isinstance(allowed, str) else " or ".join(allowed)
            yield path, f"{_shown(instance)} is not of type {kinds}", wanted
        case "pattern":
            yield path, f"{_shown(instance)} is not well formed", wanted
        case rule:
            yield path, f"{_shown(instance)} does not hold {rule} {allowed}", wanted


def _path(parts: Iterable[str | int]) -> str:
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _wanted(schema: dict[str, Any]) -> str:
    parts = [schema.get("description", "See the schema").rstrip(".")]
    if schema.get("examples"):
        parts.append(f"for example {schema['examples'][0]!r}")
    return ", ".join(parts)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
