"""Quality checks in a model: each kind is read and written back, and each broken rule is named with its path."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

import config_schema
from config_schema.errors import ProblemsFound
from config_schema.load import load_model
from config_schema.load.documents import plain, structured
from config_schema.model import Dataset
from config_schema.model.quality import (
    AcceptedValues,
    ChangeOfValue,
    CheckKind,
    Completeness,
    Distinctness,
    Expression,
    MaxAge,
    NotNull,
    Pattern,
    Range,
    Reference,
    RowCount,
    Severity,
    Statistic,
    StatisticBounds,
    Unique,
    Uniqueness,
)
from config_schema.rules.pg_regex import fault

EXAMPLES = Path(config_schema.__file__).parent / "examples"
SCHEMA = json.loads((EXAMPLES.parent / "schemas" / "ecosystem.schema.json").read_text())

EVERY_KIND = (
    NotNull("a", Severity.WARN, ("email", "phone")),
    Unique("b", Severity.FAIL, ("email",)),
    Range("c", Severity.FAIL, "dob", "1900-01-01", "2100-01-01"),
    Range("d", Severity.WARN, "dob", max=17),
    Range("e", Severity.WARN, "dob", 0.5),
    Pattern("f", Severity.WARN, "email", "^[^@]+@[^@]+$"),
    Reference("g", Severity.FAIL, ("primaryAddressId",), "addresses", ("id",)),
    RowCount("h", Severity.FAIL, 1, 1_000_000),
    AcceptedValues("i", Severity.WARN, "email", ("a@x", 2, 0.5, True), sample=10),
    Expression("j", Severity.FAIL, "dob < current_date AND email ~ '@.*$'"),
    Completeness("k", Severity.WARN, ("email", "phone"), 0.9, 1),
    Distinctness("l", Severity.WARN, ("email",), 0.5),
    Uniqueness("m", Severity.WARN, ("email",), max=1.0),
    StatisticBounds("n", Severity.FAIL, "age", Statistic.STDDEV, -1.5, 7),
    MaxAge("o", Severity.WARN, "dob", 86_400),
    ChangeOfValue("p", Severity.WARN, "k", 7, 0.5, 2),
)


def problems(tmp_path: Path, *checks: dict, consistency: str = "multi_dataset") -> list[str]:
    """What is said of a model whose dataset customers has those checks."""
    eco = yaml.safe_load((EXAMPLES / "ecosystem.yaml").read_text())
    eco["datastores"][0]["consistency"] = consistency
    eco["datastores"][0]["datasets"][0]["columns"].append({"name": "age", "type": "integer"})
    eco["datastores"][0]["datasets"][0]["checks"] = [{"name": "c", "severity": "warn", **check} for check in checks]
    (tmp_path / "ecosystem.yaml").write_text(yaml.safe_dump(eco))
    shutil.copy(EXAMPLES / "dsg_platform_mapping.json", tmp_path)
    try:
        load_model(tmp_path)
    except ProblemsFound as error:
        return [str(problem) for problem in error.problems]
    return []


def test_every_kind_of_check_is_written_and_read_back_as_it_was():
    dataset = Dataset("customers", (), ("id",), checks=EVERY_KIND)
    assert {check.kind for check in EVERY_KIND} == set(CheckKind)
    assert structured(json.loads(json.dumps(plain(dataset))), Dataset) == dataset


def test_every_kind_of_check_passes_in_a_model(tmp_path):
    checks = plain(Dataset("customers", (), ("id",), checks=EVERY_KIND))["checks"]
    assert problems(tmp_path, *checks) == []


def test_the_schema_has_examples_that_hold_it():
    kinds = [f"{kind.value}_check" for kind in CheckKind]
    for name in ("quality_check", *kinds):
        for example in SCHEMA["$defs"][name]["examples"]:
            Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]}).validate(example)


def test_every_kind_stands_in_the_schema_and_describes_its_keys():
    known = SCHEMA["$defs"]["quality_check"]["properties"]["kind"]["enum"]
    assert known == [kind.value for kind in CheckKind]
    for kind in known:
        for key, of_key in SCHEMA["$defs"][f"{kind}_check"]["properties"].items():
            assert of_key.get("description"), (kind, key)
            assert of_key.get("examples"), (kind, key)


AT = "datastores[0].datasets[0].checks[0]"
BROKEN = [
    ({"kind": "not_nul", "columns": ["email"]}, f"{AT}.kind: 'not_nul' is not known. Did you mean 'not_null'?"),
    ({"columns": ["email"]}, f"{AT}.kind: the key is missing. What the check looks at"),
    ({"kind": "not_null", "column": "email"}, f"{AT}.column: unknown key 'column'. Did you mean 'columns'?"),
    ({"kind": "not_null"}, f"{AT}.columns: the key is missing. Columns that are not to be NULL"),
    ({"kind": "not_null", "columns": ["emial"]}, f"{AT}.columns: 'emial' is no column. Did you mean 'email'?"),
    ({"kind": "unique", "columns": ["email", "emial"]}, f"{AT}.columns: 'emial' is no column. Did you mean 'email'?"),
    (
        {"kind": "not_null", "columns": ["email"], "severity": "fial"},
        f"{AT}.severity: 'fial' is not known. Did you mean 'fail'?",
    ),
    ({"kind": "range", "column": "dbo", "min": 1}, f"{AT}.column: 'dbo' is no column. Did you mean 'dob'?"),
    ({"kind": "range", "column": "dob"}, f"{AT}: it has neither min nor max"),
    ({"kind": "range", "column": "dob", "min": 2, "max": 1.5}, f"{AT}.min: 2 is more than max, 1.5"),
    ({"kind": "range", "column": "dob", "min": float("nan")}, "ecosystem.yaml:7: not YAML: .nan is no finite number"),
    ({"kind": "range", "column": "dob", "min": 1, "max": "2"}, f"{AT}: of min and max, one is a number and the"),
    ({"kind": "range", "column": "dob", "min": True}, f"{AT}.min: True is not a number or a string"),
    ({"kind": "row_count"}, f"{AT}: it has neither min nor max"),
    ({"kind": "row_count", "min": 2, "max": 1}, f"{AT}.min: 2 is more than max, 1"),
    ({"kind": "row_count", "min": -1}, f"{AT}.min: -1 is out of bounds"),
    (
        {"kind": "pattern", "column": "email", "pattern": "("},
        f"{AT}.pattern: '(' is no regular expression: a ( is not closed",
    ),
    ({"kind": "pattern", "column": "email", "pattern": "x" * 501}, "the text has 501 characters"),
    (
        {"kind": "reference", "columns": ["id"], "dataset": "adresses", "dataset_columns": ["id"]},
        f"{AT}.dataset: 'adresses' is no dataset of Store1. Did you mean 'addresses'?",
    ),
    (
        {"kind": "reference", "columns": ["id"], "dataset": "addresses", "dataset_columns": ["idd"]},
        f"{AT}.dataset_columns: 'idd' is no column. Did you mean 'id'?",
    ),
    (
        {"kind": "reference", "columns": ["id", "email"], "dataset": "addresses", "dataset_columns": ["id"]},
        f"{AT}.dataset_columns: 2 columns cannot refer to 1. Name one column of addresses for each of its own",
    ),
    ({"kind": "accepted_values", "column": "email", "values": []}, f"{AT}.values: "),
    ({"kind": "accepted_values", "column": "emial", "values": [1]}, f"{AT}.column: 'emial' is no column"),
    ({"kind": "accepted_values", "column": "email", "values": [None]}, f"{AT}.values[0]: None is not"),
    ({"kind": "not_null", "columns": ["email"], "sample": 0}, f"{AT}.sample: 0 is out of bounds"),
    ({"kind": "expression", "expression": "email = 'a' AND fone IS NULL"}, f"{AT}.expression: 'fone' is no column"),
    (
        {"kind": "expression", "expression": "pg_sleep(9) IS NULL"},
        f"{AT}.expression: 'c' is no condition over one row: the function pg_sleep is not allowed in it",
    ),
    ({"kind": "completeness", "columns": ["email"]}, f"{AT}: it has neither min nor max"),
    ({"kind": "completeness", "columns": ["email"], "min": 1.5}, f"{AT}.min: 1.5 is out of bounds"),
    ({"kind": "distinctness", "columns": ["emial"], "min": 1}, f"{AT}.columns: 'emial' is no column"),
    ({"kind": "uniqueness", "columns": ["email"], "min": 1, "max": 0.5}, f"{AT}.min: 1 is more than max, 0.5"),
    ({"kind": "statistic", "column": "id", "statistic": "median", "min": 1}, f"{AT}.statistic: 'median' is not known"),
    (
        {"kind": "statistic", "column": "dob", "statistic": "max", "min": 1},
        f"{AT}.column: 'dob' is of type date",
    ),
    ({"kind": "statistic", "column": "id", "statistic": "mean", "min": "1"}, f"{AT}.min: '1' is not a number"),
    ({"kind": "freshness", "column": "email", "max_age_seconds": 60}, f"{AT}.column: 'email' is of type varchar(100)"),
    ({"kind": "freshness", "column": "dob", "max_age_seconds": 0}, f"{AT}.max_age_seconds: 0 is out of bounds"),
    ({"kind": "change", "check": "d", "batches": 7, "min": 0.5}, f"{AT}.check: 'd' is no check before this one"),
    ({"kind": "change", "check": "d", "batches": 7}, f"{AT}: it has neither min nor max"),
]


@pytest.mark.parametrize(("check", "expected"), BROKEN)
def test_a_broken_rule_of_a_check_is_named(tmp_path, check, expected):
    found = problems(tmp_path, check)
    assert any(expected in problem for problem in found), found


def test_a_reference_in_a_store_whose_datasets_are_read_one_by_one_is_refused(tmp_path):
    check = {"kind": "reference", "columns": ["id"], "dataset": "addresses", "dataset_columns": ["id"]}
    (found,) = problems(tmp_path, check, consistency="single_dataset")
    assert "the datasets of Store1 are read one by one" in found


def test_two_checks_of_one_name_are_refused(tmp_path):
    eco = yaml.safe_load((EXAMPLES / "ecosystem.yaml").read_text())
    check = {"name": "c", "severity": "warn", "kind": "not_null", "columns": ["email"]}
    eco["datastores"][0]["datasets"][0]["checks"] = [check, check]
    (tmp_path / "ecosystem.yaml").write_text(yaml.safe_dump(eco))
    shutil.copy(EXAMPLES / "dsg_platform_mapping.json", tmp_path)
    with pytest.raises(ProblemsFound, match=r"checks\[1\].name: 'c' is given twice"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    "pattern",
    ["(", "a)", "[a", "*a", "a**", "(|*)", "a{3,2}", "a{256}", "a\\", "(?P<x>a)", "(?<x>a)", "^*", "[^]", "a{1}{2}"],
)
def test_what_postgresql_cannot_compile_is_reported(pattern):
    assert fault(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["^[^@]+@[^@]+$", r"\d{3,}-\d*?", "[]a]", "[^]a]", r"[\]]", "[[:alpha:]_]+", "(?:a|b)(?=c)(?!d)", "(?<=a)b", "{a}",
     r"\(", "(?i)abc", "***=(", "a{0,255}?", "", "a|b", "()", r"\yword\y"],
)  # fmt: skip
def test_what_postgresql_compiles_passes(pattern):
    assert fault(pattern) is None


def test_a_change_of_a_check_that_measures_nothing_to_compare_is_refused(tmp_path):
    statistic = {"name": "b", "kind": "statistic", "column": "age", "statistic": "mean", "min": 1}
    change = {"kind": "change", "check": "b", "batches": 7, "min": 0.5}
    (found,) = problems(tmp_path, statistic, change)
    assert "checks[1].check: 'b' is of kind statistic, which measures no share and no number of rows" in found
