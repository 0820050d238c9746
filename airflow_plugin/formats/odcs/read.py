"""A data contract as a datastore of the model; what it says and the model cannot is reported with its place.

What only names the contract itself (`id`, `version`, `apiVersion`) is nothing of the model's and is not reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_plugin.formats.draft import Draft, described
from airflow_plugin.formats.odcs.file_servers import TABLE
from airflow_plugin.formats.odcs.objects import read_object
from airflow_plugin.formats.odcs.servers import Choice, Servers, read_servers
from airflow_plugin.formats.odcs.words import (
    ACTIVE,
    DEPRECATED,
    GROUP,
    KIND,
    PLATFORM,
    READ,
    SAID_OF_STORE,
    SERVICE_LEVELS,
    STATUSES,
    WORKSPACE,
    YAML_KINDS,
    Own,
)
from airflow_plugin.formats.parts import ANY_TEXT, TEXT, DocumentNode, ImportReport, shown, whole_document
from airflow_plugin.formats.rows import check_keys
from config_schema.load.described import DescribedDatastore, stream_name
from config_schema.model import Datastore
from config_schema.model.plain_data import structured
from config_schema.schemas import json_schema
from config_schema.schemas.findings import OF_ITS_CHOICE

OWN_OF_STORE = [key for key in json_schema("ecosystem")["$defs"]["datastore"]["properties"] if key not in SAID_OF_STORE]
ECOSYSTEM, MAPPING_ENTRIES = "ecosystem", "mapping"
SECONDS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hr": 3600, "hour": 3600}
SECONDS |= {"d": 86400, "day": 86400}
LEVELS: dict[str, Any] = {
    "type": "array",
    "items": {"type": "object", "required": ["id"], "additionalProperties": TEXT},
    "description": "Write what each service level belongs to, by its id",
}
NO_VALUE: dict[str, Any] = {"description": "Write the value that is agreed"}


@dataclass(frozen=True)
class Latency:
    """What a dataset group is promised, by a contract of ours."""

    workspace: str
    group: str
    seconds: int
    path: str


@dataclass(frozen=True)
class Schedule:
    """When a platform runs, by a contract of ours."""

    platform: str
    schedule: str
    path: str


@dataclass
class Promises:
    """The service levels of a contract that parts of the model outside its datastore say."""

    latencies: list[Latency] = field(default_factory=list)
    schedules: list[Schedule] = field(default_factory=list)


@dataclass(frozen=True)
class ReadContract:
    """What one contract gives: its datastore, its owner as a team, and what belongs to other parts of the model."""

    of: DescribedDatastore
    team: Mapping[str, Any] | None
    promises: Promises
    servers: Servers
    report: ImportReport


def document(report: ImportReport) -> DocumentNode:
    """Return the document of a contract, with its kind and version of the standard checked. Raises ProblemsFound."""
    doc = whole_document(report, YAML_KINDS)
    for key, known in (("kind", (KIND,)), ("apiVersion", READ)):
        text = doc.needed(key, TEXT, f"Write {key}: {known[-1]}")
        if text is not None and text not in known:
            todo = f"Convert it to one of {', '.join(known)}" if key == "apiVersion" else f"Write {key}: {KIND}"
            report.refuse(OF_ITS_CHOICE, key, f"{shown(text)} is not known here", todo)
    report.raise_if_wrong()
    doc.needed("id", TEXT, "Write an id of your own, such as a UUID")
    doc.needed("version", TEXT, "Write the contract's version, such as 1.0.0")
    return doc


def read_contract(doc: DocumentNode, own: Own, choice: Choice, *, alone: bool) -> ReadContract:
    """Return what a contract gives; `alone` without a whole model, whose own platforms decide what the rules allow.

    Raises:
        ProblemsFound: the contract is not one of the standard's.
        SourceNotReadable: none of its servers is a database that a batch can read.
        DatastoreRefused: the datastore itself breaks a rule of the model.
        NothingToImport: no dataset is left.
    """
    report, draft = doc.report, Draft()
    said, team = _said(doc, own), None
    if (owner := _team(doc)) is not None:
        said["owner"], team = owner["name"], owner
    said["name"] = choice.name or _name(doc)
    servers = read_servers(doc, choice)
    if servers.environments:
        said["environments"] = servers.environments
    promises = _promises(doc, own)
    objects = doc.parts("schema")
    if servers.files is not None:
        said.setdefault("consistency", "single_dataset")  # files have no one snapshot
    _one_pattern(servers, len(objects), report)
    check_keys(choice.keys, [str(part.peek("name")) for part in objects], report)
    for part in objects:
        read_object(draft, part, servers, tuple(said.get("types", ())), choice.keys)
    own.finish()
    doc.finish()
    report.raise_if_wrong()
    store = structured({**said, "source": servers.source, "datasets": []}, Datastore)
    if alone:
        return ReadContract(described(draft, store, report), team, promises, servers, report)
    store = replace(store, datasets=tuple(draft.found.datasets))
    return ReadContract(DescribedDatastore(store, {}, ()), team, promises, servers, report)


def _one_pattern(servers: Servers, count: int, report: ImportReport) -> None:
    """Report a pattern that is not of one table, and let each table have its own name as pattern."""
    files = servers.files
    if files is not None and files.pattern is not None and count > 1 and TABLE not in files.pattern:
        what = f"the files {shown(files.pattern)} are not those of one table, and there are {count}"
        report.unsaid("servers", what, "Write the pattern of each dataset's files as its table")
        files.pattern = None


def _name(doc: DocumentNode) -> str:
    text = doc.text("name")
    if text is None:
        return stream_name(doc.report.file.name.partition(".")[0])
    if stream_name(text) != text:
        todo = f"It is {stream_name(text)!r} in the model: see --name"
        doc.report.unsaid("name", f"{shown(text)} cannot name a datastore", todo)
    return stream_name(text)


def _said(doc: DocumentNode, own: Own) -> dict[str, Any]:
    """Return the keys of the datastore beside its name, its owner, its source and its datasets."""
    said = own.of_model("datastore", *OWN_OF_STORE)
    status = doc.text("status") or ""
    produced = own.of_model("datastore", "production_status")
    if status in (DEPRECATED, "retired"):
        said.setdefault("deprecated", f"its contract is {status}")
        said |= produced
    else:
        if said.pop("deprecated", None) is not None:
            doc.report.unsaid(
                "status", f"it is {shown(status)} and was deprecated", "Write status: deprecated if it is"
            )
        words = {word: key for key, word in STATUSES.items()} | {"proposed": "not_production"}
        said |= {"production_status": words[status]} if status in words else produced
    if status not in ("", ACTIVE, DEPRECATED, *STATUSES.values()):
        doc.report.unsaid("status", f"the status {shown(status)} is not in the model", "See production_status")
    if (description := doc.part("description")) is not None:
        paragraphs = [description.take("purpose", ANY_TEXT)]
        paragraphs += [
            f"{key.capitalize()}: {text}"
            for key in ("limitations", "usage")
            if (text := description.take(key, ANY_TEXT))
        ]
        description.finish()
        if documentation := "\n\n".join(filter(None, paragraphs)):
            said["documentation"] = documentation
    return said


def _team(doc: DocumentNode) -> dict[str, Any] | None:
    if isinstance(doc.peek("team"), list):
        doc.unsaid("team", "The model has teams, and nobody in them: write an owner, and one of teams")
        return None
    part = doc.part("team")
    if part is None:
        return None
    own = Own(part)
    found = own.of_model("team", "repository", "branch")
    own.finish()
    name, description = part.text("name"), part.take("description", ANY_TEXT)
    part.finish({"members": "The model has teams, and nobody in them"})
    if name is None:
        return None
    if stream_name(name) != name:
        doc.report.unsaid(part.at("name"), f"{shown(name)} cannot name a team", f"It is {stream_name(name)!r} here")
    return {"name": stream_name(name), **({"documentation": description} if description else {}), **found}


def _promises(doc: DocumentNode, own: Own) -> Promises:
    found = Promises()
    parts = {one["id"]: one for one in own.take(SERVICE_LEVELS, LEVELS) or []}
    for node in doc.parts("slaProperties"):
        part = parts.get(node.text("id"), {})
        name, value = node.text("property") or "", node.take("value", NO_VALUE)
        unit, schedule = node.take("unit", ANY_TEXT), node.text("schedule")
        seconds = _seconds(value, unit)
        if name == "latency" and seconds is not None:
            latency = Latency(part.get(WORKSPACE, ""), part.get(GROUP, ""), seconds, node.at("value"))
            found.latencies.append(latency)
        elif schedule is not None:
            found.schedules.append(Schedule(part.get(PLATFORM, ""), schedule, node.at("schedule")))
        elif name == "frequency":
            what = f"a frequency of {value} {unit or ''}".strip() + " is what the schedule of a platform says"
            node.report.unsaid(node.path, what, "Write the schedule in the platform that ingests it")
        else:
            node.report.unsaid(node.path, f"the service level {name} {shown(value)} is not in the model")
        for key in ("element", "description", "scheduler", "driver"):  # what it is about, in words
            node.take(key, ANY_TEXT)
        node.finish()
    return found


def _seconds(value: Any, unit: str | None) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    factor = SECONDS.get((unit or "").lower()) or SECONDS.get((unit or "").lower().removesuffix("s"))
    seconds = None if factor is None else value * factor
    return int(seconds) if seconds is not None and seconds == int(seconds) and seconds > 0 else None


def report_promises(of: ReadContract) -> None:
    """ImportReport what the contract promises for parts of the model that no other file has given."""
    for latency in of.promises.latencies:
        group = f"the group {latency.group} of {latency.workspace}" if latency.group else "the group of its consumers"
        what = f"a latency of {latency.seconds} s is what a dataset group has"
        of.report.unsaid(latency.path, what, f"Write latency_seconds: {latency.seconds} in {group}")
    for one in of.promises.schedules:
        platform = f"the platform {one.platform}" if one.platform else "the platform that ingests it"
        what = f"the schedule {shown(one.schedule)} is what a platform has"
        of.report.unsaid(one.path, what, f"Write schedule: {one.schedule!r} in {platform}")
    for store in of.servers.merge_stores:
        what = f"the merge store of {store.platform} is no part of a datastore"
        of.report.unsaid(store.path, what, f"Write the platform {store.platform}, if the model does not have it")
