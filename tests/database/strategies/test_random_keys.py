"""Random histories over kinds of keys, encodings, kinds of tables, strategies and server versions; the laws hold.

A few with every run of the tests; DAGFACTORY_TEST_HISTORIES says how many, DAGFACTORY_TEST_SEED which is the first.
A history is made of its number alone: a failure names the number to run it again.
"""

from __future__ import annotations

import contextlib
import os
import random
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

from airflow_plugin.demo.postgres import EmbeddedPostgres
from config_schema.model import Column, Consistency, Dataset, Milestoning
from merge_jobs.errors import MapWrong
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.tables import DatasetTables
from merge_jobs.strategies.selection import StrategyOption
from tests.conftest import FreshDatabase, binaries
from tests.database.conftest import Merging, check_history, counts_between
from tests.server_folder import server_folder

HISTORIES = int(os.environ.get("DAGFACTORY_TEST_HISTORIES", "14"))
FIRST = int(os.environ.get("DAGFACTORY_TEST_SEED", "0"))
AT_ONCE = 7
ENCODINGS = ("UTF8", "LATIN1", "SQL_ASCII")
RELATIONS = ("table", "view", "foreign table", "materialized view")
# The type in the source, that of the model, and a key made of a number.
KEYS = [
    ("integer", "numeric(10,2)", "%s"),
    ("integer", "text", "%s - 20"),
    ("bigint", "bigint", "%s * 10000000000"),
    ("numeric", "numeric(12,4)", "%s * 1.10"),
    ("text", "text", "'Müller, \"' || %s || E'\\\\\\t\\n('''"),
    ("text", "char(14)", "'ß' || %s"),
    ("char(14)", "text", "'é' || %s"),
    ("bpchar", "text", "'b' || %s"),
    ("varchar(30)", "text", "repeat('ü', %s %% 7) || %s"),
    ("name", "text", "'n' || %s"),
    ("uuid", "uuid", "md5(%s::text)::uuid"),
    ("uuid", "text", "md5(%s::text)::uuid"),
    ("timestamp", "timestamp(0)", "'2026-03-29'::timestamp + %s * interval '1 s'"),
    ("timestamptz", "timestamptz", "'2026-03-29 00:00Z'::timestamptz + %s * interval '17 min'"),
    ("timestamp", "timestamptz", "'2026-03-29'::timestamp + %s * interval '17 min'"),
    ("date", "timestamp", "'0044-03-15 BC'::date + %s"),
    ("double precision", "double precision", "%s / 3.0"),
    ("real", "double precision", "%s / 8.0"),
    ("bytea", "bytea", "decode(lpad(to_hex(%s), 6, '0'), 'hex')"),
    ("inet", "text", "'10.0.0.0'::inet + %s"),
    ("interval", "interval", "%s * interval '1 h'"),
    ("oid", "bigint", "4000000000 + %s"),
    ("kind", "text", "('k' || %s)::kind"),
    ("code", "varchar(9)", "'c' || %s"),
    ("bit(8)", "bit(8)", "%s::int::bit(8)"),
    ("jsonb", "jsonb", "jsonb_build_object('ä', %s)"),
]
MOST = 60  # numbers of keys
TEXTS = ["''", "NULL", "'x'", "'X'", "'x  '", "E'\\\\N'", "E'a\\tb\\n'", "'Größe'", "'(,\"'", "repeat('y', 5000)"]
NUMBERS = ["NULL", "1.0", "1.00", "'NaN'", "-1e-20", "12345678901234567890.5"]
FLOATS = ["NULL", "0.1", "0.1::float8 + 2e-17::float8", "0", "'-0'", "'NaN'", "1e300"]
ROLES = f"""
    CREATE TYPE kind AS ENUM ({", ".join(f"'k{n}'" for n in range(MOST))}); CREATE DOMAIN code AS varchar(9);
"""


class Utf8Database(FreshDatabase):
    """A database whose encoding is not that of its sessions."""

    def connect(self) -> psycopg2.extensions.connection:
        return psycopg2.connect(self.dsn, client_encoding="UTF8")


@dataclass(frozen=True)
class Servers:
    """Databases to read from by encoding and version, and to merge into by version."""

    sources: dict[tuple[str, int], FreshDatabase]
    stores: dict[int, FreshDatabase]


