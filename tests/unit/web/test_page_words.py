"""What the pages' pure functions give, asked of node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import airflow_plugin
from config_schema.schemas import json_schema

FOLDER = Path(airflow_plugin.__file__).parent / "web" / "static"
NODE = shutil.which("node")
# What the modules take from Airflow's UI as they load.
LENT = (
    "globalThis.React = {createElement: () => null, createContext: () => null};"
    " globalThis.ChakraUI = {}; globalThis.ReactRouterDOM = {};"
)

pytestmark = pytest.mark.skipif(NODE is None, reason="no node here: the pages' functions were not tried")


def asked(module: str, *expressions: str) -> list[Any]:
    """The values of expressions in which `it` is a module of the pages."""
    values = ", ".join(f"({one}) ?? null" for one in expressions)
    url = (FOLDER / module).as_uri()
    program = f"{LENT} const it = await import({json.dumps(url)}); console.log(JSON.stringify([{values}]));"
    done = subprocess.run([str(NODE), "--input-type=module", "-e", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answer: list[Any] = json.loads(done.stdout)
    return answer


def test_a_duration_has_its_two_largest_units():
    seconds = {
        "null": "–",
        "0": "0 s",
        "0.004": "4.0 ms",
        "0.04": "40 ms",
        "0.25": "0.3 s",
        "9.94": "9.9 s",
        "59": "59 s",
        "59.6": "1 min",
        "61": "1 min 1 s",
        "3600": "1 h",
        "5400": "1 h 30 min",
        "90000": "1 d 1 h",
    }
    assert asked("words.js", *(f"it.duration({one})" for one in seconds)) == list(seconds.values())


def test_a_success_rate_is_never_rounded_up_to_all():
    assert asked("words.js", "it.percent(1)", "it.percent(0.999)", "it.percent(null)") == ["100%", "99%", "–"]


def test_a_reason_that_the_page_says_already_is_known_by_its_start():
    long = "no such table " * 50
    cases = (f"its last run has failed: {long[:300]}", long), ("late", long), (None, long), (long, None), (long, "")
    found = asked("words.js", *(f"it.says({json.dumps(text)}, {json.dumps(why)})" for text, why in cases))
    assert found == [True, False, False, False, False]


def test_a_check_is_followed_over_the_batches_that_ran_it_the_broken_ones_first():
    def check(name: str, violations: int, kind: str = "not_null") -> dict[str, Any]:
        measured = {"is_measured": kind == "row_count"}
        return {"dataset": "c", "check": name, "kind": kind, "severity": "warn", "violations": violations, **measured}

    batches = [
        {"batch_id": 3, "quality": [check("new", 0), check("set", 2)]},
        {"batch_id": 2, "quality": [check("set", 0), check("gone", 1, "row_count")]},
        {"batch_id": 1, "quality": []},
    ]
    (found,) = asked("pages/stream_quality.js", f"it.overBatches({json.dumps(batches)})")
    assert [
        (one["check"], one["violations"], [of["batch"]["batch_id"] for of in one["findings"]]) for one in found
    ] == [
        ("set", 2, [3, 2]),
        ("gone", 1, [2]),
        ("new", 0, [3]),
    ]
    words = asked("parts/quality.js", *(f"it.finding({json.dumps(one)})" for one in found))
    assert words[0] == "c: set (not null): 2 rows"
    assert words[1:] == ["c: gone (row count): not as demanded", "c: new (not null): none"]


def test_changes_are_reported_key_by_key_and_an_equal_list_is_none():
    before, after = {"a": 1, "gone": True, "same": ["x"]}, {"a": 2, "new": [1], "same": ["x"]}
    (changes,) = asked("parts/diff.js", f"it.changesBetween({json.dumps(before)}, {json.dumps(after)})")
    assert changes == [
        {"path": "a", "before": 1, "after": 2},
        {"path": "gone", "before": True},
        {"path": "new", "after": [1]},
    ]


def test_a_problem_is_shown_at_its_key_and_at_no_key_of_a_similar_name():
    cases = {"schedule": True, "schedule[0]": True, "schedule.x": True, "schedule_assets": False, "": False}
    expressions = (f"it.isAbout({json.dumps({'path': path})}, 'schedule')" for path in cases)
    assert asked("form/schema_form.js", *expressions) == list(cases.values())


def test_a_view_stands_beside_the_merge_table_that_it_reads():
    lineage = {
        "source": {"tables": ["customers", "addresses"]},
        "merge_tables": ["m_customers", "m_addresses"],
        "views": [
            {"name": "shortened_1a2b", "workspace": "W", "group": "G", "reads": ["m_addresses"]},
            {"name": "p_W_G_S_customers_view", "workspace": "W", "group": "G", "reads": ["m_customers"]},
        ],
        "consumers": ["Other/G", "W/G", "W/H"],
    }
    (columns,) = asked("pages/stream_lineage.js", f"it.columnsOf({json.dumps(lineage)})")
    assert [[node["to"] for node in column] for column in columns] == [
        [[0], [1]],
        [[0], [1]],
        [[1], [1]],
        [[], [], []],
    ]


def test_a_scale_ends_at_or_above_the_most_in_round_steps():
    reported = asked("charts/frame.js", "it.ticks(0)", "it.ticks(1)", "it.ticks(97)", "it.ticks(100)")
    assert reported == [[0, 1], [0, 0.25, 0.5, 0.75, 1], [0, 25, 50, 75, 100], [0, 25, 50, 75, 100]]


def test_what_is_counted_has_whole_numbers_on_its_scale():
    reported = asked("charts/frame.js", "it.ticks(1, true)", "it.ticks(2, true)", "it.ticks(6, true)")
    assert reported == [[0, 1], [0, 1, 2], [0, 2, 4, 6]]


def test_one_amount_that_dwarfs_all_others_does_not_make_the_scale():
    calls = [f"it.scaleFor({amounts})" for amounts in ([], [7], [1000000, 20, 30], [90, 20, 10], [1000, 0, 0])]
    assert asked("charts/frame.js", *calls) == [0, 7, 30, 90, 1000]


def test_every_key_of_the_schema_has_its_place_in_the_form():
    schema = json_schema("stream")
    (groups,) = asked("form/groups.js", f"it.grouped({json.dumps({'properties': schema['properties']})})")
    keys = [key for _, of in groups for key in of]
    assert sorted(keys) == sorted(schema["properties"])


def test_keys_of_a_pod_are_there_for_pods_and_else_only_where_somebody_has_to_correct_them():
    schema = {"properties": json_schema("stream")["properties"], "required": json_schema("stream")["required"]}
    process = {"runner": "process", "namespace_name": "ns", "service_account": "jobs"}
    pod, none, odd, troubled = asked(
        "form/groups.js",
        *(f"it.grouped({json.dumps(schema)}, {one}).find(([title]) => title === 'Pod')?.[1]" for one in ("{}",)),
        f"it.grouped({json.dumps(schema)}, {{runner: 'process', namespace_name: 'ns'}}).find(([one]) => one === 'Pod')",
        f"it.grouped({json.dumps(schema)}, {json.dumps(process)}).find(([title]) => title === 'Pod')[1]",
        f"it.grouped({json.dumps(schema)}, {{runner: 'process'}}, ['resources']).find(([one]) => one === 'Pod')[1]",
    )
    assert {"namespace_name", "resources", "tolerations"} <= set(pod)
    assert (none, odd, troubled) == (None, ["service_account"], ["resources"])


def test_a_key_has_words_of_its_own_or_those_that_it_is_made_of():
    words = asked("form/groups.js", *(f"it.wordsOf('{one}')" for one in ("store_name", "image_pull_policy", "a.cpu")))
    assert words == ["Datastore", "Image pull policy", "Cpu"]


STORES = [
    {"name": "Store1", "single_dataset": False, "datasets": ["customers", "addresses"], "credential": "customer-db"},
    {"name": "Many", "single_dataset": True, "datasets": ["one", "two"], "credential": "many-db"},
    {"name": "File", "single_dataset": True, "datasets": ["rows"], "credential": None},
]


def test_what_the_model_says_of_a_datastore_comes_with_its_name():
    stores = json.dumps(STORES)
    calls = [
        ("{retries: 4}", "'store_name'", "'Store1'"),
        ("{}", "'store_name'", "'Many'"),
        ("{store_name: 'Many', stream_key: 'x'}", "'datasets'", "['two']"),
        ("{store_name: 'Many'}", "'datasets'", "['one', 'two']"),
        ("{source_credential_secret_name: 'none'}", "'store_name'", "'File'"),
        ("{store_name: 'Store1', stream_key: 'Store1'}", "'store_name'", "'Nowhere'"),
        ("{store_name: 'Store1', retries: 4}", "'retries'", "undefined"),
    ]
    found = asked("form/catalogue.js", *(f"it.picked({stores}, {', '.join(one)})" for one in calls))
    many = {"store_name": "Many", "single_dataset": True, "source_credential_secret_name": "many-db"}
    assert found == [
        {
            "retries": 4,
            "store_name": "Store1",
            "single_dataset": False,
            "datasets": ["customers", "addresses"],
            "stream_key": "Store1",
            "source_credential_secret_name": "customer-db",
        },
        many,
        {**many, "stream_key": "Many#two", "datasets": ["two"]},
        {**many, "datasets": ["one", "two"]},
        {
            "source_credential_secret_name": "none",
            "store_name": "File",
            "single_dataset": True,
            "datasets": ["rows"],
            "stream_key": "File#rows",
        },
        {"store_name": "Nowhere", "stream_key": "Store1"},
        {"store_name": "Store1"},
    ]
    unknown = asked(
        "form/catalogue.js", "it.picked(null, {}, 'store_name', 'Store1')", "it.optionsOf(null, 'store_name')"
    )
    assert unknown == [{"store_name": "Store1"}, []]


@pytest.mark.parametrize("word", ["__proto__", "constructor", "toString"])
def test_a_word_that_every_object_of_javascript_has_is_a_word(word):
    """A row that is written past the API may have any: a page that took it for ours ended in an error."""
    assert asked("words.js", f"it.named({json.dumps(word)})") == [word.replace("_", " ")]
    assert asked("parts/state.js", f"it.paletteOf({json.dumps(word)})") == ["none"]
    (changes,) = asked("parts/diff.js", f"it.changesBetween({{}}, JSON.parse({json.dumps(json.dumps({word: 1}))}))")
    assert changes == [{"path": word, "after": 1}]
