"""Whole schemas through the command line: describe, validate, merge, and every value compared with the producer's."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2 import sql

from config_schema import names
from config_schema.load import load_model
from config_schema.model import Dataset, SourceKind
from tests.database.merge.producers import MariaProducer
from tests.warm_python import run_module

SCHEMAS = Path(__file__).with_name("schemas")
FTS_TABLES = ("config", "content", "data", "docsize", "idx")
ECOSYSTEM = """
name: Described
platforms:
  - {name: Live, milestoning: live, namespace: ns, image: job, model: {url: "file:///model"},
     merge_store: {host: localhost, database: store, credential: store}}
datastores: []
"""


@dataclass
class Shop:
    """A producer whose catalogue becomes a model, and a merge store for what the model has."""

    kind: SourceKind
    dsn: str
    login: dict[str, str]
    producer: Any  # a function that connects to it
    store: Any
    folder: Path
    superuser_dsn: str = ""

    def describe(self, *flags: str, returncode: int = 0) -> subprocess.CompletedProcess[str]:
        out = self.folder / "ecosystem" / "shop.yaml"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.unlink(missing_ok=True)
        (self.folder / "ecosystem.yaml").write_text(ECOSYSTEM)
        (self.folder / "dsg_platform_mapping.json").write_text("[]")
        arguments = ["--dsn", self.dsn, "--name=Shop", "--credential=shop", "--out", str(out), *flags]
        return self.command("merge_jobs", "describe", *arguments, returncode=returncode)

    def merge(self, dataset: str | None = None, returncode: int = 0) -> subprocess.CompletedProcess[str]:
        server = self.store.server
        place = [f"--postgres-host={server.host}", f"--postgres-port={server.port}"]
        place += [f"--postgres-database={self.store.name}"]
        place += [] if dataset is None else ["--dataset", dataset]
        run = f"run-{os.urandom(4).hex()}"
        model = ["--platform=Live", "--store=Shop", f"--model={self.folder}", f"--run-id={run}"]
        return self.command("merge_jobs", "merge", *model, *place, returncode=returncode)

    def command(self, package: str, *arguments: str, returncode: int = 0) -> subprocess.CompletedProcess[str]:
        secrets = {"STORE_USERNAME": self.store.user, "STORE_PASSWORD": self.store.password, **self.login}
        source = {"DATASURFACE_SOURCE_PASSWORD": self.login.get("SHOP_PASSWORD", "")}
        done = run_module(package, *arguments, env={"PATH": os.environ["PATH"], **source, **secrets})
        assert done.returncode == returncode, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def query(self, statement: str) -> Any:
        with closing(self.producer()) as session, closing(session.cursor()) as cursor:
            cursor.execute(statement)
            return cursor.fetchone()[0]

    @property
    def text(self) -> str:
        return (self.folder / "ecosystem" / "shop.yaml").read_text("utf-8")

    @property
    def datasets(self) -> dict[str, Dataset]:
        (store,) = load_model(self.folder).ecosystem.datastores
        return {one.source_table: one for one in store.datasets}

    def left_out(self) -> dict[str, str]:
        """What comments in the model say, by table."""
        said = [line.strip().removeprefix("# left out: ") for line in self.text.splitlines() if "# left out: " in line]
        return {table: why for table, _, why in (line.partition(": ") for line in said)}

    def merged(self, dataset: Dataset) -> list[tuple[Any, ...]]:
        """The rows of the merge table, as plain values."""
        columns = [
            sql.SQL("{}::text").format(sql.Identifier(column.name))
            if self.kind is SourceKind.POSTGRESQL or column.type.startswith("character(")
            else sql.Identifier(column.name)
            for column in dataset.columns
        ]
        table = sql.Identifier(names.merge_table("live", "Shop", dataset.name))
        with closing(self.store.connect()) as session, session.cursor() as cursor:
            cursor.execute("SET TimeZone = 'UTC'; SET extra_float_digits = 3; SET lc_monetary = 'C'")
            cursor.execute(sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(columns), table))
            return sorted((tuple(map(neutral, row)) for row in cursor), key=repr)

    def truth(self, dataset: Dataset, instead: dict[str, str]) -> list[tuple[Any, ...]]:
        """The rows of the producer's table, in the words of its own driver; some columns by another expression."""
        quote = "`" if self.kind is SourceKind.MYSQL else '"'
        cast = "::text" if self.kind is SourceKind.POSTGRESQL else ""
        quoted = [quote + column.name.replace(quote, quote * 2) + quote for column in dataset.columns]
        wanted = [instead.get(c.name, of + cast) for c, of in zip(dataset.columns, quoted, strict=True)]
        table = quote + dataset.source_table.replace(quote, quote * 2) + quote
        with closing(self.producer()) as session, closing(session.cursor()) as cursor:
            if self.kind is SourceKind.POSTGRESQL:
                cursor.execute("SET TimeZone = 'UTC'; SET extra_float_digits = 3; SET lc_monetary = 'C'")
            elif self.kind is SourceKind.MYSQL:
                cursor.execute("SET time_zone = '+00:00'")
            cursor.execute(f"SELECT {', '.join(wanted)} FROM {table}")
            texts = {k for k, column in enumerate(dataset.columns) if column.type == "text"}
            rows = [[as_text(v) if k in texts else v for k, v in enumerate(row)] for row in cursor.fetchall()]
            return sorted((tuple(map(neutral, row)) for row in rows), key=repr)

    def check_values(self, instead: dict[tuple[str, str], str] | None = None) -> None:
        for table, dataset in self.datasets.items():
            others = {column: of for (of_table, column), of in (instead or {}).items() if of_table == table}
            truth = self.truth(dataset, others)
            assert truth, f"{table} has no rows to compare"
            assert self.merged(dataset) == truth, table


