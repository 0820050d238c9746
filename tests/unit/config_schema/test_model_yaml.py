"""YAML's odd corners in a model: the value that a person means, or an error with file and line."""

from __future__ import annotations

from datetime import date

import pytest
import yaml

from config_schema.errors import ProblemsFound
from config_schema.load import load_model, model_yaml
from config_schema.load.documents import json_document, yaml_document

MODEL = """\
name: Odd
platforms:
  - {name: Live, milestoning: live, namespace: ns, image: job, model: {url: "file:///model"}, masks_nothing: 1,
     merge_store: {host: localhost, database: store, credential: store}}
datastores: []
"""


@pytest.fixture(params=["libyaml", "PyYAML without libyaml"])
def read(tmp_path, monkeypatch, request):
    """Return the data of a text, or the first problem of it."""
    if request.param != "libyaml":
        monkeypatch.setattr(model_yaml, "CParser", None)

    def run(text):
        path = tmp_path / "ecosystem.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        try:
            return yaml_document(path)
        except ProblemsFound as error:
            return str(error.problems[0])

    return run


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        # A key with a text in the schema has it as it is written.
        ("name: no", {"name": "no"}),
        ("name: On", {"name": "On"}),
        ("name: y", {"name": "y"}),
        ("name: true", {"name": "true"}),
        ("branch: 1.10", {"branch": "1.10"}),
        ("name: 2024_01", {"name": "2024_01"}),
        ("name: 007", {"name": "007"}),
        ("name: 0x1F", {"name": "0x1F"}),
        ("name: 12:30", {"name": "12:30"}),
        ("name: 1e3", {"name": "1e3"}),
        ("name: .inf", {"name": ".inf"}),
        ("deprecated: 2026-11-29", {"deprecated": "2026-11-29"}),
        ("primary_key: [id, no, 1, 2026-01-01]", {"primary_key": ["id", "no", "1", "2026-01-01"]}),
        ("primary_key:\n- off\n- ~", {"primary_key": ["off", None]}),
        ("name: =", {"name": "="}),
        ("name: <<", {"name": "<<"}),
        ("name: 'a: b'", {"name": "a: b"}),
        ("name: !!str 5", {"name": "5"}),
        # One that is true or false has that, in any of YAML's words.
        ("nullable: no", {"nullable": False}),
        ("nullable: Yes", {"nullable": True}),
        ("masks: off", {"masks": False}),
        ("nullable: 'no'", {"nullable": "no"}),
        # Elsewhere numbers are decimal, dates and words are texts.
        ("min: 1e3", {"min": 1000.0}),
        ("min: -1.5E-2", {"min": -0.015}),
        ("min: 123456789012345678901234567890", {"min": 123456789012345678901234567890}),
        ("min: 2026-01-01", {"min": "2026-01-01"}),
        ("min: 2026-01-01 10:00:00", {"min": "2026-01-01 10:00:00"}),
        ("min: no", {"min": "no"}),
        ("min: '07'", {"min": "07"}),
        ("min: ~", {"min": None}),
        ("port: 5432", {"port": 5432}),
        ("port:", {"port": None}),
        # Keys are texts.
        ("on: 1\n1: 2\n2026-01-01: 3\n1.0: 4", {"on": 1, "1": 2, "2026-01-01": 3, "1.0": 4}),
        # Anchors and merge keys.
        ("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}", {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}}),
        ("a: &a {x: 1}\nb: &b {<<: *a, x: 2}\nc: {<<: [*b, *a]}", {"a": {"x": 1}, "b": {"x": 2}, "c": {"x": 2}}),
        ("port: &p 5\nname: *p\nmin: *p", {"port": 5, "name": "5", "min": 5}),
        ("min: &l [no, 1]\nprimary_key: *l\nmax: *l", {"min": ["no", 1], "primary_key": ["no", "1"], "max": ["no", 1]}),
        ("a: {&k x: 1}\nb: {*k : 2}\nname: *k", {"a": {"x": 1}, "b": {"x": 2}, "name": "x"}),
        # Files.
        ("", None),
        ("# nothing\n", None),
        ("---\n...\n", None),
        (b"\xef\xbb\xbfname: a\r\n", {"name": "a"}),
    ],
)
def test_a_value_is_what_a_person_means(read, text, meant):
    found = read(text)
    assert found == meant
    assert list(map(type, _values(found))) == list(map(type, _values(meant)))


