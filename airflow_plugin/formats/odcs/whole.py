"""A whole model as data contracts, one for each datastore, and a file with what no contract says; and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_plugin.formats.odcs.export import FIRST_VERSION, contract_of
from airflow_plugin.formats.odcs.read import ReadContract
from airflow_plugin.formats.odcs.words import ACTIVE, KIND, WRITTEN, Own, custom
from airflow_plugin.formats.parts import ANYTHING, DocumentNode, ImportReport
from config_schema import names
from config_schema.load.parts import YAML_FILE
from config_schema.model.mapping import Model, entry_of
from config_schema.model.plain_data import plain
from config_schema.problem import Rule
from config_schema.rules.check import schema_problems
from config_schema.schemas import json_schema

CONTRACTS_AGREE = Rule("DF3702", "Data contracts of one model say the same of a team, a dataset group and a platform.")
CONTRACT_IS_THERE = Rule("DF3703", "Each datastore of a model that is imported from data contracts has its contract.")
ECOSYSTEM, MAPPING, DATASTORES = "ecosystem", "mapping", "datastores"
PURPOSE = "What no data contract of this model says: platforms, workspaces, teams, and who is served by which platform."
NAMES = {"type": "array", "items": {"type": "string"}, "description": "Write the names of the datastores"}


def contracts_of(model: Model, version: str = FIRST_VERSION) -> dict[str, dict[str, Any]]:
    """Return the contracts of a model's datastores and the file of its other parts, by the names of their files."""
    contracts = {names.contract_file(one.name): contract_of(model, one, version) for one in model.ecosystem.datastores}
    return contracts | {names.ecosystem_contract_file(model.ecosystem.name): _ecosystem(model, version)}


def _ecosystem(model: Model, version: str) -> dict[str, Any]:
    ecosystem = plain(model.ecosystem)
    order = [one["name"] for one in ecosystem["datastores"]]
    said = {
        ECOSYSTEM: {**ecosystem, "datastores": []},
        DATASTORES: order,
        MAPPING: [entry_of(one) for one in model.mappings],
    }
    return {
        "apiVersion": WRITTEN,
        "kind": KIND,
        "id": model.ecosystem.name,
        "name": model.ecosystem.name,
        "version": version,
        "status": ACTIVE,
        "description": {"purpose": PURPOSE},
        **custom(said),
    }


@dataclass
class Rest:
    """What the file of a model's other parts says, in plain data; contracts add to it."""

    ecosystem: dict[str, Any]
    order: list[str]
    mapping: list[Any]
    report: ImportReport
    agreed: dict[tuple[str, ...], Any] = field(default_factory=dict)


def is_rest(own: Own) -> bool:
    """Return whether a document is the file of a model's other parts."""
    return ECOSYSTEM in own


def read_rest(doc: DocumentNode, own: Own) -> Rest:
    """Return the other parts of a model. Raises ProblemsFound."""
    ecosystem = own.take(ECOSYSTEM, json_schema("ecosystem"))
    order, mapping = own.take(DATASTORES, NAMES), own.take(MAPPING, json_schema("mapping"))
    own.finish()
    for key in ("name", "status", "description"):
        doc.take(key, ANYTHING)  # they are as the export writes them
    doc.finish()
    doc.report.raise_if_wrong()
    return Rest(ecosystem, order or [], mapping or [], doc.report)


def joined(rest: Rest, contracts: Iterable[ReadContract]) -> tuple[dict[str, Any], list[Any]]:
    """Return the ecosystem and the mapping, in plain data, of a model's contracts and its other parts.

    Raises ProblemsFound if two contracts disagree, the contract of a datastore is missing, or the result is no model.
    """
    stores: dict[str, Any] = {}
    for one in contracts:
        stores[one.of.datastore.name] = plain(one.of.datastore)
        _agree_on(rest, one)
        one.report.raise_if_wrong()
    for name in rest.order:
        if name not in stores:
            todo = f"Give {names.contract_file(name)} too"
            rest.report.refuse(CONTRACT_IS_THERE, "", f"the contract of the datastore {name!r} is missing", todo)
    rest.report.raise_if_wrong()
    order = dict.fromkeys([*rest.order, *stores])
    ecosystem = {**rest.ecosystem, "datastores": [stores[name] for name in order]}
    rest.report.wrong += schema_problems(ecosystem, "ecosystem", lambda path: (YAML_FILE, path))
    rest.report.raise_if_wrong()
    return ecosystem, rest.mapping


def _agree_on(rest: Rest, one: ReadContract) -> None:
    """Put what a contract promises, and its owner, into the other parts of the model."""
    groups = {
        (workspace["name"], group["name"]): group
        for workspace in rest.ecosystem.get("workspaces", [])
        for group in workspace["dataset_groups"]
    }
    for latency in one.promises.latencies:
        what = f"the latency of {latency.group} of {latency.workspace}"
        _set(
            rest,
            one.report,
            groups.get((latency.workspace, latency.group)),
            "latency_seconds",
            latency.seconds,
            (what, latency.path),
        )
    platforms = {platform["name"]: platform for platform in rest.ecosystem["platforms"]}
    for schedule in one.promises.schedules:
        what = f"the schedule of {schedule.platform}"
        _set(rest, one.report, platforms.get(schedule.platform), "schedule", schedule.schedule, (what, schedule.path))
    for server in one.servers.merge_stores:
        place = platforms.get(server.platform, {}).get("merge_store", {})
        address = (
            place.get("host"),
            str(place.get("port", 5432)),
            place.get("database"),
            place.get("schema", "public"),
        )
        if address != server.address:
            what = f"the platform {server.platform} has another merge store in the model"
            one.report.unsaid(server.path, what, "Change it in the platform, if it has moved")
    if one.team is not None:
        _owner(rest, one)


def _owner(rest: Rest, one: ReadContract) -> None:
    team = dict(one.team or {})
    teams = rest.ecosystem.setdefault("teams", [])
    known: Mapping[str, Any] | None = next((of for of in teams if of["name"] == team["name"]), None)
    before = rest.agreed.setdefault(("team", team["name"]), team)
    if before != team:
        _disagree(one.report, f"the team {team['name']}", "team")
    elif known is None:
        teams.append(team)
    elif known != team:
        teams[teams.index(known)] = team


def _set(
    rest: Rest, report: ImportReport, of: dict[str, Any] | None, key: str, value: Any, said: tuple[str, str]
) -> None:
    what, path = said
    if of is None:
        report.unsaid(path, f"{what} has no part in the model to stand in")
    elif rest.agreed.setdefault((what,), value) != value:
        _disagree(report, what, path)
    else:
        of[key] = value


def _disagree(report: ImportReport, what: str, path: str) -> None:
    report.refuse(CONTRACTS_AGREE, path, f"{what} is another one in another contract", "Say the same in both")
