"""`dagfactory model import database`: what it writes of a live database checks, and merges as it is."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa
import yaml

import config_schema
from config_schema.errors import CommandWrong
from config_schema.load import load_model
from config_schema.load.documents import structured
from config_schema.model import Consistency, Dataset, Datastore, SourceKind
from merge_jobs.catalogue import TableChoice, described, place_of_dsn
from merge_jobs.catalogue.datasets import sorted_tables
from merge_jobs.catalogue.reflected import reflected_tables
from merge_jobs.database.connections import ConnectionInfo
from tests.warm_python import run_module

TABLES = """
    CREATE TYPE mood AS ENUM ('sad', 'glad');
    CREATE DOMAIN positive AS numeric(12,2) CHECK (value > 0);
    CREATE TABLE "camelCase" (
        "orderId" bigint, line smallint, "firstName" varchar(50) NOT NULL, note text, price positive, was mood,
        moods mood[], at timestamptz(3), PRIMARY KEY ("orderId", line));
    CREATE TABLE coded (code char(3) NOT NULL, region int NOT NULL, what text);
    CREATE UNIQUE INDEX ON coded (code, region);
    CREATE UNIQUE INDEX ON coded (what);
    CREATE TABLE partly (id int NOT NULL);
    CREATE UNIQUE INDEX ON partly (id) WHERE id > 5;
    CREATE TABLE keyless (id int);
    CREATE VIEW seen AS SELECT 1 AS id;
    CREATE SCHEMA other; CREATE TABLE other.elsewhere (id int PRIMARY KEY);
    INSERT INTO "camelCase" VALUES (1, 1, 'Ada', NULL, 12.5, 'glad', '{sad,glad}', '2026-01-02 03:04:05.678+00');
    INSERT INTO coded VALUES ('abc', 1, NULL);
