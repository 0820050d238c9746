"""Quality checks as the standard's metrics, and back; a check that has no metric is of the engine `dagfactory`.

A check of one column stands at its property, others at the schema object, with the columns as arguments.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from airflow_plugin.formats.odcs.words import ENGINE, SEVERITIES, Own, custom
from airflow_plugin.formats.parts import ANY_TEXT, INTEGER, MAPPING, TEXT, TEXTS, DocumentNode, Schema
from config_schema.model.plain_data import plain
from config_schema.model.quality import AcceptedValues, NotNull, Pattern, QualityCheck, RowCount, Unique
from config_schema.schemas import json_schema
from config_schema.schemas.validator import validator

METRICS = {
    "not_null": "nullValues",
    "unique": "duplicateValues",
    "pattern": "invalidValues",
    "accepted_values": "invalidValues",
    "row_count": "rowCount",
}
# What a metric with its arguments and bounds says of a check; its other keys are custom properties.
SAID = {
    "not_null": ("columns",),
    "unique": ("columns",),
    "pattern": ("column", "pattern"),
    "accepted_values": ("column", "values"),
    "row_count": ("min", "max"),
}
OF_EACH = ("name", "severity", "kind")
POSITION = "position"
AT_LEAST, AT_MOST, BETWEEN, EXACTLY = "mustBeGreaterOrEqualTo", "mustBeLessOrEqualTo", "mustBeBetween", "mustBe"
OPERATORS = (
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    AT_LEAST,
    "mustBeLessThan",
    AT_MOST,
    BETWEEN,
    "mustNotBeBetween",
)
WORDS = {"warning": "warn", "warn": "warn", "info": "warn", "error": "fail", "fail": "fail", "critical": "fail"}
CHECK: Schema = {"$ref": "#/$defs/quality_check", "$defs": json_schema("ecosystem")["$defs"]}
VALUES: Schema = json_schema("ecosystem")["$defs"]["accepted_values_check"]["properties"]["values"]
BOUND: Schema = {"description": "Write a bound"}
NO_CHECK = "Write a check of the model that says the same, if one does: see docs/quality.md"
MOST_NAME = 100
OBJECT = ""  # the key of the checks of the whole object, beside those of properties by name


def written_checks(checks: Iterable[QualityCheck], columns: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the checks by the property at which they stand, OBJECT for the others."""
    found: dict[str, list[dict[str, Any]]] = {}
    for position, check in enumerate(checks):
        column, said = _metric(check)
        if column and column not in columns:
            column, said = OBJECT, _engine(check)
        more = _unsaid(check) if said["type"] == "library" else {}
        named = {"name": check.name, "severity": SEVERITIES[check.severity.value]}
        found.setdefault(column, []).append({**named, **said, **custom({POSITION: position, **more})})
    return found


def _unsaid(check: QualityCheck) -> dict[str, Any]:
    """Return the keys of a check that its metric does not say."""
    return {key: value for key, value in plain(check).items() if key not in (*OF_EACH, *SAID[check.kind.value])}


def _metric(check: QualityCheck) -> tuple[str, dict[str, Any]]:
    """Return the property at which a check stands, and what it says there."""
    match check:
        case NotNull() | Unique():
            said = {"type": "library", "metric": METRICS[check.kind.value], EXACTLY: 0}
            if len(check.columns) == 1:
                return check.columns[0], said
            return OBJECT, {**said, "arguments": {"properties": list(check.columns)}}
        case Pattern():
            return check.column, _invalid({"pattern": check.pattern})
        case AcceptedValues():
            return check.column, _invalid({"validValues": list(check.values)})
        case RowCount() if check.min is not None or check.max is not None:
            return OBJECT, {"type": "library", "metric": METRICS[check.kind.value], **_bounds(check.min, check.max)}
        case _:
            return OBJECT, _engine(check)


@cache
def _own_keys(kind: str) -> list[str]:
    """Return the keys of a kind of check that are custom properties, if it has a metric."""
    known = json_schema("ecosystem")["$defs"][f"{kind}_check"]["properties"]
    return [key for key in known if key not in (*OF_EACH, *SAID[kind])] if kind in SAID else []


def _invalid(arguments: dict[str, Any]) -> dict[str, Any]:
    return {"type": "library", "metric": METRICS["pattern"], "arguments": arguments, EXACTLY: 0}


def _engine(check: QualityCheck) -> dict[str, Any]:
    implementation = {key: value for key, value in plain(check).items() if key not in ("name", "severity")}
    return {"type": "custom", "engine": ENGINE, "implementation": implementation}


def _bounds(low: int | None, high: int | None) -> dict[str, Any]:
    if low == high:
        return {EXACTLY: low}
    if low is not None and high is not None:
        return {BETWEEN: [low, high]}
    return {AT_LEAST: low} if low is not None else {AT_MOST: high}


