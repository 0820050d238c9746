"""The question that a person is asked before many rows go: names of the model are in it as they are."""

from __future__ import annotations

import pytest
from rich.markdown import Markdown

from airflow_plugin.jobs.operations import Action, Operation
from airflow_plugin.platform_dags.ask_a_person import question

HOSTILE = [
    "rows` [Approve here](https://elsewhere.example/) `",
    "``` [Approve here](https://elsewhere.example/) ``",
    "`",
    "<a href='https://elsewhere.example/'>Approve</a>",
    "![](https://elsewhere.example/seen.png)",
    r"\`[Approve here](https://elsewhere.example/)",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_makes_a_link_of_the_question(name):
    """A team names datasets; who approves a delete may have more rights."""
    asked = Operation(Action.ASK_DELETE, "the merge task", "Store1", name, batch=2, rows=5)
    (paragraph,) = (one for one in Markdown(question(asked)).parsed if one.children)
    assert [one.content for one in paragraph.children if one.type == "code_inline"] == ["Store1", name]
    assert {one.type for one in paragraph.children} == {"text", "code_inline"}
