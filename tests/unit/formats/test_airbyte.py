"""Airbyte's connections: what the model takes of them, and what is reported; a password is never read or shown."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_plugin.formats.airbyte import AirbyteChoice, read_airbyte
from airflow_plugin.formats.draft import NothingToImport, SourceNotReadable, database_of_dsn
from airflow_plugin.formats.parts import ImportReport
from config_schema.errors import ProblemsFound, UnknownName
from config_schema.load.model_yaml import load
from config_schema.model import Column, Database, Datastore, SourceKind
from config_schema.tls import Tls
from tests.unit.formats.documents import mappings

SHOP = Path(__file__).parent / "files" / "shop.airbyte.yaml"
ORDERS = {"name": "orders", "json_schema": {"type": "object", "properties": {"id": {"type": "integer"}}}}
CATALOGUE = {"streams": [{"stream": ORDERS, "sync_mode": "full_refresh", "primary_key": [["id"]]}]}
DSN = AirbyteChoice(source=database_of_dsn("mysql://h/shop", None))


def imported(file: Path, choice: AirbyteChoice | None = None) -> tuple[Datastore, dict[str, str]]:
    """The datastore of a file, and the text of each note by its line and path."""
    reports = [ImportReport(file)]
    store = read_airbyte(reports, choice or AirbyteChoice()).datastore
    notes = [note for report in reports for note in report.noted()]
    return store, {f"{one.line} {one.path}": f"{one.what}. {one.todo}" for one in notes}


def written(folder: Path, document: Any, name: str = "connection.json") -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(document, indent="\t") if name.endswith("json") else yaml.safe_dump(document))
    return folder / name


def test_source_streams_columns_and_keys_are_in_the_model():
    store, _ = imported(SHOP, AirbyteChoice(name="Shop", keys={"visits": ("at",)}))
    assert store.source == Database("pg-shop", "shop", "shop", 5433, "sales", tls=Tls.VERIFY_FULL)
    orders, visits = store.datasets
    assert (orders.name, orders.primary_key) == ("orders", ("id", "line"))
    assert orders.columns == (
        Column("id", "bigint", False),
        Column("line", "bigint", False),
        Column("at", "timestamp with time zone"),
        Column("total", "numeric"),
        Column("place", "jsonb"),
        Column("odd", "jsonb"),
    )
    assert (visits.name, visits.table, visits.primary_key) == ("all_visits", "visits", ("at",))


def test_the_rest_is_reported_with_its_place():
    _, notes = imported(SHOP, AirbyteChoice(keys={"visits": ("at",)}))
    source, streams = "source.connectionConfiguration", "syncCatalog.streams"
    assert list(notes) == [
        "2 name",
        *("3 connectionId", "4 sourceId", "5 destinationId", "6 namespaceDefinition", "7 prefix", "8 status"),
        *("10 scheduleData", "16 source.sourceId"),
        *(f"22 {source}.schemas", f"23 {source}.username", f"24 {source}.password"),
        *(f"25 {source}.ssl_mode.ca_certificate", f"26 {source}.replication_method", f"27 {source}.tunnel_method"),
        f"41 {streams}[0].stream.jsonSchema.properties.place.properties",
        f"42 {streams}[0].stream.jsonSchema.properties.odd",
        f"48 {streams}[0].config.cursorField",
        f"63 {streams}[1].config.destinationSyncMode",
        *(f"64 {streams}[2]", f"66 {streams}[3]"),
    ]
    assert "Write schedule: '30 5 * * *', timezone: Europe/Zurich" in notes["10 scheduleData"]
    assert "retention: forensic" in notes[f"63 {streams}[1].config.destinationSyncMode"]


def test_nothing_of_a_source_s_configuration_is_shown(tmp_path):
    text = SHOP.read_text().replace("username: airbyte", "username: airbyte\n    passphrase_of_ours: geheim-17")
    (tmp_path / "c.yaml").write_text(text)
    _, notes = imported(tmp_path / "c.yaml", AirbyteChoice(keys={"visits": ("at",)}))
    assert "24 source.connectionConfiguration.passphrase_of_ours" in notes
    assert not [note for note in notes.values() if "geheim" in note or "BEGIN" in note]


def test_octavia_keeps_the_source_in_a_file_of_its_own(tmp_path):
    source = {
        "resource_name": "shop",
        "definition_type": "source",
        "definition_image": "airbyte/source-mysql",
        "configuration": {"host": "my-shop", "port": 3307, "database": "shop", "password": "${PASSWORD}"},
    }
    connection = {
        "resource_name": "shop_to_lake",
        "definition_type": "connection",
        "source_configuration_path": "sources/shop/configuration.yaml",
        "configuration": {
            "schedule_type": "basic",
            "schedule_data": {"basic_schedule": {"time_unit": "hours", "units": 6}},
            "sync_catalog": {"streams": [{"stream": ORDERS, "config": {"primary_key": [["id"]], "selected": True}}]},
        },
    }
    written(tmp_path, source, "sources/shop/configuration.yaml")
    file = written(tmp_path, connection, "connections/shop_to_lake/configuration.yaml")
    store, notes = imported(file)
    assert (store.name, store.source) == (
        "shop_to_lake",
        Database("my-shop", "shop", "shop", 3307, kind=SourceKind.MYSQL),
    )
    assert [note for note in notes.values() if "schedule: '0 */6 * * *'" in note]
    (tmp_path / "sources" / "shop" / "configuration.yaml").unlink()
    with pytest.raises(SourceNotReadable, match="does not say which database it reads"):
        imported(file)
    # A connection of others does not choose among all files of the machine.
    written(tmp_path, source, "out/configuration.yaml")
    (tmp_path / "octavia").mkdir()
    (tmp_path / "octavia" / "link").symlink_to(tmp_path / "out")
    written(tmp_path, source, "octavia/other/configuration.yaml")
    (tmp_path / "octavia" / "sources").symlink_to(tmp_path / "out")
    for path in (
        "../../etc/passwd",
        "out/configuration.yaml",
        "link/configuration.yaml",
        str(tmp_path / "out"),
        "other/configuration.yaml",
        "sources/../other/configuration.yaml",
        "sources/configuration.yaml",
    ):
        connection["source_configuration_path"] = path
        with pytest.raises(SourceNotReadable, match="does not say which database it reads"):
            imported(written(tmp_path, connection, "octavia/connections/shop_to_lake/configuration.yaml"))


def test_a_connection_that_is_in_no_project_names_no_file(tmp_path):
    """In a folder of downloads, say, the folders above are a person's own."""
    source = {"definition_image": "airbyte/source-mysql", "configuration": {"host": "geheim", "database": "geheim"}}
    connection = {"name": "x", "syncCatalog": CATALOGUE, "source_configuration_path": "sources/configuration.yaml"}
    written(tmp_path, source, "sources/configuration.yaml")
    for place in ("connection.yaml", "downloads/connection.yaml", "a/b/connection.yaml"):
        file = written(tmp_path, connection, place)
        with pytest.raises(SourceNotReadable, match="does not say which database it reads"):
            imported(file)


