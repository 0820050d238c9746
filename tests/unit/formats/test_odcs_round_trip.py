"""What `model export odcs` writes keeps the standard's schema, and `model import odcs` makes the same model of it."""

from __future__ import annotations

import json
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft201909Validator

import config_schema
from airflow_plugin.formats.odcs.export import contract_of
from airflow_plugin.formats.odcs.files import PART, contract_files, import_contracts
from airflow_plugin.formats.odcs.read import document, read_contract
from airflow_plugin.formats.odcs.servers import Choice
from airflow_plugin.formats.odcs.whole import contracts_of
from airflow_plugin.formats.odcs.words import Own
from airflow_plugin.formats.parts import ImportReport
from airflow_plugin.formats.written import export_text
from config_schema.load.documents import structured
from config_schema.load.folder import load_placed
from config_schema.load.model_yaml import load
from config_schema.model import Datastore, Ecosystem
from config_schema.model.mapping import Model, mapping_of
from config_schema.names import contract_file
from config_schema.rules.check import check_model
from tests.unit.config_schema.test_model import SCHEMA, values
from tests.unit.formats.random_models import models

STANDARD = json.loads((files("open_data_contract_standard") / "schema.json").read_text("utf-8"))
VALIDATOR = Draft201909Validator(STANDARD, validate_formats=True)  # jsonschema takes 40 times as long
FOLDER = Path(config_schema.__file__).parent / "examples"
CASES = Path(__file__).parents[1] / "config_schema" / "cases"
EXAMPLES = [path.parent for path in sorted(FOLDER.rglob("ecosystem.yaml"))]
GOOD = [path.parent for path in sorted(CASES.rglob("ecosystem.yaml")) if path.parent.name.startswith("good")]


def exported(model: Model, folder: Path) -> list[Path]:
    """The files of the export, each checked by the standard's schema."""
    for name, contract in contracts_of(model).items():
        text = export_text(contract)
        assert yaml.safe_load(text) == contract  # any reader of YAML reads the same
        # Of what we write, the schema of v3.1.0, whose version the files name, lacks only this.
        assert not [level for level in contract.get("slaProperties", []) if "customProperties" in level]
        errors = [f"{list(error.instance_path)}: {error.message}" for error in VALIDATOR.iter_errors(contract)]
        assert errors == []
        (folder / name).write_text(text, "utf-8")
    return contract_files([folder])


def imported(paths: list[Path]) -> Model:
    reports: list = []
    texts = import_contracts(paths, Choice(), reports, to_files=True)
    assert [note for report in reports for note in report.noted()] == []
    ecosystem = structured(load(texts["ecosystem.yaml"]), Ecosystem)
    return Model(ecosystem, tuple(map(mapping_of, json.loads(texts["dsg_platform_mapping.json"]))))


@pytest.mark.parametrize("folder", [*EXAMPLES, *GOOD], ids=lambda path: f"{path.parent.name}-{path.name}")
def test_an_example_is_the_same_after_export_and_import(folder, tmp_path):
    model, _ = load_placed(folder)
    again = imported(exported(model, tmp_path))
    assert again.ecosystem == model.ecosystem
    assert again.mappings == model.mappings


def test_there_are_examples():
    assert len(EXAMPLES) >= 3
    assert len(GOOD) > 20


@settings(max_examples=40)
@given(model=models())
def test_a_random_model_is_the_same_after_export_and_import(model):
    assert check_model(model.ecosystem, model.mappings, lambda path: ("", path), "") == []
    with tempfile.TemporaryDirectory() as made:
        again = imported(exported(model, Path(made)))
    assert again.ecosystem == model.ecosystem
    assert again.mappings == model.mappings


@settings(max_examples=15)
@given(model=models())
def test_a_contract_alone_gives_its_datastore_and_notes_only_about_other_parts(model):
    store = model.ecosystem.datastores[0]
    with tempfile.TemporaryDirectory() as made:
        exported(model, Path(made))
        reports: list = []
        text = import_contracts([Path(made) / contract_file(store.name)], Choice(), reports, to_files=False)[PART]
    (said,) = load(text)["datastores"]
    assert structured(said, Datastore) == store
    places = {note.path.partition("[")[0] for report in reports for note in report.noted()}
    assert places <= {"slaProperties", "servers", "team"}


@st.composite
def datastores(draw: Any) -> Datastore:
    """Any datastore that the model's schema admits, whatever keys it has; only the names in it are made different."""
    said = draw(values(SCHEMA["$defs"]["datastore"]))
    for number, dataset in enumerate(said["datasets"]):
        dataset["name"] = f"d{number}"
        for place, column in enumerate(dataset["columns"]):
            column["name"] = f"c{place}"
        dataset["columns"][0]["nullable"] = False
        dataset["primary_key"] = ["c0"]
        for place, check in enumerate(dataset.get("checks", ())):
            check["name"] = f"check{place}"
    environments = said.get("environments", ())
    for number, environment in enumerate(environments):
        environment["name"] = f"e{number}"
    return structured(said, Datastore)


def same_again(store: Datastore) -> dict[str, Any]:
    """The contract of a datastore, which an import makes the same datastore of."""
    contract = contract_of(Model(Ecosystem("E", (), (store,)), ()), store)
    assert [error.message for error in VALIDATOR.iter_errors(contract)] == []
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / "store.odcs.yaml"
        file.write_text(export_text(contract))
        doc = document(ImportReport(file))
        again = read_contract(doc, Own(doc), Choice(), alone=False)
    assert again.of.datastore == store
    assert again.report.notes == []
    return contract


CHECKS = [part["then"]["$ref"].rpartition("/")[2] for part in SCHEMA["$defs"]["quality_check"]["allOf"]]


@pytest.mark.parametrize("whole", [True, False], ids=["all keys", "keys that are needed"])
@pytest.mark.parametrize("name", CHECKS)
def test_each_kind_of_check_survives(name, whole):
    schema = SCHEMA["$defs"][name]
    keys = schema["properties"] if whole else schema["required"]
    check = {key: one.get("const", one["examples"][0]) for key, one in schema["properties"].items() if key in keys}
    names = dict.fromkeys(["email", check.get("column", "email"), *check.get("columns", ())])
    columns = [{"name": "id", "type": "int", "nullable": False}]
    columns += [{"name": one, "type": "text"} for one in names if one != "id"]
    said = {"name": "d", "primary_key": ["id"], "columns": columns, "checks": [check]}
    source = {"host": "h", "database": "d", "credential": "c"}
    contract = same_again(structured({"name": "S", "source": source, "datasets": [said]}, Datastore))
    assert "'quality': [{" in str(contract["schema"][0])


@settings(max_examples=100)
@given(store=datastores())
def test_each_key_of_a_datastore_survives_whatever_it_is(store):
    """A key that the model gets later is written and read too, or this fails."""
    same_again(store)
