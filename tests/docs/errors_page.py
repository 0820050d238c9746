"""docs/reference/errors.md: every error class with its code, when it is raised and what to do, and every rule."""

from __future__ import annotations

import importlib
from inspect import signature
from itertools import groupby

from config_schema.errors import StreamFactoryError
from merge_jobs.database_errors import ADVICE_BY_SQLSTATE, ADVICE_DEFAULT
from tests.docs.error_classes import error_classes, rules
from tests.docs.markdown import cell, code, table

INTRODUCTION = """\
# Errors

Every error that the product raises, by its code. An error is one line: where, what, what to do, and the code in
brackets at the end; the API has the code as `code`. A code never changes, and is not given to another error when its
own is gone.

"retry" says whether the same call can succeed later with nothing changed: `yes`, or `by its cause` where the database,
the server or the network decides. A merge task is retried only where that helps. Problems of a
model, a row, a request or an installation have the codes of [the rules](#rules) that they break; the error that lists
them is DF1001. What PostgreSQL's errors ask for is [at the end](#postgresqls-errors).
"""
RULES = """\
## Rules

What must hold of models, rows, settings, requests and installations. A problem has the code of the rule that is broken,
and says what to do about it.
"""
POSTGRES = """\
## PostgreSQL's errors

A merge job tells a database's error by its condition and SQLSTATE, and by its message where that class of messages
holds no row's value. What it advises by the SQLSTATE, or the first two characters of it:
"""
HEADS = ("code", "class", "when", "what to do", "retry")


def errors_page() -> str:
    """Return the whole page."""
    sections = [INTRODUCTION]
    for package, found in groupby(sorted(error_classes(), key=_package), key=_package):
        sections.append(f"## `{package.replace('.', '/')}`\n\n{_first_sentence(package)}\n")
        sections.append(table(HEADS, map(_row, found)))
    sections.append(f"{RULES}\n{table(('code', 'what must hold'), [(one.code, cell(one.holds)) for one in rules()])}")
    states = [(code(state), cell(todo)) for state, todo in sorted(ADVICE_BY_SQLSTATE.items())]
    sections.append(f"{POSTGRES}\n{table(('SQLSTATE', 'what to do'), [*states, ('others', cell(ADVICE_DEFAULT))])}")
    return "\n".join(sections)


def _row(one: type[StreamFactoryError]) -> tuple[str, ...]:
    return one.code, code(one.__name__), cell(one.title()), cell(one.remedy()), _retry(one)


def _retry(one: type[StreamFactoryError]) -> str:
    if "retryable" in signature(one).parameters:
        return "by its cause"
    return "yes" if one.retryable else ""


def _package(one: type[StreamFactoryError]) -> str:
    """Return the room that a class is raised in: `merge_jobs.views` of `merge_jobs.views.grants`."""
    return ".".join(one.__module__.split(".")[:-1])


def _first_sentence(package: str) -> str:
    said = importlib.import_module(package).__doc__ or ""
    return " ".join(said.partition("\n\n")[0].split())
