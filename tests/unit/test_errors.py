"""Every error has a class with a code of its own, and says when it is raised and what to do."""

from __future__ import annotations

import copy
import pickle
import re
from collections import Counter

import pytest

from config_schema.errors import CommandWrong, StreamFactoryError, UnknownName
from config_schema.problem import Rule
from tests.docs.error_classes import PACKAGES, ROOT, codes, codes_given, error_classes, rules

CLASSES = error_classes()


@pytest.mark.parametrize("one", CLASSES, ids=lambda one: one.__name__)
def test_a_class_has_a_code_and_says_when_it_is_raised_and_what_to_do(one):
    assert re.fullmatch(r"DF\d{4}", vars(one).get("code", "")), f"{one.__name__} has no code of its own"
    assert vars(one)["__doc__"], f"{one.__name__} has no docstring"
    assert one.title().endswith("."), f"{one.__name__}: when is it raised?"
    assert one.remedy().endswith("."), f"{one.__name__}: what is to be done?"


def test_a_class_without_a_code_is_no_class():
    with pytest.raises(TypeError, match="Nameless needs a code"):
        type("Nameless", (CommandWrong,), {})
    assert type("_Private", (CommandWrong,), {}).code == CommandWrong.code


def test_a_code_and_a_name_stand_once():
    assert not [code for code, times in Counter(one.code for one in (*CLASSES, *rules())).items() if times > 1]
    assert not [name for name, times in Counter(one.__name__ for one in CLASSES).items() if times > 1]


def test_no_code_is_given_again():
    """A class that goes leaves its code in the record, without a name; `make docs` writes new ones there."""
    given = codes_given()
    assert codes() == {code: name for code, name in given.items() if name}


@pytest.mark.parametrize("one", rules(), ids=lambda one: one.code)
def test_a_rule_has_a_code_and_says_what_must_hold(one):
    assert re.fullmatch(r"DF\d{4}", one.code)
    assert one.holds[0].isupper() or one.holds.startswith("`")
    assert one.holds.endswith(".")


def test_two_rules_cannot_have_one_code():
    with pytest.raises(ValueError, match="DF1301 is the code of another rule"):
        Rule("DF1301", "Something else holds.")
    assert Rule("DF1301", rules()[0].holds) == rules()[0]


def test_only_subclasses_are_raised():
    made = re.compile(r"(?<!class )\bStreamFactoryError\((?!Exception)")
    files = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    lines = [(path, line) for path in files for line in path.read_text("utf-8").splitlines() if made.search(line)]
    assert not [f"{path.relative_to(ROOT)}: {line.strip()}" for path, line in lines]


def test_a_text_ends_with_the_code():
    error = CommandWrong("--shard", "it is none", "Give one").with_private("of alice at db1")
    assert str(error) == "--shard: it is none. Give one [DF1002]"
    assert error.in_full() == "--shard: it is none (of alice at db1). Give one [DF1002]"


@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_a_copy_has_class_words_and_fields(again):
    error = again(UnknownName("--platform", "platform", "Yelow", ["Yellow"]).with_private("here"))
    assert isinstance(error, UnknownName)
    assert (error.kind, error.name, error.known, error.private) == ("platform", "Yelow", ("Yellow",), "here")
    assert error.what == "there is no platform 'Yelow'"


def test_a_reworded_error_keeps_class_fields_and_private_part():
    error = UnknownName("--platform", "platform", "Yelow", ["Yellow"]).with_private("here")
    again = error.reworded("there is none yet")
    assert isinstance(again, UnknownName)
    assert str(again) == "--platform: there is none yet. Did you mean 'Yellow'? Choose from: Yellow [DF1003]"
    assert (again.name, again.private) == ("Yelow", "here")
    assert isinstance(error, StreamFactoryError)
    assert error.what == "there is no platform 'Yelow'"
