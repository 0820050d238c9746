"""The error classes and the rules of the product, and every code that was ever given."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from config_schema.errors import StreamFactoryError
from config_schema.problem import RULES, Rule

ROOT = Path(__file__).parents[2]
PACKAGES = ("config_schema", "airflow_plugin", "merge_jobs")
CODE = re.compile(r"""^    code = |Rule\(\s*["']DF""", re.MULTILINE)
# Every code that was ever given, so that none is given twice.
RECORD = Path(__file__).with_name("error_codes.txt")


@cache
def error_classes() -> tuple[type[StreamFactoryError], ...]:
    """Return every class below the root of the errors that has a code, in the order of the codes."""
    _load()
    return tuple(sorted(set(_below(StreamFactoryError)), key=lambda one: one.code))


@cache
def rules() -> tuple[Rule, ...]:
    """Return every rule whose problems have its code, in the order of the codes."""
    _load()
    return tuple(RULES[code] for code in sorted(RULES))


def codes() -> dict[str, str]:
    """Return the class of every code that there is now, or `rule` for that of a rule."""
    return {one.code: one.__name__ for one in error_classes()} | {one.code: "rule" for one in rules()}


@cache
def _load() -> None:
    for path in (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))):
        if CODE.search(path.read_text("utf-8")):  # all modules would be all of Airflow
            module = path.parent if path.name == "__init__.py" else path.with_suffix("")
            importlib.import_module(".".join(module.relative_to(ROOT).parts))


def codes_given() -> dict[str, str]:
    """Return the class of every code that was ever given; empty where the class is gone."""
    lines = RECORD.read_text("utf-8").splitlines()
    return {code: name for code, _, name in (line.partition(" ") for line in lines)}


def record_new_codes() -> bool:
    """Write down the codes that were not yet given; return whether there were any."""
    given = codes_given()
    new = {code: name for code, name in codes().items() if code not in given}
    RECORD.write_text(
        "".join(f"{code} {name}".rstrip() + "\n" for code, name in sorted((given | new).items())), "utf-8"
    )
    return bool(new)


def _below(kind: type[StreamFactoryError]) -> Iterator[type[StreamFactoryError]]:
    for one in kind.__subclasses__():
        if one.__module__.partition(".")[0] in PACKAGES and "code" in vars(one):
            yield one
        yield from _below(one)
