"""Datasets of other tools' files merge as they are: types, keys and checks fit the tables that they name."""

from __future__ import annotations

from pathlib import Path

from airflow_plugin.formats.airbyte import AirbyteChoice, read_airbyte
from airflow_plugin.formats.draft import database_of_dsn
from airflow_plugin.formats.odcs.files import PART, import_contracts
from airflow_plugin.formats.odcs.servers import Choice
from airflow_plugin.formats.parts import ImportReport
from airflow_plugin.formats.uis import UisChoice, read_uis
from config_schema.load.documents import structured
from config_schema.load.model_yaml import load
from config_schema.model import Datastore

FILES = Path(__file__).parents[2] / "unit" / "formats" / "files"
PAYMENTS = """
    CREATE TABLE tbl_payments (
        id bigint, ledger varchar(4), payer_name varchar(80) NOT NULL, amount numeric, booked_at timestamptz,
        tags text[], PRIMARY KEY (ledger, id));
    INSERT INTO tbl_payments VALUES (1, 'a', 'Ada', 1.5, '2026-01-01 00:00+00', '{x}'), (2, 'a', 'Bob', 2, NULL, NULL)
"""
AGGREGATES = """
    CREATE TABLE daily_aggregates (
        ticker text, event_timestamp numeric, open_price numeric, volume bigint, vwap numeric,
        PRIMARY KEY (ticker, event_timestamp));
    INSERT INTO daily_aggregates VALUES ('C:CL', 1767225600000, 71.5, 1000, NULL), ('C:NG', 1767225600000, 3, 5, 3.1)
"""
SHOP = """
    CREATE TABLE orders (id bigint, line bigint, at timestamptz, total numeric, place jsonb, odd jsonb,
        secret_note text, PRIMARY KEY (id, line));
    CREATE TABLE visits (at text PRIMARY KEY);
    INSERT INTO orders VALUES (1, 1, now(), 9.5, '{"city": "Bern"}', '"a"', 'x'); INSERT INTO visits VALUES ('now')
"""


def merged(case, store: Datastore, change: str) -> None:
    """Merge what the file describes, first and after a change; the harness compares with the source."""
    case.datasets = store.datasets
    case.merge_both()
    case.execute(change)
    case.merge_both()


def test_a_contract_of_somebody_else_merges(merging):
    text = import_contracts([FILES / "payments.odcs.yaml"], Choice(), [], to_files=False)[PART]
    store = structured(load(text)["datastores"][0], Datastore)
    merged(
        merging(PAYMENTS),
        store,
        "UPDATE tbl_payments SET amount = 3 WHERE id = 2; DELETE FROM tbl_payments WHERE id = 1",
    )


def test_an_endpoint_of_a_specification_merges(merging):
    keys = {"daily_aggregates": ("ticker", "event_timestamp")}
    choice = UisChoice(source=database_of_dsn("postgresql://h/d", None), keys=keys)
    store = read_uis(ImportReport(FILES / "polygon_market_data.uis.yaml"), choice).datastore
    merged(merging(AGGREGATES), store, "UPDATE daily_aggregates SET volume = volume + 1 WHERE ticker = 'C:NG'")


def test_streams_of_a_connection_merge(merging):
    choice = AirbyteChoice(keys={"visits": ("at",)})
    store = read_airbyte([ImportReport(FILES / "shop.airbyte.yaml")], choice).datastore
    merged(merging(SHOP), store, "UPDATE orders SET place = '{}'; DELETE FROM visits")
