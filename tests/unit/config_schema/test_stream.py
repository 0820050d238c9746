"""config_json: its checks in plain code are held equal to its JSON Schema, and what is written is read back."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from config_schema import stream
from config_schema.errors import ProblemsFound
from config_schema.schemas import json_schema
from config_schema.schemas.findings import KEY_IS_KNOWN, findings
from config_schema.schemas.validator import validator

SCHEMA = json_schema("stream")
EXAMPLE: dict[str, Any] = SCHEMA["examples"][0]
VALIDATOR = Draft202012Validator(SCHEMA)

# What a hand, a bug or an attacker may put into a key.
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-10, 100_000_000)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([1.0, 0.5, "", "a\n", "Store1#customers", "@hourly", "* * * * *", "500m", "Exists", "process"])
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["cpu", "limits", "key", "x"]), inner),
    max_leaves=6,
)
keys = st.sampled_from([*SCHEMA["properties"], "no_such_key"])


@st.composite
def mutated_configs(draw: st.DrawFn) -> dict[str, Any]:
    config = copy.deepcopy(EXAMPLE)
    for key in draw(st.lists(keys, max_size=4)):
        if draw(st.booleans()):
            config.pop(key, None)
        else:
            examples = SCHEMA["properties"].get(key, {}).get("examples", [None])
            config[key] = draw(values | st.sampled_from(examples))
    return config


@given(mutated_configs())
def test_the_plain_checks_accept_exactly_what_the_schema_accepts(config):
    accepted = not list(findings(config, SCHEMA))
    assert accepted == validator(SCHEMA)(config) == VALIDATOR.is_valid(config)


@given(values)
def test_whatever_is_no_config_is_refused_by_both(anything):
    assert list(findings(anything, SCHEMA))
    assert not validator(SCHEMA)(anything)
    assert not VALIDATOR.is_valid(anything)


def test_the_schema_is_a_schema_and_each_key_has_a_description_and_an_example_that_holds():
    Draft202012Validator.check_schema(SCHEMA)
    for key, of in SCHEMA["properties"].items():
        assert of["description"], key
        for example in of["examples"]:
            assert Draft202012Validator(of).is_valid(example), key


def test_the_dataclass_has_exactly_the_keys_of_the_schema():
    assert set(stream.StreamConfig.__dataclass_fields__) == set(SCHEMA["properties"])


@given(mutated_configs())
def test_a_config_that_is_accepted_is_written_and_read_back_the_same(config):
    try:
        accepted = stream.from_dict(config)
    except ProblemsFound:
        return
    assert stream.stream_config(accepted.to_json()) == accepted
    assert VALIDATOR.is_valid(json.loads(accepted.to_json()))


@pytest.mark.parametrize(
    ("change", "path", "what", "todo"),
    [
        ({"schedul": "@daily"}, "schedul", "unknown key 'schedul'", "Did you mean 'schedule'?"),
        ({"postgres_port": 70000}, "postgres_port", "70000 is out of bounds", "Give a number from 1 to 65535"),
        ({"postgres_port": True}, "postgres_port", "True is not an integer", "TCP port"),
        ({"datasets": ["a", "a"]}, "datasets", "an item is listed twice", "List each once"),
        ({"datasets": [3]}, "datasets[0]", "3 is not a string", "A dataset's name"),
        ({"runner": "proces"}, "runner", "'proces' is not known", "Did you mean 'process'?"),
        ({"stream_key": "Store2"}, "stream_key", "'Store2' is not the key of store 'Store1'", "Write 'Store1'"),
        ({"single_dataset": True}, "datasets", "a single_dataset stream has 2 datasets", "Name one"),
        ({"platform_name": "yellow"}, "platform_name", "'yellow' is not derived", "Write 'yellowlive'"),
        ({"store_name": "Store1\n"}, "store_name", "'Store1\\n' is not well formed", "for example 'Store1'"),
        (
            {"schedule_assets": ["Other/Store1"]},
            "schedule_assets[0]",
            "'Other/Store1' is not well formed",
            "for example",
        ),
        ({"schedule_assets": ["s3://a@b/c"]}, "schedule_assets[0]", "'s3://a@b/c' is not well formed", "for example"),
        ({"schedule_assets": ["A/B/c"]}, "schedule_assets", "the stream has a schedule too", "Leave out one"),
        (
            {"schedule": None, "schedule_assets": ["A/B/c", "YellowLive/Store1/addresses"]},
            "schedule_assets[1]",
            "'YellowLive/Store1/addresses' is the stream's own dataset",
            "Leave it out",
        ),
        ({"config_version": 99}, "config_version", "99 is newer than 1", "Upgrade the plugin"),
        ({"resources": {"limits": {"gpu": "1"}}}, "resources.limits.gpu", "unknown key 'gpu'", "Choose from: cpu"),
    ],
)
def test_a_problem_says_where_what_and_what_to_do(change, path, what, todo):
    changed = {key: value for key, value in {**EXAMPLE, **change}.items() if value is not None}
    with pytest.raises(ProblemsFound) as caught:
        stream.from_dict(changed, "yellowlive_airflow_dsg[Store1]")
    found = {problem.path: problem for problem in caught.value.problems}
    assert found[path].file == "yellowlive_airflow_dsg[Store1]"
    assert what in found[path].what
    assert todo in found[path].todo


def test_all_problems_come_at_once():
    config = {**EXAMPLE, "postgres_port": "x", "runner": 3, "typo": 1}
    del config["store_name"]
    paths = [problem.path for problem in stream.check(config)]
    assert sorted(paths) == ["postgres_port", "runner", "store_name", "typo"]


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '"text"', "null", "[]"])
def test_a_text_that_is_no_config_is_one_clear_error(text):
    with pytest.raises(ProblemsFound) as caught:
        stream.stream_config(text, "row")
    assert len(caught.value.problems) == 1


def test_defaults_are_left_out_of_the_row():
    config = stream.from_dict({**EXAMPLE, "retries": 2, "runner": "process"})
    assert "retries" not in config.to_dict()
    assert config.to_dict()["runner"] == "process"


@pytest.mark.parametrize(
    ("change", "path", "what"),
    [
        ({"datasets": [f"d{number}" for number in range(30_000)]}, "datasets", "the list has 30000 items"),
        ({"owner": "x" * 400_000}, "owner", "the text has 400000 characters"),
        ({"x\n" * 100_000: 1}, r"'" + r"x\n" * 18 + r"x\...", "unknown key 'x\\n"),
        ({"priority": 10**4000}, "priority", "1" + "0" * 56 + "... is out of bounds"),
        ({"config_version": 10**4000}, "config_version", "config_version 10000000000000000000 is newer"),
    ],
)
def test_what_is_huge_is_refused_at_a_look_and_reported_in_brief(change, path, what):
    with pytest.raises(ProblemsFound) as caught:
        stream.stream_config(json.dumps({**EXAMPLE, **change}), "row")
    (problem,) = caught.value.problems
    assert problem.path == path
    assert problem.what.startswith(what)
    assert len(str(problem)) < 2000


def test_of_many_problems_the_first_ones_are_reported():
    with pytest.raises(ProblemsFound) as caught:
        stream.from_dict({**EXAMPLE, **{f"unknown{number}": 1 for number in range(30_000)}}, "row")
    assert len(caught.value.problems) == 21
    assert caught.value.problems[-1].what == "there are more than 20 problems"


def test_a_text_that_is_too_long_is_not_even_parsed():
    with pytest.raises(ProblemsFound) as refused:
        stream.stream_config(json.dumps(EXAMPLE) + " " * 500_000, "row")
    assert [one.code for one in refused.value.problems] == [stream.TEXT_NOT_TOO_LONG.code]


def test_half_a_character_is_refused_and_a_whole_one_is_not():
    with pytest.raises(ProblemsFound) as refused:
        stream.stream_config(json.dumps({**EXAMPLE, "owner": "\ud83d"}), "row")
    assert [one.code for one in refused.value.problems] == [stream.TEXT_IS_JSON.code]
    assert stream.stream_config(json.dumps({**EXAMPLE, "owner": "\U0001f600"})).owner == "\U0001f600"


def test_a_key_and_a_datasets_name_that_stand_twice_are_found_also_among_other_things():
    for datasets in (["a", 1, "a"], [1, "a", "a"]):
        assert "datasets" in {found.path for found in findings({**EXAMPLE, "datasets": datasets}, SCHEMA)}


def test_of_many_unknown_keys_only_the_first_are_looked_up():
    found = list(findings({**EXAMPLE, **{f"schedul{number}": 1 for number in range(4)}}, SCHEMA))
    assert ["Did you mean 'schedule'?" in one.todo for one in found] == [True, True, True, False]
    assert found[-1] == (KEY_IS_KNOWN, "schedul3", "unknown key 'schedul3'", "Leave it out")
