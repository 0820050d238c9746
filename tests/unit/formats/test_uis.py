"""Unified Ingestion Specifications: both public shapes, what the model takes of them, and what is reported."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from airflow_plugin.formats.draft import NothingToImport, SourceNotReadable, database_of_dsn
from airflow_plugin.formats.parts import DocumentNode, ImportReport
from airflow_plugin.formats.rows import keys_given
from airflow_plugin.formats.uis import YAML_KINDS, UisChoice, read_uis
from airflow_plugin.formats.written import export_text
from config_schema.errors import ProblemsFound, UnknownName, ValueWrong
from config_schema.load.model_yaml import load
from config_schema.model import Column, Database, Datastore, SourceKind
from config_schema.model.quality import AcceptedValues, NotNull, Range, Severity
from tests.unit.formats.documents import mappings

FILES = Path(__file__).parent / "files"
MARKET, STOCKS = FILES / "polygon_market_data.uis.yaml", FILES / "polygon_stocks.uis.yaml"
LANDING = database_of_dsn("postgresql://pg-landing/landing?schema=raw", None)
CHOICE = UisChoice(source=LANDING, keys={"daily_aggregates": ("ticker", "event_timestamp")})
MINIMAL = {
    "version": "1.1",
    "name": "shop",
    "provider": {
        "name": "shop",
        "provider_type": "database",
        "config": {"host": "pg-shop", "database": "shop", "engine": "mysql"},
        "endpoints": [{"name": "orders"}],
        "schema_contract": {"properties": {"id": {"type": "integer"}, "at": {"type": "string", "format": "date-time"}}},
    },
}
BY_ID = UisChoice(keys={"orders": ("id",)})


def imported(file: Path, choice: UisChoice = CHOICE) -> tuple[Datastore, list[tuple[str, str]]]:
    """The datastore of a file, and the line and path, and the text, of each note."""
    report = ImportReport(file)
    store = read_uis(report, choice).datastore
    return store, [(f"{one.line} {one.path}", f"{one.what}. {one.todo}") for one in report.noted()]


def written(folder: Path, **changes: Any) -> Path:
    """The minimal file, with other values of its provider; None takes a key away."""
    document = copy.deepcopy(MINIMAL)
    provider = document["provider"] | changes
    document["provider"] = {key: value for key, value in provider.items() if value is not None}
    file = folder / "shop.yaml"
    file.write_text(export_text(document))
    return file


def test_the_first_shape_gives_columns_keys_and_checks():
    store, _ = imported(MARKET)
    assert (store.name, store.documentation) == ("market_data", "Daily aggregates of energy tickers")
    assert store.source == Database("pg-landing", "landing", "landing", schema="raw")
    (daily,) = store.datasets
    assert daily.primary_key == ("ticker", "event_timestamp")
    assert daily.columns == (
        Column("ticker", "text", False),
        Column("event_timestamp", "numeric", False),
        Column("open_price", "numeric"),
        Column("volume", "bigint"),
        Column("vwap", "numeric"),
    )
    fail = Severity.FAIL  # block_on_quality_drop
    assert daily.checks == (
        NotNull("required", fail, ("ticker", "open_price", "event_timestamp", "volume")),
        Range("range_1", fail, "open_price", 0),
        Range("range_2", fail, "volume", 0),
        Range("range_3", fail, "vwap", 0),
        Range("range_4", fail, "event_timestamp", 0),
    )


def test_the_first_shape_reports_everything_else_with_its_place():
    _, notes = imported(MARKET)
    places = [place for place, _ in notes]
    assert places == [
        "4 runtime",
        "6 created_by",
        "9 provider.display_name",
        "10 provider.provider_type",
        "11 provider.base_url",
        "12 provider.tenant_id",
        "13 provider.owner",
        "14 provider.schedule_cron",
        "16 provider.credentials_ref",
        "17 provider.tags",
        "18 provider.config",
        *(f"{line} provider.endpoints[0].{key}" for line, key in ((26, "path"), (27, "method"), (28, "headers"))),
        *(f"{line} provider.endpoints[0].{key}" for line, key in ((30, "query_params"), (31, "pagination"))),
        *(f"{line} provider.endpoints[0].{key}" for line, key in ((32, "pagination_config"), (33, "response_path"))),
        "34 provider.endpoints[0].rate_limit_per_second",
        "35 provider.endpoints[0].field_mapping",
        "36 provider.endpoints[0].field_mapping.ticker",
        "46 provider.endpoints[1]",
        "47 provider.endpoints[1].path",
        "50 provider.endpoints[1].field_mapping.locale",
        "52 provider.endpoints[1].validation_rules.required_fields",
        "54 provider.transforms[0]",
        "60 provider.sinks[0]",
        "63 provider.sinks[1]",
        "69 provider.schema_contract.properties.ticker.minLength",
        "70 provider.schema_contract.properties.trading_day",
        "75 provider.slos.freshness_target_minutes",
        "76 provider.slos.completeness_threshold",
        "77 provider.slos.block_on_schema_drift",
        "79 global_config",
    ]
    assert dict(notes)["75 provider.slos.freshness_target_minutes"].endswith(
        "Write latency_seconds: 3600 in the group of its consumers"
    )


def test_the_second_shape_has_its_mode_outside_and_seconds_in_its_schedule():
    store, notes = imported(STOCKS, UisChoice(source=LANDING, keys={"daily_aggregates": ("timestamp",)}))
    (daily,) = store.datasets
    assert daily.columns == (
        Column("timestamp", "timestamp with time zone", False),
        Column("open_price", "numeric"),
        Column("volume", "bigint"),
    )
    assert daily.checks[0] == NotNull("required", Severity.WARN, ("timestamp", "open_price"))
    said = dict(notes)
    assert "schedule: '*/5 * * * *', timezone: America/New_York" in said["14 provider.schedule_cron"]
    assert "is left out: it is not active" in said["26 provider.endpoints[0].is_active"]
    assert "the mode micro_batch is not in the model" in said["54 mode"]
    assert "parallelism 2" in said["55 parallelism"]
    assert not [text for _, text in notes if "abcdef" in text]  # auth_config.token


def test_without_a_database_it_says_what_to_do():
    report = ImportReport(MARKET)
    with pytest.raises(SourceNotReadable, match=r"rest_api is no source that is converted.*by --dsn") as caught:
        read_uis(report, UisChoice())
    assert caught.value.path == "provider.provider_type"
    assert "10 provider.provider_type" not in [f"{one.line} {one.path}" for one in report.noted()]
    assert len(report.noted()) > 20  # the rest is reported all the same


def test_a_provider_that_is_a_database_is_a_source(tmp_path):
    file = written(tmp_path, credentials_ref="vault://team/shop_reader#login")
    store, notes = imported(file, BY_ID)
    assert store.source == Database("pg-shop", "shop", "login", 3306, kind=SourceKind.MYSQL)
    (orders,) = store.datasets
    assert orders.columns == (Column("id", "bigint", False), Column("at", "timestamp with time zone"))
    assert [text for _, text in notes] == [
        "'vault://team/shop_reader#login' holds a login. Put it into the secret login"
    ]


def test_a_mapping_from_fields_to_columns_is_turned(tmp_path):
    endpoints = [{"name": "orders", "field_mapping": {"identifier": "id", "when": "at"}}]
    store, _ = imported(written(tmp_path, endpoints=endpoints), BY_ID)
    assert [column.name for column in store.datasets[0].columns] == ["id", "at"]


def test_a_list_of_values_is_a_check(tmp_path):
    properties = {
        "id": {"type": "integer"},
        "state": {"type": "string", "enum": ["open", "closed"]},
        "odd": {"type": ["string", "null"], "enum": ["a", None]},
    }
    store, notes = imported(written(tmp_path, schema_contract={"properties": properties}), BY_ID)
    assert store.datasets[0].checks == (AcceptedValues("values_1", Severity.WARN, "state", ("open", "closed")),)
    assert [place.split()[1] for place, _ in notes] == ["provider.schema_contract.properties.odd.enum"]


@pytest.mark.parametrize("mode", ["streaming", "websocket", "webhook", "graphql_subscription"])
def test_a_mode_that_streams_is_reported(mode, tmp_path):
    _, notes = imported(written(tmp_path, mode=mode), BY_ID)
    assert "no batch reads a stream" in {place.split()[1]: text for place, text in notes}["provider.mode"]


BAD = {
    "no provider": (lambda document: document.pop("provider"), "provider", "the key is missing"),
    "no version": (lambda document: document.pop("version"), "version", "the key is missing"),
    "another version": (lambda document: document.update(version="2.0"), "version", "'2.0' is not known"),
    "no provider_type": (
        lambda document: document["provider"].pop("provider_type"),
        "provider.provider_type",
        "the key is missing",
    ),
    "another provider": (
        lambda document: document["provider"].update(provider_type="fax"),
        "provider.provider_type",
        "'fax' is not known",
    ),
    "another mode": (lambda document: document.update(mode="hourly"), "mode", "'hourly' is not known"),
    "endpoints are no list": (
        lambda document: document["provider"].update(endpoints=3),
        "provider.endpoints",
        "not a list",
    ),
    "an endpoint without a name": (
        lambda document: document["provider"].update(endpoints=[{}]),
        "provider.endpoints[0].name",
        "the key is missing",
    ),
    "a property that is no schema": (
        lambda document: document["provider"]["schema_contract"]["properties"].update(at="date"),
        "provider.schema_contract.properties.at",
        "not an object",
    ),
    "a range of one": (
        lambda document: document["provider"]["endpoints"][0].update(validation_rules={"numeric_ranges": {"id": [0]}}),
        "provider.endpoints[0].validation_rules.numeric_ranges.id",
        "is no range",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_file_is_one_problem_with_its_place(name, tmp_path):
    change, path, what = BAD[name]
    document = copy.deepcopy(MINIMAL)
    change(document)
    (tmp_path / "bad.yaml").write_text(export_text(document))
    with pytest.raises(ProblemsFound) as caught:
        read_uis(ImportReport(tmp_path / "bad.yaml"), UisChoice())
    (problem,) = caught.value.problems
    assert problem.path == path
    assert what in problem.what
    assert problem.line is not None


def test_keys_are_of_tables_and_columns_that_are_there(tmp_path):
    with pytest.raises(UnknownName) as caught:
        imported(written(tmp_path), UisChoice(keys={"order": ("id",)}))
    assert caught.value.known == ("orders",)
    with pytest.raises(NothingToImport):
        imported(written(tmp_path), UisChoice(keys={"orders": ("nr",)}))
    with pytest.raises(ValueWrong, match="names no table"):
        keys_given(["orders"])
    assert keys_given(["orders=id, line"]) == {"orders": ("id", "line")}


@pytest.mark.parametrize("file", [MARKET, STOCKS], ids=lambda file: file.name)
def test_a_key_that_nobody_knows_is_reported_wherever_it_stands(file, tmp_path):
    whole = load(file.read_text(), YAML_KINDS)
    choice = UisChoice(source=LANDING, keys={"daily_aggregates": ("volume",)})
    before = {place.split()[1] for place, _ in imported(file, choice)[1]}
    for path, _ in list(mappings(whole, "")):
        if path.endswith((".field_mapping", ".schema_contract.properties", ".numeric_ranges")):
            continue  # whatever stands there names a column
        changed = copy.deepcopy(whole)
        dict(mappings(changed, ""))[path]["notKnown"] = 1
        (tmp_path / file.name).write_text(export_text(changed))
        after = {place.split()[1] for place, _ in imported(tmp_path / file.name, choice)[1]}
        inside = any(path == place or path.startswith((f"{place}.", f"{place}[")) for place in before)
        assert f"{path}.notKnown".strip(".") in after - before or inside, path


@pytest.mark.parametrize("value", ["/v1/bars?apiKey=geheim", "https://me:geheim@h/", "api_token: geheim"])
def test_a_login_in_the_middle_of_a_value_is_not_shown(tmp_path, value):
    report = ImportReport(tmp_path / "x.yaml")
    DocumentNode({"path": value}, "", report).finish()
    [note] = report.notes
    assert "(not shown)" in note.what
    hidden = DocumentNode({"list": [{"x": "geheim"}]}, "", report, hidden=True)
    [part] = hidden.parts("list")
    part.finish()
    assert "geheim" not in str(report.notes)
