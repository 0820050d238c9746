"""Each part of the guard by itself: what it sees of a real server where no other part sees anything."""

from __future__ import annotations

import subprocess
from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest

from config_schema.model import Column, Dataset, Milestoning
from merge_jobs.sources.postgres.source import PostgresSource
from merge_jobs.strategies.guard import (
    FACTS,
    TableState,
    broken,
    look,
)
from tests.kept_sessions import end_sessions

TIMELINE = "Latest checkpoint's TimeLineID"
COLUMNS, TYPES, MODEL = (FACTS[part] for part in ("columns", "types", "model"))
TABLE = """
CREATE TYPE pair AS (a int, b text);
CREATE TABLE t (id int PRIMARY KEY, word text, other text, number int, place pair, given text DEFAULT 'x',
    late text);
INSERT INTO t SELECT n, 'w' || n, 'o' || n, -n, ROW(n, 'x'::text)::pair FROM generate_series(1, 9) n
"""
CHANGES = {
    "the last column dropped and added": ("ALTER TABLE t DROP late, ADD late text", COLUMNS),
    "two columns that exchange their names": (
        "ALTER TABLE t RENAME word TO old; ALTER TABLE t RENAME other TO word; ALTER TABLE t RENAME old TO other",
        COLUMNS,
    ),
    "bits that are read as another type": ("ALTER TABLE t ALTER number TYPE oid", COLUMNS),
    "another collation": ('ALTER TABLE t ALTER word TYPE text COLLATE "C"', COLUMNS),
    "another default": ("ALTER TABLE t ALTER given SET DEFAULT 'y'", COLUMNS),
    "one more attribute": ("ALTER TYPE pair ADD ATTRIBUTE c int", TYPES),
    "one attribute less": ("ALTER TYPE pair DROP ATTRIBUTE b", TYPES),
}
MODELS = {
    "another key": lambda d: replace(d, primary_key=("word",)),
    "columns of one type that exchange their places": lambda d: replace(
        d, columns=(d.columns[0], d.columns[2], d.columns[1], *d.columns[3:])
    ),
    "another type": lambda d: replace(d, columns=(Column("id", "bigint"), *d.columns[1:])),
}
# What holds a label of an enum, each in a way of its own.
HOLDERS = """
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE DOMAIN feeling AS mood;
CREATE TYPE moods AS RANGE (subtype = mood, multirange_type_name = many_moods);
CREATE TYPE mixed AS (number int, mood mood);
CREATE TYPE region AS (number int);
"""


def sight(case, dataset: Dataset | None = None, **of_source: object) -> TableState:
    (described,) = case.datasets
    with PostgresSource(replace(case.job(Milestoning.LIVE).source, **of_source), "test") as source:
        source.begin([dataset or described])
        return look(source, dataset or described)


