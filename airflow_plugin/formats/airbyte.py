"""An Airbyte connection between a database and whatever it loads, as a datastore of the model.

These documents are read: a connection as Airbyte's API gives it (`syncCatalog`), one of octavia (`configuration` with
`sync_catalog`), and a configured catalogue (`streams`). The source is in the document, beside it in octavia's folders,
or named by the person who imports it. A password is never read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_plugin.formats.draft import PORTS, Draft, SourceNotReadable, described, leave_out, secret_name
from airflow_plugin.formats.parts import (
    ANY_TEXT,
    ANYTHING,
    INTEGER,
    TEXT,
    TRUTH,
    DocumentNode,
    ImportReport,
    shown,
    whole_document,
)
from airflow_plugin.formats.rows import Keys, Rows, add_dataset, check_keys, read_rows
from config_schema.load.described import DescribedDatastore, LeftOut, stream_name
from config_schema.model import DEFAULT_SCHEMA, Database, Datastore, SourceKind
from config_schema.schemas.findings import KEY_IS_GIVEN
from config_schema.tls import Tls

KINDS = {
    "postgres": SourceKind.POSTGRESQL,
    "mysql": SourceKind.MYSQL,
    "mariadb": SourceKind.MYSQL,
    "mssql": SourceKind.MSSQL,
    "sql server": SourceKind.MSSQL,
    "oracle": SourceKind.ORACLE,
}
TLS = {one.value: one for one in Tls}
LIST_OF_TEXTS = {"type": "array", "items": TEXT, "description": "Write a list of names"}
PATHS = {"type": "array", "items": LIST_OF_TEXTS, "description": "Write a list with the path of each column"}
BY_DSN = "Name the database that batches are to read by --dsn postgresql://host:5432/database"
BY_ITSELF = "A batch finds by itself what has changed: see docs/merge-store.md"
NO_PART = "It is Airbyte's own"
WHO = "Platforms, workspaces and their settings say it in the model"
FROM_CATALOGUE = "Run dagfactory model import database, which reads columns and keys from the database's catalogue"
ADVICE = {
    "replication_method": BY_ITSELF,
    "tunnel_method": "Name a host that jobs can reach",
    "jdbc_url_params": "A job has its own parameters of a connection",
    "username": "The source's secret has it: see credential",
    "password": "Put it into the source's secret: see credential",
}


@dataclass(frozen=True)
class AirbyteChoice:
    """What a person has chosen for the datastore of a connection; None is what the file says."""

    name: str | None = None
    source: Database | None = None
    credential: str | None = None
    keys: Keys = field(default_factory=dict)


def read_airbyte(reports: list[ImportReport], choice: AirbyteChoice) -> DescribedDatastore:
    """Return the datastore that a connection gives.

    `reports` has the report of its file, and gets that of the source's own file, if it has one.

    Raises:
        ProblemsFound: the file is no connection.
        SourceNotReadable: its source is no database that a batch can read, and `choice` names none.
        DatastoreRefused: the datastore itself breaks a rule of the model.
        NothingToImport: no dataset is left.
    """
    report = reports[0]
    doc = whole_document(report, {})
    name = doc.text("name", "resource_name")
    inner = doc.part("configuration") or doc  # octavia's
    catalog = inner.part("syncCatalog", "sync_catalog") or (inner if "streams" in inner else None)
    if catalog is None or "streams" not in catalog:
        todo = "Give a connection of Airbyte's API, of octavia, or a configured catalogue"
        report.refuse(KEY_IS_GIVEN, "syncCatalog.streams", "the key is missing: this is no connection", todo)
        raise report.error()
    streams = catalog.parts("streams")
    source, where = _source(doc, choice, reports)
    _schedule(inner)
    draft = Draft()
    taken = _taken(streams)
    check_keys(choice.keys, [one for one in taken if one], report)
    schema = source.schema if source is not None else None
    for part in streams:
        schema = _stream(draft, part, schema, choice.keys) or schema
    for part in {id(one): one for one in (catalog, inner, doc)}.values():
        part.finish(dict.fromkeys(part.keys(), NO_PART) | {"status": WHO, "operations": NO_PART} | ADVICE)
    for one in reports:
        one.raise_if_wrong()
    if source is None:
        raise SourceNotReadable(report.file, where, "the file does not say which database it reads", BY_DSN)
    called = choice.name or name or source.database
    if choice.name is None and stream_name(called) != called:
        report.unsaid("name", f"{shown(called)} cannot name a datastore", f"It is {stream_name(called)!r}: see --name")
    return described(draft, Datastore(choice.name or stream_name(called), source, ()), report)


def _taken(streams: list[DocumentNode]) -> list[str]:
    """Return the names of the streams, without taking them."""
    found = []
    for part in streams:
        stream = part.peek("stream")
        found.append(str((stream if isinstance(stream, dict) else {}).get("name") or part.peek("name") or ""))
    return found


def _source(doc: DocumentNode, choice: AirbyteChoice, reports: list[ImportReport]) -> tuple[Database | None, str]:
    """Return the database that a connection reads, and the place that should say it."""
    inline, path = doc.part("source"), doc.text("source_configuration_path")
    if choice.source is not None:
        if inline is not None:
            _report_source(inline)
        if path is not None:
            doc.report.unsaid("source_configuration_path", f"the source {shown(path)} is not read", "--dsn names it")
        return choice.source, ""
    if inline is not None:
        return _database(inline, choice), inline.path
    if path is None:
        return None, "source"
    file = _beside(doc.report.file, path)
    if file is None:
        doc.report.unsaid("source_configuration_path", f"there is no {shown(path)} in a project of octavia", BY_DSN)
        return None, "source_configuration_path"
    report = ImportReport(file)
    reports.append(report)
    part = whole_document(report, {})
    found = _database(part, choice)
    part.finish(dict.fromkeys(part.keys(), NO_PART))
    return found, "source_configuration_path"


def _report_source(source: DocumentNode) -> None:
    source.report.unsaid(source.path, "the source is not read", "--dsn names another one")
    list(source.items())


def _beside(file: Path, path: str) -> Path | None:
    """Return the file of a source in octavia's project, which has the folders `connections` and `sources`.

    A connection that comes from others does not choose among all files of the machine.
    """
    place, parts = file.resolve(), Path(path).parts
    project = next((one.parent for one in place.parents[:2] if one.name == "connections"), None)
    if project is None or parts[:1] != ("sources",) or ".." in parts:
        return None
    found = project / path
    return found if found.is_file() and found.resolve().is_relative_to(project / "sources") else None


def _database(source: DocumentNode, choice: AirbyteChoice) -> Database | None:
    """Return the database of a source. Raises SourceNotReadable for another kind of source."""
    called = " ".join(filter(None, (source.text("sourceName"), source.text("definition_image"))))
    kind = next((kind for word, kind in KINDS.items() if word in called.lower()), None)
    at = source.at("sourceName" if source.path else "definition_image")
    if kind is None:
        what = f"no batch can read the source {shown(called)}"
        todo = "Let Airbyte load its records into tables of a database, and name that database by --dsn"
        raise SourceNotReadable(source.report.file, at, what, todo)
    config = source.part("connectionConfiguration", "configuration")
    if config is None:
        return None
    config.hidden = True
    host, database = config.text("host"), config.text("database", "sid", "service_name")
    port = config.take("port", INTEGER)
    schemas = config.take("schemas", LIST_OF_TEXTS) or [DEFAULT_SCHEMA]
    if len(schemas) > 1:
        what = f"the tables of the schemas {', '.join(map(repr, schemas[1:]))} are left out: a datastore has one schema"
        todo = "Name it by --dsn postgresql://host:5432/database?schema=... for a second datastore"
        config.report.unsaid(config.at("schemas"), what, todo)
    config.take("ssl", TRUTH)
    tls = _tls(config)
    config.finish(ADVICE)
    source.finish(dict.fromkeys(source.keys(), NO_PART))
    for key, value in (("host", host), ("database", database)):
        if value is None:
            config.report.refuse(KEY_IS_GIVEN, config.at(key), "the key is missing", f"Write the {key} of the source")
    secret = choice.credential or secret_name(database or "")
    return Database(host or "", database or "", secret, port or PORTS.get(kind, 5432), schemas[0], kind, tls)


def _tls(config: DocumentNode) -> Tls | None:
    part = config.part("ssl_mode")
    if part is None:
        return None
    mode = part.text("mode") or ""
    found = TLS.get(mode.replace("_", "-"))
    if found is None and mode:
        part.report.unsaid(
            part.at("mode"), f"the mode {shown(mode)} is not in the model", f"Write tls: {' or '.join(TLS)}"
        )
    if found in (Tls.VERIFY_CA, Tls.VERIFY_FULL):
        part.unsaid("ca_certificate", "Put it into a file or a secret, and name it by tls_ca")
    part.finish()
    return found


def _schedule(part: DocumentNode) -> None:
    """ImportReport when the connection runs, as a platform's schedule."""
    kind, data = part.text("scheduleType", "schedule_type"), part.part("scheduleData", "schedule_data")
    old = part.part("schedule")
    if data is None and old is None:
        return
    place = (data or old or part).path
    text, zone = _cron(data or old or part)
    if kind == "manual" or text is None:
        return
    timezone = f", timezone: {zone}" if zone not in (None, "UTC") else ""
    what = f"the schedule {text[0]} is what a platform has"
    part.report.unsaid(place, what, f"Write {text[1]}{timezone} in the platform that ingests it")