def test_a_configured_catalogue_needs_a_database(tmp_path):
    file = written(tmp_path, CATALOGUE)
    with pytest.raises(SourceNotReadable, match="--dsn"):
        imported(file)
    store, notes = imported(file, DSN)
    assert (store.name, store.source.kind, store.datasets[0].primary_key) == ("shop", SourceKind.MYSQL, ("id",))
    assert notes == {}


def test_a_source_that_is_no_database_is_refused(tmp_path):
    document = {
        "name": "x",
        "source": {"sourceName": "Stripe", "connectionConfiguration": {}},
        "syncCatalog": CATALOGUE,
    }
    with pytest.raises(SourceNotReadable, match="the source 'Stripe'.*that database by --dsn"):  # noqa: RUF043
        imported(written(tmp_path, document))
    store, notes = imported(written(tmp_path, document), DSN)
    assert store.name == "x"
    assert "3 source" in notes


@pytest.mark.parametrize(
    ("data", "schedule"),
    [
        ({"basicSchedule": {"timeUnit": "minutes", "units": 15}}, "'*/15 * * * *'"),
        ({"basicSchedule": {"timeUnit": "hours", "units": 24}}, "'0 0 * * *'"),
        ({"basicSchedule": {"timeUnit": "hours", "units": 7}}, "a schedule in cron's five fields"),
        ({"cron": {"cronExpression": "0 0 12 ? * MON 2026"}}, "'0 12 * * MON'"),
    ],
)
def test_a_schedule_is_reported_as_a_platform_would_have_it(data, schedule, tmp_path):
    _, notes = imported(written(tmp_path, {"scheduleData": data, "syncCatalog": CATALOGUE}), DSN)
    assert schedule in notes["2 scheduleData"]


