"""`dagfactory model export` and `model import` as people call them: what is printed where, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import config_schema
from airflow_plugin.cli.program import app
from config_schema.load.folder import load_placed

EXAMPLES = Path(config_schema.__file__).parent / "examples"
PAYMENTS = Path(__file__).parents[1] / "formats" / "files" / "payments.odcs.yaml"


def run(*arguments: object) -> tuple[int, str, str]:
    """The exit code, what is on standard output, and what is on standard error, with the error that is raised."""
    done = CliRunner().invoke(app, ["model", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr if done.exception is None else f"{done.stderr}{done.exception}"


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    folder = tmp_path / "contracts"
    assert run("export", "odcs", EXAMPLES, "--out", folder) == (0, "", f"2 files in {folder}\n")
    return folder


def test_a_model_goes_out_and_comes_back(contracts, tmp_path):
    assert sorted(path.name for path in contracts.iterdir()) == ["Demo+ecosystem.odcs.yaml", "Store1.odcs.yaml"]
    again = tmp_path / "again"
    code, printed, said = run("import", "odcs", contracts, "--out", again)
    assert (code, printed) == (0, "")
    assert said == f"Written: {again}. Look through it, then run dagfactory validate {again}\n"
    assert load_placed(again)[0] == load_placed(EXAMPLES)[0]
    assert CliRunner().invoke(app, ["validate", str(again)]).exit_code == 0


def test_one_contract_is_printed_and_becomes_a_part_of_a_model(contracts, tmp_path):
    code, printed, said = run("export", "odcs", EXAMPLES, "--datastore", "Store1", "--contract-version", "2.0.0")
    assert (code, said) == (0, "")
    assert printed == (contracts / "Store1.odcs.yaml").read_text().replace("version: 1.0.0", "version: 2.0.0")
    model = tmp_path / "model"
    shutil.copytree(EXAMPLES, model)
    text = (model / "ecosystem.yaml").read_text()
    start, end = text.index("datastores:"), text.index("workspaces:")
    (model / "ecosystem.yaml").write_text(f"{text[:start]}datastores: []\n{text[end:]}")
    (model / "ecosystem").mkdir()
    code, printed, said = run("import", "odcs", contracts / "Store1.odcs.yaml", "--out", model / "ecosystem" / "s.yaml")
    assert (code, printed) == (0, "")
    assert [line.split(": ")[2] for line in said.splitlines()[:-1]] == [
        *("servers[1]", "servers[2]"),
        *("slaProperties[0].value", "slaProperties[1].value"),
        *("slaProperties[2].schedule", "slaProperties[3].schedule"),
    ]
    assert load_placed(model)[0] == load_placed(EXAMPLES)[0]


def test_an_export_writes_its_files_again_and_names_those_of_others(contracts):
    (contracts / "Gone.odcs.yaml").write_text("")
    (contracts / "Store1.odcs.yaml").write_text("")
    code, printed, said = run("export", "odcs", EXAMPLES, "--out", contracts)
    assert (code, printed) == (0, "")
    assert said.splitlines() == [
        f"not of this model, and left as it is: {contracts / 'Gone.odcs.yaml'}",
        f"2 files in {contracts}",
    ]
    assert (contracts / "Store1.odcs.yaml").read_text().startswith("apiVersion: ")


def test_notes_are_on_standard_error_and_in_the_file():
    code, printed, said = run("import", "odcs", PAYMENTS)
    assert code == 0
    assert "not in the model: payments.odcs.yaml:8: domain: domain 'finance' is not in the model." in said
    assert "# Not in the model: payments.odcs.yaml: domain: domain 'finance' is not in the model." in printed
    assert said.count("\n") == printed.count("# Not in the model")


def test_notes_come_before_the_error(tmp_path):
    text = PAYMENTS.read_text().replace("primaryKey: true", "primaryKey: false")
    (tmp_path / "c.yaml").write_text(text)
    code, printed, said = run("import", "odcs", tmp_path / "c.yaml")
    assert (code, printed) == (1, "")
    assert said.index("the table 'tbl_payments' is left out") < said.index("DF3712")


def test_what_is_there_is_not_overwritten(contracts, tmp_path):
    (tmp_path / "there.yaml").write_text("")
    for out in (tmp_path / "there.yaml", contracts):
        code, printed, said = run("import", "odcs", PAYMENTS, "--out", out)
        assert (code, printed) == (1, "")
        assert "exists already" in said


def test_several_contracts_need_a_folder_and_names_are_checked():
    code, _, said = run("export", "odcs", EXAMPLES)
    assert (code, "--out is not given: there are 2 files" in said) == (1, True)
    code, _, said = run("export", "odcs", EXAMPLES, "--datastore", "Store")
    assert (code, "Did you mean 'Store1'?" in said) == (1, True)


def test_a_whole_model_is_not_printed(contracts):
    code, printed, said = run("import", "odcs", contracts)
    assert (code, printed, "the files give a whole model" in said) == (1, "", True)


def test_a_contract_that_is_missing_is_named(contracts, tmp_path):
    (contracts / "Store1.odcs.yaml").unlink()
    code, _, said = run("import", "odcs", contracts, "--out", tmp_path / "model")
    assert (code, "the contract of the datastore 'Store1' is missing" in said) == (1, True)
    assert not (tmp_path / "model").exists()


def test_a_service_level_that_was_changed_in_a_contract_is_changed_in_the_model(contracts, tmp_path):
    file = contracts / "Store1.odcs.yaml"
    file.write_text(
        file.read_text().replace("value: 600\n    unit: s\n    element", "value: 15\n    unit: min\n    element")
    )
    code, _, _ = run("import", "odcs", contracts, "--out", tmp_path / "model")
    assert code == 0
    groups = load_placed(tmp_path / "model")[0].ecosystem.workspaces[0].dataset_groups
    assert [group.latency_seconds for group in groups] == [60, 900]


def test_contracts_that_disagree_are_refused(contracts, tmp_path):
    text = (contracts / "Store1.odcs.yaml").read_text()
    other = text.replace("name: Store1", "name: Store2").replace("value: 60\n", "value: 30\n")
    (contracts / "Store2.odcs.yaml").write_text(other)
    code, _, said = run("import", "odcs", contracts, "--out", tmp_path / "model")
    assert code == 1
    assert "Store2.odcs.yaml:" in said
    assert "the latency of LiveDSG of Consumer1 is another one in another contract" in said


def test_options_without_a_command_are_those_of_a_database(monkeypatch):
    called = []
    monkeypatch.setattr("airflow_plugin.cli.model_import.run_merge_job", lambda *a, **k: called.append((a, k)))
    code, _, said = run("import", "--dsn", "postgresql://h/d", "--name=S")
    assert (code, called[0][1]["handed_on"]) == (0, ["--dsn", "postgresql://h/d", "--name=S"])
    assert "dagfactory model import is now dagfactory model import database" in said


SPECIFICATION = PAYMENTS.with_name("polygon_stocks.uis.yaml")
CONNECTION = PAYMENTS.with_name("shop.airbyte.yaml")


@pytest.mark.parametrize(
    ("arguments", "dataset"),
    [
        (["uis", SPECIFICATION, "--dsn=postgresql://h/d", "--key=daily_aggregates=timestamp"], "daily_aggregates"),
        (["airbyte", CONNECTION, "--credential", "shop-reader", "--key", "visits=at"], "all_visits"),
    ],
    ids=["uis", "airbyte"],
)
def test_other_files_become_a_part_of_a_model_too(arguments, dataset, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(EXAMPLES, model)
    (model / "ecosystem").mkdir()
    part = model / "ecosystem" / "part.yaml"
    code, printed, said = run("import", *arguments, "--out", part)
    assert (code, printed) == (0, "")
    assert said.count("\nnot in the model: ") + 1 == part.read_text().count("# Not in the model: ") > 10
    stores = load_placed(model)[0].ecosystem.datastores
    assert dataset in [one.name for one in stores[-1].datasets]


@pytest.mark.parametrize("command", [["uis", SPECIFICATION], ["airbyte", CONNECTION]], ids=["uis", "airbyte"])
def test_other_files_refuse_options_that_cannot_be_met(command, tmp_path):
    (tmp_path / "there.yaml").write_text("")
    for options, why in (
        (["--out", tmp_path / "there.yaml"], "exists already"),
        (["--key", "orders"], "names no table with its columns"),
        (["--dsn", "postgresql://h/d", "--key", "nosuch=id"], "there is no table 'nosuch'"),
        (["--dsn", "http://h/d"], "this is no well-formed DSN"),
        (["--dsn", "postgresql://h"], "it names no database"),
    ):
        code, printed, said = run("import", *command, *options)
        assert (code, printed) == (1, "")
        assert why in said
