"""The model's dataclasses to plain data as JSON and YAML contain it, and back.

Each class is compiled to a function once. A library that does this would take a fifth of the CPU of a merge job's
start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

Built = TypeVar("Built")
Convert = Callable[[Any], Any]

SCALARS = (str, int, float, bool, NoneType)
KIND = "kind"  # by which the classes of a union differ: the key in the data, the class variable


def structured(data: Any, kind: type[Built]) -> Built:
    """Return the dataclass for data that has passed its schema: enums by value, lists as tuples."""
    built: Built = _builder(kind)(data)  # type: ignore[arg-type]  # a class is hashable
    return built


def plain(value: Any) -> Any:
    """Return JSON-ready data for a dataclass, without keys that have their default: the inverse of `structured`."""
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    if isinstance(value, Enum):
        return value.value
    kind: Any = type(value)
    return _writer(kind)(value) if is_dataclass(value) else value


@cache
def _builder(kind: Any) -> Convert:
    """Return the function that builds a value of a type. Raises TypeError for a type that no model uses."""
    if get_origin(kind) is tuple:
        build = _builder(get_args(kind)[0])
        return tuple if build is _as_it_is else lambda items: tuple([build(item) for item in items])
    if get_origin(kind) in (Union, UnionType):
        return _builder_of_union(tuple(one for one in get_args(kind) if one is not NoneType))
    if kind in SCALARS:
        return _as_it_is
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {member.value: member for member in kind}.__getitem__
    if is_dataclass(kind):
        return _builder_of_class(kind)
    raise TypeError(f"a model has no values of type {kind}")


def _as_it_is(value: Any) -> Any:
    return value


def _builder_of_union(kinds: tuple[Any, ...]) -> Convert:
    """Return the builder of a type that is optional, or one of several scalars or of classes with a `kind`."""
    if all(kind in SCALARS for kind in kinds):
        return _as_it_is
    if len(kinds) == 1:
        build = _builder(kinds[0])
        return lambda value: None if value is None else build(value)
    by_kind = {kind.kind.value: _builder(kind) for kind in kinds}
    return lambda value: by_kind[value[KIND]](value)


def _builder_of_class(kind: Any) -> Convert:
    hints = get_type_hints(kind)
    builders = {one.name: _builder(hints[one.name]) for one in fields(kind)}
    needed = {name: build for name, build in builders.items() if build is not _as_it_is}

    def build(data: Mapping[str, Any]) -> Any:
        values = {name: value for name, value in data.items() if name in builders}
        for name, convert in needed.items():
            if name in values:
                values[name] = convert(values[name])
        return kind(**values)

    return build


@cache
def _writer(kind: Any) -> Callable[[Any], dict[str, Any]]:
    """Return the function that writes objects of a class."""
    tag = {KIND: kind.kind.value} if hasattr(kind, KIND) and KIND not in {one.name for one in fields(kind)} else {}
    defaults = [(one.name, one.default) for one in fields(kind)]

    def write(value: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, default in defaults:
            one = getattr(value, name)
            if default is MISSING or one != default:
                found[name] = one if type(one) in SCALARS else plain(one)
        return {**found, **tag}

    return write
