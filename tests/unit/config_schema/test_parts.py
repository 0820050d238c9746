"""A model in several files is the model in one; a problem is reported with the file and the line of its part."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

import config_schema
from config_schema.errors import ProblemsFound
from config_schema.load import load_model

EXAMPLES = Path(config_schema.__file__).parent / "examples"
STORE = """\
# Written by the people of the shop.
datastores:
  - name: Shop
    source: {host: pg-data, database: shop, credential: shop-db}
    datasets:
      - name: orders
        primary_key: [number]
        columns:
          - {name: number, type: integer, nullable: false}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("ecosystem.yaml", "dsg_platform_mapping.json"):
        shutil.copy(EXAMPLES / name, tmp_path)
    (tmp_path / "ecosystem").mkdir()
    return tmp_path


def problems(folder: Path) -> list[str]:
    with pytest.raises(ProblemsFound) as caught:
        load_model(folder)
    return [str(problem) for problem in caught.value.problems]


def test_a_model_that_is_split_is_the_same_model(folder):
    whole = yaml.safe_load((folder / "ecosystem.yaml").read_text())
    (folder / "ecosystem.yaml").write_text(yaml.safe_dump({"name": whole.pop("name")}))
    for number, (key, items) in enumerate(whole.items()):
        inside = folder / "ecosystem" / f"team{number}"
        inside.mkdir()
        (inside / "part.yaml").write_text(yaml.safe_dump({key: items}, sort_keys=False))
    assert load_model(folder) == load_model(EXAMPLES)


def test_what_a_file_adds_comes_after_what_is_there(folder):
    (folder / "ecosystem" / "shop.yaml").write_text(STORE)
    (folder / "ecosystem" / "empty.yaml").write_text("# nothing yet\n")
    assert [store.name for store in load_model(folder).ecosystem.datastores] == ["Store1", "Shop"]


def test_a_broken_rule_is_reported_with_the_file_and_the_line_of_the_part(folder):
    (folder / "ecosystem" / "shop.yaml").write_text(STORE.replace("[number]", "[nummer]"))
    assert problems(folder) == [
        "ecosystem/shop.yaml:7: datastores[0].datasets[0].primary_key: 'nummer' is no column. "
        "Did you mean 'number'? Choose from: number [DF1403]"
    ]


def test_the_second_of_a_file_is_reported_as_its_second(folder):
    second = STORE.split("datastores:\n")[1].replace("name: Shop", "name: Depot").replace("[number]", "[nummer]")
    (folder / "ecosystem" / "shop.yaml").write_text(STORE + second)
    [reported] = problems(folder)
    assert reported.startswith("ecosystem/shop.yaml:14: datastores[1].datasets[0].primary_key: 'nummer' is no column")


def test_a_wrong_shape_is_reported_with_the_file_and_the_line_of_the_part(folder):
    (folder / "ecosystem" / "shop.yaml").write_text(STORE.replace("type:", "typ:"))
    wrong, missing = problems(folder)
    assert wrong.startswith("ecosystem/shop.yaml:9: datastores[0].datasets[0].columns[0].typ: unknown key 'typ'")
    assert missing.startswith("ecosystem/shop.yaml:9: datastores[0].datasets[0].columns[0].type: the key is missing")


def test_problems_of_all_files_come_at_once(folder):
    (folder / "ecosystem" / "a.yaml").write_text("datastore: []\nname: Other\nplatforms: {}\n")
    (folder / "ecosystem" / "b.yaml").write_text("- name: Shop\n")
    (folder / "ecosystem" / "c.yaml").write_text("datastores:\n  - [}\n")
    path = folder / "ecosystem.yaml"
    path.write_text(path.read_text().replace("milestoning: live", "milestoning: alive"))
    found = problems(folder)
    assert [problem.split(": ")[0] for problem in found] == [
        "ecosystem/a.yaml:1",
        "ecosystem/a.yaml:2",
        "ecosystem/a.yaml:3",
        "ecosystem/b.yaml",
        "ecosystem/c.yaml:2",
        "ecosystem.yaml:8",
    ]
    assert "'datastore' cannot stand in a part of the model. Did you mean 'datastores'?" in found[0]
    assert "'name' cannot stand in a part of the model" in found[1]


def test_a_name_that_another_file_has_too_is_reported_where_it_comes_second(folder):
    (folder / "ecosystem" / "shop.yaml").write_text(STORE.replace("name: Shop", "name: Store1"))
    assert any(
        problem.startswith("ecosystem/shop.yaml:3: datastores[0].name: 'Store1' ") for problem in problems(folder)
    )


def test_problems_of_the_mapping_have_lines_too(folder):
    path = folder / "dsg_platform_mapping.json"
    path.write_text(path.read_text().replace('"YellowForensic"', '"Yellow"'))
    [problem] = problems(folder)
    assert problem.startswith("dsg_platform_mapping.json:20: [1].assignments[0].dataPlatform: 'Yellow' is no platform")
