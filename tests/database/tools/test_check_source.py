"""`merge-job check-source`: what it says of producers that nobody here wrote, and that no row's value is in it."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest

from airflow_plugin.demo.postgres import free_port
from config_schema.model import (
    Column,
    Consistency,
    Cursor,
    Dataset,
    DatasetSink,
    DatasetStrategy,
    Milestoning,
    SourceKind,
)
from config_schema.source_check import (
    MOST_COLUMNS,
    MOST_DATASETS,
    MOST_FINDINGS,
    CheckLevel,
    ReadableDataset,
    SourceCheck,
    SourceFinding,
    source_check_from_dict,
)
from merge_jobs.admin.check_source import check_source
from merge_jobs.database.session import Session
from merge_jobs.errors import DatabaseFailed
from tests.database.merge.producers import MariaProducer, execute, read_from
from tests.database.tools.conftest import PLATFORM

LIVE = Milestoning.LIVE
ERROR, WARNING, NOTE = CheckLevel
SECRET_VALUE = "a value that nobody may see"
TABLES = f"""
    CREATE TYPE mood AS ENUM ('sad', 'glad');
    CREATE DOMAIN positive AS numeric(12,2) CHECK (value > 0);
    CREATE TABLE plain (id int PRIMARY KEY, word text);
    CREATE TABLE odd (id bigint PRIMARY KEY, was mood, price positive, moods mood[], at timestamptz, big numeric,
        long varchar(200), "Näme; --" text, doc jsonb, span tstzrange);
    CREATE TABLE keyless (id int, word text);
    CREATE UNIQUE INDEX ON keyless (id);
    CREATE TABLE parts (id int PRIMARY KEY, word text) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1000);
    CREATE VIEW seen AS SELECT id, word FROM plain;
    INSERT INTO plain VALUES (1, '{SECRET_VALUE}');
    INSERT INTO keyless VALUES (1, '{SECRET_VALUE}'), (NULL, NULL);
"""


def dataset(table: str, /, **types: str) -> Dataset:
    """A dataset with the key `id`."""
    return Dataset(table, tuple(Column(name, kind, name != "id") for name, kind in types.items()), ("id",))


PLAIN = dataset("plain", id="integer", word="text")
ODD = Dataset(
    "odd",
    tuple(
        Column(*one, nullable=one[0] != "id")
        for one in (
            *(("id", "bigint"), ("was", "text"), ("price", "numeric(12,2)"), ("moods", "text[]")),
            *(("at", "timestamp with time zone"), ("big", "numeric"), ("long", "varchar(200)")),
            *(("Näme; --", "text"), ("doc", "jsonb"), ("span", "tstzrange")),
        )
    ),
    ("id",),
)
KEYLESS = dataset("keyless", id="integer", word="text")
PARTS = dataset("parts", id="integer", word="text")
SEEN = dataset("seen", id="integer", word="text")


@pytest.fixture
def case(merging, monkeypatch):
    made = merging(TABLES)
    made.datasets = (PLAIN, ODD, KEYLESS, PARTS, SEEN)
    for name, value in made.secrets.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def reader(case, monkeypatch):
    """A login that may read nothing but what is granted to it, in the place of the producer's owner."""
    role = f"reader_{case.source.name}"[:60]
    as_superuser(
        case, f"CREATE ROLE {role} LOGIN PASSWORD 'Geheim-1'; GRANT CONNECT ON DATABASE {case.source.name} TO {role}"
    )
    monkeypatch.setenv("PRODUCER_USERNAME", role)
    monkeypatch.setenv("PRODUCER_PASSWORD", "Geheim-1")
    yield role
    as_superuser(case, f"DROP OWNED BY {role}; DROP ROLE {role}")


def as_superuser(case, statements: str) -> None:
    with closing(psycopg2.connect(case.source.superuser_dsn)) as session, session, session.cursor() as cursor:
        cursor.execute(statements)


def found(case, *datasets: Dataset, hosts=None, credential=None, served=None) -> SourceCheck:
    if datasets:
        case.datasets = datasets
    check = check_source(case.job(LIVE).stream, hosts, credential, served)
    assert SECRET_VALUE not in json.dumps(check.to_dict())
    assert source_check_from_dict(check.to_dict()) == check
    return check


def said(check: SourceCheck) -> list[tuple[CheckLevel, str, str]]:
    return [(one.level, one.dataset, one.code) for one in check.findings]


def test_a_source_that_is_as_modelled_has_no_error_and_each_dataset_its_strategy(case):
    check = found(case)
    assert said(check) == [(WARNING, "keyless", "DF5604"), (NOTE, "seen", "DF5604")]
    strategies = {one.name: one.strategy for one in check.datasets}
    assert strategies == {
        **dict.fromkeys(("keyless", "odd", "parts", "plain"), "version_diff"),
        "seen": "key_hash_diff",
    }
    assert {one.why for one in check.datasets} == {"", "seen is no plain table"}
    assert "NULL is allowed in 'id'" in check.findings[0].what


