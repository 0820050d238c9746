"""What Kubernetes objects in a DAG file are as a manifest: `k8s.V1Volume(name="w", empty_dir=...)` as its JSON."""

from __future__ import annotations

from typing import Any

from airflow_plugin.static_dags.ast_values import Imported, Made, Unread


class CannotRead(Exception):
    """A part of a value cannot be read."""

    def __init__(self, unread: Unread) -> None:
        super().__init__(unread)
        self.unread = unread


def manifest(value: Any, line: int) -> Any:
    """Return a value as JSON has it, without unset keys. Raises CannotRead; `line` is where the value is."""
    if isinstance(value, Unread):
        raise CannotRead(value)
    if isinstance(value, Made):
        return _object(value)
    if isinstance(value, dict):
        return {key: manifest(one, line) for key, one in value.items()}
    if isinstance(value, list | tuple | set):
        return [manifest(one, line) for one in value]
    if isinstance(value, Imported):  # a member of an Enum, such as OnFinishAction.DELETE_POD
        return value.name.rpartition(".")[2].lower()
    if value is None or isinstance(value, str | int | float):
        return value
    raise CannotRead(Unread(line, "a function is no value"))


def _object(made: Made) -> Any:
    if not made.kind.startswith("V1") or made.args:
        raise CannotRead(Unread(made.line, f"{made.kind}(...) is known only where the file runs"))
    given = {_camel(key): manifest(one, made.line) for key, one in made.kwargs.items() if one is not None}
    if made.kind == "V1EnvVar" and "valueFrom" not in given:
        given.setdefault("value", "")
    return given


def _camel(name: str) -> str:
    first, *others = name.rstrip("_").split("_")
    return first + "".join(part.capitalize() for part in others)