def _values(data):
    if isinstance(data, list):
        return [of for one in data for of in _values(one)]
    return [of for one in data.values() for of in _values(one)] if isinstance(data, dict) else [data]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nport: 0543", "ecosystem.yaml:2: not YAML: 0543 could be a text or a number. Put it in quotes"),
        ("port: 5_432", "ecosystem.yaml:1: not YAML: 5_432 could be a text or a number"),
        ("min: 12:30", "ecosystem.yaml:1: not YAML: 12:30 could be a text or a number"),
        ("min: 0o17", "ecosystem.yaml:1: not YAML: 0o17 could be a text or a number"),
        ("min: [08]", "ecosystem.yaml:1: not YAML: 08 could be a text or a number"),
        ("max_delete_fraction: .nan", "ecosystem.yaml:1: not YAML: .nan is no finite number. Write a decimal number"),
        ("min: 1e999", "ecosystem.yaml:1: not YAML: 1e999 is too large a number"),
        pytest.param(f"min: {'9' * 5000}", "is too large a number", id="5000 digits"),
        ("min: !!int abc", "ecosystem.yaml:1: not YAML: abc is no number"),
        ("nullable: !!bool 5", "ecosystem.yaml:1: not YAML: 5 is neither true nor false"),
        (
            "a: 1\nb:\n\tc: 2",
            "ecosystem.yaml:3: not YAML: found character '\\t' that cannot start any token. Indent with",
        ),
        (
            "schedule: @daily",
            "ecosystem.yaml:1: not YAML: found character '@' that cannot start any token. Put the value",
        ),
        ("a: 1\nschedule: * * * * *", "ecosystem.yaml:2: not YAML: "),
        ("name: a: b", "ecosystem.yaml:1: not YAML: mapping values are not allowed here"),
        ("a: 1\n---\nb: 2", "ecosystem.yaml:2: not YAML: there is another document in it. Write one document"),
        ("a: 1\nb: 2\na: 3", "ecosystem.yaml:3: not YAML: the key 'a' is given twice. Keep one of them"),
        ("a: 1\n'a': 3", "ecosystem.yaml:2: not YAML: the key 'a' is given twice"),
        ("1: 1\n'1': 3", "ecosystem.yaml:2: not YAML: the key '1' is given twice"),
        ("a: 1\n? [b]\n: 2", "ecosystem.yaml:2: not YAML: a key is no text"),
        ("a: 1\n~: 2", "ecosystem.yaml:2: not YAML: a key is no text"),
        ("a: !!python/object:os.system {}", "ecosystem.yaml:1: not YAML: the tag tag:yaml.org,2002:python/object"),
        ("a: !!set {b}", "ecosystem.yaml:1: not YAML: the tag tag:yaml.org,2002:set is not known here"),
        ("a: !!binary aGk=", "ecosystem.yaml:1: not YAML: the tag tag:yaml.org,2002:binary is not known here"),
        ("a: !!timestamp 2026-01-01", "ecosystem.yaml:1: not YAML: the tag tag:yaml.org,2002:timestamp"),
        ("a: !mine 1", "ecosystem.yaml:1: not YAML: the tag !mine is not known here"),
        ("a: 1\nb: &b [*b]", "ecosystem.yaml:2: not YAML: the alias *b stands inside what it stands for"),
        ("a: &a 1\nb: &a 2", "ecosystem.yaml:2: not YAML: the anchor &a is given twice"),
        ("a: 1\nb: {<<: 5}", "ecosystem.yaml:2: not YAML: << takes a mapping, or a list of mappings"),
        ("a: 1\nb: *c", "ecosystem.yaml:2: not YAML: found undefined alias"),
        ("a: 1\nb: 'c", "ecosystem.yaml:2: not YAML: found unexpected end of stream"),
        (b"a: 1\nb: \xff", "ecosystem.yaml:2: the byte 0xff is no UTF-8. Save it as UTF-8"),
        ("a: 1".encode("utf-16"), "ecosystem.yaml:1: the byte 0xff is no UTF-8. Save it as UTF-8"),
        (b"a: 1\nb: \x00", "ecosystem.yaml:2: not YAML: the character U+0000 cannot stand there"),
    ],
)
def test_what_could_mean_two_things_or_nothing_is_an_error_with_its_line(read, text, problem):
    found = read(text)
    assert isinstance(found, str), found
    assert problem in found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[{"a": 1,\n"a": 2}]', "mapping.json:2: not JSON: the key 'a' is given twice. Keep one of them"),
        ("[1,\nNaN]", "mapping.json:2: not JSON: NaN is no number"),
        ("", "mapping.json:1: not JSON: Expecting value"),
        (b"[\xff]", "mapping.json:1: the byte 0xff is no UTF-8"),
    ],
)
def test_json_has_each_key_once_and_only_numbers(tmp_path, text, problem):
    path = tmp_path / "mapping.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ProblemsFound) as caught:
        json_document(path)
    assert problem in str(caught.value.problems[0])


def test_json_may_begin_with_the_mark_that_editors_put_there(tmp_path):
    (tmp_path / "mapping.json").write_bytes(b"\xef\xbb\xbf[]")
    assert json_document(tmp_path / "mapping.json") == []


@pytest.mark.parametrize("text", ["", "# nothing\n", "[]", "5"])
def test_a_model_of_nothing_is_named_as_such(tmp_path, text):
    (tmp_path / "ecosystem.yaml").write_text(text)
    (tmp_path / "dsg_platform_mapping.json").write_text("[]")
    with pytest.raises(ProblemsFound) as caught:
        load_model(tmp_path)
    assert str(caught.value.problems[0]).startswith("ecosystem.yaml")


def test_a_problem_in_what_is_merged_in_has_the_line_where_it_stands(tmp_path):
    model = MODEL.replace(", masks_nothing: 1", "").replace("datastores: []", "")
    model += """\
datastores:
  - name: A
    source: &here {host: h, database: d,
      port: many, credential: c}
    datasets: [{name: t, columns: [{name: id, type: int, nullable: no}], primary_key: [id]}]
  - name: B
    source: {<<: *here, database: e}
    datasets: [{name: t, columns: [{name: id, type: int, nullable: no}], primary_key: [id]}]
"""
    (tmp_path / "ecosystem.yaml").write_text(model)
    (tmp_path / "dsg_platform_mapping.json").write_text("[]")
    with pytest.raises(ProblemsFound) as caught:
        load_model(tmp_path)
    found = [str(problem) for problem in caught.value.problems]
    assert [problem.split(":")[1] for problem in found] == ["9", "9"], found


def test_whatever_any_reader_of_yaml_takes_for_no_text_is_quoted_in_what_describe_writes():
    from config_schema.load.datastore_yaml import ModelDumper

    odd = ["no", "1e3", "07", "0o7", "1_0", "12:30", "2026-01-01", "=", "<<", "~", "null", "", ".inf", "y", "on", "%a"]
    written = yaml.dump({"values": odd}, Dumper=ModelDumper)
    assert yaml.safe_load(written) == {"values": odd}
    assert not any(isinstance(one, date) for one in yaml.safe_load(written)["values"])
