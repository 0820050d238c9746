"""Whatever stands at a place of another tool's document: an error of ours, or a model with notes; never a traceback."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import config_schema
from airflow_plugin.formats.airbyte import AirbyteChoice, read_airbyte
from airflow_plugin.formats.draft import database_of_dsn
from airflow_plugin.formats.odcs.files import import_contracts
from airflow_plugin.formats.odcs.servers import Choice
from airflow_plugin.formats.odcs.whole import contracts_of
from airflow_plugin.formats.parts import ImportReport
from airflow_plugin.formats.uis import UisChoice, read_uis
from config_schema.errors import ProblemsFound, StreamFactoryError
from config_schema.load.folder import load_placed
from config_schema.load.model_yaml import load
from config_schema.schemas import validator

FILES = Path(__file__).parent / "files"
SOURCE = database_of_dsn("postgresql://h/d", None)
MODEL, _ = load_placed(Path(config_schema.__file__).parent / "examples" / "environments")
CONTRACTS = list(contracts_of(MODEL).values())


def contract(file: Path) -> None:
    import_contracts([file], Choice(), [], to_files=True)


def specification(file: Path) -> None:
    read_uis(ImportReport(file), UisChoice(source=SOURCE, keys={"daily_aggregates": ("volume",)}))


def connection(file: Path) -> None:
    read_airbyte([ImportReport(file)], AirbyteChoice(keys={"visits": ("at",)}))


PAYMENTS = load((FILES / "payments.odcs.yaml").read_text(), {})
S3 = {"server": "s", "type": "s3", "location": "s3://b/{model}/*.csv", "endpointUrl": "http://h:9", "format": "csv"}
DOCUMENTS: list[tuple[Callable[[Path], None], Any]] = [
    (contract, CONTRACTS[0]),
    (contract, CONTRACTS[-1]),
    (contract, PAYMENTS),
    (contract, PAYMENTS | {"servers": [S3 | {"delimiter": ";", "encoding": "latin-1"}]}),
    (specification, load((FILES / "polygon_market_data.uis.yaml").read_text(), {})),
    (specification, load((FILES / "polygon_stocks.uis.yaml").read_text(), {})),
    (connection, load((FILES / "shop.airbyte.yaml").read_text(), {})),
]
VALUES = [None, 5, -1.5, True, "", "x", "a b,c", "\u202e\n", "${X}", 10**400, [], [1], ["x"], [["x"]], {}, {"a": 1}]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each value in a document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield (*path, key)
        yield from places(one, (*path, key))


PLACES = [(number, path) for number, (_, whole) in enumerate(DOCUMENTS) for path in places(whole)]


def changed(whole: Any, path: tuple[Any, ...], value: Any) -> Any:
    again = copy.deepcopy(whole)
    inside = again
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    return again


def imports(place: tuple[int, tuple[Any, ...]], value: Any) -> None:
    number, path = place
    read, whole = DOCUMENTS[number]
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / "document.json"
        file.write_text(json.dumps(changed(whole, path, value)))
        try:
            read(file)
        except StreamFactoryError as error:
            assert str(error)  # noqa: PT017  # any of ours will do


@settings(max_examples=150)
@given(place=st.sampled_from(PLACES), value=st.sampled_from(VALUES))
def test_a_wrong_value_anywhere_is_no_traceback(place, value):
    imports(place, value)


@pytest.mark.parametrize("number", range(len(DOCUMENTS)))
def test_the_documents_themselves_are_read(number, tmp_path):
    read, whole = DOCUMENTS[number]
    (tmp_path / "document.json").write_text(json.dumps(whole))
    if whole is CONTRACTS[-1]:
        with pytest.raises(ProblemsFound, match="the contract of the datastore"):
            read(tmp_path / "document.json")
    else:
        read(tmp_path / "document.json")


def test_reading_a_document_again_compiles_no_schema_again(tmp_path):
    """A compiled schema is kept for the life of the process: one that is made while a document is read would stay."""
    read, whole = DOCUMENTS[0]
    (tmp_path / "document.json").write_text(json.dumps(whole))
    read(tmp_path / "document.json")
    before = len(validator._compiled)
    read(tmp_path / "document.json")
    assert len(validator._compiled) == before
