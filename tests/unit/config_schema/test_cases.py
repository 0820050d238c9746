"""Each rule of a model has good and bad models as files; beside a bad one are its problems.

A bug report becomes a new folder cases/<rule>/bad_<what>/ with a model and problems.txt.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from config_schema.errors import ProblemsFound
from config_schema.load.folder import load_placed, read_model
from config_schema.rules import OF_THE_ECOSYSTEM, OF_THE_MAPPING

DOCS = Path(__file__).parents[3] / "docs" / "model.md"
CASES = Path(__file__).parent / "cases"
CHECKS = OF_THE_ECOSYSTEM | OF_THE_MAPPING
RULES = {check.__name__ for check in CHECKS}


def cases(kind: str) -> list[str]:
    return sorted(str(path.parent.relative_to(CASES)) for path in CASES.glob(f"*/{kind}*/ecosystem.yaml"))


@pytest.mark.parametrize("case", cases("good"))
def test_a_good_model_is_loaded(case):
    load_placed(CASES / case)


@pytest.mark.parametrize("case", cases("bad"))
def test_a_bad_model_is_refused_with_these_problems_and_no_others(case):
    with pytest.raises(ProblemsFound) as caught:
        load_placed(CASES / case)
    reported = [str(problem) for problem in caught.value.problems]
    assert reported == (CASES / case / "problems.txt").read_text().splitlines()


@pytest.mark.parametrize("rule", sorted({*RULES, "schema"}))
def test_every_rule_has_good_and_bad_cases_and_a_line_in_the_docs(rule):
    kinds = [case.split("/")[1].split("_")[0] for case in cases("") if case.startswith(f"{rule}/")]
    assert set(kinds) == {"good", "bad"}
    assert f" | `{rule}` | " in DOCS.read_text("utf-8")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_docs_say_of_a_rule_what_it_says_of_itself(check):
    assert f"| {CHECKS[check].code} | `{check.__name__}` | {CHECKS[check].holds} |" in DOCS.read_text("utf-8")


@pytest.mark.parametrize("case", [case for case in cases("bad") if not case.startswith("schema/")])
def test_a_bad_model_breaks_the_rule_in_whose_folder_it_is(case):
    model = read_model(CASES / case)
    found = {rule.__name__ for rule in OF_THE_ECOSYSTEM if list(rule(model.ecosystem))}
    found |= {rule.__name__ for rule in OF_THE_MAPPING if list(rule(model.ecosystem, model.mappings))}
    assert case.split("/")[0] in found
