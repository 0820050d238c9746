"""Contracts in files as files of the model: a part with their datastores, or a whole model."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from airflow_plugin.formats.odcs.read import ReadContract, document, read_contract, report_promises
from airflow_plugin.formats.odcs.servers import Choice
from airflow_plugin.formats.odcs.whole import Rest, is_rest, joined, read_rest
from airflow_plugin.formats.odcs.words import Own
from airflow_plugin.formats.parts import DocumentNode, ImportReport
from airflow_plugin.formats.written import export_text, model_text
from config_schema import names
from config_schema.errors import OptionMissing, ValueWrong
from config_schema.load.folder import MAPPING_FILE
from config_schema.load.parts import YAML_FILE

Texts = dict[str, str]
PART = ""  # the key of the text of a part of the model, which has no file name of its own


def contract_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files that are named, and those of contracts in folders that are named. Raises ValueWrong."""
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(path.glob(names.contract_file("*")))
        if not inside:
            todo = f"Name files, or a folder with {names.contract_file('*')}"
            raise ValueWrong("FILE", str(path), "is a folder without contracts", todo)
        found += inside
    return found


def import_contracts(files: list[Path], choice: Choice, reports: list[ImportReport], *, to_files: bool) -> Texts:
    """Return the texts of the model that contracts give, by file name; PART for datastores alone.

    `reports` gets the report of each file. Raises StreamFactoryError.
    """
    rest: Rest | None = None
    found: list[tuple[DocumentNode, Own]] = []
    if choice.name is not None and len(files) > 1:
        raise ValueWrong("--name", choice.name, f"is a name for one of {len(files)} contracts", "Name one file")
    if choice.keys and len(files) > 1:
        raise ValueWrong("--key", next(iter(choice.keys)), f"is of one of {len(files)} contracts", "Name one file")
    for file in files:
        report = ImportReport(file)
        reports.append(report)
        doc = document(report)
        own = Own(doc)
        if is_rest(own):
            rest = read_rest(doc, own)
        else:
            found.append((doc, own))
    contracts = [read_contract(doc, own, choice, alone=rest is None) for doc, own in found]
    if rest is not None:
        if not to_files:
            raise OptionMissing(["--out"], "Name a new folder", "model import odcs", "the files give a whole model")
        ecosystem, mapping = joined(rest, contracts)
        text = json.dumps(mapping, indent=2, ensure_ascii=False) + "\n"
        return {YAML_FILE: export_text(ecosystem), MAPPING_FILE: text}
    for one in contracts:
        report_promises(one)
        _report_team(one)
    notes = [note for report in reports for note in report.noted()]
    return {PART: model_text([file.name for file in files], notes, [one.of for one in contracts])}


def _report_team(one: ReadContract) -> None:
    if one.team is not None:
        said = json.dumps(dict(one.team), ensure_ascii=False)
        what = f"the owner {one.team['name']!r} is one of the model's teams"
        one.report.unsaid("team", what, f"Write {said} in teams, if it is not there")