"""
EXAMPLES = Path(config_schema.__file__).parent / "examples"
PASSWORD = "DATASURFACE_SOURCE_PASSWORD"
UNUSABLE = "it has no primary key, and no unique index on columns that are never NULL"


@pytest.fixture
def source(new_database):
    database = new_database("described")
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute(TABLES)
    connection.close()
    return database


@pytest.fixture
def describe(source):
    """`dagfactory model import database` on that database; `password=None`: without one."""

    def run(*flags, dsn=None, password=source.password, returncode=0):
        server = source.server
        address = dsn or f"postgresql://{source.user}@{server.host}:{server.port}/{source.name}"
        environment = {"PATH": "/usr/bin:/bin", **({PASSWORD: password} if password else {})}
        done = run_module("airflow_plugin", "model", "import", "database", "--dsn", address, *flags, env=environment)
        assert "Traceback" not in done.stderr
        assert source.password not in done.stdout + done.stderr
        assert done.returncode == returncode, done.stderr
        return done

    return run


def datastore(text: str) -> Datastore:
    (said,) = yaml.safe_load(text)["datastores"]
    return structured(said, Datastore)


def test_tables_columns_types_and_keys_are_those_of_the_catalogue(describe):
    done = describe("--name=Store1", "--credential=customer-db")
    store = datastore(done.stdout)
    assert (store.name, store.source.credential, store.consistency) == (
        "Store1",
        "customer-db",
        Consistency.MULTI_DATASET,
    )
    camel, coded = store.datasets
    assert (camel.name, camel.primary_key) == ("camelCase", ("orderId", "line"))
    assert [(column.name, column.type, column.nullable) for column in camel.columns] == [
        ("orderId", "bigint", False),
        ("line", "smallint", False),
        ("firstName", "character varying(50)", False),
        ("note", "text", True),
        ("price", "numeric(12,2)", True),
        ("was", "text", True),
        ("moods", "text[]", True),
        ("at", "timestamp(3) with time zone", True),
    ]
    assert (coded.name, coded.primary_key) == ("coded", ("code", "region"))
    left_out = [line for line in done.stderr.splitlines() if line.startswith("left out")]
    assert left_out == [
        f"left out: keyless: {UNUSABLE}",
        f"left out: partly: {UNUSABLE} (partly_id_idx: it is of some rows only)",
        "left out: seen: it is a view, of which the catalogue knows no key",
    ]
    assert done.stderr.splitlines()[-1] == "2 datasets with 11 columns"


def test_what_is_written_checks_and_merges_as_it_is(describe, source, merging, tmp_path):
    out = tmp_path / "ecosystem.yaml"
    describe("--name=Store1", "--out", str(out))
    written = yaml.safe_load(out.read_text())
    whole = yaml.safe_load((EXAMPLES / "ecosystem.yaml").read_text())
    whole["datastores"] = written["datastores"]
    sinks = [{"datastore": "Store1", "dataset": name} for name in ("camelCase", "coded")]
    for group in whole["workspaces"][0]["dataset_groups"]:
        group["sinks"] = sinks
    out.write_text(yaml.safe_dump(whole))
    shutil.copy(EXAMPLES / "dsg_platform_mapping.json", tmp_path)
    store = load_model(tmp_path).ecosystem.datastores[0]

    case = merging(TABLES)
    case.datasets = store.datasets
    case.merge_both()
    case.execute("""UPDATE "camelCase" SET was = 'sad', price = 1; DELETE FROM coded""")
    case.merge_both()


def test_tables_can_be_chosen_by_pattern_and_by_schema(describe):
    assert [one.name for one in datastore(describe("--table=c*ed", "--single-dataset").stdout).datasets] == ["coded"]
    other = datastore(describe("--schema=other").stdout)
    assert (other.source.schema, [one.name for one in other.datasets]) == ("other", ["elsewhere"])


def test_tables_can_be_excluded_by_pattern(describe):
    found = datastore(describe("--exclude=camel*", "--exclude=partly", "--exclude=none_*").stdout).datasets
    assert [one.name for one in found] == ["coded"]


def test_a_dataset_in_a_comment_becomes_one_when_a_key_is_put_in(describe):
    text = describe("--name=Store1").stdout
    lines = text[text.index("# left out: seen") :].splitlines()[2:]
    filled_in = "\n".join([text, *(line.replace("# ", "", 1) for line in lines)])
    filled_in = filled_in.replace("primary_key: []", "primary_key: [id]").replace(
        "type: integer}", "type: integer, nullable: false}"
    )
    seen = datastore(filled_in).datasets[-1]
    assert (seen.name, seen.primary_key, [column.name for column in seen.columns]) == ("seen", ("id",), ["id"])


RIGHTS = """
    CREATE ROLE {reader} LOGIN PASSWORD 'secret';
    CREATE TABLE all_of_it (id int PRIMARY KEY, a text);
    CREATE TABLE some_columns (id int PRIMARY KEY, a text, hidden text);
    CREATE TABLE nothing (id int PRIMARY KEY);
    CREATE TABLE secured (id int PRIMARY KEY);
    ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
    GRANT CONNECT ON DATABASE {database} TO {reader};
    GRANT SELECT ON all_of_it, secured TO {reader};
    GRANT SELECT (id, a) ON some_columns TO {reader};
    CREATE SCHEMA closed; CREATE TABLE closed.a (id int PRIMARY KEY)
