"""A Unified Ingestion Specification (UIS) as a datastore of the model.

A specification reads an API, and a batch reads tables: the database in which another tool puts the records is named by
the person who imports it. An endpoint becomes a dataset, with the columns, types and checks that the file asks for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from airflow_plugin.formats.draft import PORTS, SCHEMES, Draft, SourceNotReadable, described, secret_name
from airflow_plugin.formats.parts import (
    ANY_TEXT,
    INTEGER,
    MAPPING,
    NUMBER,
    TEXT,
    TEXTS,
    TRUTH,
    DocumentNode,
    ImportReport,
    Schema,
    shown,
    whole_document,
)
from airflow_plugin.formats.rows import Keys, Rows, add_dataset, check_keys, read_rows
from config_schema.load.described import DescribedDatastore, LeftOut, stream_name
from config_schema.model import DEFAULT_SCHEMA, Database, Datastore
from config_schema.schemas.findings import OF_ITS_CHOICE, OF_ITS_TYPE

TEXT_KEYS = ("version", "name", "path", "table_name", "schedule_cron", "display_name", "description")
YAML_KINDS = {key: frozenset(["string"]) for key in TEXT_KEYS}
DATABASE = "database"  # the type of provider whose tables a batch can read
PROVIDERS = ("rest_api", "graphql", "websocket", "webhook", "file_ftp", DATABASE, "kafka", "s3")
MODES = ("batch", "micro_batch", "streaming", "websocket", "webhook", "graphql_subscription")
BATCHES = ("batch", "micro_batch")
TEMPLATE = re.compile(r"{{.*}}")
NO_TYPE = "Write the type that it has in the table"
LOAD_IT = (
    "Write an API as a source of kind rest by hand (docs/sources.md); or load its records into tables of a database "
    "that are called as its endpoints, with dlt for example, and name this database by --dsn: batches merge them from "
    "there"
)
OF_THE_LOADER = "It is for the program that loads the records into the tables"
OF_THE_PLATFORM = "Platforms and their merge stores say where data goes: see docs/model.md"
SNAPSHOTS = "A batch compares snapshots: the platform's schedule says how often, @continuous at once again"
ADVICE = {
    "retry_config": "Write retries in the streams of the platform",
    "parallelism": "Write a pool in the streams of the platform",
    "sinks": OF_THE_PLATFORM,
    "runtime": "A merge job has no engine to choose",
    "compatMode": "A batch widens types and refuses what loses values: see docs/merge-store.md",
    "schemaRef": "Write the columns into schema_contract",
    "owner": "Write owner, one of the model's teams",
    "credentials_ref": OF_THE_LOADER,
    "base_url": OF_THE_LOADER,
}
FIELDS: Schema = {**MAPPING, "additionalProperties": ANY_TEXT}
RENAMED = "Name the columns of the table so: a batch renames nothing"


@dataclass(frozen=True)
class UisChoice:
    """What a person has chosen for the datastore of a specification; None is what the file says."""

    name: str | None = None
    source: Database | None = None
    keys: Keys = field(default_factory=dict)


def read_uis(report: ImportReport, choice: UisChoice) -> DescribedDatastore:
    """Return the datastore that a specification gives.

    Raises:
        ProblemsFound: the file is no specification.
        SourceNotReadable: it reads no database, and `choice` names none.
        DatastoreRefused: the datastore itself breaks a rule of the model.
        NothingToImport: no dataset is left.
    """
    doc = whole_document(report, YAML_KINDS)
    version = doc.needed("version", TEXT, 'Write version: "1.1"')
    if version is not None and not version.startswith("1."):
        report.refuse(OF_ITS_CHOICE, "version", f"{shown(version)} is not known here", "Convert it to 1.1 or 1.2")
    name = doc.needed("name", TEXT, "Write the name of the specification")
    provider = doc.needed("provider", MAPPING, "Write the provider, with its endpoints")
    if provider is None:
        report.raise_if_wrong()
    part = DocumentNode(provider or {}, "provider", report)
    _modes(doc, part)
    documentation = part.text("description") or doc.text("description") or part.text("display_name") or ""
    for key in ("description", "display_name"):  # one text says what the data is
        for where in (doc, part):
            where.unsaid(key, "The documentation of the datastore has another text of the file")
    called = part.needed("name", TEXT, "Write the provider's name") or name or ""
    kind = part.needed("provider_type", TEXT, f"Write one of {', '.join(PROVIDERS)}")
    if kind is not None and kind not in PROVIDERS:
        todo = f"Write one of {', '.join(PROVIDERS)}"
        report.refuse(OF_ITS_CHOICE, "provider.provider_type", f"{shown(kind)} is not known", todo)
    draft, source = Draft(), _source(part, kind)
    severity = _objectives(part)
    contract = _schema(doc, part)
    _schedule(part)
    endpoints = part.parts("endpoints")
    tables = [str(one.peek("name")) for one in endpoints]
    check_keys(choice.keys, tables, report)
    used: set[str] = set()
    for endpoint in endpoints:
        used |= _endpoint(draft, endpoint, contract, choice.keys, severity)
    for column in [one for one in contract.columns if one not in used]:
        what = f"no endpoint gives the column {column!r} of the contract"
        report.unsaid(contract.places[column], what, "Compute it from the dataset's columns, in a view or by dbt")
    for where in (part, doc):
        for one in where.parts("transforms"):
            _unsaid_whole(one, "transform", "A batch changes no value: consumers' views or dbt compute from its tables")
        for one in where.parts("sinks"):
            _unsaid_whole(one, "sink", OF_THE_PLATFORM)
    for key in ("tenant_id", "created_by"):  # who made it, and for whom: of the program that runs it
        for where in (doc, part):
            where.unsaid(key, OF_THE_LOADER)
    part.finish(ADVICE | ({} if kind == DATABASE else {"config": OF_THE_LOADER}))
    doc.finish(ADVICE | {"global_config": OF_THE_LOADER})
    report.raise_if_wrong()
    if choice.source is None and source is None:
        raise SourceNotReadable(
            report.file, "provider.provider_type", f"{kind} is no source that is converted", LOAD_IT
        )
    if kind != DATABASE:
        what = f"{kind} is no source that is converted: batches read {', '.join(map(repr, tables))} in the database"
        report.unsaid("provider.provider_type", what, LOAD_IT)
    store = Datastore(
        choice.name or _stream_name(part, called), choice.source or source or _NOWHERE, (), documentation=documentation
    )
    return described(draft, store, report)


_NOWHERE = Database("", "", "")


def _stream_name(part: DocumentNode, text: str) -> str:
    name = stream_name(text)
    if name != text:
        part.report.unsaid(part.at("name"), f"{shown(text)} cannot name a datastore", f"It is {name!r}: see --name")
    return name


def _modes(doc: DocumentNode, provider: DocumentNode) -> None:
    for part in (doc, provider):
        mode = part.text("mode")
        if mode is not None and mode not in MODES:
            todo = f"Write one of {', '.join(MODES)}"
            part.report.refuse(OF_ITS_CHOICE, part.at("mode"), f"{shown(mode)} is not known", todo)
        elif mode not in (None, "batch"):
            what = (
                f"the mode {mode} is not in the model" if mode in BATCHES else f"no batch reads a stream: mode {mode}"
            )
            part.report.unsaid(part.at("mode"), what, SNAPSHOTS)


def _source(provider: DocumentNode, kind: str | None) -> Database | None:
    """Return the database of a provider that is one; None for another kind, or if it does not say where it is."""
    if kind != DATABASE or (config := provider.part("config")) is None:
        return None
    word = config.text("kind", "engine", "type") or "postgresql"
    host, database = config.text("host"), config.text("database")
    port, schema = config.take("port", INTEGER), config.text("schema") or DEFAULT_SCHEMA
    if word not in SCHEMES:
        provider.report.refuse(
            OF_ITS_CHOICE, config.path, f"{shown(word)} is not known", f"Write {' or '.join(SCHEMES)}"
        )
    for key in ("user", "username"):
        config.unsaid(key, "The source's secret has it: see credential")
    config.finish()
    if host is None or database is None or word not in SCHEMES:
        return None
    of = SCHEMES[word]
    reference = provider.text("credentials_ref")
    secret = secret_name(re.split(r"[/#]", (reference or database).rstrip("/"))[-1])
    if reference is not None:
        what = f"{shown(reference)} holds a login"
        provider.report.unsaid(provider.at("credentials_ref"), what, f"Put it into the secret {secret}")
    return Database(host, database, secret, port or PORTS.get(of, 5432), schema, of)


def _objectives(provider: DocumentNode) -> str:
    """ImportReport the objectives that other parts of the model say, and return the severity of the checks."""
    part = provider.part("slos")
    if part is None:
        return "warn"
    minutes = part.take("freshness_target_minutes", NUMBER)
    if minutes is not None:
        what = f"a freshness of {shown(minutes)} min is what a dataset group has"
        todo = f"Write latency_seconds: {int(minutes * 60)} in the group of its consumers"
        part.report.unsaid(part.at("freshness_target_minutes"), what, todo)
    blocks = part.take("block_on_quality_drop", TRUTH)
    part.finish({"block_on_schema_drift": ADVICE["compatMode"]})
    return "fail" if blocks else "warn"


def _schema(doc: DocumentNode, provider: DocumentNode) -> Rows:
    for part in (provider, doc):
        if (schema := part.part("schema_contract")) is not None:
            return read_rows(schema)
    return Rows()


def _schedule(provider: DocumentNode) -> None:
    cron, zone = provider.text("schedule_cron"), provider.text("schedule_timezone")
    if cron is None:
        return
    fields = cron.split()
    five = " ".join(fields[1:]) if len(fields) == 6 else cron  # seconds come first
    timezone = f", timezone: {zone}" if zone not in (None, "UTC") else ""
    what = f"the schedule {shown(cron)} is what a platform has"
    todo = f"Write schedule: {five!r}{timezone} in the platform that ingests it"
    provider.report.unsaid(provider.at("schedule_cron"), what, todo)


def _unsaid_whole(part: DocumentNode, what: str, todo: str) -> None:
    called = part.peek("name") or part.peek("type") or ""
    part.report.unsaid(part.path, f"the {what} {shown(str(called))} is not in the model", todo)
    list(part.items())


def _endpoint(draft: Draft, part: DocumentNode, contract: Rows, keys: Keys, severity: str) -> set[str]:
    """Add the dataset of an endpoint to the draft, and return its columns."""
    name = part.needed("name", TEXT, "Write the endpoint's name") or ""
    draft.places[name, "", ""] = part.path
    rows, fields = _columns(part, contract)
    _rules(part, rows, fields)
    active = part.take("is_active", TRUTH)
    for key in list(part.keys()):
        part.unsaid(key, OF_THE_LOADER)
    if active is False:
        draft.found.left_out.append(LeftOut(name, "the file says that it is not active"))
        part.report.unsaid(part.at("is_active"), f"the table {name!r} is left out: it is not active", "Make it active")
    else:
        said = {"name": name, "primary_key": list(keys.get(name, ()))}
        add_dataset(draft, part.report, said, rows, severity)
    return set(rows.columns)


def _columns(part: DocumentNode, contract: Rows) -> tuple[Rows, dict[str, str]]:
    """Return the rows of an endpoint, and its columns by the fields of a record."""
    place = part.at("field_mapping")
    mapping = part.take("field_mapping", FIELDS) or {}
    if not mapping:
        return Rows(**{key: value.copy() for key, value in vars(contract).items()}), {}
    as_written = sum(one in contract.columns for one in mapping)
    turned = sum(one in contract.columns for one in mapping.values())
    if turned > as_written:  # field: column, as one of the public examples has it
        mapping = {column: one for one, column in mapping.items()}
    renamed = [f"{column} from {one}" for column, one in mapping.items() if column != one and not TEMPLATE.search(one)]
    if renamed:
        part.report.unsaid(place, f"fields of a record get other names: {', '.join(renamed)}", RENAMED)
    rows = Rows()
    for column, one in mapping.items():
        rows.columns[column] = contract.columns.get(column) or ""
        rows.places[column] = f"{place}.{column}"
        if TEMPLATE.search(one):
            what = f"{column!r} is {shown(one)}, which the program that loads the records knows"
            part.report.unsaid(rows.places[column], what, "Let it write the column")
    rows.required = [one for one in contract.required if one in rows.columns]
    rows.bounds = {key: value for key, value in contract.bounds.items() if key in rows.columns}
    rows.choices = {key: value for key, value in contract.choices.items() if key in rows.columns}
    rows.patterns = {key: value for key, value in contract.patterns.items() if key in rows.columns}
    return rows, {one: column for column, one in mapping.items()}


def _rules(part: DocumentNode, rows: Rows, fields: dict[str, str]) -> None:
    """Put the validation rules of an endpoint into its rows; columns without a type get the best that is known."""
    rules = part.part("validation_rules")
    if rules is not None:
        for one in rules.take("required_fields", TEXTS) or []:
            _put(rules, "required_fields", fields.get(one, one), rows, rows.required)
        ranges = rules.part("numeric_ranges")
        for one, bounds in ranges.items() if ranges is not None else ():
            column = fields.get(one, one)
            if not _are_bounds(bounds):
                rules.report.refuse(
                    OF_ITS_TYPE,
                    f"{rules.at('numeric_ranges')}.{one}",
                    f"{shown(bounds)} is no range",
                    "Write [lowest, highest], with null for none",
                )
            elif column not in rows.columns:
                rules.report.unsaid(
                    f"{rules.at('numeric_ranges')}.{one}", f"{one!r} is no column", "Correct it, or add it"
                )
            else:
                rows.columns[column] = rows.columns[column] or "numeric"
                if bounds != [None, None]:
                    rows.bounds[column] = (bounds[0], bounds[1])
        rules.finish()
    for column, kind in rows.columns.items():
        if not kind:
            rows.columns[column] = "text"
            part.report.unsaid(rows.places[column], f"no type is said of {column!r}: it is text", NO_TYPE)


def _put(rules: DocumentNode, key: str, column: str, rows: Rows, into: list[str]) -> None:
    if column in rows.columns:
        into.append(column)
    else:
        rules.report.unsaid(rules.at(key), f"{column!r} is no column", "Correct it, or add it to field_mapping")


def _are_bounds(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(one is None or (isinstance(one, int | float) and not isinstance(one, bool)) for one in value)
    )
