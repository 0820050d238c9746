"""What a job refuses: it says where, what and what to do, whether a retry can help, and nothing is lost."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest

from config_schema.errors import CommandWrong, StreamFactoryError
from config_schema.model import Column, Milestoning
from merge_jobs.errors import ConnectFailed, DatabaseFailed, KeysRejected, SourceMismatch, StoreMismatch, TooManyDeletes
from merge_jobs.run.job import run
from merge_jobs.stream import stream_of

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
TABLE = "CREATE TABLE customers (id int PRIMARY KEY, word text); INSERT INTO customers VALUES (1, 'one'), (2, 'two')"
# As a view or a table without a constraint may give it.
KEYLESS = "CREATE TABLE customers (id int, word text); INSERT INTO customers VALUES (1, 'one'), (2, 'two')"


def refused(case, kind, error, **options) -> StreamFactoryError:
    """Run the job, which must fail so, and see that merge table and batches are what they were."""
    before = [case.versions(kind, dataset) for dataset in case.datasets]
    last = case.current_batch(kind)
    with pytest.raises(error) as caught:
        case.run(kind, **options)
    assert [case.versions(kind, dataset) for dataset in case.datasets] == before
    assert case.current_batch(kind) == last
    return caught.value


@pytest.fixture
def keyless(merging):
    case = merging(KEYLESS)
    case.datasets = (replace(case.datasets[0], primary_key=("id",)),)
    return case


# --- getting to the databases


@pytest.mark.parametrize("side", ["source", "store"])
@pytest.mark.parametrize(
    ("wrong", "what", "retryable"),
    [
        ({"password": "not it"}, "wrong user name or password", False),
        ({"database": "nowhere"}, "the database does not exist", False),
        ({"port": 1}, "nobody listens there", True),
    ],
)
def test_a_database_that_cannot_be_reached_is_named(merging, side, wrong, what, retryable):
    job = merging(TABLE).job(LIVE)
    job = replace(job, **{side: replace(getattr(job, side), **wrong)})
    with pytest.raises(ConnectFailed, match=what) as caught:
        run(job)
    assert caught.value.retryable is retryable
    assert str(getattr(job, side)) in str(caught.value)
    assert job.source.password not in caught.value.in_full()
    place = getattr(job, side)
    server = f"{place.user} at {place.host}:{place.port}"
    assert server in caught.value.in_full()
    assert not any(part in str(caught.value) for part in (place.host, f"{place.user} at", f'"{place.user}"'))


def test_a_failed_batch_says_why_in_its_row_and_the_next_run_takes_its_id(merging):
    case = merging(TABLE)
    job = case.job(LIVE)
    with pytest.raises(ConnectFailed):
        run(replace(job, source=replace(job.source, port=1)))
    [(status, error, retryable)] = case.query("SELECT batch_status, error, retryable FROM yellowlive_batch_metrics")
    assert (status, retryable) == ("failed", True)
    assert "nobody listens there" in error
    case.merge(LIVE)
    [(status, error, retryable)] = case.query("SELECT batch_status, error, retryable FROM yellowlive_batch_metrics")
    assert (status, error, retryable) == ("committed", None, None)


# --- what the source has


def test_a_missing_table_is_named_with_the_nearest(merging):
    case = merging(TABLE)
    case.datasets = (replace(case.datasets[0], table="custmers"),)
    error = refused(case, LIVE, SourceMismatch)
    assert "there is no table 'custmers' in schema 'public'. Did you mean 'customers'?" in str(error)
    assert not error.retryable


def test_missing_columns_are_all_named(merging):
    case = merging(TABLE)
    (dataset,) = case.datasets
    more = (*dataset.columns, Column("wrod", "text"), Column("age", "int"))
    case.datasets = (replace(dataset, columns=more),)
    error = refused(case, LIVE, SourceMismatch)
    assert "has no column 'wrod', 'age'. Did you mean 'word'?" in str(error)


def test_a_column_dropped_at_the_source_fails_the_batch_and_keeps_the_rows(merging):
    case = merging(TABLE)
    case.merge_both()
    case.execute("ALTER TABLE customers DROP COLUMN word")
    for kind in Milestoning:
        assert "'word'" in str(refused(case, kind, SourceMismatch))


def test_a_table_that_may_not_be_read_is_named(merging, new_database):
    case = merging(TABLE)
    stranger = new_database("stranger")
    case.execute(f"GRANT CONNECT ON DATABASE {case.source.name} TO {stranger.user}", on=_Superuser(case.source))
    job = case.job(LIVE)
    with pytest.raises(DatabaseFailed, match="insufficient_privilege") as caught:
        run(replace(job, source=replace(job.source, user=stranger.user, password=stranger.password)))
    assert not caught.value.retryable
    assert "Grant" in str(caught.value)


def test_row_security_at_the_source_is_an_error_and_not_missing_rows(merging, new_database):
    case = merging(TABLE)
    reader = new_database("reader")
    case.execute(
        f"""GRANT CONNECT ON DATABASE {case.source.name} TO {reader.user}; GRANT SELECT ON customers TO {reader.user};
            ALTER TABLE customers ENABLE ROW LEVEL SECURITY;
            CREATE POLICY half ON customers USING (id = 1)""",
        on=_Superuser(case.source),
    )
    job = case.job(LIVE)
    with pytest.raises(DatabaseFailed, match="row-level security"):
        run(replace(job, source=replace(job.source, user=reader.user, password=reader.password)))


def test_a_table_that_is_being_rewritten_is_waited_for_and_then_worth_a_retry(merging, monkeypatch):
    case = merging(TABLE)
    monkeypatch.setattr("merge_jobs.sources.postgres.source.PostgresSource.__init__.__defaults__", (1,))
    with closing(case.source.connect()) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE")
        error = refused(case, LIVE, DatabaseFailed)
    assert error.retryable
    assert "lock timeout" in str(error)
    case.merge(LIVE)


# --- keys


@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize("loaded", [False, True], ids=["at the first load", "later"])
@pytest.mark.parametrize(
    ("change", "reason", "number"),
    [
        (
            "INSERT INTO customers VALUES (3, 'a'), (3, 'b'), (3, 'c')",
            "duplicate",
            1,
        ),
        ("INSERT INTO customers VALUES (1, 'one')", "duplicate", 1),
        (
            "INSERT INTO customers VALUES (1, 'other'), (2, 'x')",
            "duplicate",
            2,
        ),
        (
            "INSERT INTO customers VALUES (NULL, 'a'), (NULL, 'b')",
            "null",
            2,
        ),
    ],
    ids=["a new key twice", "the same row twice", "an old key with another row", "NULL keys"],
)
def test_bad_keys_fail_the_batch_and_are_kept_for_operators(keyless, kind, loaded, change, reason, number):
    if loaded:
        keyless.merge(kind)
    keyless.execute(change)
    error = refused(keyless, kind, KeysRejected)
    what = {"duplicate": "keys of more than one row", "null": "rows with a NULL in their key"}[reason]
    assert f"{what} in the source: {number}." in str(error)
    assert 'FROM "public"."customers"' in str(error)
    assert not error.retryable
    platform = "yellowlive" if kind is LIVE else "yellowforensic"
    rows = keyless.query(f"SELECT key, dataset, reason, row_count FROM {platform}_rejected_keys")
    assert {row[:3] for row in rows} == {("Store1", "customers", reason)}
    keyless.execute("DELETE FROM customers; INSERT INTO customers VALUES (1, 'one'), (4, 'four')")
    keyless.merge(kind)
    assert keyless.query(f"SELECT * FROM {platform}_rejected_keys") == []


def test_rejected_keys_are_bounded_and_counted(keyless):
    keyless.execute("INSERT INTO customers SELECT n, 'x' FROM generate_series(1, 3000) n, generate_series(1, 2)")
    assert "keys of more than one row in the source: 3000" in str(refused(keyless, LIVE, KeysRejected))
    assert keyless.query("SELECT count(*) FROM yellowlive_rejected_keys") == [(1000,)]


def test_values_and_keys_never_show_in_errors_or_logs(keyless, caplog):
    keyless.execute("INSERT INTO customers VALUES (424242, 'top secret'), (424242, 'top secret')")
    error = refused(keyless, LIVE, KeysRejected)
    keyless.execute("DELETE FROM customers; INSERT INTO customers VALUES (1, 'top secret')")
    (dataset,) = keyless.datasets
    keyless.datasets = (replace(dataset, columns=(dataset.columns[0], Column("word", "integer"))),)
    misfit = refused(keyless, LIVE, DatabaseFailed)
    assert not misfit.retryable
    assert "dataset customers: column word: 1 row with a value that integer does not hold" in str(misfit)
    for reported in (
        str(error),
        str(misfit),
        caplog.text,
        repr(keyless.query("SELECT * FROM yellowlive_batch_metrics")),
    ):
        assert "secret" not in reported
        assert "424242" not in reported


# --- deletes


@pytest.mark.parametrize("kind", Milestoning)
def test_a_source_that_lost_most_of_its_rows_fails_the_batch(merging, kind):
    case = merging("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 200)")
    case.merge(kind)
    case.execute("DELETE FROM t WHERE id > 99")
    error = refused(case, kind, TooManyDeletes)
    assert "101 of 200 rows are gone from the source" in str(error)
    assert not error.retryable
    case.execute("INSERT INTO t VALUES (100)")
    assert case.merge(kind).total.deleted == 100
    case.execute("DELETE FROM t")
    assert case.merge(kind).total.deleted == 100


def test_a_larger_fraction_lets_the_deletes_through(merging):
    case = merging("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 200)")
    case.merge(LIVE)
    case.execute("DELETE FROM t")
    refused(case, LIVE, TooManyDeletes)
    assert case.merge(LIVE, max_delete_fraction=1).total.deleted == 200


# --- the merge store


@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ([("id", "smallint"), ("word", "text"), ("age", "integer")], "id is integer in the table, smallint in the"),
        ([("id", "integer"), ("word", "varchar(9)")], "word is text in the table, character varying(9) in the model"),
    ],
)
def test_a_merge_table_that_does_not_fit_the_model_is_left_alone(merging, kind, columns, what):
    case = merging(TABLE)
    case.merge(kind)
    case.execute("ALTER TABLE customers ADD COLUMN age int")
    model = case.datasets
    case.datasets = (replace(model[0], columns=tuple(Column(*column) for column in columns)),)
    with pytest.raises(StoreMismatch) as caught:
        case.run(kind)
    assert what in str(caught.value)
    assert not caught.value.retryable
    case.datasets = model
    case.merge(kind)


def test_a_table_that_is_not_the_job_s_own_is_refused(merging):
    case = merging(TABLE)
    case.execute('CREATE TABLE "yellowlive_Store1_customers_merge" (id int PRIMARY KEY, word text)', on=case.target)
    assert "its comment does not say that it is ours" in str(refused(case, LIVE, StoreMismatch))


def test_a_staging_table_that_is_not_the_job_s_own_is_not_dropped(merging):
    case = merging(TABLE)
    case.merge(LIVE)
    case.execute('CREATE TABLE "yellowlive_Store1_customers_staging" AS SELECT 7 AS seven', on=case.target)
    refused(case, LIVE, StoreMismatch)
    assert case.query('SELECT seven FROM "yellowlive_Store1_customers_staging"') == [(7,)]


def test_another_key_than_the_table_was_made_for_is_refused(merging):
    case = merging(TABLE)
    case.merge(FORENSIC)
    case.datasets = (replace(case.datasets[0], primary_key=("word",)),)
    assert "primary_key ['id'], the model says ['word']" in str(refused(case, FORENSIC, StoreMismatch))


def test_a_merge_table_without_its_unique_index_is_refused(merging):
    case = merging(TABLE)
    case.merge(FORENSIC)
    case.execute('DROP INDEX "yellowforensic_Store1_customers_merge_key"', on=case.target)
    assert "unique index" in str(refused(case, FORENSIC, StoreMismatch))


def test_a_merge_table_whose_batches_are_lost_is_refused(merging):
    case = merging(TABLE)
    case.merge(FORENSIC)
    case.execute("DELETE FROM yellowforensic_batch_metrics; DELETE FROM yellowforensic_batch_counter", on=case.target)
    assert "no committed batch" in str(refused(case, FORENSIC, StoreMismatch))


@pytest.mark.parametrize("kind", ["intt", "int); DROP TABLE customers; --", "int --", "integer, x text", "'a'", ""])
def test_a_type_that_is_none_is_named_and_never_run(merging, kind):
    case = merging(TABLE)
    (dataset,) = case.datasets
    case.datasets = (replace(dataset, columns=(dataset.columns[0], Column("word", kind))),)
    error = refused(case, LIVE, StreamFactoryError)
    assert isinstance(error, CommandWrong | DatabaseFailed)
    assert case.versions(LIVE, dataset) == []


def test_a_trigger_that_changes_what_is_merged_is_noticed(merging):
    case = merging(TABLE)
    case.merge(LIVE)
    case.execute(
        """CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
           CREATE TRIGGER skip BEFORE DELETE ON "yellowlive_Store1_customers_merge"
           FOR EACH ROW EXECUTE FUNCTION skip()""",
        on=case.target,
    )
    case.execute("DELETE FROM customers WHERE id = 1")
    assert "triggers" in str(refused(case, LIVE, StoreMismatch))


# --- the stream


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        (("YellowLife", "Store1"), "there is no platform 'YellowLife'. Did you mean 'YellowLive'?"),
        (("YellowLive", "Store2"), "there is no datastore 'Store2'. Did you mean 'Store1'?"),
        (("YellowLive", "Store1", "customers"), "Store1 is a multi_dataset store. Leave --dataset out"),
        (
            ("YellowLive", "Store1", None, ["custom"]),
            "there is no dataset 'custom' in Store1. Did you mean 'customers'?",
        ),
    ],
)
def test_a_stream_that_does_not_exist_is_answered_with_those_that_do(merging, asked, what):
    with pytest.raises(CommandWrong) as caught:
        stream_of(merging(TABLE).ecosystem, *asked)
    assert what in str(caught.value)


class _Superuser:
    """The same database, as the superuser."""

    def __init__(self, database) -> None:
        self._dsn = database.superuser_dsn

    def connect(self):
        return psycopg2.connect(self._dsn)