def neutral(value: Any) -> Any:
    """A value as one that both drivers have."""
    if isinstance(value, memoryview | bytearray | bytes):
        return bytes(value)
    if isinstance(value, bool | int | float):
        return format(Decimal(repr(float(value)) if isinstance(value, float) else int(value)).normalize(), "f")
    if isinstance(value, Decimal):
        return format(value.normalize(), "f") if value else "0"
    if isinstance(value, datetime):
        value = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        text = value.isoformat(sep=" ")
        return text.rstrip("0") if value.microsecond else text
    return value.isoformat() if isinstance(value, date) else str(value) if hasattr(value, "tzinfo") else value


def as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) else value


@pytest.fixture
def store(new_database):
    return new_database("store")


@pytest.fixture
def rentals(new_database, store, tmp_path):
    """The schema on PostgreSQL."""
    source = new_database("rentals")
    address = f"postgresql://{source.user}@{source.server.host}:{source.server.port}/{source.name}"
    login = {"SHOP_USERNAME": source.user, "SHOP_PASSWORD": source.password}
    made = Shop(SourceKind.POSTGRESQL, address, login, source.connect, store, tmp_path / "model", source.superuser_dsn)
    with closing(source.connect()) as session, session, session.cursor() as cursor:
        cursor.execute((SCHEMAS / "rentals_postgresql.sql").read_text("utf-8"))
    return made


@pytest.fixture
def file_shop(store, tmp_path):
    """The schema in a file of SQLite."""
    path = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript((SCHEMAS / "rentals_sqlite.sql").read_text("utf-8"))
    return Shop(SourceKind.SQLITE, f"sqlite:///{path}", {}, lambda: sqlite3.connect(path), store, tmp_path / "model")


