"""Which words of the Open Data Contract Standard stand for which of the model's; the rest are custom properties."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from airflow_plugin.formats.parts import ANY_TEXT, ANYTHING, DocumentNode, ImportReport, Schema
from config_schema.model import SourceKind
from config_schema.schemas import json_schema

KIND = "DataContract"
WRITTEN = "v3.1.0"  # which readers of 3.2.0 take too
READ = ("v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0", "v3.2.0")

# Custom properties of ours: what the model says and the standard has no word for.
PREFIX = "dagfactory."
ENGINE = "dagfactory"  # of quality checks that the standard has no metric for

# Other kinds are of the type OTHER_SERVER, with a custom property that names the kind.
SERVER_TYPES = {
    SourceKind.POSTGRESQL: "postgres",
    SourceKind.MYSQL: "mysql",
    SourceKind.MSSQL: "sqlserver",
    SourceKind.ORACLE: "oracle",
}
OTHER_SERVER = "custom"
READABLE = {
    "postgres": SourceKind.POSTGRESQL,
    "postgresql": SourceKind.POSTGRESQL,
    "mysql": SourceKind.MYSQL,
    "sqlserver": SourceKind.MSSQL,
    "oracle": SourceKind.ORACLE,
}
PORTS = {SourceKind.MYSQL: 3306, SourceKind.MSSQL: 1433, SourceKind.ORACLE: 1521}  # PostgreSQL's is the model's own
# Keys whose plain scalars are texts, or true and false, however they look.
TEXT_KEYS = (
    "version",
    "apiVersion",
    "id",
    "name",
    "physicalName",
    "physicalType",
    "classification",
    "schedule",
    "unit",
)
TRUTH_KEYS = ("required", "primaryKey", "unique", "partitioned", "criticalDataElement")
YAML_KINDS = {key: frozenset(["string"]) for key in TEXT_KEYS} | {key: frozenset(["boolean"]) for key in TRUTH_KEYS}
# The key that holds the database's name.
DATABASE_KEYS = {SourceKind.ORACLE: "serviceName"}
SEVERITIES = {"warn": "warning", "fail": "error"}
# An active contract may be of data whose production_status nobody has said.
ACTIVE, DEPRECATED = "active", "deprecated"
STATUSES = {"not_production": "draft"}
# Custom properties of servers: the platform whose merge store it is; which keys an environment overrides, or none.
PLATFORM, OVERRIDES, AS_ELSEWHERE = "platform", "overrides", "as_elsewhere"
# The custom property with what each service level belongs to, by its id.
SERVICE_LEVELS, WORKSPACE, GROUP = "service_levels", "workspace", "dataset_group"
# What the standard says itself of a datastore, a dataset and a database; the other keys become custom properties.
SAID_OF_STORE = {"name", "source", "datasets", "documentation", "owner", "production_status", "environments"}
SAID_OF_DATASET = {"name", "table", "columns", "primary_key", "checks"}
SAID_OF_DATABASE = {"host", "port", "database", "schema", "kind"}


def custom(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the key `customProperties` with these, without the key if there are none."""
    written = [{"property": f"{PREFIX}{key}", "value": value} for key, value in said.items()]
    return {"customProperties": written} if written else {}


@cache
def _schema_of(definition: str, key: str) -> Schema:
    """Return the schema of a key of a part of the model."""
    root = json_schema("ecosystem")
    return {**root["$defs"][definition]["properties"][key], "$defs": root["$defs"]}


class Own:
    """Our custom properties of an element, each checked by its schema when it is read; others are reported."""

    def __init__(self, of: DocumentNode) -> None:
        self._found: dict[str, tuple[Any, str]] = {}
        self._report: ImportReport = of.report
        of.take("id", ANY_TEXT)  # the element's name in the contract, and nothing of the model's
        for one in of.parts("customProperties"):
            name = one.text("property") or ""
            if name.startswith(PREFIX) and "value" in one:
                key = name.removeprefix(PREFIX)
                self._found[key] = (one.take("value", ANYTHING), one.at("value"))
                one.finish()
            else:
                of.report.unsaid(one.path, f"the custom property {name!r} is not in the model")

    def __contains__(self, key: str) -> bool:
        return key in self._found

    def take(self, key: str, schema: Schema) -> Any:
        """Return a value; None if it is not there, or is not of its schema, which is recorded."""
        value, path = self._found.pop(key, (None, ""))
        return value if path and self._report.check(value, schema, path) else None

    def of_model(self, definition: str, *keys: str) -> dict[str, Any]:
        """Return the values of keys of a part of the model, checked by the model's own schema."""
        found: dict[str, Any] = {}
        for key in keys:
            if key in self:
                value = self.take(key, _schema_of(definition, key))
                found |= {} if value is None else {key: value}
        return found

    def finish(self) -> None:
        """ImportReport those that nobody has read: of a later version, or with a wrong name."""
        for key, (_, path) in self._found.items():
            self._report.unsaid(path, f"this version does not know {PREFIX}{key}", "Use the version that wrote it")