def test_the_strategy_that_is_foretold_is_the_one_that_batches_have(case):
    case.execute("DELETE FROM keyless WHERE id IS NULL")
    foretold = {one.name: one.strategy for one in found(case).datasets}
    case.run(LIVE)
    case.execute("INSERT INTO plain VALUES (2)")
    result = case.run(LIVE)
    assert {name: of.strategy for name, of in result.datasets.items()} == foretold


def test_a_cursor_is_the_strategy_unless_the_source_orders_it_differently(case):
    of_cursor = {"strategy": DatasetStrategy.CURSOR}
    seen = replace(SEEN, **of_cursor, cursor=Cursor("id"))
    wrong = replace(dataset("odd", id="bigint", was="integer"), **of_cursor, cursor=Cursor("was"))
    check = found(case, seen, wrong)
    assert [(one.name, one.strategy, one.why) for one in check.datasets] == [("seen", "cursor", "the model says so")]
    assert (ERROR, "odd", "DF5114") in said(check)


def test_no_statement_reads_a_row(case):
    """Tables that hold a view and a function that fail for the first row that is read of them."""
    case.execute("""
        CREATE FUNCTION fails(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''a row is read''; END';
        CREATE VIEW failing AS SELECT fails(id) AS id, word FROM plain;
    """)
    check = found(case, dataset("failing", id="integer", word="text"))
    assert check.errors == ()
    with pytest.raises(DatabaseFailed, match="raise_exception"):
        case.run(LIVE)


def test_columns_that_are_missing_new_or_of_another_type_are_named(case):
    case.execute("ALTER TABLE plain ADD COLUMN fresh date, ADD COLUMN newer text; ALTER TABLE odd ALTER long TYPE text")
    narrow = dataset("odd", id="integer", big="numeric(5,2)", long="varchar(200)", at="timestamp")
    check = found(case, dataset("plain", id="integer", wrod="text"), narrow)
    assert said(check) == [
        *[(WARNING, "odd", "DF5601")] * 3,
        (NOTE, "odd", "DF5603"),
        (ERROR, "plain", "DF5103"),
        (NOTE, "plain", "DF5603"),
    ]
    long = next(one for one in check.findings if "column long" in one.what)
    assert "is text in the source, and the model's varchar(200) does not take every value" in long.what
    assert long.todo.startswith("Model it as text")
    missing, new = check.findings[-2:]
    assert "'wrod'" in missing.what
    assert "word" in missing.todo
    assert new.what.endswith("word, fresh, newer")
    assert [one.name for one in check.datasets] == ["odd"]


def test_a_missing_table_is_one_finding_and_the_others_are_looked_at(case):
    check = found(case, dataset("plian", id="integer"), PLAIN)
    assert said(check) == [(ERROR, "plian", "DF5102")]
    assert "Did you mean 'plain'?" in check.findings[0].todo
    assert [one.name for one in check.datasets] == ["plain"]


def test_a_right_that_is_missing_on_a_column_or_a_table_is_named(case, reader):
    case.execute(f"GRANT SELECT (id) ON plain TO {reader}; GRANT SELECT ON seen, odd TO {reader}")
    check = found(case, PLAIN, PARTS, SEEN)
    assert said(check) == [
        (ERROR, "parts", "DF5602"),
        (ERROR, "plain", "DF5602"),
        (NOTE, "seen", "DF5604"),
    ]
    table, column, _ = check.findings
    assert table.what == "the job's user has no SELECT on table parts"
    assert column.what == "the job's user has no SELECT on columns of table plain: word"
    assert [one.name for one in check.datasets] == ["seen"]
    case.execute(f"GRANT SELECT (word) ON plain TO {reader}")
    assert found(case, PLAIN).errors == ()


def test_a_schema_and_row_security_that_keep_rows_from_the_job_are_errors(case, reader):
    case.execute(
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}; ALTER TABLE plain ENABLE ROW LEVEL SECURITY"
    )
    check = found(case, PLAIN, PARTS)
    assert [(one.level, one.dataset) for one in check.findings] == [(ERROR, "plain")]
    assert "row" in check.findings[0].what
    as_superuser(case, "REVOKE USAGE ON SCHEMA public FROM public")
    check = found(case, PLAIN, PARTS)
    assert [(one.level, one.dataset) for one in check.findings] == [(ERROR, "")]
    assert "public" in check.findings[0].what


