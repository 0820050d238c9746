"""A model that changes between two batches: the merge table follows where nothing can be lost, and refuses elsewhere.

The harness reads a column that the merge table does not have yet as NULL, so its laws hold across the change.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from config_schema.model import Column, Milestoning
from config_schema.result import Counts
from merge_jobs.errors import StoreMismatch, TooManyDeletes

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
TABLE = """
    CREATE TABLE t (id int PRIMARY KEY, word varchar(20), amount numeric(10, 2), small smallint);
    INSERT INTO t SELECT n, 'w' || n, n * 1.5, n FROM generate_series(1, 9) n;
"""


@pytest.fixture
def case(merging):
    made = merging(TABLE)
    made.merge_both()
    return made


def counts(results, kind=FORENSIC) -> Counts:
    return results[kind].datasets["t"].counts


def types(case, kind) -> dict[str, str]:
    return dict(
        case.query(
            f"""SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
                WHERE attrelid = '"{kind}_Store1_t_merge"'::regclass AND attnum > 0 AND NOT attisdropped"""
        )
    )


def drop_from_model(case, column):
    (dataset,) = case.datasets
    case.datasets = (replace(dataset, columns=tuple(c for c in dataset.columns if c.name != column)),)


def retype_in_model(case, column, kind):
    (dataset,) = case.datasets
    columns = tuple(replace(c, type=kind) if c.name == column else c for c in dataset.columns)
    case.datasets = (replace(dataset, columns=columns),)


def test_an_added_column_makes_new_versions_only_of_rows_that_have_it(case):
    case.execute("ALTER TABLE t ADD age int; UPDATE t SET age = 40 WHERE id IN (2, 3)")
    case.describe()
    assert counts(case.merge_both()) == Counts(0, 2, 0, 7, 9)
    assert len(case.versions(FORENSIC, case.datasets[0])) == 11


def test_an_added_column_without_values_changes_no_row_and_takes_no_batch(case):
    case.execute('ALTER TABLE t ADD "naïve ""1%" timestamptz')
    case.describe()
    results = case.merge_both()
    assert [result.batch_id for result in results.values()] == [1, 1]
    assert types(case, "yellowforensic")['naïve "1%'] == "timestamp with time zone"


def test_an_added_column_comes_with_other_changes_in_one_batch(case):
    case.execute(
        """ALTER TABLE t ADD age int DEFAULT 7, ALTER small TYPE bigint; ALTER TABLE t DROP COLUMN amount;
           DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (50, 'fifty', 5000000000)"""
    )
    case.describe()
    assert counts(case.merge_both()) == Counts(1, 8, 1, 0, 9)
    case.execute("UPDATE t SET small = 6000000000 WHERE id = 2")
    assert counts(case.merge_both()) == Counts(0, 1, 0, 8, 9)


def test_a_column_that_leaves_the_model_makes_no_new_version_and_is_null_in_rows_written_since(case):
    drop_from_model(case, "amount")
    results = case.merge_both()
    assert counts(results) == Counts(unchanged=9, total=9)
    assert results[FORENSIC].batch_id == 1
    case.execute("UPDATE t SET word = 'new' WHERE id = 2; INSERT INTO t VALUES (50, 'fifty', 1, 1)")
    assert counts(case.merge_both()) == Counts(1, 1, 0, 8, 10)
    amount = "SELECT amount::text FROM {} WHERE id IN (2, 3, 50) ORDER BY id, {}"
    assert case.query(amount.format('"yellowlive_Store1_t_merge"', "id")) == [(None,), ("4.50",), (None,)]
    history = case.query(amount.format('"yellowforensic_Store1_t_merge"', "ds_batch_in"))
    assert history == [("3.00",), (None,), ("4.50",), (None,)]


def test_a_column_that_comes_back_is_compared_again(case):
    model = case.datasets
    drop_from_model(case, "amount")
    case.execute("UPDATE t SET word = 'new' WHERE id = 2")
    case.merge_both()
    case.datasets = model
    case.execute("UPDATE t SET amount = 1 WHERE id = 3")
    assert counts(case.merge_both()) == Counts(0, 2, 0, 7, 9)


@pytest.mark.parametrize(
    ("column", "kind", "value"),
    [
        ("word", "character varying(50)", "repeat('x', 50)"),
        ("word", "text", "repeat('x', 5000)"),
        ("small", "bigint", "5000000000"),
        ("small", "numeric(30,0)", "1e20"),
        ("amount", "numeric(14,2)", "123456789012.12"),
        ("amount", "numeric", "1e40"),
        ("id", "bigint", "-small - 5000000000"),
    ],
)
def test_a_widened_type_widens_the_merge_table_and_changes_no_row(case, column, kind, value):
    case.execute(f"ALTER TABLE t ALTER {column} TYPE {kind}")
    case.describe()
    assert counts(case.merge_both()).changed == 0
    assert types(case, "yellowlive")[column] == types(case, "yellowforensic")[column] == kind
    case.execute(f"UPDATE t SET {column} = {value} WHERE small = 4")
    assert counts(case.merge_both()).changed == (2 if column == "id" else 1)


def test_more_decimal_places_write_the_same_numbers_longer_and_change_no_row(case):
    case.execute("ALTER TABLE t ALTER amount TYPE numeric(14, 4)")
    case.describe()
    for kind in Milestoning:
        assert case.run(kind).datasets["t"].counts == Counts(unchanged=9, total=9)
    assert case.versions(FORENSIC, case.datasets[0])[0][1][2] == "1.5000"
    case.execute("UPDATE t SET amount = 1234567890.1234 WHERE id = 2")
    assert counts(case.merge_both()) == Counts(0, 1, 0, 8, 9)


@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize(
    ("column", "new", "both"),
    [
        ("word", "varchar(9)", "word is character varying(20) in the table, character varying(9) in the model"),
        ("word", "jsonb", "word is character varying(20) in the table, jsonb in the model"),
        ("id", "smallint", "id is integer in the table, smallint in the model"),
        ("amount", "numeric(11, 4)", "amount is numeric(10,2) in the table, numeric(11,4) in the model"),
        ("amount", "bigint", "amount is numeric(10,2) in the table, bigint in the model"),
        ("small", "numeric(4, 0)", "small is smallint in the table, numeric(4,0) in the model"),
        ("small", "bigint[]", "small is smallint in the table, bigint[] in the model"),
    ],
)
def test_a_type_that_could_lose_values_is_refused_with_both_definitions(case, kind, column, new, both):
    model = case.datasets
    before = types(case, f"yellow{kind.value}")
    retype_in_model(case, column, new)
    (dataset,) = case.datasets
    case.datasets = (replace(dataset, columns=(*dataset.columns, Column("id2", "int"))),)
    with pytest.raises(StoreMismatch) as caught:
        case.run(kind)
    assert both in str(caught.value)
    assert not caught.value.retryable
    assert types(case, f"yellow{kind.value}") == before
    case.datasets = model
    case.merge(kind)


def test_a_batch_that_fails_after_its_drift_leaves_the_table_as_it_was(case):
    before = types(case, "yellowlive")
    case.execute("""INSERT INTO t SELECT n, 'w', 1, 1 FROM generate_series(10, 200) n""")
    case.merge(LIVE)
    case.execute("ALTER TABLE t ADD age int; DELETE FROM t")
    case.describe()
    with pytest.raises(TooManyDeletes):
        case.run(LIVE)
    assert types(case, "yellowlive") == before
    case.merge(LIVE, max_delete_fraction=1)
    assert types(case, "yellowlive") == {**before, "age": "integer"}


def test_a_view_in_the_way_of_a_widened_type_is_reported(case):
    case.execute('CREATE VIEW v AS SELECT word FROM "yellowlive_Store1_t_merge"', on=case.target)
    case.execute("ALTER TABLE t ALTER word TYPE text")
    case.describe()
    with pytest.raises(StoreMismatch, match="Drop that view") as caught:
        case.run(LIVE)
    assert not caught.value.retryable
    case.execute("DROP VIEW v", on=case.target)
    case.merge(LIVE)
