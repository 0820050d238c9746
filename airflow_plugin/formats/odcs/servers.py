"""The servers of a contract: the producer's database, what it is in environments, and merge stores."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_plugin.formats.draft import PORTS, SourceNotReadable, secret_name
from airflow_plugin.formats.odcs.file_servers import PLACES, FilesOfServer, read_files
from airflow_plugin.formats.odcs.words import (
    AS_ELSEWHERE,
    DATABASE_KEYS,
    OVERRIDES,
    PLATFORM,
    READABLE,
    Own,
)
from airflow_plugin.formats.parts import ANY_TEXT, TEXT, TEXTS, TRUTH, DocumentNode, Schema
from airflow_plugin.formats.rows import Keys
from config_schema.errors import UnknownName
from config_schema.model import DEFAULT_SCHEMA, Database, SourceKind
from config_schema.model.plain_data import plain
from config_schema.schemas import json_schema

ADDRESS = ("host", "port", "database")
PORT = {"type": ["integer", "string"], "pattern": "^[0-9]{1,5}$", "description": "Write the number of a port"}
# What an address says itself, in each kind of server; the schema, in some.
OWN_OF_DATABASE = [key for key in json_schema("ecosystem")["$defs"]["database"]["properties"] if key not in ADDRESS]
OVERRIDABLE = list(json_schema("ecosystem")["$defs"]["database_override"]["properties"])
OVERRIDDEN: Schema = {**TEXTS, "items": {"enum": OVERRIDABLE}}
LOAD_IT = "Load its data into tables of a database, and name this database by --dsn"
NO_SERVER = "Name the database by --dsn postgresql://host:5432/database"


@dataclass(frozen=True)
class Choice:
    """What a person has chosen for the datastore of a contract; None is what the contract says."""

    name: str | None = None
    server: str | None = None
    credential: str | None = None
    source: Database | None = None
    keys: Keys = field(default_factory=dict)


@dataclass(frozen=True)
class MergeStoreServer:
    """The address of a platform's merge store in a contract."""

    platform: str
    address: tuple[str | None, ...]  # host, port, database, schema
    path: str


@dataclass
class Servers:
    """What the servers of a contract are; `source` is plain data of the model's database."""

    source: dict[str, Any] = field(default_factory=dict)
    kind: SourceKind = SourceKind.POSTGRESQL
    files: FilesOfServer | None = None  # of a source that gives files
    is_ours: bool = False  # the export has written it, so that its types are the model's
    environments: list[dict[str, Any]] = field(default_factory=list)
    merge_stores: list[MergeStoreServer] = field(default_factory=list)


def read_servers(doc: DocumentNode, choice: Choice) -> Servers:
    """Return the servers of a contract.

    Raises SourceNotReadable if none is a database that a batch can read, UnknownName for a server that is not there.
    """
    found = Servers()
    candidates: list[tuple[DocumentNode, Own]] = []
    environments: list[tuple[DocumentNode, Own]] = []
    for part in doc.parts("servers"):
        own = Own(part)
        if PLATFORM in own:
            found.merge_stores.append(_merge_store(part, own))
        elif OVERRIDES in own or AS_ELSEWHERE in own:
            environments.append((part, own))
        else:
            candidates.append((part, own))
    if choice.source is not None:
        found.source, found.kind = plain(choice.source), choice.source.kind
        _report_others(candidates + environments, None)
        return found
    part, own = _chosen(doc, candidates, choice)
    found.is_ours = "credential" in own
    _report_others(candidates, part)
    if str(part.peek("type")) in PLACES:
        own.finish()
        found.source, found.files = read_files(part, choice.credential)
    else:
        found.source = _database(part, own, choice)
    found.kind = SourceKind(found.source.get("kind", SourceKind.POSTGRESQL.value))
    found.environments = [_environment(*one) for one in environments]
    return found


def _chosen(doc: DocumentNode, candidates: list[tuple[DocumentNode, Own]], choice: Choice) -> tuple[DocumentNode, Own]:
    names = [str(part.peek("server")) for part, _ in candidates]
    if choice.server is not None:
        if choice.server not in names:
            raise UnknownName("--server", "server", choice.server, names, str(doc.report.file))
        candidates = [candidates[names.index(choice.server)]]
    for types in (READABLE, PLACES):  # a database before files
        for part, own in candidates:
            if str(part.peek("type")) in types or "kind" in own:
                return part, own
    if not candidates:
        doc.report.raise_if_wrong()
        raise SourceNotReadable(doc.report.file, "servers", "it names no server with the data", NO_SERVER)
    part, _ = candidates[0]
    what = f"no batch can read a server of type {part.peek('type')}"
    raise SourceNotReadable(doc.report.file, part.at("type"), what, LOAD_IT)


def _report_others(candidates: list[tuple[DocumentNode, Own]], chosen: DocumentNode | None) -> None:
    for part, _ in candidates:
        if part is not chosen:
            what = f"the server {part.peek('server')} of type {part.peek('type')} is not the datastore's source"
            part.report.unsaid(part.path, what, "Choose it by --server, if it should be")


def _database(part: DocumentNode, own: Own, choice: Choice) -> dict[str, Any]:
    """Return a server as plain data of the model's database."""
    name = part.text("server")
    kind = READABLE.get(part.text("type") or "", SourceKind.POSTGRESQL)
    said = own.of_model("database", *OWN_OF_DATABASE)
    own.finish()
    kind = SourceKind(said.pop("kind", kind.value))
    database = part.text(DATABASE_KEYS.get(kind, "database"))
    part.take("description", ANY_TEXT)  # what the server is, in words
    part.text("environment")
    port = part.take("port", PORT)
    schema, credential = said.pop("schema", DEFAULT_SCHEMA), said.pop("credential", None)
    found = {
        "host": part.needed("host", TEXT, "Write the server's host name"),
        "port": int(port) if port is not None else PORTS.get(kind, 5432),
        "database": database or name or "",
        "schema": part.text("schema") or schema,
        "credential": choice.credential or credential or secret_name(database or name or ""),
        **said,
    }
    if kind is not SourceKind.POSTGRESQL:
        found["kind"] = kind.value
    part.finish()
    return found


def _environment(part: DocumentNode, own: Own) -> dict[str, Any]:
    """Return what the datastore has instead in an environment."""
    keys = own.take(OVERRIDES, OVERRIDDEN)
    own.take(AS_ELSEWHERE, TRUTH)
    environment = str(part.peek("environment"))
    there = _database(part, own, Choice())
    if keys is None:
        return {"name": environment}
    return {"name": environment, "source": {key: there[key] for key in keys if key in there}}


def _merge_store(part: DocumentNode, own: Own) -> MergeStoreServer:
    platform = own.take(PLATFORM, TEXT) or ""
    own.take("milestoning", TEXT)
    own.finish()
    port = part.take("port", PORT)
    address = (part.text("host"), None if port is None else str(port), part.text("database"), part.text("schema"))
    for key in ("server", "type", "description"):
        part.text(key)
    part.finish()
    return MergeStoreServer(platform, address, part.path)
