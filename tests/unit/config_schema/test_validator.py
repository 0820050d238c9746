"""The validator of models, rows and settings is held equal to the jsonschema package."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import config_schema
from config_schema.schemas import json_schema
from config_schema.schemas.findings import findings
from config_schema.schemas.validator import KNOWN, validator

FOLDER = Path(config_schema.__file__).parent
SCHEMAS = {name: json_schema(name) for name in ("ecosystem", "mapping", "stream")}
CHECKS = [
    {"name": "a", "kind": "not_null", "columns": ["id"], "severity": "warn"},
    {"name": "b", "severity": "fail", "kind": "range", "column": "id", "min": 1, "max": 2.5},
    {"name": "c", "severity": "fail", "kind": "pattern", "column": "email", "pattern": "^.+@"},
    {
        "name": "d",
        "severity": "fail",
        "kind": "reference",
        "columns": ["id"],
        "dataset": "customers",
        "dataset_columns": ["id"],
    },
    {"name": "e", "severity": "fail", "kind": "row_count", "min": 1},
]
ECOSYSTEM = yaml.safe_load((FOLDER / "examples/ecosystem.yaml").read_text())
ECOSYSTEM["datastores"][0]["datasets"][0]["checks"] = CHECKS
DOCUMENTS = {
    "ecosystem": ECOSYSTEM,
    "mapping": json.loads((FOLDER / "examples/dsg_platform_mapping.json").read_text()),
}

values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 100000) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)


@pytest.mark.parametrize("name", DOCUMENTS)
@settings(max_examples=400)
@given(data=st.data())
def test_a_changed_document_is_valid_for_both_or_for_none(name, data):
    document = copy.deepcopy(DOCUMENTS[name])
    for _ in range(data.draw(st.integers(1, 2))):
        _change(document, data)
    is_valid = validator(SCHEMAS[name])(document)
    assert is_valid == Draft202012Validator(SCHEMAS[name]).is_valid(document)
    assert is_valid == (not list(findings(document, SCHEMAS[name])))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_examples_conform(name):
    assert validator(SCHEMAS[name])(DOCUMENTS[name])


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_keyword_of_a_schema_is_known(name):
    assert _keywords(SCHEMAS[name]) <= KNOWN


def test_a_model_is_checked_without_the_jsonschema_package():
    load = "from config_schema.load.folder import load_model; load_model(Path(sys.argv[1]))"
    code = f"import sys; from pathlib import Path; {load}; sys.exit('jsonschema' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code, str(FOLDER / "examples")], check=False).returncode == 0


def _change(document, data) -> None:
    """Somewhere in it: another value, a key or an item less, or one more."""
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        if isinstance(place[key], dict | list) and place[key] and data.draw(st.integers(0, 4)):
            place = place[key]
            continue
        how = data.draw(st.sampled_from(["another", "less", "more", "as elsewhere"]))
        if how == "less":
            del place[key]
        elif how == "another":
            place[key] = data.draw(values)
        elif how == "as elsewhere":
            place[key] = copy.deepcopy(data.draw(st.sampled_from([place[other] for other in keys])))
        elif isinstance(place, dict):
            place[data.draw(st.text(max_size=5))] = data.draw(values)
        else:
            place.append(copy.deepcopy(place[key]))
        return


def _keywords(schema) -> set[str]:
    found = set(schema)
    for word, part in schema.items():
        if word in ("properties", "$defs"):
            inner = list(part.values())
        elif word in ("items", "if", "then", "additionalProperties"):
            inner = [part] if isinstance(part, dict) else []
        else:
            inner = part if word == "allOf" else []
        found = found.union(*map(_keywords, inner))
    return found
