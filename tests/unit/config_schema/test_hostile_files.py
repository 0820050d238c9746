"""Files that a stranger's repository can hold: each gives one problem with its file, soon, and shows no other file."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from pathlib import Path

import pytest

import config_schema
from config_schema.errors import ProblemsFound
from config_schema.load import documents, load_model, model_files, model_yaml
from config_schema.load.lines import with_lines
from config_schema.problem import Problem

EXAMPLES = Path(config_schema.__file__).parent / "examples"
MAPPING = "dsg_platform_mapping.json"
SECRET = "root:x:0:0"
FILES = ("ecosystem.yaml", MAPPING, "ecosystem/part.yaml", "eco.py")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    (made / "ecosystem").mkdir(parents=True)
    for name in ("ecosystem.yaml", MAPPING):
        shutil.copy(EXAMPLES / name, made)
    (tmp_path / "secret").write_text(SECRET)
    return made


def problem(folder: Path) -> str:
    began = time.monotonic()
    with pytest.raises(ProblemsFound) as caught:
        load_model(folder)
    assert time.monotonic() - began < 30
    [only] = caught.value.problems
    assert SECRET not in str(only)
    assert "Traceback" not in str(only)
    return str(only)


def put(folder: Path, file: str, target: str | None) -> Path:
    """Put a link, or nothing yet, in the place of a file of the model."""
    if file == "eco.py":
        (folder / "ecosystem.yaml").unlink()
    path = folder / file
    path.unlink(missing_ok=True)
    if target is not None:
        path.symlink_to(target)
    return path


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("target", ["../secret", "/etc/passwd", "/dev/zero", "/proc/self/environ"])
def test_a_link_out_of_the_folder_is_refused(folder, file, target):
    deeper = "../" if file.startswith("ecosystem/") and target.startswith("..") else ""
    put(folder, file, deeper + target)
    found = problem(folder)
    assert found.startswith(file)
    assert "leads out of the model's folder" in found


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("kind", ["a pipe", "a folder", "a link to nothing", "a circle"])
def test_what_is_no_regular_file_is_refused_at_once(folder, file, kind):
    path = put(folder, file, None)
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        if file.startswith("ecosystem/"):
            return  # a folder of that name is a folder of parts
        path.mkdir()
    else:
        path.symlink_to("nothing" if kind == "a link to nothing" else path.name)
    found = problem(folder)
    assert found.startswith(file)


def test_the_folder_of_parts_does_not_lead_out_either(folder, tmp_path):
    (folder / "ecosystem").rmdir()
    (folder / "ecosystem").symlink_to(tmp_path)
    assert "ecosystem: it is a link that leads out of the model's folder" in problem(folder)


def test_links_inside_the_folder_are_followed(folder):
    """A ConfigMap is mounted so."""
    content = folder / "..2026_11_29"
    content.mkdir()
    for name in ("ecosystem.yaml", MAPPING):
        (folder / name).rename(content / name)
        (folder / name).symlink_to(Path("..data", name))
    (folder / "..data").symlink_to(content.name)
    assert load_model(folder) == load_model(EXAMPLES)


@pytest.mark.parametrize("file", ["ecosystem.yaml", MAPPING, "ecosystem/part.yaml"])
def test_a_file_that_is_too_large_is_not_read(folder, file, monkeypatch):
    monkeypatch.setattr(model_files, "MOST_BYTES", 1 << 20)
    with (folder / file).open("wb") as made:
        made.truncate(2 << 20)
    assert "it has 2 MB, and a file of a model has at most 1" in problem(folder)


def test_json_of_many_small_values_is_not_read_into_memory(folder, monkeypatch):
    """64 MB of `{},` would take 1.9 GB."""
    monkeypatch.setattr("config_schema.load.documents.MOST_VALUES", 1000)
    (folder / MAPPING).write_text("[" + "{}," * 1001 + "{}]")
    assert "it has more than 1000 values" in problem(folder)


def test_parts_without_number_are_refused(folder, monkeypatch):
    monkeypatch.setattr("config_schema.load.parts.MOST_FILES", 3)
    for number in range(5):
        (folder / "ecosystem" / f"{number}.yaml").write_text("datastores: []")
    assert "it has more than 3 files" in problem(folder)


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "aliases stand for more than 2000000 values"),
        ("name: " + "[" * 100_000, "it is nested deeper than 64 levels"),
        ("name: " + "{a: " * 100_000, "it is nested deeper than 64 levels"),
        ("- " * 100_000 + "x", "it is nested deeper than 64 levels"),
        ("? [a, b]\n: c", "a key is no text"),
        ("name: &a [*a]", "the alias *a stands inside what it stands for"),
        ("x: " + "1" * 5_000, "too large a number"),
        ("x: !!int " + "1" * 500_000, "too large a number"),
        ("x: !!python/object/apply:os.system [id]", "is not known here"),
        ("x: \x00", "the character U+0000"),
    ],
)
@pytest.mark.parametrize("file", ["ecosystem.yaml", "ecosystem/part.yaml"])
def test_yaml_that_would_cost_too_much_is_one_problem_with_its_line(folder, file, text, said):
    (folder / file).write_text("name: first\n" + text if text.startswith("x") else text)
    found = problem(folder)
    assert found.startswith(f"{file}:")
    assert said in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "it is nested too deep"),
        ('{"a":' * 100_000, "it is nested too deep"),
        ("[\n" + "1" * 5_000 + "]", "a number is too large"),
        ("[NaN]", "NaN is no number"),
    ],
)
def test_json_that_would_cost_too_much_is_one_problem(folder, text, said):
    (folder / MAPPING).write_text(text)
    assert said in problem(folder)


def test_a_file_that_takes_too_long_is_given_up(folder, monkeypatch):
    monkeypatch.setattr(model_yaml, "MOST_SECONDS", 0.0)
    with pytest.raises(ProblemsFound, match="took longer than"):
        documents.yaml_document(folder / "ecosystem.yaml")


def test_aliases_take_their_time_too(tmp_path, monkeypatch):
    (tmp_path / "a.yaml").write_text(f"x: &x 1\ny: [{'*x,' * 200}]")
    clock = itertools.count()
    monkeypatch.setattr(model_yaml.time, "monotonic", lambda: float(next(clock)))  # a second each time
    monkeypatch.setattr(model_yaml, "MOST_SECONDS", 2.0)
    with pytest.raises(ProblemsFound, match="took longer than"):
        documents.yaml_document(tmp_path / "a.yaml")


def test_a_file_s_name_forges_no_line_of_a_log(folder):
    (folder / "ecosystem" / "a\n::error::\x1b[31m\u202e.yaml").write_text("datastores: [1]")
    with pytest.raises(ProblemsFound) as caught:
        load_model(folder)
    [said] = map(str, caught.value.problems)
    assert said.startswith(r"ecosystem/a\n::error::\x1b[31m\u202e.yaml:1: datastores[0]: 1 is not an object")


@pytest.mark.parametrize("scalar", ["1" + "_1" * 20_000 + "x", "0" * 100_000 + "x", "1:1" * 20_000, "y" * 1_000_000])
def test_a_long_value_is_resolved_at_once(scalar, tmp_path):
    (tmp_path / "a.yaml").write_text(f"key_of_nothing: {scalar}")
    began = time.monotonic()
    assert documents.yaml_document(tmp_path / "a.yaml") == {"key_of_nothing": scalar}
    assert time.monotonic() - began < 5


def test_as_many_aliases_as_people_use_are_fine(tmp_path):
    columns = "columns: &columns\n" + "".join(f"  - {{name: c{n}, type: text}}\n" for n in range(14))
    (tmp_path / "a.yaml").write_text(columns + "tables:\n" + "  - *columns\n" * 2_000)
    assert len(documents.yaml_document(tmp_path / "a.yaml")["tables"]) == 2_000


def test_more_problems_than_anybody_reads_are_found_soon_and_counted(folder):
    keys = "".join(f"k{number}: 1\n" for number in range(20_000))
    (folder / "ecosystem.yaml").write_text(keys + "x: &x {name: 1}\ny: &y {<<: *x}\nz: {<<: [*y, *x]}\n")
    began = time.monotonic()
    with pytest.raises(ProblemsFound) as caught:
        load_model(folder)
    assert time.monotonic() - began < 30
    *listed, last = caught.value.problems
    assert len(listed) == 2000
    assert all(one.line == int(one.path[1:]) + 1 for one in listed if one.path[:1] == "k")
    assert last.what.endswith(" more problems are not listed")


def test_a_line_is_found_in_what_is_merged_into_a_mapping(folder):
    (folder / "merged.yaml").write_text("x: &x\n  a: 1\ny: &y\n  <<: *x\nz:\n  <<: [*y]\n  b: 2\n")
    asked = [Problem("merged.yaml", path, "w", "t", code="DF1310") for path in ("z.a", "z.b", "y.a", "z.c")]
    assert [one.line for one in with_lines(folder, asked)] == [2, 7, 2, 5]