def test_what_a_view_reads_and_the_owner_may_not_is_an_error(case, reader):
    case.execute("CREATE FUNCTION hidden() RETURNS SETOF plain LANGUAGE sql AS 'SELECT * FROM plain'")
    case.execute("CREATE VIEW closed WITH (security_barrier) AS SELECT * FROM hidden()")
    case.execute(f"GRANT SELECT ON closed TO {reader}; REVOKE EXECUTE ON FUNCTION hidden() FROM public")
    check = found(case, dataset("closed", id="integer", word="text"))
    assert [one.level for one in check.findings] == [NOTE, ERROR]


@pytest.mark.parametrize(
    ("change", "code", "what"),
    [
        ({"PRODUCER_PASSWORD": "wrong-Geheim"}, "DF5002", "password"),
        ({"PRODUCER_USERNAME": ""}, "DF1004", "PRODUCER_USERNAME"),
    ],
)
def test_a_login_that_is_refused_or_missing_is_a_finding(case, reader, monkeypatch, change, code, what):
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    check = found(case)
    assert said(check) == [(ERROR, "", code)]
    assert what in check.findings[0].what
    assert not any(word in str(check) for word in ("wrong-Geheim", "Geheim-1", reader))


def test_no_session_is_opened_with_a_host_or_a_secret_that_is_not_admitted(case, monkeypatch):
    opened = []
    monkeypatch.setattr(Session, "open", lambda self, *given: opened.append(given))
    assert said(found(case, hosts=["elsewhere:5432"])) == [(ERROR, "", "DF5302")]
    every = {DatasetSink("Store1", one.name) for one in case.datasets}
    assert said(found(case, credential="another", served=every)) == [(ERROR, "", "DF5303")]
    assert said(found(case, credential="producer", served=every - {DatasetSink("Store1", "odd")})) == [
        (ERROR, "", "DF5303")
    ]
    assert opened == []


def test_a_server_that_is_away_is_a_finding(case, monkeypatch):
    check = check_of_port(case, monkeypatch, free_port())
    assert said(check) == [(ERROR, "", "DF5002")]
    assert check.datasets == ()


def check_of_port(case, monkeypatch, port):
    of_case = type(case).ecosystem.fget

    def ecosystem(self):
        from dataclasses import replace

        found = of_case(self)
        (store,) = found.datastores
        return replace(found, datastores=(replace(store, source=replace(store.source, port=port)),))

    monkeypatch.setattr(type(case), "ecosystem", property(ecosystem))
    return found(case)


# --- the command


def command(case, merge_job, *flags, **more):
    return merge_job(case, "check-source", f"--platform={PLATFORM[LIVE]}", "--store=Store1", *flags, **more)


RECORDED = "SELECT key, check_json, checked_at > now() - interval '1 minute' FROM yellowlive_source_checks"


def test_the_command_says_what_it_found_and_records_it_in_place_of_the_last(case, merge_job):
    done = command(case, merge_job)
    assert (done.returncode, done.stderr) == (0, "")
    first, *_, last = done.stdout.splitlines()
    assert first.startswith("warning: dataset keyless: nothing in table keyless makes id unique")
    assert last.endswith("5 of 5 datasets can be read; 0 errors, 1 warnings, 1 notes")
    ((key, recorded, is_new),) = case.query(RECORDED)
    assert (key, is_new) == ("Store1", True)
    assert ["id", "integer"] in next(one["columns"] for one in recorded["datasets"] if one["name"] == "plain")
    assert source_check_from_dict(recorded) == found(case)
    case.execute("DROP TABLE odd")
    done = command(case, merge_job)
    assert done.returncode == 3
    ((_, recorded, _),) = case.query(RECORDED)
    assert [one.dataset for one in source_check_from_dict(recorded).errors] == ["odd"]
    assert command(case, merge_job, "--exit-zero").returncode == 0


def test_a_dry_run_needs_no_merge_store_and_json_is_what_is_recorded(case, merge_job):
    secrets = {name: value for name, value in case.environment.items() if not name.startswith("POSTGRES")}
    done = command(case, merge_job, "--dry-run", "--json", environment=secrets)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"stream_key": "Store1", **found(case).to_dict()}
    assert case.query("SELECT to_regclass('yellowlive_source_checks')") == [(None,)]
    failed = command(case, merge_job, environment=secrets)
    assert failed.returncode == 1
    assert "POSTGRES_USERNAME" in failed.stderr


def test_a_stream_of_one_dataset_has_a_row_of_its_own(case, merge_job):
    case.consistency = Consistency.SINGLE_DATASET
    done = command(case, merge_job, "--dataset=plain")
    assert done.returncode == 0, done.stderr
    assert [key for key, *_ in case.query(RECORDED)] == ["Store1#plain"]