def as_superuser(case, *statements: str) -> None:
    """Run each in a transaction of its own."""
    with closing(psycopg2.connect(case.source.superuser_dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for statement in statements:
            cursor.execute(statement)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_that_leaves_every_row_version_as_it_is(merging, change):
    statements, reason = change
    case = merging(TABLE)
    versions = "SELECT id, ctid::text, xmin::text FROM t ORDER BY id"
    before, of_rows = sight(case), case.query(versions, on=case.source)
    case.execute(statements)
    assert case.query(versions, on=case.source) == of_rows
    assert broken(before.facts, sight(case).facts) == reason


def test_columns_that_the_model_does_not_have_may_change(merging):
    case = merging(TABLE)
    (dataset,) = case.datasets
    case.datasets = (replace(dataset, columns=dataset.columns[:2]),)
    before = sight(case)
    case.execute("ALTER TABLE t DROP late, ADD late text DEFAULT 'z'; ALTER TYPE pair ADD ATTRIBUTE c int")
    assert broken(before.facts, sight(case).facts) is None


@pytest.mark.parametrize("holder", ["mood", "mood[]", "feeling", "moods", "many_moods", "mixed", "mixed[]"])
def test_a_label_is_renamed_wherever_it_is_held(merging, holder):
    case = merging(f"{HOLDERS} CREATE TABLE t (id int PRIMARY KEY, held {holder})")
    before = sight(case)
    case.execute("ALTER TYPE mood RENAME VALUE 'sad' TO 'low'")
    assert broken(before.facts, sight(case).facts) == TYPES


@pytest.mark.parametrize("other", MODELS.values(), ids=MODELS.keys())
def test_another_model_of_the_same_table(merging, other):
    case = merging(TABLE)
    (dataset,) = case.datasets
    assert broken(sight(case).facts, sight(case, other(dataset)).facts) == MODEL


def test_another_database_on_the_same_server_even_if_it_is_a_copy(merging):
    case = merging(TABLE)
    before, copy = sight(case), f"{case.source.name}_copy"
    end_sessions([case.source.name])
    as_superuser_of_the_server(case, f"CREATE DATABASE {copy} TEMPLATE {case.source.name} OWNER {case.source.user}")
    now = sight(case, database=copy)
    assert {part for part in FACTS if before.facts[part] != now.facts[part]} == {"database"}
    assert broken(before.facts, now.facts) == FACTS["database"]


def as_superuser_of_the_server(case, statement: str) -> None:
    with closing(psycopg2.connect(case.source.server.dsn())) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(statement)


def test_what_is_reported_is_what_the_server_is(merging):
    """A restart is seen by more than one of these: this is where each is held by itself."""
    case = merging(TABLE)
    server = case.source.server
    asked = [server._binaries / "pg_controldata", "-D", server.directory / "data"]
    output = subprocess.run(asked, check=True, capture_output=True, text=True, env={"LC_ALL": "C"}).stdout
    control = {name: value.strip() for name, _, value in (line.partition(":") for line in output.splitlines())}
    reported = sight(case).facts
    assert reported["system"] == control["Database system identifier"]
    assert reported["timeline"] == f"timeline {int(control[TIMELINE]):08X}"
    with closing(case.source.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET TimeZone = 'UTC'")
        cursor.execute("SELECT pg_postmaster_start_time()::text, stats_reset::text FROM pg_stat_archiver")
        assert cursor.fetchone() == (reported["started"], reported["stats_reset"])
        assert reported["server_version"] == str(connection.info.server_version)


def test_positions_go_on_with_what_is_written(merging):
    case = merging(TABLE)
    before = sight(case)
    case.execute("UPDATE t SET word = 'new'")
    now = sight(case)
    for position in ("wal", "transaction"):
        assert now.facts[position] > before.facts[position]
    assert broken(before.facts, now.facts) is None
    assert broken(now.facts, before.facts) is not None


def test_a_table_of_the_same_name_in_another_schema_is_another_one(merging):
    case = merging(f"CREATE SCHEMA far; CREATE TABLE far.t (id text); {TABLE}")
    [[oid]] = case.query("SELECT 'public.t'::regclass::oid::bigint", on=case.source)
    assert [leaf.oid for leaf in sight(case).leaves] == [oid]


PARTITIONED = """
CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF t FOR VALUES FROM (0) TO (100)
"""


def test_row_security_of_a_parent_is_not_that_of_the_table_that_is_read(merging):
    case = merging(PARTITIONED)
    assert sight(case).no_versions is None
    case.execute("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    assert sight(case).no_versions == "part has row security"


def test_a_partition_that_may_be_read_by_its_parent_only(merging):
    case = merging(PARTITIONED)
    case.execute(f"REVOKE SELECT ON part FROM {case.source.user}")
    assert sight(case).no_versions == "the job's user may not read part itself"


def test_a_table_that_is_not_stored_as_a_heap(merging):
    case = merging("SELECT")
    as_superuser(
        case,
        "CREATE ACCESS METHOD pile TYPE TABLE HANDLER heap_tableam_handler",
        "CREATE TABLE t (id int PRIMARY KEY) USING pile",
        f"ALTER TABLE t OWNER TO {case.source.user}",
    )
    case.describe()
    assert sight(case).no_versions == "t is stored by pile"


@pytest.mark.parametrize(
    ("column", "stable"),
    [("money", False), ("money[]", False), ("regclass", False), ("regtype[]", False), ("region", True)],
)
def test_types_whose_text_may_change_without_a_new_version(merging, column, stable):
    case = merging(f"{HOLDERS} CREATE TABLE t (id int PRIMARY KEY, held {column})")
    assert (sight(case).no_versions is None) is stable


@pytest.mark.parametrize(
    ("key", "mapped"), [("int[]", False), ("region", False), ("numbers", False), ("mood", True), ("int4range", True)]
)
def test_keys_that_a_map_cannot_hold(merging, key, mapped):
    case = merging(f"{HOLDERS} CREATE DOMAIN numbers AS int[]; CREATE TABLE t (id {key} PRIMARY KEY)")
    assert (sight(case).no_keys is None) is mapped