def test_streams_without_columns_say_where_to_get_them(tmp_path):
    document = {"name": "x", "syncCatalog": {"streams": [{"name": "orders", "primaryKey": [["id"]]}]}}
    reports = [ImportReport(written(tmp_path, document))]
    with pytest.raises(NothingToImport):
        read_airbyte(reports, DSN)
    assert "Run dagfactory model import database" in reports[0].noted()[0].what


def test_a_key_inside_a_column_is_asked_for(tmp_path):
    document = copy.deepcopy(CATALOGUE)
    document["streams"][0]["primary_key"] = [["place", "id"]]
    reports = [ImportReport(written(tmp_path, document))]
    with pytest.raises(NothingToImport):
        read_airbyte(reports, DSN)
    assert "its key is inside a column" in [note.what for note in reports[0].noted()]
    store, _ = imported(reports[0].file, AirbyteChoice(source=DSN.source, keys={"orders": ("id",)}))
    assert store.datasets[0].primary_key == ("id",)
    with pytest.raises(UnknownName):
        imported(reports[0].file, AirbyteChoice(source=DSN.source, keys={"order": ("id",)}))


BAD = {
    "no connection": ({"name": "x"}, "syncCatalog.streams", "the key is missing"),
    "streams are no list": ({"syncCatalog": {"streams": 1}}, "syncCatalog.streams", "is not a list"),
    "a stream without a name": ({"streams": [{"stream": {}}]}, "streams[0].stream.name", "the key is missing"),
    "a key that is no path": (
        {"streams": [{"stream": ORDERS, "primary_key": ["id"]}]},
        "streams[0].primary_key[0]",
        "is not a list",
    ),
    "a port that is a text": (
        {
            "source": {"sourceName": "MySQL", "connectionConfiguration": {"host": "h", "database": "d", "port": "x"}},
            "syncCatalog": CATALOGUE,
        },
        "source.connectionConfiguration.port",
        "is not an integer",
    ),
    "no host": (
        {"source": {"sourceName": "MySQL", "connectionConfiguration": {"database": "d"}}, "syncCatalog": CATALOGUE},
        "source.connectionConfiguration.host",
        "the key is missing",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_file_is_one_problem_with_its_place(name, tmp_path):
    document, path, what = BAD[name]
    with pytest.raises(ProblemsFound) as caught:
        imported(written(tmp_path, document), None if "source" in document else DSN)
    (problem,) = caught.value.problems
    assert problem.path == path
    assert what in problem.what


def test_a_file_that_is_not_json_is_refused_with_its_line(tmp_path):
    (tmp_path / "c.json").write_text('{\n"name": }')
    with pytest.raises(ProblemsFound, match=r"c.json:2: not JSON"):
        imported(tmp_path / "c.json")


def test_a_key_that_nobody_knows_is_reported_wherever_it_stands(tmp_path):
    whole = load(SHOP.read_text(), {})
    choice = AirbyteChoice(keys={"visits": ("at",)})
    before = {place.split()[1] for place in imported(SHOP, choice)[1]}
    for path, _ in list(mappings(whole, "")):
        if path.endswith(".properties"):
            continue  # whatever stands there is a column
        changed = copy.deepcopy(whole)
        dict(mappings(changed, ""))[path]["notKnown"] = 1
        after = {place.split()[1] for place in imported(written(tmp_path, changed), choice)[1]}
        inside = any(path == place or path.startswith((f"{place}.", f"{place}[")) for place in before)
        assert f"{path}.notKnown".strip(".") in after - before or inside, path