@pytest.fixture
def maria_shop(maria, store, tmp_path):
    """The schema on MariaDB."""
    made = MariaProducer(maria, f"shop_{os.urandom(3).hex()}")
    with closing(made.connect(database="mysql")) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {made.name} CHARACTER SET utf8mb4")
    with closing(made.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET time_zone = '+00:00'")
        for statement in re.split(
            r";\n", re.sub("^--.*$", "", (SCHEMAS / "rentals_mariadb.sql").read_text("utf-8"), flags=re.M)
        ):
            cursor.execute(statement)
        connection.commit()
    dsn = f"mysql://producer@127.0.0.1:{maria}/{made.name}"
    login = {"SHOP_USERNAME": "producer", "SHOP_PASSWORD": "geheim"}
    return Shop(SourceKind.MYSQL, dsn, login, made.connect, store, tmp_path / "model")


def columns(dataset: Dataset) -> dict[str, str]:
    return {column.name: column.type for column in dataset.columns}


def test_a_schema_of_postgresql_keeps_every_value(rentals):
    rentals.describe()
    rentals.command("airflow_plugin", "validate", str(rentals.folder))
    rentals.merge()
    rentals.check_values()
    found = rentals.datasets
    assert {name: found[name].primary_key for name in ("payment", "user", "swapped", "both_unique", "capital")} == {
        "payment": ("paid", "payment_id"),
        "user": ("name",),  # its other unique index is of a column that may be NULL
        "swapped": ("id",),
        "both_unique": ("code",),
        "capital": ("name",),
    }
    # What would share a table with the staged row map of film, and what no stream's row can name.
    assert (found["film_map"].name, found["UPPER,comma"].name) == ("film_map_359f00ff", "UPPER_comma")
    said = rentals.left_out()
    assert {name for name in said if name.startswith("payment")} == {
        "payment_2025", "payment_2025_0", "payment_2025_1", "payment_rest"
    }  # fmt: skip
    assert said["payment_2025_0"] == "it is a partition of public.payment_2025, with which its rows are read"
    assert said["film_list"] == "it is a view, of which the catalogue knows no key"
    assert said["film_count"] == "it is a materialised view, of which the catalogue knows no key"
    assert "only_here: it is of some rows only" in said["k_partial"]
    assert "lowered: it is of expressions" in said["k_expression"]
    assert "NULL is allowed in 'id'" in said["k_nullable"]
    assert "rows of tables that inherit from this one" in said["place"]
    assert said["k_excluded"].startswith("it has no primary key")
    assert "'ds_valid_to' is a column that versions of rows have of ours" in said["k_reserved"]
    assert "column 'ds_batch_in' is left out" in rentals.text
    assert r"column 'new\nline' is left out" in rentals.text


NEWER = """
    CREATE EXTENSION btree_gist;
    CREATE TABLE temporal (id int, during daterange, v text, PRIMARY KEY (id, during WITHOUT OVERLAPS));
    CREATE TABLE not_distinct (id int, b int NOT NULL, UNIQUE NULLS NOT DISTINCT (id, b));
    CREATE TABLE computed (id int PRIMARY KEY DEFERRABLE, a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL);
    CREATE TABLE not_validated (id int UNIQUE);
    INSERT INTO not_validated VALUES (NULL);
    ALTER TABLE not_validated ADD CONSTRAINT filled NOT NULL id NOT VALID;
    CREATE TABLE validated (id int UNIQUE);
    ALTER TABLE validated ADD CONSTRAINT filled NOT NULL id NOT VALID;
    ALTER TABLE validated VALIDATE CONSTRAINT filled;
    INSERT INTO temporal VALUES (1, '[2026-01-01,2026-02-01)', 'a'), (1, '[2026-02-01,2026-03-01)', 'b');
    INSERT INTO not_distinct VALUES (NULL, 1); INSERT INTO computed VALUES (1, 3); INSERT INTO validated VALUES (1);
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user}
"""


def test_keys_of_postgresql_18_are_known(rentals, store):
    if int(rentals.query("SHOW server_version_num")) < 180000:
        pytest.skip("WITHOUT OVERLAPS and NOT NULL NOT VALID came with PostgreSQL 18")
    with psycopg2.connect(rentals.superuser_dsn) as session, session.cursor() as cursor:
        cursor.execute(NEWER.format(user=rentals.login["SHOP_USERNAME"]))
    session.close()
    rentals.describe(*(f"--table={name}" for name in ("temporal", "not_*", "computed", "validated")))
    rentals.merge()
    rentals.check_values()
    keys = {name: one.primary_key for name, one in rentals.datasets.items()}
    assert keys == {"temporal": ("id", "during"), "computed": ("id",), "validated": ("id",)}
    assert set(rentals.left_out()) == {"not_distinct", "not_validated"}


def test_a_stream_for_each_table_takes_tables_of_any_name(rentals):
    rentals.describe("--single-dataset", "--table=Order Details", "--table=Größen*_2", '--table=quote"d *')
    rentals.command("airflow_plugin", "validate", str(rentals.folder))
    found = rentals.datasets
    assert {one.name for one in found.values()} == {
        "Order_Details", "Gro_entabelle_mit_einem_sehr_langen_Namen_63_Bytes_aou___2", "quote_d_s_x"
    }  # fmt: skip
    for dataset in found.values():
        rentals.merge(dataset.name)
    rentals.check_values()


def test_a_file_of_sqlite_keeps_every_value(file_shop):
    file_shop.describe()
    file_shop.command("airflow_plugin", "validate", str(file_shop.folder))
    file_shop.merge()
    file_shop.check_values()
    found = file_shop.datasets
    assert {name: found[name].primary_key for name in ("Order Details", "coded", "customers", "exact")} == {
        "Order Details": ("OrderID", "ProductID"),
        "coded": ("code",),
        "customers": ("CustomerID",),
        "exact": ("id",),
    }
    assert "# customers: the primary key of this table may be NULL in SQLite" in file_shop.text
    assert "# descending: the primary key of this table may be NULL in SQLite" in file_shop.text
    assert "# artist: " not in file_shop.text
    # A name that SQLite does not know binds nothing: its columns are numeric, and hold texts.
    assert (columns(found["customers"])["é"], columns(found["untyped"])["odd"]) == ("text", "text")
    said = file_shop.left_out()
    assert {name for name in said if name.startswith("pages")} == {"pages", *(f"pages_{k}" for k in FTS_TABLES)}
    assert "only_here: it is of some rows only" in said["k_partial"]
    assert "lowered: it is of expressions" in said["k_expression"]
    assert "NULL is allowed in 'id'" in said["k_nullable"]
    assert said["artists"] == "it is a view, of which the catalogue knows no key"
    assert "artists" not in found
    assert "k_none" in said


def test_a_null_in_a_primary_key_of_sqlite_is_refused(file_shop):
    with closing(file_shop.producer()) as connection, connection:
        connection.execute("INSERT INTO customers (CustomerID) VALUES (NULL)")
    file_shop.describe("--table=customers")
    failed = file_shop.merge(returncode=1)
    assert "CustomerID" in failed.stdout


def test_a_schema_of_mariadb_keeps_every_value(maria_shop):
    maria_shop.describe()
    maria_shop.command("airflow_plugin", "validate", str(maria_shop.folder))
    maria_shop.merge()
    bits = {("all_types", "i"): "LPAD(BIN(i), 1, '0')", ("all_types", "j"): "LPAD(BIN(j), 64, '0')"}
    maria_shop.check_values(bits | {("all_types", "g"): "CAST(g AS DOUBLE)"})
    found, said = maria_shop.datasets, maria_shop.left_out()
    assert found["both_unique"].primary_key == ("code",)
    assert found["prefixed"].primary_key == ("name",)
    assert "# prefixed: the source's key is of the first characters of 'name'" in maria_shop.text
    assert said["k_myisam"] == "its engine MyISAM knows no snapshot: convert it to InnoDB"
    assert said["k_memory"] == "its engine MEMORY knows no snapshot: convert it to InnoDB"
    assert said["film_list"] == "it is a view, of which the catalogue knows no key"
    assert "NULL is allowed in 'id'" in said["k_nullable"]
    assert "k_none" in said
    assert said["k_numbers"] == "it is a sequence, no table"


def test_what_a_user_of_mariadb_may_not_read_is_left_out(maria_shop, maria):
    with closing(maria_shop.producer()) as session, session.cursor() as cursor:
        cursor.execute("DROP USER IF EXISTS reader@'127.0.0.1'")
        cursor.execute("CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'geheim'")
        cursor.execute("GRANT SELECT ON both_unique TO reader@'127.0.0.1'")
        cursor.execute("GRANT SELECT (film_id, title), INSERT ON film TO reader@'127.0.0.1'")
        cursor.execute("GRANT INSERT ON hidden TO reader@'127.0.0.1'")
    maria_shop.dsn = maria_shop.dsn.replace("producer@", "reader@")
    maria_shop.login["SHOP_USERNAME"] = "reader"
    maria_shop.describe()
    maria_shop.merge()
    maria_shop.check_values()
    assert set(maria_shop.datasets) == {"both_unique", "film"}
    assert list(columns(maria_shop.datasets["film"])) == ["film_id", "title"]
    assert "column 'rating' is left out: the user has no SELECT on it" in maria_shop.text
    assert set(maria_shop.left_out()) == {"hidden"}
