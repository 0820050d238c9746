"""Indexes for readers of merge tables: built by runs and by `merge-job tables`, dropped when they leave the model."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest

from config_schema import names
from config_schema.model import IndexedRows, IndexMethod, Milestoning, TableIndex
from tests.database.tools.conftest import PLATFORM

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
TABLE = """
    CREATE TABLE people (id int PRIMARY KEY, city text, tags text[], age int);
    INSERT INTO people SELECT n, 'city ' || n % 7, ARRAY['a', 'b'], n FROM generate_series(1, 100) n
"""
CITY = TableIndex(("city", "age"))
TAGS = TableIndex(("tags",), IndexMethod.GIN, IndexedRows.CURRENT)


@pytest.fixture
def case(merging):
    made = merging(TABLE)
    give(made, CITY, TAGS)
    return made


def give(case, *indexes: TableIndex) -> None:
    case.datasets = tuple(replace(one, indexes=indexes) for one in case.datasets)


def table(kind) -> str:
    return names.merge_table(names.platform_name(PLATFORM[kind]), "Store1", "people")


def standing(case, kind) -> dict[str, bool]:
    """What follows USING in the definitions of the table's indexes for readers, each with whether it is whole."""
    found = case.query(
        f"""SELECT split_part(pg_get_indexdef(indexrelid), ' USING ', 2), indisvalid FROM pg_index
            JOIN pg_class ON pg_class.oid = indexrelid
            WHERE indrelid = '"{table(kind)}"'::regclass AND relname LIKE '%\\_ix\\_%'"""
    )
    return dict(found)


def wanted(kind) -> dict[str, bool]:
    current = " WHERE (ds_batch_out = 2147483647)" if kind is FORENSIC else ""
    return {"btree (city, age)": True, f"gin (tags){current}": True}


@pytest.mark.parametrize("kind", Milestoning)
def test_the_first_run_builds_them_and_later_ones_leave_them_alone(case, kind, caplog):
    caplog.set_level(logging.INFO)
    case.run(kind)
    assert standing(case, kind) == wanted(kind)
    assert caplog.text.count(": built") == 2
    case.execute("UPDATE people SET city = 'x' WHERE id < 5; DELETE FROM people WHERE id = 9")
    case.merge(kind)
    assert standing(case, kind) == wanted(kind)
    assert caplog.text.count(": built") == 2


@pytest.mark.parametrize("kind", Milestoning)
def test_one_that_is_new_in_the_model_is_built_while_somebody_reads(case, kind):
    give(case)
    case.run(kind)
    give(case, CITY, TAGS)
    case.run(kind)  # one that finds nothing leaves it to `merge-job tables`
    assert standing(case, kind) == {}
    case.execute("UPDATE people SET age = 1000 WHERE id = 1")
    with closing(case.target.connect()) as reading, reading.cursor() as cursor:
        cursor.execute(f'SELECT count(*) FROM "{table(kind)}"')
        case.run(kind)
        assert standing(case, kind) == wanted(kind)


@pytest.mark.parametrize("kind", Milestoning)
def test_one_that_has_left_the_model_is_dropped_as_soon_as_nobody_reads(case, merge_job, kind):
    case.run(kind)
    case.execute(f'CREATE INDEX own_ix_1 ON "{table(kind)}" (age)', case.target)
    give(case, CITY)
    flag = f"--platform={PLATFORM[kind]}"
    with closing(case.target.connect()) as reading, reading.cursor() as cursor:
        cursor.execute(f'SELECT count(*) FROM "{table(kind)}"')
        assert " dropped" not in merge_job(case, "tables", flag).stdout
        assert len(standing(case, kind)) == 3
    assert "which is not needed any more, would be dropped" in merge_job(case, "tables", flag, "--dry-run").stdout
    assert "which is not needed any more, dropped" in merge_job(case, "tables", flag).stdout
    assert standing(case, kind) == {"btree (city, age)": True, "btree (age)": True}  # people's own stay


def broken_off(case, kind) -> None:
    """Leave the index on the city as one whose building has failed: it is there, and PostgreSQL does not use it."""
    index = names.consumer_index(table(kind), CITY.columns, "btree", "all")
    with closing(case.target.connect()) as session:
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute(f"""SELECT obj_description('"{index}"'::regclass, 'pg_class')""")
            ((comment,),) = cursor.fetchall()
            cursor.execute(f'DROP INDEX "{index}"')
            with pytest.raises(psycopg2.errors.UniqueViolation):
                cursor.execute(f'CREATE UNIQUE INDEX CONCURRENTLY "{index}" ON "{table(kind)}" (city)')
            cursor.execute(f'COMMENT ON INDEX "{index}" IS %s', (comment,))
    assert standing(case, kind)["btree (city)"] is False


@pytest.mark.parametrize("kind", Milestoning)
def test_tables_builds_what_is_missing_or_was_broken_off(case, merge_job, kind):
    give(case)
    case.run(kind)
    give(case, CITY, TAGS)
    flag = f"--platform={PLATFORM[kind]}"
    assert merge_job(case, "tables", flag, "--dry-run").stdout.count(" would be built") == 2
    assert standing(case, kind) == {}
    assert merge_job(case, "tables", flag).stdout.count(" built") == 2
    broken_off(case, kind)
    done = merge_job(case, "tables", flag).stdout
    assert (done.count(" built"), done.count(" dropped")) == (1, 1)
    assert standing(case, kind) == wanted(kind)
    assert " built" not in merge_job(case, "tables", flag).stdout


@pytest.mark.parametrize("kind", Milestoning)
def test_one_that_cannot_be_built_is_a_warning_of_the_run_and_an_error_of_tables(case, merge_job, kind, caplog):
    give(case, TableIndex(("age",), IndexMethod.GIN), CITY)
    assert case.merge(kind).error is None
    assert "not built: " in caplog.text
    assert standing(case, kind) == {"btree (city, age)": True}
    done = merge_job(case, "tables", f"--platform={PLATFORM[kind]}")
    assert done.returncode == 1
    assert "people" in done.stderr
    assert "42704" in done.stderr


@pytest.mark.parametrize("kind", Milestoning)
def test_one_on_a_column_that_is_new_in_the_model_comes_with_the_batch_that_brings_it(case, merge_job, kind):
    case.run(kind)
    case.execute("ALTER TABLE people ADD born date")
    case.describe()
    give(case, CITY, TAGS, TableIndex(("born",), IndexMethod.BRIN))
    assert merge_job(case, "tables", f"--platform={PLATFORM[kind]}").returncode == 0
    assert standing(case, kind) == wanted(kind)
    case.execute("UPDATE people SET born = '2000-01-01' WHERE id = 1")
    case.run(kind)
    assert standing(case, kind) == {**wanted(kind), "brin (born)": True}


@pytest.mark.parametrize("kind", Milestoning)
def test_a_dry_run_builds_none(case, kind):
    give(case)
    case.run(kind)
    give(case, CITY)
    case.run(kind, dry_run=True)
    assert standing(case, kind) == {}
