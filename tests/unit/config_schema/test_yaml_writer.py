"""YAML that is written of producers' and rows' texts shows each of their characters, and reads back as they were."""

from __future__ import annotations

import pytest
import yaml

from config_schema.load.yaml_writer import dumped

SEEN_BY_NOBODY = ["a\u200bb", "a\x85b", "a\u2028b", "\ufeffa", "\x1b[2J", "a\tb", "\U000e0001x"]
HOSTILE = ["\u202egpj.exe", "a\nb\u202e", "{\u202e}", *SEEN_BY_NOBODY]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_what_is_not_seen_is_an_escape_and_stays_itself(text):
    data = {"rows": [{text: text}, [text], "plain"]}
    written = dumped(data)
    assert yaml.safe_load(written) == data
    assert [line for line in written.split("\n") if not line.isprintable()] == []


def test_a_text_that_is_seen_is_written_as_it_is():
    data = {"b": "Zoë 山", "a": ["no", "1", "two\nlines\n", "it's"]}
    assert dumped(data) == yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)


def test_a_backslash_stays_a_backslash():
    data = {"a": "\\u202e \u202e", "b": "\\u202e"}
    assert yaml.safe_load(dumped(data)) == data
