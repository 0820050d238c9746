"""The strategy cursor for producers that are not PostgreSQL: what they store and compare in ways of their own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config_schema.model import Column, Cursor, Database, Dataset, DatasetStrategy, Milestoning, SourceKind
from config_schema.result import Counts
from merge_jobs.sources import Since
from merge_jobs.sources.sql.source import select_text
from merge_jobs.strategies.cursor import CursorIncomparable
from tests.database.merge.producers import execute, read_from

sqlglot = pytest.importorskip("sqlglot")  # which comes with what Airflow needs
GRAMMARS = {
    SourceKind.MYSQL: "mysql",
    SourceKind.SQLITE: "sqlite",
    SourceKind.MSSQL: "tsql",
    SourceKind.ORACLE: "oracle",
}
BY_TIME = Cursor("seen", lookback=60)
EVENTS = Dataset(
    "events",
    (
        Column("id", "bigint", nullable=False),
        Column("word", "text"),
        Column("seen", "timestamp"),
        Column("number", "bigint"),
        Column("gone", "timestamp"),
    ),
    ("id",),
    strategy=DatasetStrategy.CURSOR,
    cursor=BY_TIME,
)
TABLE = """
CREATE TABLE events (id BIGINT PRIMARY KEY, word VARCHAR(20), seen DATETIME(6), number BIGINT, gone DATETIME(6));
INSERT INTO events VALUES (1, 'one', '2026-01-01 12:00:00.000000', 1, NULL);
INSERT INTO events VALUES (2, 'two', '2026-01-01 12:10:00.500000', 2, NULL)
"""


@pytest.fixture
def case(merging, producer):
    made = merging("SELECT 1")
    made.datasets = (EVENTS,)
    execute(producer, TABLE)
    read_from(made, producer)
    return made


def with_cursor(case, cursor):
    case.datasets = (replace(EVENTS, cursor=cursor),)


def did(result):
    return result.datasets["events"].strategy, result.datasets["events"].counts


def ids(case, kind=Milestoning.LIVE):
    return {int(key[0]) for key in case.open_rows(kind, case.datasets[0])}


@pytest.mark.parametrize("kind", Milestoning)
def test_rows_that_changed_since_a_time_are_read(case, producer, kind):
    assert did(case.run(kind)) == ("initial", Counts(2, 0, 0, 0, 2))
    assert did(case.run(kind)) == ("cursor", Counts(0, 0, 0, 2, 2))
    execute(
        producer,
        """UPDATE events SET word = 'unseen' WHERE id = 1;
           UPDATE events SET word = 'dos' WHERE id = 2;
           INSERT INTO events VALUES (3, 'late', '2026-01-01 12:09:10.500000', 3, NULL);
           INSERT INTO events VALUES (4, 'too late', '2026-01-01 12:08:50.000000', 4, NULL);
           INSERT INTO events VALUES (5, 'new', '2026-01-01 12:20:00.000001', 5, NULL)""",
    )
    result = case.run(kind)
    assert did(result) == ("cursor", Counts(2, 1, 0, 1, 4))
    assert result.partly_read == ("events",)
    assert did(case.run(kind)) == ("cursor", Counts(0, 0, 0, 4, 4))


@pytest.mark.parametrize("kind", Milestoning)
def test_rows_that_changed_since_a_number_are_read(case, producer, kind):
    with_cursor(case, Cursor("number", tie_breaker="id"))
    case.run(kind)
    execute(
        producer,
        """UPDATE events SET number = 3, word = 'changed' WHERE id = 1;
           INSERT INTO events VALUES (12, 'tied', NULL, 3, NULL)""",
    )
    assert did(case.run(kind)) == ("cursor", Counts(1, 1, 0, 1, 3))
    execute(producer, "INSERT INTO events VALUES (13, 'tied too', NULL, 3, NULL)")
    assert did(case.run(kind)) == ("cursor", Counts(1, 0, 0, 3, 4))
    execute(producer, "UPDATE events SET number = 1 WHERE number = 3")
    assert did(case.run(kind)) == ("full", Counts(0, 3, 0, 1, 4)), "it has gone backwards"


@pytest.mark.parametrize("kind", Milestoning)
def test_deletes_are_found_by_sweeps_and_by_marks(case, producer, kind):
    with_cursor(case, replace(BY_TIME, delete_sweep=10**6))
    case.run(kind)
    execute(producer, "DELETE FROM events WHERE id = 1")
    assert did(case.run(kind)) == ("cursor", Counts(0, 0, 0, 2, 2))
    with_cursor(case, replace(BY_TIME, delete_sweep=0))
    assert did(case.run(kind)) == ("cursor", Counts(0, 0, 1, 1, 1))
    with_cursor(case, replace(BY_TIME, deleted_at="gone"))
    assert did(case.run(kind))[0] == "full"
    execute(
        producer,
        """UPDATE events SET gone = '2026-01-01 13:00:00', seen = '2026-01-01 13:00:00' WHERE id = 2;
           INSERT INTO events VALUES (3, 'new', '2026-01-01 13:00:00', 3, NULL)""",
    )
    assert did(case.run(kind)) == ("cursor", Counts(1, 0, 1, 0, 1))
    assert ids(case, kind) == {3}


@pytest.mark.parametrize("producer", ["mariadb"], indirect=True)
def test_a_column_that_orders_as_texts_do_is_refused(case, producer):
    """SQLite's declared types bind no value: its times are texts, and the next test is about them."""
    with_cursor(case, Cursor("number"))
    execute(producer, "ALTER TABLE events MODIFY number VARCHAR(20)")
    with pytest.raises(CursorIncomparable) as caught:
        case.run(Milestoning.LIVE)
    assert caught.value.column == "number"


