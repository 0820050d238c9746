"""Key-hash diff of a MariaDB: the server hashes its rows, and a batch reads those with a new hash only."""

from __future__ import annotations

import random

import pytest

from config_schema.model import Column, Dataset, Milestoning
from config_schema.result import Counts
from merge_jobs.admin.check_source import check_source
from merge_jobs.errors import KeysRejected, MapWrong, ValuesRejected
from merge_jobs.strategies import row_hashes
from tests.database.merge.producers import compare_with, execute, read_from
from tests.database.merge.test_values_of_other_databases import run_all

LIVE = Milestoning.LIVE
pytestmark = pytest.mark.parametrize("producer", ["mariadb"], indirect=True)

# A key's columns of the producer, their types in the model, and the values that a random history draws from.
KEYS = {
    "words": ({"k": ("VARCHAR(20) COLLATE utf8mb4_bin", "varchar(20)")}, "'{}\\\\ \"ü'"),
    "latin": ({"k": ("VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_bin", "text")}, "'é{}'"),
    "folded": ({"k": ("VARCHAR(20) COLLATE utf8mb4_unicode_ci", "varchar(20)")}, "'K{}'"),
    "numbers": ({"k": ("BIGINT", "bigint")}, "{} * 4294967296 - 9"),
    "days": ({"k": ("DATE", "date")}, "DATE '2024-01-01' + INTERVAL {} DAY"),
    "pairs": ({"k": ("INT", "integer"), "part": ("CHAR(3)", "character(3)")}, "{} % 7, 'p{}'"),
}
VALUES = ("NULL", "''", "'\\t'", "'\\\\N'", "'x'", "'X'", "'山'")


@pytest.fixture
def case(merging, producer):
    made = merging("SELECT 1")
    read_from(made, producer)
    compare_with(merging("SELECT 1"), made, producer)
    return made


def did(result, name="t"):
    return result.datasets[name].strategy, result.datasets[name].counts


def table_with_a_key(case, producer, key: str) -> None:
    columns = KEYS[key][0]
    definitions = ", ".join(f"{name} {definition}" for name, (definition, _) in columns.items())
    create = f"CREATE TABLE t ({definitions}, word TEXT, amount DECIMAL(9,2), PRIMARY KEY ({', '.join(columns)}))"
    run_all(producer, f"{create} CHARACTER SET utf8mb4")
    of_key = tuple(Column(name, kind, nullable=False) for name, (_, kind) in columns.items())
    case.datasets = (Dataset("t", (*of_key, Column("word", "text"), Column("amount", "numeric(9,2)")), tuple(columns)),)


@pytest.mark.parametrize("key", KEYS)
def test_random_changes_are_found_by_hashes(case, producer, key):
    table_with_a_key(case, producer, key)
    draw, seen = random.Random(key), set()
    for _ in range(5):
        statements = []
        for _ in range(draw.randint(0, 12)):
            number = draw.randint(1, 30)
            value, amount = draw.choice(VALUES), draw.choice(["NULL", "0", "1.5", "-0.01"])
            keyed = KEYS[key][1].replace("{}", str(number))
            if draw.random() < 0.3:
                columns = ", ".join(KEYS[key][0])
                statements.append(f"DELETE FROM t WHERE ({columns}) IN (SELECT {keyed})")
            else:
                statements.append(f"REPLACE INTO t VALUES ({keyed}, {value}, {amount})")
        run_all(producer, *statements)
        seen |= {did(result)[0] for result in case.merge_both().values()}
    assert "key_hash_diff" in seen


def test_only_rows_with_a_new_hash_are_read(case, producer, monkeypatch):
    table_with_a_key(case, producer, "words")
    run_all(producer, "INSERT INTO t SELECT seq, 'w', 1 FROM seq_1_to_100")
    assert did(case.run(LIVE)) == ("initial", Counts(100, 0, 0, 0, 100))
    read = []
    of_hashes = row_hashes.LineHashes.copy_rows_of_new_hashes
    monkeypatch.setattr(
        row_hashes.LineHashes,
        "copy_rows_of_new_hashes",
        lambda self, changed: read.append(of_hashes(self, changed)) or read[-1],
    )
    run_all(producer, "UPDATE t SET word = 'new' WHERE k IN ('7', '8')", "DELETE FROM t WHERE k = '9'")
    result = case.run(LIVE)
    assert did(result) == ("key_hash_diff", Counts(0, 2, 1, 97, 99))
    assert result.datasets["t"].reason == "MySQL has no row versions"
    assert read == [2]
    monkeypatch.setattr(row_hashes, "HASHES_AT_ONCE", 3)  # in pieces
    run_all(producer, "UPDATE t SET amount = 2 WHERE k < '2'")
    assert did(case.run(LIVE)) == ("key_hash_diff", Counts(0, 12, 0, 87, 99))
    run_all(producer, "UPDATE t SET amount = 3")  # all rows, by one look
    assert did(case.run(LIVE)) == ("key_hash_diff", Counts(0, 99, 0, 0, 99))
    assert did(case.run(LIVE)) == ("key_hash_diff", Counts(0, 0, 0, 99, 99))