"""


def test_what_the_user_may_not_read_is_left_out_with_the_right_that_is_missing(describe, source):
    reader = f"reader_{source.name}"
    with psycopg2.connect(source.superuser_dsn) as session, session.cursor() as cursor:
        cursor.execute(RIGHTS.format(reader=reader, database=source.name))
    session.close()
    dsn = f"postgresql://{reader}@{source.server.host}:{source.server.port}/{source.name}"
    done = describe(
        "--table=all_of_it", "--table=so*", "--table=nothing", "--table=secured", dsn=dsn, password="secret"
    )
    all_of_it, some_columns = datastore(done.stdout).datasets
    assert (all_of_it.name, some_columns.name) == ("all_of_it", "some_columns")
    assert [column.name for column in some_columns.columns] == ["id", "a"]  # a batch reads these without LOCK TABLE
    assert "column 'hidden' is left out: the user has no SELECT on it" in done.stdout
    said = done.stderr
    assert "left out: nothing: the user has no SELECT on it: GRANT it to read the table" in said
    assert "left out: secured: row-level security keeps rows from this user" in said
    refused = describe("--schema=closed", dsn=dsn, password="secret", returncode=1)
    assert f"the user '{reader}' may not use the schema 'closed'" in refused.stderr


def test_an_sqlite_file_is_described_too(describe, tmp_path):
    path = tmp_path / "shop_db.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL, born DATE)")
    connection.close()
    store = datastore(describe(dsn=f"sqlite:///{path}").stdout)
    (people,) = store.datasets
    assert (store.name, store.source.credential) == ("shop_db", "shop-db")
    assert isinstance(people, Dataset)
    assert [(column.name, column.type, column.nullable) for column in people.columns] == [
        ("id", "bigint", False),
        ("name", "text", False),
        ("born", "date", True),
    ]


@pytest.mark.parametrize(
    ("flags", "options", "reported"),
    [
        (
            [],
            {"dsn": "no dsn"},
            "--dsn: this is no well-formed DSN. Write one like postgresql://user@host:5432/database",
        ),
        ([], {"dsn": "redis://secret@host/1"}, "which begins with one of postgresql"),
        ([], {"dsn": "postgresql://reader@127.0.0.1"}, "Put /database behind the host: it names no database"),
        ([], {"dsn": "postgresql://reader@127.0.0.1:1/x"}, "Start the server, or correct host and port"),
        ([], {"password": "wrong"}, "wrong user name or password"),
        (["--schema=nowhere"], {}, "--schema: there is no schema 'nowhere'"),
        (["--table=nope"], {}, "--table: there is no table 'nope'"),
        (["--table=keyless"], {}, "there is no table with a usable key"),
        (["--out=/"], {}, "--out: '/' exists already"),
    ],
)
def test_what_cannot_be_described_is_an_error_that_says_what_to_do(describe, flags, options, reported):
    done = describe(*flags, **options, returncode=1)
    assert reported in done.stderr
    assert done.stdout == ""
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"choice": TableChoice(("c*ed", "camelcase"))}, "--table: there is no table 'camelcase'"),
        ({"choice": TableChoice(("camelcase",))}, "Did you mean 'camelCase'?"),
        ({"choice": TableChoice(excluded=("nope",))}, "--exclude: there is no table 'nope'"),
        ({"choice": TableChoice(excluded=("*",))}, "no table matches the options"),
        ({"choice": TableChoice(("seen",))}, "seen: it is a view"),
        ({"name": "a b"}, "--name: datastores[0].name: 'a b'"),
        ({"credential": "A_b"}, "--credential: datastores[0].source.credential: 'A_b'"),
    ],
)
def test_a_wrong_choice_is_an_error_that_names_its_flag(source, changed, expected):
    place = ConnectionInfo(source.server.host, source.server.port, source.name, "public", source.user, source.password)
    asked = {"name": "Store1", "credential": "secret", "consistency": Consistency.MULTI_DATASET, **changed}
    with pytest.raises(CommandWrong) as caught:
        described(place, **asked)
    assert expected in str(caught.value)


def test_a_database_that_only_its_dialect_knows_is_described_by_what_that_reflects(tmp_path):
    """SQL Server and Oracle, for which SQLite stands in here."""
    path = tmp_path / "file.db"
    with sqlite3.connect(path) as connection:
        connection.executescript("""
            CREATE TABLE a (id INTEGER NOT NULL PRIMARY KEY, b VARCHAR(5));
            CREATE TABLE u (id INTEGER NOT NULL, b INTEGER, c INTEGER NOT NULL);
            CREATE UNIQUE INDEX u_id ON u (id) WHERE b > 1; CREATE UNIQUE INDEX u_b ON u (b);
            CREATE UNIQUE INDEX u_c ON u (c);
            CREATE TABLE n (id INTEGER UNIQUE); CREATE VIEW v AS SELECT * FROM a; CREATE VIEW w AS SELECT * FROM a;
            DROP TABLE a; CREATE TABLE a (id INTEGER NOT NULL PRIMARY KEY)""")
        connection.execute("CREATE VIEW broken AS SELECT x FROM u")
    connection.close()
    place = ConnectionInfo("h", 0, str(path), "public", "", "", SourceKind.SQLITE)
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as session:
        tables = {one.name: one for one in reflected_tables(session, place)}
    engine.dispose()
    found = sorted_tables(tables.values(), ())
    assert {one.name: one.primary_key for one in found.datasets} == {"a": ("id",), "u": ("c",)}
    assert {one.table for one in found.left_out} == {"broken", "n", "v", "w"}
    assert tables["broken"].left_out == "its definition cannot be read (OperationalError)"


def test_a_path_of_sqlite_is_taken_as_it_is_and_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a?b=c.db", "100%25#.db", "a b.db"):
        with sqlite3.connect(tmp_path / name) as connection:
            connection.execute("CREATE TABLE a (id INTEGER PRIMARY KEY)")
        connection.close()
        place = place_of_dsn(f"sqlite:///{name}", "public", None)
        assert place.database == str(tmp_path / name)
        assert described(place, "Store1", "s", Consistency.MULTI_DATASET).datastore.source.database == place.database
    assert len(list(tmp_path.iterdir())) == 3  # no other file was made
