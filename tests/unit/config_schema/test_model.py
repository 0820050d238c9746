"""The published schema and the dataclasses are one: what the one lets pass is the other, and back again."""

from __future__ import annotations

import json
import math
import re
import types
import typing
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

import config_schema
from config_schema import model
from config_schema.load.documents import plain, structured
from config_schema.load.parts import LISTS
from config_schema.model import Ecosystem
from config_schema.schemas.validator import validator

FOLDER = Path(config_schema.__file__).parent
SCHEMA: dict[str, Any] = json.loads((FOLDER / "schemas" / "ecosystem.schema.json").read_text())
CLASSES = {
    "team": model.Team,
    "database": model.Database,
    "git": model.GitRepository,
    "column": model.Column,
    "table_index": model.TableIndex,
    "cursor": model.Cursor,
    "change_feed": model.ChangeFeed,
    "file_options": model.FileOptions,
    "rest_auth": model.RestAuth,
    "rest_param": model.RestParam,
    "rest_paginator": model.RestPaginator,
    "rest_incremental": model.RestIncremental,
    "rest_endpoint": model.RestEndpoint,
    "dataset": model.Dataset,
    "datastore": model.Datastore,
    "stream_defaults": model.StreamDefaults,
    "lake": model.Lake,
    "platform": model.Platform,
    "database_override": model.DatabaseOverride,
    "git_override": model.RepositoryOverride,
    "datastore_override": model.DatastoreOverride,
    "lake_override": model.LakeOverride,
    "platform_override": model.PlatformOverride,
    "sink": model.DatasetSink,
    "dataset_group": model.DatasetGroup,
    "workspace": model.Workspace,
}
PLAIN = {str: "string", int: "integer", bool: "boolean", float: "number"}


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Any value that a part of the schema admits, of those that matter here: each key is there, or is not."""
    if "$ref" in schema:
        return st.deferred(lambda: values(SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")]))
    if "allOf" in schema:  # the quality checks, one schema for each kind
        return st.one_of([values(one["then"]) for one in schema["allOf"]])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema["type"]
    if isinstance(kind, list):
        return st.one_of([st.none() if one == "null" else values({**schema, "type": one}) for one in kind])
    if kind == "object":
        properties = {key: values(part) for key, part in schema["properties"].items()}
        required = schema.get("required", [])
        return st.fixed_dictionaries(
            {key: properties[key] for key in required},
            optional={key: value for key, value in properties.items() if key not in required},
        )
    if kind == "array":
        return st.lists(values(schema["items"]), min_size=schema.get("minItems", 0), max_size=2, unique_by=json.dumps)
    if kind == "boolean":
        return st.booleans()
    if kind in ("integer", "number"):
        return st.integers(math.ceil(schema.get("minimum", 0)), int(min(schema.get("maximum", 9), 10**6)))
    return st.sampled_from(schema.get("examples", [])[:1] or ["id"]).map(str)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(document=values(SCHEMA))
def test_what_the_schema_admits_is_an_ecosystem_and_the_ecosystem_is_it(document):
    assert validator(SCHEMA)(document)
    ecosystem = structured(document, Ecosystem)
    written = plain(ecosystem)
    assert validator(SCHEMA)(written)
    assert structured(written, Ecosystem) == ecosystem
    assert structured(yaml.safe_load(yaml.safe_dump(document)), Ecosystem) == ecosystem
    assert _said(document, written)


def _said(document: Any, written: Any) -> bool:
    """Whether all that is written stands in the document; the document may say what is the default anyway."""
    if isinstance(written, dict):
        return all(key in document and _said(document[key], value) for key, value in written.items())
    if isinstance(written, list):
        return len(document) == len(written) and all(map(_said, document, written))
    return bool(document == written)


@pytest.mark.parametrize("name", CLASSES)
def test_a_dataclass_has_the_keys_of_its_part_of_the_schema_and_requires_the_same(name):
    part, made = SCHEMA["$defs"][name], CLASSES[name]
    assert {field.name for field in fields(made)} == set(part["properties"])
    needed = {one.name for one in fields(made) if one.default is MISSING and one.default_factory is MISSING}
    assert needed == set(part.get("required", []))


def test_the_ecosystem_itself_has_them_too():
    assert {field.name for field in fields(Ecosystem)} == set(SCHEMA["properties"])
    assert {one.name for one in fields(Ecosystem) if one.default is MISSING} == set(SCHEMA["required"])


@pytest.mark.parametrize("name", [*CLASSES, "ecosystem"])
def test_a_field_has_the_type_that_the_schema_gives_its_key(name):
    made, part = CLASSES.get(name, Ecosystem), SCHEMA["$defs"].get(name, SCHEMA)
    hints = typing.get_type_hints(made)
    for key, schema in part["properties"].items():
        _is_of(hints[key], schema, f"{name}.{key}")


def _is_of(hint: Any, schema: dict[str, Any], at: str) -> None:
    kinds = [one for one in typing.get_args(hint) or (hint,) if one is not types.NoneType]
    if isinstance(hint, types.UnionType) and len(kinds) == 1:
        hint = kinds[0]
    if typing.get_origin(hint) is tuple:
        assert schema["type"] == "array", at
        if "checks" not in at:
            _is_of(typing.get_args(hint)[0], schema["items"], at)
    elif is_dataclass(hint):
        assert CLASSES[schema["$ref"].removeprefix("#/$defs/")] is hint, at
    elif isinstance(hint, type) and issubclass(hint, Enum):
        assert {member.value for member in hint} == set(schema["enum"]), at
    else:
        assert PLAIN[hint] in schema["type"], at


def test_the_schema_of_a_part_has_the_lists_of_an_ecosystem_and_is_the_same_schema():
    part = json.loads((FOLDER / "schemas" / "ecosystem_part.schema.json").read_text())
    assert set(part["properties"]) == set(LISTS)
    resources = [(one["$id"], Resource.from_contents(one)) for one in (SCHEMA, part)]
    validator = Draft202012Validator(part, registry=Registry().with_resources(resources))
    whole = yaml.safe_load((FOLDER / "examples" / "ecosystem.yaml").read_text())
    assert not validator.is_valid(whole)  # it has a name
    del whole["name"]
    assert validator.is_valid(whole)
    whole["datastores"][0]["sauce"] = 1
    assert not validator.is_valid(whole)


def test_every_key_is_described_and_shown_by_an_example():
    def walk(schema: dict[str, Any], at: str) -> None:
        for key, one in schema.get("properties", {}).items():
            assert "$ref" in one or "const" in one or re.search(r"[a-z]", one.get("description", "")), f"{at}.{key}"
            walk(one, f"{at}.{key}")

    for name, one in [("ecosystem", SCHEMA), *SCHEMA["$defs"].items()]:
        walk(one, name)
