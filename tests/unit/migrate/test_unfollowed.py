"""`dagfactory migrate extract` lists each place where a file may make an ingestion DAG that it could not read."""

from __future__ import annotations

import textwrap

import pytest
from typer.testing import CliRunner

import config_schema
from airflow_plugin.cli.program import app
from airflow_plugin.static_dags.static_dag import static_files

HEAD = """\
from airflow import DAG
from airflow.decorators import dag
from airflow.models import Variable
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
ARGUMENTS = ["--platform-name", "YellowLive", "--store-name", "Store1", "--operation", "snapshot-merge"]
"""
POD = 'KubernetesPodOperator(task_id="snapshot_merge_job", arguments=ARGUMENTS)'
WITH = f'with DAG("x_ingestion", schedule=None):\n    {POD}\n'
# What a file has after HEAD, and what is listed: the line of it, counted from 1, and what is said.
LISTED = {
    "a function makes it": (
        f"def make(store):\n{textwrap.indent(WITH, '    ')}    return None\n\nmake('Store1')",
        2,
        "DAG()",
    ),
    "a function gives it back": ("def make(name):\n    x = DAG(name)\n    return x\n\ndag1 = make('a')", 2, "DAG()"),
    "a function that nothing here calls": (f"def make():\n{textwrap.indent(WITH, '    ')}", 2, "DAG()"),
    "an async function": (f"async def make():\n{textwrap.indent(WITH, '    ')}", 2, "DAG()"),
    "a loop over what is not known": (f"for s in Variable.get('stores'):\n{textwrap.indent(WITH, '    ')}", 2, "DAG()"),
    "a loop that leaves early": (f"for s in ['a', 'b']:\n{textwrap.indent(WITH, '    ')}    break", 2, "DAG()"),
    "a while loop": (f"while True:\n{textwrap.indent(WITH, '    ')}    break", 2, "DAG()"),
    "a condition that is not known": (f"if Variable.get('on'):\n{textwrap.indent(WITH, '    ')}", 2, "DAG()"),
    "its other branch": (f"if Variable.get('on'):\n    pass\nelse:\n{textwrap.indent(WITH, '    ')}", 4, "DAG()"),
    "a match": (f"match Variable.get('on'):\n    case 1:\n{textwrap.indent(WITH, '        ')}", 3, "DAG()"),
    "a handler": (f"try:\n    pass\nexcept KeyError:\n{textwrap.indent(WITH, '    ')}", 4, "DAG()"),
    "a class body": (f"class Holder:\n{textwrap.indent(WITH, '    ')}", 2, "DAG()"),
    "a lambda": ("make = lambda: DAG('x')\nglobals()['x'] = make()", 1, "DAG()"),
    "a comprehension with an if": ("dags = [DAG(s) for s in ['a'] if Variable.get(s)]", 1, "DAG()"),
    "a dict comprehension": ("dags = {s: DAG(s) for s in ['a']}", 1, "DAG()"),
    "arguments that are spread": ("dag1 = DAG(**Variable.get('dag'))", 1, "DAG()"),
    "a name of its own": (
        f"from airflow import DAG as D\ndef make():\n{textwrap.indent(WITH.replace('DAG(', 'D('), '    ')}",
        3,
        "DAG()",
    ),
    "by its module": ("import airflow\ndef make():\n    x = airflow.DAG('x')\n    return x\nmake()", 3, "DAG()"),
    "a DAG class of another module": (
        f"from ours.dags import IngestionDag\nwith IngestionDag('x'):\n    {POD}",
        2,
        "IngestionDag()",
    ),
    "a DAG class of this file": (f"class Ours(DAG):\n    pass\n\nwith Ours('x'):\n    {POD}", 4, "DAG()"),
    "a factory of another module": ("from ours.factory import make_dag\ndag1 = make_dag('Store1')", 2, "make_dag()"),
    "a factory of another module, called otherwise": (
        "from ours.factory import ingestion\nx = ingestion('Store1')",
        2,
        "ours.factory.ingestion()",
    ),
    "all of another module": ("from ours.streams import *", 1, "* of ours.streams"),
    "a DAG of another module": ("from ours.streams import store1_dag", 1, "store1_dag of ours.streams"),
    "text that is run": ("exec(open('dags.txt').read())", 1, "exec()"),
    "a decorator of another module": (
        f"from ours import ingestion_dag\n@ingestion_dag('x')\ndef make():\n    {POD}",
        2,
        "ingestion_dag()",
    ),
    "a decorator, in a function": (
        f"def outer():\n    @dag\n    def make():\n        {POD}\n    return make()\nouter()",
        2,
        "dag()",
    ),
    "a decorated function that is not called": (
        f"@dag(schedule=None)\ndef x_ingestion():\n    {POD}",
        2,
        "@dag x_ingestion() is not called",
    ),
    "a context that is not known": (
        f"from ours import context\nwith context('x'):\n    {POD}",
        3,
        "in no DAG that can be read",
    ),
    "a task that is given to the DAG": (f"d = DAG('x')\nd.add_task({POD})", 2, "in no DAG that can be read"),
    "a task by a function": (
        f"def task(d):\n    t = {POD.replace(')', ', dag=d)')}\n    return t\nd = DAG('x')\ntask(d)",
        2,
        "KubernetesPodOperator()",
    ),
    "a task by a function of another module": (
        "from ours import merge\nwith DAG('x_ingestion'):\n    merge('Store1')",
        2,
        "none of the DAG's tasks",
    ),
    "a task under a condition": (
        f"with DAG('x'):\n    if Variable.get('on'):\n        {POD}",
        3,
        "KubernetesPodOperator()",
    ),
    "a mapped task": (
        "with DAG('x'):\n    KubernetesPodOperator.partial(task_id='t').expand(arguments=[ARGUMENTS])",
        2,
        "task that partial()",
    ),
    "a pod operator of this file": (
        "class Merge(KubernetesPodOperator):\n    pass\n\nwith DAG('x'):\n    Merge(task_id='t', arguments=ARGUMENTS)",
        5,
        "KubernetesPodOperator()",
    ),
    "another operator": (
        "from airflow.operators.bash import BashOperator as B\nwith DAG('x'):\n    B(task_id='t', c='merge-job merge')",
        3,
        "BashOperator runs a merge",
    ),
    "arguments that are not known": (
        "with DAG('x'):\n    KubernetesPodOperator(task_id='t', arguments=Variable.get('words'))",
        2,
        "known only where the file runs",
    ),
    "an ingestion DAG without a merge": (
        "with DAG('x_ingestion'):\n    KubernetesPodOperator(task_id='a')\n    KubernetesPodOperator(task_id='b')",
        1,
        "the merge task of x_ingestion",
    ),
}
# What a file has after HEAD that makes no ingestion DAG, as far as Airflow is concerned.
NOT_LISTED = {
    "a branch that is not taken": f"if False:\n{textwrap.indent(WITH, '    ')}",
    "another branch that is not taken": f"if True:\n    pass\nelse:\n{textwrap.indent(WITH, '    ')}",
    "what runs as a program": f"if __name__ == '__main__':\n{textwrap.indent(WITH, '    ')}",
    "a loop over nothing": f"for s in []:\n{textwrap.indent(WITH, '    ')}",
    "a DAG of other work": "with DAG('report'):\n    KubernetesPodOperator(task_id='t', arguments=['report'])",
    "the factory": "from airflow_plugin.factory import publish\npublish(globals(), platform='YellowLive')",
    "functions only": "import json\ndef load(path):\n    return json.loads(path)",
}