def _cron(part: DocumentNode) -> tuple[tuple[str, str] | None, str | None]:
    """Return a schedule in words, and what to write for it, with its time zone."""
    basic, cron = part.part("basicSchedule", "basic_schedule"), part.part("cron")
    unit, units = (basic or part).text("timeUnit", "time_unit"), (basic or part).take("units", INTEGER)
    expression = (cron or part).text("cronExpression", "cron_expression")
    zone = (cron or part).text("cronTimeZone", "cron_time_zone")
    part.text("scheduleType")
    for one in filter(None, (basic, cron, part)):
        one.finish()
    if expression is not None:
        return (repr(expression), f"schedule: {_five_fields(expression)!r}"), zone
    if unit is None or units is None:
        return None, None
    every = f"every {units} {unit}"
    written = {"minutes": (60, "*/{} * * * *"), "hours": (24, "0 */{} * * *")}.get(unit)
    if written is not None and units > 0 and written[0] % units == 0 and units < written[0]:
        return (every, f"schedule: {written[1].format(units)!r}"), None
    if (unit, units) in (("hours", 24), ("days", 1)):
        return (every, "schedule: '0 0 * * *'"), None
    return (every, "a schedule in cron's five fields"), None


def _five_fields(expression: str) -> str:
    """Return Quartz' expression, with seconds and perhaps years, as cron's."""
    fields = expression.replace("?", "*").split()
    return " ".join(fields[1:6]) if len(fields) in (6, 7) else expression