@pytest.fixture(scope="module")
def servers(postgres):
    with contextlib.ExitStack() as stack:
        running = [postgres]
        other = system_binaries()
        if other is not None:
            folder = stack.enter_context(server_folder())
            older = EmbeddedPostgres(folder / "server", options={"fsync": "off"}, binaries=other)
            running.append(stack.enter_context(older))
        sources = {
            (encoding, k): source(server, encoding) for k, server in enumerate(running) for encoding in ENCODINGS
        }
        yield Servers(sources, {k: database(server, "keys_store", "UTF8") for k, server in enumerate(running)})


def system_binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("1[5-9]/bin/initdb"))
    return found[0].parent if found and binaries() is None else None


def database(server, name, encoding) -> FreshDatabase:
    name = f"{name}_{encoding.lower()}_{os.urandom(2).hex()}"
    server.create_role(name, "word")
    with closing(psycopg2.connect(server.dsn())) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(
            sql.SQL("CREATE DATABASE {0} OWNER {0} TEMPLATE template0 ENCODING {1} LOCALE 'C'").format(
                sql.Identifier(name), sql.Literal(encoding)
            )
        )
    return Utf8Database(server, name, name, "word")


def source(server, encoding) -> FreshDatabase:
    made = database(server, "keys", encoding)
    with closing(psycopg2.connect(made.dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(ROLES)
    with closing(psycopg2.connect(made.superuser_dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            f"""CREATE EXTENSION postgres_fdw;
                CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw
                    OPTIONS (host '{server.host}', port '{server.port}', dbname '{made.name}');
                CREATE USER MAPPING FOR {made.user} SERVER here OPTIONS (user '{made.user}', password 'word');
                GRANT USAGE ON FOREIGN SERVER here TO {made.user}"""
        )
    return made


@pytest.mark.parametrize("first", range(FIRST, FIRST + HISTORIES, AT_ONCE))
def test_the_laws_hold(servers, first):
    for number in range(first, min(first + AT_ONCE, FIRST + HISTORIES)):
        history = History(servers, number)
        try:
            history.run()
        except BaseException as error:
            error.add_note(f"DAGFACTORY_TEST_SEED={number} DAGFACTORY_TEST_HISTORIES=1: {history}")
            raise


class History:
    """A dataset that changes in rounds; its number decides all of it."""

    def __init__(self, servers: Servers, number: int) -> None:
        self.random = choose = random.Random(number)
        (self.encoding, self.version), source = choose.choice(list(servers.sources.items()))
        self.store_version, store = choose.choice(list(servers.stores.items()))
        self.relation = RELATIONS[number % len(RELATIONS)]
        self.theirs, self.ours, self.key = KEYS[number % len(KEYS)]
        self.milestoning = choose.choice(list(Milestoning))
        self.name = f"h{number}_{os.urandom(2).hex()}"
        types = {"id": self.ours, "v": "text", "p": "bpchar", "n": "numeric", "f": "double precision"}
        dataset = Dataset(self.name, tuple(Column(name, kind) for name, kind in types.items()), ("id",))
        self.case = Merging(source, store, (dataset,), Consistency.SINGLE_DATASET)
        self.round = 0

    def __str__(self) -> str:
        where = f"{self.encoding} source {self.version}, store {self.store_version}"
        return f"{self.theirs} as {self.ours}, {self.relation}, {where}, {self.milestoning.value}, round {self.round}"

    def run(self) -> None:
        self.create()
        dataset = self.case.datasets[0]
        last = 0
        rounds = self.random.randint(3, 6)
        for number in range(rounds):
            self.round = number
            if self.round:
                self.change()
            before, truth = self.case.versions(self.milestoning, dataset), self.truth()
            open_before = {key: row for key, row, (_, until) in before if until == 2147483647}
            result = self.merged()
            assert "by their hashes" not in result.datasets[self.name].reason
            assert result.datasets[self.name].counts == counts_between(open_before, truth)
            assert self.case.open_rows(self.milestoning, dataset) == truth
            after = self.case.versions(self.milestoning, dataset)
            check_history(before, after, result.batch_id)
            changed = not last or result.total.changed
            assert result.batch_id == (last + 1 if changed else last)
            last = result.batch_id
        again = self.merged(disturbed=False)
        assert (again.total.changed, again.batch_id) == (0, last)
        assert sorted(self.case.versions(self.milestoning, dataset), key=repr) == sorted(after, key=repr)

    def create(self) -> None:
        table = self.name if self.relation == "table" else f"{self.name}_rows"
        key = self.key.replace("%s", "n").replace("%%", "%")
        # The key has its text from the number; an index would not be there for what a view is made of.
        self.case.execute(
            f"""CREATE TABLE {table} (no int PRIMARY KEY, id {self.theirs}, v text, p bpchar, n numeric, f float8);
                INSERT INTO {table} SELECT n, {key}, 'v', 'p', 1, 1 FROM generate_series(1, 30) n"""
        )
        columns = "id, v, p, n, f"
        if self.relation in ("view", "materialized view"):
            self.case.execute(f"CREATE {self.relation.upper()} {self.name} AS SELECT {columns} FROM {table}")
        if self.relation == "foreign table":
            defined = f"id {self.theirs}, v text, p bpchar, n numeric, f float8"
            options = f"SERVER here OPTIONS (table_name '{table}')"
            self.case.execute(f"CREATE FOREIGN TABLE {self.name} ({defined}) {options}")
        self.table = table

    def change(self) -> None:
        choose, table = self.random, self.table
        key = self.key.replace("%s", "n").replace("%%", "%")
        for _ in range(choose.choice([0, 1, 1, 2, 3, 25])):
            number = choose.randint(1, MOST - 1)
            column, values = choose.choice([("v", TEXTS), ("p", TEXTS), ("n", NUMBERS), ("f", FLOATS)])
            value = choose.choice(values)
            match choose.choice(["update", "update", "update", "delete", "insert", "move"]):
                case "update":
                    self.case.execute(f"UPDATE {table} SET {column} = {value} WHERE no = {number}")
                case "delete":
                    self.case.execute(f"DELETE FROM {table} WHERE no = {number}")
                case "insert":
                    row = f"SELECT n, {key}, {value if column == 'v' else 'NULL'}, 'new' FROM (VALUES ({number})) r (n)"
                    self.case.execute(f"INSERT INTO {table} (no, id, v, p) {row} ON CONFLICT DO NOTHING")
                case "move":  # the row gets another key
                    other = choose.randint(1, MOST - 1)
                    self.case.execute(
                        f"""UPDATE {table} t SET no = {other}, id = (SELECT {key} FROM (VALUES ({other})) k (n))
                            WHERE no = {number} AND NOT EXISTS (SELECT FROM {table} WHERE no = {other})"""
                    )
        if self.relation == "materialized view":
            self.case.execute(f"REFRESH MATERIALIZED VIEW {self.name}")

    def truth(self):
        """The source's rows, with each value as the store writes one of the model's type."""
        columns = self.case.datasets[0].columns
        rows = self.case.query(
            f"SELECT {', '.join(f'ROW({c.name})::text' for c in columns)} FROM {self.name}", self.case.source
        )
        given = ", ".join("%s::text[]" for _ in columns)
        read = ", ".join(f"(c{k}::{self.name}_{k}).v::text" for k in range(len(columns)))
        names = ", ".join(f"c{k}" for k in range(len(columns)))
        with closing(self.case.target.connect()) as connection, connection.cursor() as cursor:
            for k, column in enumerate(columns):
                cursor.execute(f"CREATE TYPE {self.name}_{k} AS (v {column.type})")
            cursor.execute("SET TimeZone = 'UTC'")
            values = [list(of) for of in zip(*rows, strict=True)] or [[] for _ in columns]
            cursor.execute(f"SELECT {read} FROM unnest({given}) r ({names})", values)
            return {(row[0],): row for row in cursor.fetchall()}

    def merged(self, disturbed: bool = True):
        choose = self.random
        wanted = choose.choice(list(StrategyOption) + [StrategyOption.AUTO] * 3)
        audit = choose.choice([0, 0, 0, 1e-6])
        if disturbed and self.round and choose.random() < 0.15:
            self.disturb(choose.choice(["DROP TABLE", "TRUNCATE"]))
        for retry in (False, True):
            try:
                return self.case.run(
                    self.milestoning, dataset=self.name, strategy=wanted, audit_interval=audit, max_delete_fraction=1.0
                )
            except MapWrong:
                if retry:
                    raise
        raise AssertionError

    def disturb(self, how: str) -> None:
        """Take the row map away, or its rows."""
        job = self.case.job(self.milestoning, dataset=self.name)
        with MergeStore(job.store, job.stream, "disturb") as store:
            name = DatasetTables(store, replace(self.case.datasets[0])).map_name
        if self.case.query(f"SELECT to_regclass(quote_ident('{name}'))")[0][0]:
            self.case.execute(f'{how} "{name}"', self.case.target)
