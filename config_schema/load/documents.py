"""Files to plain data, and plain data to and from the model's dataclasses."""

from __future__ import annotations

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar, get_args

import cattrs
import yaml
from cattrs.strategies import configure_tagged_union, configure_union_passthrough

from config_schema.errors import Problem, ProblemsFound
from config_schema.quality import QualityCheck

Model = TypeVar("Model")
CHECK_KINDS: dict[type, str] = {shape: shape.kind.value for shape in get_args(QualityCheck)}


class _OnceLoader(yaml.SafeLoader):
    """YAML that refuses a key given twice in one mapping, which PyYAML would let pass with the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                mark = key_node.start_mark
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands there twice", mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def yaml_document(path: Path) -> Any:
    """The file's data. Raises ProblemsFound with the line where it is no YAML."""
    try:
        return yaml.load(path.read_text("utf-8"), Loader=_OnceLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise _unreadable(path, f"not YAML: {error.problem}", mark.line + 1 if mark else None) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _unreadable(path, f"cannot be read: {error}") from error


def json_document(path: Path) -> Any:
    """The file's data. Raises ProblemsFound if it is not there or no JSON."""
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        problem = Problem(path.name, "", "the file is missing", "Write it beside the model; see config_schema/examples")
        raise ProblemsFound(str(path), [problem]) from error
    except json.JSONDecodeError as error:
        raise _unreadable(path, f"not JSON: {error.msg}", error.lineno) from error
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, f"cannot be read: {error}") from error


def structured(data: Any, kind: type[Model]) -> Model:
    """The dataclass of data that has passed its schema; enums by value, lists as tuples."""
    return _converter().structure(data, kind)


def plain(model: Any) -> Any:
    """The inverse of `structured`: JSON-ready data, without keys that have their default."""
    return _converter().unstructure(model)


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(omit_if_default=True, unstruct_collection_overrides={tuple: list})
    configure_union_passthrough(int | float | str | None, converter)
    configure_tagged_union(QualityCheck, converter, tag_generator=CHECK_KINDS.__getitem__, tag_name="kind")
    return converter


def _unreadable(path: Path, what: str, line: int | None = None) -> ProblemsFound:
    return ProblemsFound(str(path), [Problem(path.name, "", what, "Mend the file", line)])
