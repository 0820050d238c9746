"""docs/reference/errors.md: every message with what to do, read from the code."""

from __future__ import annotations

import ast
from itertools import groupby
from pathlib import PurePosixPath

from merge_jobs.errors import TODO, TODO_DEFAULT
from tests.docs.markdown import cell, code, table
from tests.docs.raisings import Message, messages
from tests.docs.source_tree import Sources

INTRODUCTION = """\
# Error messages

Every message that the product prints where something is wrong, read from its code by `make docs`. An error is one line:
where, what, and what to do. `<name>` stands for what a run fills in; of several things to do with `/` between them one
is printed. Search this page for the words around what a run has filled in.

"retry" says whether the same call can succeed later with nothing changed: `yes`, `by its cause` where the database or
the server decides, or not at all. A merge task is retried only where that helps. What Airflow, git and PostgreSQL say
in their own words is not here, but what PostgreSQL's errors ask for is, [at the end](#postgresqls-errors).
"""
POSTGRES = """\
## PostgreSQL's errors

A merge job tells a database's error by its condition and SQLSTATE, and by its message where that class of messages
holds no row's value. What it advises by the SQLSTATE, or the first two characters of it:
"""
# A finding of admission names only the setting; the sentence around it is made where findings become problems.
WHOLE_ADVICE = {
    "airflow_plugin/rows/policy.py": "Correct the row; if it is right, run dagfactory bootstrap or set {} "
    "in <settings_file>",
}
ANYWHERE = ("<where>", "<path>", "<at>", "<where>: <path>", "<absolute_path>")


def errors_page(known: Sources) -> str:
    """The whole page."""
    sections = [INTRODUCTION]
    found = sorted(messages(known), key=lambda one: (_folder(one), one.what.lower(), one))
    for folder, of_folder in groupby(found, key=_folder):
        retries: dict[tuple[str, ...], str] = {}
        for one in of_folder:
            said = _said(one)
            retries[said] = one.retry if retries.get(said, one.retry) == one.retry else "by its cause"
        rows = [(*said, retry) for said, retry in retries.items()]
        sections.append(f"## `{folder}`\n\n{_first_sentence(known, folder)}\n")
        sections.append(table(("it says", "where", "what to do", "retry"), rows))
    states = [(code(state), cell(todo)) for state, todo in sorted(TODO.items())]
    sections.append(f"{POSTGRES}\n{table(('SQLSTATE', 'what to do'), [*states, ('others', cell(TODO_DEFAULT))])}")
    return "\n".join(sections)


def _said(one: Message) -> tuple[str, ...]:
    todo = one.todo if " " in one.todo else WHOLE_ADVICE.get(one.module, "{}").format(one.todo)
    where = "" if one.where in ANYWHERE else code(one.where)
    return code(one.what), where, cell(todo)


def _folder(one: Message) -> str:
    return str(PurePosixPath(one.module).parent)


def _first_sentence(known: Sources, folder: str) -> str:
    module = next((one for one in known.modules if one.path == f"{folder}/__init__.py"), None)
    said = (ast.get_docstring(module.tree) if module else None) or ""
    return " ".join(said.partition("\n\n")[0].split())