def read_checks(
    items: Iterable[tuple[str, DocumentNode]], columns: Mapping[str, str]
) -> list[tuple[dict[str, Any], str]]:
    """Return the checks in plain data, each with its path, from items with the column at which they stand, or OBJECT.

    `columns` are the names of the columns by those of the properties.
    """
    found: list[tuple[int, dict[str, Any], str]] = []
    taken: set[str] = set()
    for number, (column, item) in enumerate(items):
        own = Own(item)
        position = own.take(POSITION, INTEGER)
        check = _read(column, item, columns)
        if check is not None:
            check |= own.of_model(f"{check['kind']}_check", *_own_keys(check["kind"]))
            check["name"] = _free(check["name"], taken)
            taken.add(check["name"])
            found.append((number if position is None else position, check, item.path))
        own.finish()
    return [(check, path) for _, check, path in sorted(found, key=lambda one: one[0])]


def _read(column: str, item: DocumentNode, columns: Mapping[str, str]) -> dict[str, Any] | None:
    """Return a check in plain data; None for one that the model does not have, which is reported."""
    name, severity = item.text("name"), WORDS.get((item.text("severity") or "").lower(), "warn")
    kind = item.text("type") or "library"
    item.unsaid("description")
    item.unsaid("dimension")
    if kind == "custom":
        said = _of_engine(item)
    elif kind == "library":
        said = _of_metric(column, item, columns)
    else:
        said = None
    if said is None:
        item.report.unsaid(item.path, f"a check of type {kind} that the model does not have", NO_CHECK)
        list(item.items())
        return None
    item.finish()
    words = [said["kind"], *said.get("columns", [said.get("column", "")])]
    return {**said, "name": name or "_".join(filter(None, words)), "severity": severity}


def _of_engine(item: DocumentNode) -> dict[str, Any] | None:
    if item.text("engine") != ENGINE:
        return None
    said = item.take("implementation", MAPPING)
    if said is None:
        return None
    whole = {**said, "name": "check", "severity": "warn"}
    return dict(said) if item.report.check(whole, CHECK, item.at("implementation")) else None


def _of_metric(column: str, item: DocumentNode, names: Mapping[str, str]) -> dict[str, Any] | None:
    metric = item.text("metric", "rule")
    operators = {one: item.take(one, BOUND) for one in OPERATORS if one in item}
    arguments = item.part("arguments")
    said = None
    if metric == METRICS["row_count"] and not column and "unit" not in item:
        said = _of_bounds(operators)
    elif operators == {EXACTLY: 0} and metric in ("nullValues", "duplicateValues"):
        columns = [column] if column else (arguments.take("properties", TEXTS) if arguments else None)
        kind = "not_null" if metric == "nullValues" else "unique"
        said = {"kind": kind, "columns": [names.get(one, one) for one in columns]} if columns else None
    elif metric == "nullValues" and column and list(operators) == [AT_MOST] and item.peek("unit") == "percent":
        share = operators[AT_MOST]
        if isinstance(share, int | float) and 0 <= share <= 100:
            said = {"kind": "completeness", "columns": [column], "min": round(1 - share / 100, 10)}
    elif operators == {EXACTLY: 0} and metric == "invalidValues" and column and arguments is not None:
        said = _valid(column, arguments)
    if said is not None:
        item.take("unit", ANY_TEXT)  # 0 rows are 0 percent
        if arguments is not None:
            arguments.finish()
    return said


def _valid(column: str, arguments: DocumentNode) -> dict[str, Any] | None:
    """Return the check that a column has none but valid values; None if the arguments say nothing that it can."""
    if "validValues" in arguments:
        if not validator(VALUES)(arguments.peek("validValues")):  # null is none of ours: it passes
            return None
        values = arguments.take("validValues", VALUES)
        return {"kind": "accepted_values", "column": column, "values": values}
    pattern = arguments.take("pattern", TEXT)
    return {"kind": "pattern", "column": column, "pattern": pattern} if pattern else None


def _of_bounds(operators: dict[str, Any]) -> dict[str, Any] | None:
    if len(operators) != 1:
        return None
    ((word, bound),) = operators.items()
    numbers = bound if isinstance(bound, list) else [bound]
    if not all(isinstance(one, int) and not isinstance(one, bool) for one in numbers):
        return None
    found = {"kind": "row_count"}
    match word, numbers:
        case "mustBe", [at]:
            return {**found, "min": at, "max": at}
        case "mustBeGreaterThan", [at]:
            return {**found, "min": at + 1}
        case "mustBeGreaterOrEqualTo", [at]:
            return {**found, "min": at}
        case "mustBeLessThan", [at]:
            return {**found, "max": at - 1}
        case "mustBeLessOrEqualTo", [at]:
            return {**found, "max": at}
        case "mustBeBetween", [low, high]:
            return {**found, "min": low, "max": high}
        case _:
            return None


def _free(name: str, taken: Iterable[str]) -> str:
    """Return the name as a check can have it, with a number if another one has it."""
    clean = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_.-") else "_" for letter in name)
    numbers = (clean[:MOST_NAME] if n == 1 else f"{clean[: MOST_NAME - 4]}_{n}" for n in range(1, 1000))
    return next((one for one in numbers if one not in taken), clean)


def checks_of(part: DocumentNode, column: str) -> Iterator[tuple[str, DocumentNode]]:
    """Yield the quality checks that stand at an object or a property."""
    for one in part.parts("quality"):
        yield column, one
