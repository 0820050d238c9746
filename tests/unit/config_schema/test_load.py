"""Loading a model: YAML and Python give the same, and all problems come at once with file, path, value and advice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

import config_schema
from config_schema.errors import ProblemsFound
from config_schema.load import load_model
from config_schema.load.documents import plain
from config_schema.model import Milestoning

EXAMPLES = Path(config_schema.__file__).parent / "examples"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("ecosystem.yaml", "dsg_platform_mapping.json"):
        shutil.copy(EXAMPLES / name, tmp_path)
    return tmp_path


def test_a_missing_mapping_file_is_said(folder):
    (folder / "dsg_platform_mapping.json").unlink()
    assert problems(folder)[0].startswith("dsg_platform_mapping.json: the file is missing. Write it")


def problems(folder: Path) -> list[str]:
    with pytest.raises(ProblemsFound) as caught:
        load_model(folder)
    return [str(problem) for problem in caught.value.problems]


def edit(path: Path, change) -> None:
    is_json = path.suffix == ".json"
    data = json.loads(path.read_text()) if is_json else yaml.safe_load(path.read_text())
    change(data)
    path.write_text(json.dumps(data) if is_json else yaml.safe_dump(data))


def test_the_example_model_loads():
    model = load_model(EXAMPLES)
    assert [platform.name for platform in model.ecosystem.platforms] == ["YellowLive", "YellowForensic"]
    assert model.ecosystem.platform("YellowForensic").milestoning is Milestoning.FORENSIC
    assert [mapping.dsg_name for mapping in model.mappings] == ["LiveDSG", "ForensicDSG"]


def test_eco_py_gives_the_same_ecosystem(folder):
    expected = load_model(folder).ecosystem
    (folder / "ecosystem.yaml").unlink()
    (folder / "eco.py").write_text(
        "from config_schema.load.documents import structured\n"
        "from config_schema.model import Ecosystem\n"
        f"def createEcosystem():\n    return structured({plain(expected)!r}, Ecosystem)\n"
    )
    assert load_model(folder).ecosystem == expected


def test_eco_py_sees_no_environment_and_prints_do_not_disturb(folder, monkeypatch):
    monkeypatch.setenv("POSTGRES_PASSWORD", "hunter2")
    (folder / "ecosystem.yaml").unlink()
    (folder / "eco.py").write_text(
        "import os\n"
        "from config_schema.model import *\n"
        "print('ECOSYSTEM={}')\n"
        "def createEcosystem():\n"
        "    assert 'POSTGRES_PASSWORD' not in os.environ\n"
        "    return Ecosystem(name='E', platforms=(), datastores=())\n"
    )
    (folder / "dsg_platform_mapping.json").write_text("[]")
    assert any("platforms" in problem for problem in problems(folder))  # read, and refused for having none


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise RuntimeError('kaputt')", "RuntimeError: kaputt"),
        ("x = 1", "there is no function createEcosystem()"),
        ("def createEcosystem(): return 3", "createEcosystem() gave a int, not an Ecosystem"),
        ("import os; os._exit(3)", "exit code 3"),
    ],
)
def test_an_eco_py_that_fails_is_one_clear_problem(folder, text, said):
    (folder / "ecosystem.yaml").unlink()
    (folder / "eco.py").write_text(text)
    [problem] = problems(folder)
    assert problem.startswith("eco.py: createEcosystem(): ")
    assert said in problem


def test_a_folder_without_a_model_and_one_with_two_are_refused(tmp_path, folder):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert any("there is no model in this folder" in problem for problem in problems(empty))
    (folder / "eco.py").write_text("")
    assert any("both are there" in problem for problem in problems(folder))


def test_text_that_is_no_yaml_is_said_with_its_line(folder):
    (folder / "ecosystem.yaml").write_text("name: a\nplatforms: [}\n")
    assert any(problem.startswith("ecosystem.yaml:2: not YAML") for problem in problems(folder))


def test_a_key_given_twice_is_refused(folder):
    (folder / "ecosystem.yaml").write_text("name: a\nname: b\n")
    assert any(":2: not YAML: the key 'name' is given twice" in problem for problem in problems(folder))


def test_problems_of_both_files_come_at_once(folder):
    edit(folder / "ecosystem.yaml", lambda eco: eco.update(nam="x"))
    edit(folder / "dsg_platform_mapping.json", lambda mapping: mapping[0].pop("workspace"))
    found = problems(folder)
    assert any(": nam: unknown key 'nam'. Did you mean 'name'?" in problem for problem in found)
    assert any(
        problem.startswith("dsg_platform_mapping.json:1: [0].workspace: the key is missing") for problem in found
    )


def column(eco, index=0):
    return eco["datastores"][0]["datasets"][0]["columns"][index]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda eco: eco["datastores"][0]["datasets"][1].update(primary_key=["ident"]),
            "datastores[0].datasets[1].primary_key: 'ident' is no column. Choose from: city, customerId, id, "
            "state, streetName, zipCode",
        ),
        (lambda eco: column(eco).update(nullable=True), "'id' may be NULL, and a key may not"),
        (lambda eco: column(eco, 1).update(name="id"), "datasets[0].columns[1].name: 'id' is given twice"),
        (lambda eco: column(eco).pop("type"), "columns[0].type: the key is missing. Its PostgreSQL type"),
        (lambda eco: column(eco).update(type="int; DROP TABLE x"), "columns[0].type: 'int; DROP TABLE x' is not"),
        (lambda eco: eco["platforms"][0].update(schedule="* * * *"), "platforms[0].schedule: '* * * *' is not well"),
        (lambda eco: eco["platforms"][0].update(schedule="61 * * * *"), "platforms[0].schedule: '61 * * * *' is no"),
        (lambda eco: eco["platforms"][0].update(timezone="Mars/Base"), "platforms[0].timezone: 'Mars/Base' is no"),
        (lambda eco: eco["platforms"][1].update(name="yellow-live"), "would share"),
        (
            lambda eco: eco["platforms"][0]["model"].update(url="https://x:hunter2@git.example/m.git"),
            "platforms[0].model.url: there is a password in the address",
        ),
        (lambda eco: eco["platforms"][0]["model"].update(url="https://[x"), "platforms[0].model.url: this is no"),
        (lambda eco: eco["platforms"][0].update(milestoning="forensik"), "Did you mean 'forensic'?"),
        (
            lambda eco: eco["workspaces"][0]["dataset_groups"][0]["sinks"][0].update(dataset="customer"),
            "'customer' is no dataset of Store1. Did you mean 'customers'?",
        ),
        (
            lambda eco: eco["workspaces"][0]["dataset_groups"][0]["sinks"][0].update(datastore="Store9"),
            "workspaces[0].dataset_groups[0].sinks[0].datastore: 'Store9' is no datastore. Did you mean 'Store1'?",
        ),
        (
            lambda eco: (
                eco["datastores"][0]["source"].update(credential="post.gres")
                or eco["platforms"][0]["merge_store"].update(credential="post-gres")
            ),
            "the secrets 'post-gres' and 'post.gres' would both be POST_GRES_PASSWORD",
        ),
    ],
)
def test_a_broken_rule_of_the_ecosystem_is_named(folder, change, expected):
    edit(folder / "ecosystem.yaml", change)
    if "yellow-live" in (folder / "ecosystem.yaml").read_text():
        edit(folder / "ecosystem.yaml", lambda eco: eco["platforms"][0].update(name="Yellow.Live"))
        edit(folder / "dsg_platform_mapping.json", lambda mapping: mapping.clear())
    assert any(expected in problem for problem in problems(folder)), problems(folder)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda m: m[0].update(workspace="Consumer"), "[0].workspace: 'Consumer' is no workspace. Did you mean"),
        (lambda m: m[0].update(dsgName="LiveDS"), "[0].dsgName: 'LiveDS' is no dataset group of Consumer1"),
        (lambda m: m.append(m[0]), "[2]: 'LiveDSG' of 'Consumer1' is given twice"),
        (
            lambda m: m[1]["assignments"][0].update(dataPlatform="YellowLive"),
            "[1].assignments[0].dataPlatform: ForensicDSG needs forensic retention, and YellowLive keeps live rows",
        ),
        (
            lambda m: m[1]["assignments"][0].update(dataPlatform="Yelow"),
            "[1].assignments[0].dataPlatform: 'Yelow'",
        ),
        (lambda m: m[1]["assignments"][0].update(status="DONE"), "[1].assignments[0].status: 'DONE' is not known"),
    ],
)
def test_a_broken_rule_of_the_mapping_is_named(folder, change, expected):
    edit(folder / "dsg_platform_mapping.json", change)
    assert any(f"dsg_platform_mapping.json:1: {expected}" in problem for problem in problems(folder)), problems(folder)