def read(tmp_path, text):
    file = tmp_path / "dag.py"
    file.write_text(HEAD + text + "\n")
    return static_files(file)


@pytest.mark.parametrize(("text", "line", "said"), LISTED.values(), ids=LISTED.keys())
def test_what_cannot_be_read_is_listed_with_its_line(tmp_path, text, line, said):
    found = read(tmp_path, text)
    assert found.dags == ()
    (problem,) = found.problems
    assert problem.file == f"{tmp_path / 'dag.py'}:{HEAD.count(chr(10)) + line}"
    assert said in problem.what
    assert "constants at the top level" in problem.todo
    assert found.others == {}


@pytest.mark.parametrize("text", NOT_LISTED.values(), ids=NOT_LISTED.keys())
def test_what_makes_no_ingestion_dag_is_not_listed(tmp_path, text):
    found = read(tmp_path, text)
    assert (found.dags, found.problems, len(found.others)) == ((), (), 1)


@pytest.mark.parametrize(
    "text",
    [
        WITH,
        WITH.replace("arguments=", "dag=None, arguments="),
        f"d = DAG('x')\nwith d:\n    {POD.replace('arguments', 'dag=d, arguments')}",
        f"@dag(schedule=None)\ndef x_ingestion():\n    {POD}\n\nx_ingestion()",
        f"for s in ['a', 'b'][:1] if False else ['a']:\n{textwrap.indent(WITH, '    ')}",
        f"make = DAG('x')\nif True:\n    with make:\n        {POD}",
    ],
)
def test_what_can_be_read_is_read_and_nothing_listed(tmp_path, text):
    found = read(tmp_path, text)
    assert found.problems == ()
    assert len(found.dags) == 1


def test_the_exit_code_says_that_something_was_not_read(tmp_path):
    file = tmp_path / "dag.py"
    file.write_text(HEAD + LISTED["a function makes it"][0])
    done = CliRunner().invoke(
        app, ["migrate", "extract", str(file), "--model", f"{config_schema.__path__[0]}/examples"]
    )
    assert done.exit_code == 1
    assert f"error: {file}:7: the DAG that DAG() makes here is not followed" in done.stderr
    file.write_text(HEAD + NOT_LISTED["a DAG of other work"])
    done = CliRunner().invoke(app, ["migrate", "extract", str(file)])
    assert (done.exit_code, "no ingestion DAG" in done.stderr) == (0, True)


def test_a_dag_that_is_read_beside_one_that_is_not_is_still_given(tmp_path):
    found = read(tmp_path, f"{WITH}\ndef make():\n    x = DAG('y')\n    return x\n\ny = make()")
    assert [dag.dag_id for dag in found.dags] == ["x_ingestion"]
    assert len(found.problems) == 1