def test_what_is_recorded_is_bounded_and_the_worst_is_kept():
    notes = [SourceFinding(NOTE, f"d{n}", "what", "todo", "DF5603") for n in range(10_000)]
    error = SourceFinding(ERROR, "last", "what", "todo", "DF5101")
    datasets = tuple(ReadableDataset(f"d{n}", "t", "full", "why") for n in range(10_000))
    wide = ReadableDataset("wide", "t", "full", "", tuple((f"c{n}", "text") for n in range(MOST_COLUMNS)))
    kept = SourceCheck("db", (), (wide, replace(wide, columns=(("id", "integer"),)))).bounded()
    assert [len(one.columns) for one in kept.datasets] == [MOST_COLUMNS, 0]
    kept = SourceCheck("db", (*notes, error), datasets).bounded()
    assert kept.findings[0] == error
    assert (len(kept.findings), kept.left_out, len(kept.datasets)) == (
        MOST_FINDINGS,
        10_001 - MOST_FINDINGS,
        MOST_DATASETS,
    )


# --- producers of other kinds

OTHERS = """
    CREATE TABLE people (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(100), amount DECIMAL(12, 2), raw BLOB);
    CREATE TABLE pets (id INTEGER, owner INTEGER);
    CREATE VIEW owners AS SELECT owner FROM pets;
    INSERT INTO people (id, name) VALUES (1, 'a value that nobody may see')
"""


@pytest.fixture
def other(merging, producer, monkeypatch):
    made = merging("SELECT 1")
    execute(producer, OTHERS)
    read_from(made, producer)
    for name, value in made.secrets.items():
        monkeypatch.setenv(name, value)
    return made


STRATEGIES_OF = {
    SourceKind.SQLITE: {(name, "full", "SQLite hashes no rows") for name in ("owners", "people", "pets")},
    SourceKind.MYSQL: {
        ("owners", "key_hash_diff", "MySQL has no row versions"),
        ("people", "full", "its server cannot surely write raw as the model has it"),
        ("pets", "key_hash_diff", "MySQL has no row versions"),
    },
}


def test_sqlite_and_mariadb_are_looked_at_as_postgresql_is(other, producer):
    people = dataset("people", id="bigint", name="text", amount="numeric", raw="smallint")
    owners = Dataset("owners", (Column("owner", "bigint", nullable=False),), ("owner",))
    check = found(other, people, dataset("pets", id="bigint"), owners, dataset("poeple", id="bigint"))
    assert said(check) == [
        (NOTE, "owners", "DF5604"),
        (WARNING, "people", "DF5601"),
        (WARNING, "pets", "DF5604"),
        (NOTE, "pets", "DF5603"),
        (ERROR, "poeple", "DF5102"),
    ]
    assert {(one.name, one.strategy, one.why) for one in check.datasets} == STRATEGIES_OF[producer.kind]
    assert [one.name for one in check.datasets] == ["owners", "people", "pets"]


@pytest.mark.parametrize("producer", ["sqlite"], indirect=True)
def test_a_type_that_the_driver_does_not_understand_is_a_finding(other, producer):
    execute(producer, f"CREATE TABLE odd (id integer PRIMARY KEY, a varchar({'9' * 5000}))")
    check = found(other, dataset("odd", id="bigint", a="text"), dataset("people", id="bigint"))
    assert [one.dataset for one in check.findings if one.level is ERROR] == ["odd"]
    assert [one.name for one in check.datasets] == ["people"]


def test_a_right_that_is_missing_in_mariadb_is_an_error(merging, maria, monkeypatch):
    made = MariaProducer(maria, "rights_of_a_producer")
    other = merging("SELECT 1")
    with closing(made.connect(database="mysql")) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {made.name}")
        cursor.execute(f"CREATE TABLE {made.name}.people (id int PRIMARY KEY, name text, hidden text)")
        cursor.execute(f"CREATE TABLE {made.name}.closed (id int PRIMARY KEY)")
        cursor.execute("CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'Geheim-1'")
        cursor.execute(f"GRANT SELECT (id, name) ON {made.name}.people TO reader@'127.0.0.1'")
    try:
        read_from(other, made)
        monkeypatch.setenv("PRODUCER_USERNAME", "reader")
        monkeypatch.setenv("PRODUCER_PASSWORD", "Geheim-1")
        check = found(other, dataset("people", id="bigint", hidden="text"), dataset("closed", id="bigint"))
        assert {(one.level, one.dataset) for one in check.findings if one.level is ERROR} == {
            (ERROR, "people"),
            (ERROR, "closed"),
        }
        assert check.datasets == ()
        monkeypatch.setenv("PRODUCER_PASSWORD", "wrong")
        check = found(other)
        assert said(check) == [(ERROR, "", "DF5002")]
        assert check.findings[0].what == "wrong user name or password"
    finally:
        with closing(made.connect(database="mysql")) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {made.name}")
            cursor.execute("DROP USER reader@'127.0.0.1'")