@pytest.mark.parametrize("producer", ["sqlite"], indirect=True)
def test_what_sqlite_orders_in_its_own_way_is_read_all_the_same(case, producer):
    """Times in several formats, and numbers in a column of texts: none of them is left out."""
    case.run(Milestoning.LIVE)
    execute(
        producer,
        """INSERT INTO events VALUES (3, 'ISO', '2026-01-01T12:10:00.5', 3, NULL);
           INSERT INTO events VALUES (4, 'short', '2026-01-02', 4, NULL)""",
    )
    assert did(case.run(Milestoning.LIVE)) == ("cursor", Counts(2, 0, 0, 2, 4))
    execute(
        producer,
        """DROP TABLE events;
           CREATE TABLE events (id TEXT PRIMARY KEY, word TEXT, seen TEXT, number TEXT, gone TEXT);
           INSERT INTO events VALUES ('1', 'one', '2026-01-01 12:00:00', '9', NULL)""",
    )
    with_cursor(case, Cursor("number", tie_breaker="id"))
    case.run(Milestoning.LIVE)
    for number in ("10", "11", "100"):
        execute(producer, f"INSERT INTO events VALUES ('{number}', 'x', NULL, '{number}', NULL)")
        strategy, counts = did(case.run(Milestoning.LIVE))
        assert (strategy, counts.inserted) == ("cursor", 1)


@pytest.mark.parametrize(
    "kind", [one for one in SourceKind if one not in (SourceKind.POSTGRESQL, SourceKind.FILES, SourceKind.REST)]
)
@pytest.mark.parametrize("of", ["bigint", "date", "timestamp with time zone"])
def test_each_database_has_the_condition_in_its_own_sql(kind, of):
    """Also those whose servers are not at hand: a grammar of theirs is all that this shows."""
    value = "0" if of == "bigint" else "2026-01-01"
    text = select_text(Database("h", "d", "c", kind=kind), EVENTS, Since("seen", of, value, value, "id", "7"))
    (read,) = sqlglot.parse(text, dialect=GRAMMARS[kind])
    assert {one.name for one in read.find_all(sqlglot.exp.Placeholder)} == {"cursor", "last", "tie"}
    assert {"seen", "id"} <= {one.name for one in read.args["where"].find_all(sqlglot.exp.Column)}