def test_what_has_no_hash_makes_the_batch_full_and_what_does_not_fit_is_refused(case, producer):
    execute(
        producer,
        "CREATE TABLE t (id INT PRIMARY KEY, w LONGTEXT, d DATE) CHARACTER SET utf8mb4;"
        "INSERT INTO t VALUES (1, repeat('x', 70000), '2024-01-01');"
        "INSERT INTO t VALUES (2, 'y', NULL)",
    )
    case.datasets = (
        Dataset("t", (Column("id", "integer", nullable=False), Column("w", "text"), Column("d", "date")), ("id",)),
    )
    case.run(LIVE)
    result = case.run(LIVE)
    assert did(result) == ("full", Counts(0, 0, 0, 2, 2))
    assert result.datasets["t"].reason == "1 rows have no hash, as values in them are long or may not fit"
    run_all(producer, "UPDATE t SET w = 'short' WHERE id = 1")
    assert did(case.run(LIVE)) == ("key_hash_diff", Counts(0, 1, 0, 1, 2))
    run_all(producer, "SET sql_mode = ''", "UPDATE t SET d = '0000-00-00' WHERE id = 2")
    with pytest.raises(ValuesRejected):
        case.run(LIVE)
    run_all(producer, "UPDATE t SET d = '2024-02-29' WHERE id = 2")
    assert did(case.run(LIVE)) == ("key_hash_diff", Counts(0, 1, 0, 1, 2))


def test_a_column_that_the_server_cannot_surely_write_is_named(case, producer, monkeypatch):
    execute(producer, "CREATE TABLE t (id INT PRIMARY KEY, b BIT(3)); INSERT INTO t VALUES (1, b'101')")
    case.datasets = (Dataset("t", (Column("id", "integer", nullable=False), Column("b", "bit(3)")), ("id",)),)
    case.run(LIVE)
    result = case.run(LIVE)
    reason = "its server cannot surely write b as the model has it"
    assert (did(result)[0], result.datasets["t"].reason) == ("full", reason)
    for name, value in case.secrets.items():
        monkeypatch.setenv(name, value)
    (readable,) = check_source(case.job(LIVE).stream).datasets
    assert (readable.strategy, readable.why) == ("full", reason)


def test_a_changed_column_makes_a_new_map(case, producer):
    table_with_a_key(case, producer, "numbers")
    run_all(producer, "INSERT INTO t VALUES (1, 'a', 1)")
    case.run(LIVE)
    run_all(producer, "ALTER TABLE t MODIFY word VARCHAR(50)")
    result = case.run(LIVE)
    assert did(result) == ("full", Counts(0, 0, 0, 1, 1))
    assert result.datasets["t"].reason == "the table's columns were changed since batch 1"
    assert did(case.run(LIVE))[0] == "key_hash_diff"


def test_a_key_that_a_view_repeats_is_refused_though_its_rows_have_hashes(case, producer):
    table_with_a_key(case, producer, "numbers")
    run_all(producer, "INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2)", "CREATE VIEW v AS SELECT * FROM t")
    (dataset,) = case.datasets
    case.datasets = (Dataset("v", dataset.columns, dataset.primary_key),)
    case.run(LIVE)
    run_all(producer, "CREATE OR REPLACE VIEW v AS SELECT * FROM t UNION ALL SELECT 2, 'c', 3")
    with pytest.raises(KeysRejected):
        case.run(LIVE)
    run_all(producer, "CREATE OR REPLACE VIEW v AS SELECT * FROM t UNION ALL SELECT NULL, 'c', 3")
    with pytest.raises(KeysRejected):
        case.run(LIVE)
    run_all(producer, "CREATE OR REPLACE VIEW v AS SELECT * FROM t WHERE k = 1")
    assert did(case.run(LIVE), "v")[1] == Counts(0, 0, 1, 1, 1)


def test_rows_that_a_view_computes_otherwise_each_time_end_the_batch(case, producer):
    table_with_a_key(case, producer, "numbers")
    run_all(
        producer,
        "INSERT INTO t SELECT seq, 'a', 1 FROM seq_1_to_50",
        "CREATE VIEW v AS SELECT k, CAST(IF(k <= 5, uuid(), 'same') AS CHAR(40)) AS word, amount FROM t",
    )
    (dataset,) = case.datasets
    case.datasets = (Dataset("v", dataset.columns, dataset.primary_key),)
    case.run(LIVE)
    with pytest.raises(MapWrong):
        case.run(LIVE)