def _stream(draft: Draft, part: DocumentNode, schema: str | None, keys: Keys) -> str | None:
    """Add the dataset of a stream to the draft; return its schema if its table is taken."""
    stream = part.part("stream") or part
    config = part.part("config") or part
    table = stream.needed("name", TEXT, "Write the stream's name") or ""
    namespace = stream.text("namespace")
    draft.places[table, "", ""] = part.path
    selected = config.take("selected", TRUTH)
    name = config.text("aliasName", "alias_name") or table
    rows = _rows(stream, config)
    key = keys.get(table) or _key(part, config, stream)
    _modes(config)
    for key_ in ("supportedSyncModes", "supported_sync_modes", "sourceDefinedCursor", "source_defined_cursor"):
        stream.take(key_, ANYTHING)  # what the source can do, whatever is chosen
    for key_ in ("defaultCursorField", "default_cursor_field", "isResumable", "is_resumable", "fieldSelectionEnabled"):
        (stream if key_ in stream else config).take(key_, ANYTHING)
    for one in {id(one): one for one in (stream, config, part)}.values():
        one.finish(ADVICE)
    if selected is False:
        leave_out(draft, part.report, LeftOut(table, "the connection does not select it"))
    elif schema is not None and namespace not in (None, schema):
        leave_out(
            draft, part.report, LeftOut(table, f"it is of the schema {namespace!r}, and others are of {schema!r}")
        )
    elif not rows.columns:
        leave_out(draft, part.report, LeftOut(table, f"the file has no columns of it. {FROM_CATALOGUE}"))
    else:
        said: dict[str, Any] = {"name": name, "primary_key": list(key), **({"table": table} if name != table else {})}
        add_dataset(draft, part.report, said, rows)
        return namespace
    return None


def _rows(stream: DocumentNode, config: DocumentNode) -> Rows:
    schema = stream.part("jsonSchema", "json_schema")
    rows = read_rows(schema) if schema is not None else Rows()
    chosen = config.parts("selectedFields") or config.parts("selected_fields")
    paths = [one.take("fieldPath", LIST_OF_TEXTS) or one.take("field_path", LIST_OF_TEXTS) or [] for one in chosen]
    for one in chosen:
        one.finish()
    if paths:
        wanted = {path[0] for path in paths if path}
        rows.columns = {name: kind for name, kind in rows.columns.items() if name in wanted}
    return rows


def _key(part: DocumentNode, config: DocumentNode, stream: DocumentNode) -> list[str]:
    """Return the columns of the key: those that the connection names, otherwise the source's."""
    chosen = config.take("primaryKey", PATHS) or config.take("primary_key", PATHS)
    defined = stream.take("sourceDefinedPrimaryKey", PATHS) or stream.take("source_defined_primary_key", PATHS)
    found = chosen or defined or []
    if any(len(path) != 1 for path in found):
        part.report.unsaid(part.path, "its key is inside a column", "Name the columns of the key by --key")
        return []
    return [path[0] for path in found]


def _modes(config: DocumentNode) -> None:
    config.take("syncMode", ANY_TEXT)
    config.take("sync_mode", ANY_TEXT)  # a batch reads what has changed, and the whole where it must
    for key in ("destinationSyncMode", "destination_sync_mode"):
        mode = config.take(key, ANY_TEXT)
        if mode == "append":
            what = "append keeps every version that a sync has seen"
            todo = "Write retention: forensic in the dataset group that needs them"
            config.report.unsaid(config.at(key), what, todo)
    for key in ("cursorField", "cursor_field"):
        path = config.take(key, LIST_OF_TEXTS) or []
        if len(path) == 1:
            what = f"the cursor {path[0]!r} is not in the model: a batch finds by itself what has changed"
            todo = f"Write strategy: cursor and cursor: {{column: {path[0]}}}, if it is to read by the cursor"
            config.report.unsaid(config.at(key), what, todo)
