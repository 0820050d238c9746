"""Key-hash diff: a row is staged for every key whose hash is new or changed, or the batch is full, or it is refused."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest
from psycopg2 import sql

from config_schema.model import Column, Dataset, Milestoning
from merge_jobs.admin.trust import trust_again
from merge_jobs.errors import KeysRejected, MapWrong
from merge_jobs.sources.postgres.source import PostgresSource
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.row_maps import MapKind
from merge_jobs.stores.postgres.tables import DatasetTables
from merge_jobs.strategies.row_hashes import RecordHashes
from merge_jobs.strategies.selection import StrategyOption
from tests.conftest import FreshDatabase

LIVE = Milestoning.LIVE
ALWAYS, NEVER = 1e-6, 0  # seconds between audits


def dataset(name: str, key: str = "id", **types: str) -> Dataset:
    return Dataset(name, tuple(Column(column, kind) for column, kind in types.items()), (key,))


@pytest.fixture
def encoded(new_database):
    """A function that makes a database with an encoding: `encoded("LATIN1")`."""

    def make(encoding: str) -> FreshDatabase:
        made = new_database("source")
        name = f"{made.name}_{encoding.lower()}"
        with closing(psycopg2.connect(made.server.dsn())) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING {} LOCALE 'C'").format(
                    sql.Identifier(name), sql.Identifier(made.user), sql.Literal(encoding)
                )
            )
        return replace(made, name=name)

    return make


def superuser(case, statement, values=None):
    with closing(psycopg2.connect(case.source.superuser_dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement, values)


def on_tables(case, kind, do):
    job = case.job(kind)
    with MergeStore(job.store, job.stream, "test") as store:
        (of,) = job.stream.datasets
        done = do(DatasetTables(store, of))
        store.commit()
    return done


def reported(result):
    """Strategy, updated, unchanged."""
    ((_, of),) = result.datasets.items()
    return of.strategy, of.counts.updated, of.counts.unchanged


# --- a key that two servers write differently

MODELLED_OTHERWISE = {
    "an integer as a numeric with a scale": ("integer", "numeric(10,2)", "n"),
    "a numeric without as one with a scale": ("numeric", "numeric(12,4)", "n"),
    "a text as one that is padded": ("text", "char(12)", "'k' || n"),
    "one that is padded as a text": ("char(12)", "text", "'k' || n"),
    "a number as a text": ("integer", "text", "n"),
    "a text as citext": ("text", "citext", "'K' || n"),
    "a timestamp as one of less precision": (
        "timestamp",
        "timestamp(0)",
        "'2026-01-01'::timestamp + n * interval '1 s'",
    ),
    "a timestamp without a zone as one with": (
        "timestamp",
        "timestamptz",
        "'2026-01-01'::timestamp + n * interval '1 h'",
    ),
    "a real as a double": ("real", "double precision", "n / 8.0"),
    "a boolean as a text": ("boolean", "text", "n = 1"),
    "an enumeration as a text": ("mood", "text", "CASE n WHEN 1 THEN 'good' ELSE 'bad' END::mood"),
    "a domain as what it is of": ("code", "varchar(9)", "'c' || n"),
    "an address": ("inet", "text", "'10.0.0.0'::inet + n"),
    "bytes as a text": ("bytea", "text", "decode(lpad(to_hex(n), 8, '0'), 'hex')"),
}
FEW = ("boolean", "mood")


@pytest.mark.parametrize("of_case", MODELLED_OTHERWISE.values(), ids=MODELLED_OTHERWISE.keys())
def test_a_key_that_the_merge_store_writes_otherwise(merging, new_database, of_case):
    theirs, ours, key = of_case
    rows = 2 if theirs in FEW else 500
    case = merging("CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE DOMAIN code AS varchar(9)")
    if ours == "citext":
        with closing(psycopg2.connect(case.target.superuser_dsn)) as store, store, store.cursor() as cursor:
            cursor.execute("CREATE EXTENSION citext")
    case.execute(
        f"""CREATE TABLE t (n int, id {theirs}, v text);
            INSERT INTO t SELECT n, {key}, 'v' FROM generate_series(1, {rows}) n;
            CREATE VIEW v AS SELECT id, v FROM t"""
    )
    case.datasets = (dataset("v", id=ours, v="text"),)
    case.run(LIVE)
    case.execute("UPDATE t SET v = 'new' WHERE n = 1")
    assert reported(case.run(LIVE)) == ("key_hash_diff", 1, rows - 1)
    assert reported(case.run(LIVE)) == ("key_hash_diff", 0, rows)
    assert sorted(row[1] for row in case.open_rows(LIVE, case.datasets[0]).values()) == sorted(
        row[1] for row in case.source_rows(case.datasets[0]).values()
    )


@pytest.mark.parametrize("kind", Milestoning)
def test_a_key_of_a_source_with_another_encoding(merging, encoded, kind):
    case = merging("SELECT")
    case.source = encoded("LATIN1")
    case.execute("CREATE TABLE t (id text, v text); INSERT INTO t VALUES ('Müller', 'a'), ('Meyer', 'b')")
    case.execute("CREATE VIEW v AS SELECT * FROM t")
    case.datasets = (dataset("v", id="text", v="text"),)
    case.merge(kind)
    case.execute("UPDATE t SET v = 'ä' WHERE id = 'Müller'")
    assert reported(case.merge(kind)) == ("key_hash_diff", 1, 1)


# --- values that a cast to text does not tell apart

TOLD_APART = {
    "blanks at the end": ("bpchar", "'a'", "'a  '", "bpchar"),
    "a domain with blanks at the end": ("padded", "'a'", "'a  '", "bpchar"),
    "a type with a cast that leaves something out": ("secret", "'a'", "'b'", "text"),
    "a scale": ("numeric", "1.0", "1.00", "numeric"),
    "an interval": ("interval", "'1 day'", "'24 hours'", "interval"),
    "a last digit": ("double precision", "0.1", "0.1::float8 + 2e-17::float8", "double precision"),
    "a zero with a sign": ("double precision", "0", "'-0'", "double precision"),
    "arrays of blanks": ("bpchar[]", "'{a}'", "'{\"a \"}'", "bpchar[]"),
    "json": ("json", "'{\"a\":1}'", "'{\"a\": 1}'", "json"),
    "NULL in an array": ("text[]", "'{NULL}'", "'{\"NULL\"}'", "text[]"),
}


@pytest.mark.parametrize("of_case", TOLD_APART.values(), ids=TOLD_APART.keys())
def test_a_change_that_a_cast_to_text_would_hide(merging, of_case):
    theirs, before, after, ours = of_case
    case = merging(
        """CREATE DOMAIN padded AS bpchar; CREATE TYPE secret AS ENUM ('a', 'b');
           CREATE FUNCTION hidden(secret) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'x'$$;
           CREATE CAST (secret AS text) WITH FUNCTION hidden(secret)"""
    )
    case.execute(f"CREATE TABLE t (id int, v {theirs}); INSERT INTO t VALUES (1, {before}), (2, NULL)")
    case.execute("CREATE VIEW v AS SELECT * FROM t")
    case.datasets = (dataset("v", id="integer", v=ours),)
    case.run(LIVE)
    case.execute(f"UPDATE t SET v = {after} WHERE id = 1")
    assert reported(case.run(LIVE)) == ("key_hash_diff", 1, 1)


# --- names of ours


OURS = (
    *("ds_hash", "ds_hash_2", "ds_is_new", "leaf", "block", "versions", "digest", "tids", "xids", "key_1"),
    *("tid", "xid", "ds_tid", "ds_xid", "staged", "merged", "s", "m", "d", "k", "hash", "piece", "r", "number"),
)


@pytest.mark.parametrize(
    "wanted",
    [StrategyOption.AUTO, StrategyOption.VERSION_DIFF, StrategyOption.KEY_HASH_DIFF, StrategyOption.FULL],
)
def test_columns_with_names_that_tables_of_ours_have(merging, wanted):
    columns = ", ".join(f"{name} int" for name in OURS)
    case = merging(f"CREATE TABLE t ({columns}, v text, PRIMARY KEY ({', '.join(OURS)}))")
    values = ", ".join("n" for _ in OURS)
    case.execute(f"INSERT INTO t SELECT {values}, 'v' FROM generate_series(1, 30) n")
    case.merge_both(strategy=wanted)
    case.execute("UPDATE t SET v = 'new' WHERE ds_hash = 1; DELETE FROM t WHERE ds_hash = 2")
    for result in case.merge_both(strategy=wanted).values():
        assert (result.total.updated, result.total.deleted) == (1, 1)
    for kind in Milestoning:
        case.execute("UPDATE t SET v = v || 'x' WHERE ds_hash = 3")
        assert case.run(kind, strategy=wanted, audit_interval=ALWAYS).total.updated == 1


# --- duplicates


@pytest.mark.parametrize("wanted", [StrategyOption.AUTO, StrategyOption.FULL])
@pytest.mark.parametrize(
    "more", ["SELECT * FROM t WHERE id = 7", "SELECT 7, 'other'", "SELECT * FROM (VALUES (901, 'a'), (901, 'a')) n"]
)
def test_a_row_twice_is_refused_whatever_the_strategy(merging, wanted, more):
    case = merging("CREATE TABLE t (id int, v text); INSERT INTO t SELECT n, 'v' FROM generate_series(1, 300) n")
    case.execute("CREATE VIEW v AS SELECT * FROM t")
    case.datasets = (dataset("v", id="integer", v="text"),)
    case.run(LIVE)
    case.execute(f"CREATE OR REPLACE VIEW v AS SELECT * FROM t UNION ALL {more}")
    for _ in range(2):
        with pytest.raises(KeysRejected) as caught:
            case.run(LIVE, strategy=wanted)
        assert (caught.value.rejected.reason, caught.value.rejected.number) == ("duplicate", 1)
        assert not caught.value.retryable
        key = 901 if "901" in more else 7
        assert case.query("SELECT reason, rejected_key, row_count FROM yellowlive_rejected_keys") == [
            ("duplicate", {"id": key}, 2)
        ]
    case.execute("CREATE OR REPLACE VIEW v AS SELECT * FROM t")
    assert reported(case.run(LIVE))[1:] == (0, 300)


def test_a_row_twice_is_refused_by_the_first_load_and_by_row_versions(merging):
    case = merging("CREATE TABLE t (id int, v text); INSERT INTO t SELECT n, 'v' FROM generate_series(1, 300) n")
    case.datasets = (dataset("t", id="integer", v="text"),)
    case.run(LIVE)
    case.execute("INSERT INTO t VALUES (7, 'v')")
    with pytest.raises(KeysRejected) as by_versions:
        case.run(LIVE, strategy=StrategyOption.VERSION_DIFF)
    with pytest.raises(KeysRejected) as at_first:
        case.run(Milestoning.FORENSIC)
    for caught in (by_versions, at_first):
        assert (caught.value.rejected.reason, caught.value.rejected.number) == ("duplicate", 1)


# --- sources that no snapshot covers


@pytest.fixture
def of_file(merging, tmp_path_factory, postgres):
    """A case whose dataset is a file: `case.write(rows)` replaces it."""
    folder = postgres.directory / "data"
    case = merging("SELECT")
    path = folder / f"{case.source.name}.csv"

    def write(rows):
        new = path.with_suffix(".new")
        new.write_text("".join(f"{key},{value}\n" for key, value in rows.items()))
        new.chmod(0o644)
        new.replace(path)

    write({})
    superuser(
        case,
        sql.SQL(
            """CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
               CREATE FOREIGN TABLE v (id int, v text) SERVER files OPTIONS (filename {}, format 'csv');
               GRANT SELECT ON v TO {}"""
        ).format(sql.Literal(str(path)), sql.Identifier(case.source.user)),
    )
    case.datasets = (dataset("v", id="integer", v="text"),)
    case.write = write
    return case


def meanwhile(monkeypatch, step, change):
    """Do `change` between the pass of hashes and the pass of rows, once."""
    done, changed = getattr(RecordHashes, step), []

    def first_changed(self, *arguments):
        if not changed:
            changed.append(change())
        return done(self, *arguments)

    monkeypatch.setattr(RecordHashes, step, first_changed)
    return changed


ROWS = dict.fromkeys(range(1, 101), "v")


@pytest.mark.parametrize("changed", [1, 60], ids=["few", "many"])
def test_a_file_that_is_replaced_while_it_is_read_fails_so_that_a_retry_helps(of_file, monkeypatch, changed):
    of_file.write(ROWS)
    of_file.merge(LIVE)
    now = {**ROWS, **dict.fromkeys(range(1, changed + 1), "new")}
    of_file.write(now)
    step = "copy_rows_of_new_hashes" if changed == 1 else "copy_rows_and_hashes"
    assert not meanwhile(monkeypatch, step, lambda: of_file.write({**now, 1: "newer", 99: "newer"}))
    with pytest.raises(MapWrong, match="the source changed while it was read") as caught:
        of_file.run(LIVE)
    assert caught.value.retryable
    assert reported(of_file.merge(LIVE)) == ("full", changed + 1, 99 - changed)


def test_a_file_that_is_replaced_behind_the_hashes_is_read_by_the_next_batch(of_file, monkeypatch):
    of_file.write(ROWS)
    of_file.merge(LIVE)
    now = {**ROWS, 1: "new"}
    of_file.write(now)
    meanwhile(monkeypatch, "copy_rows_of_new_hashes", lambda: of_file.write({**now, 2: "newer"}))
    assert reported(of_file.run(LIVE)) == ("key_hash_diff", 1, 99)
    assert reported(of_file.merge(LIVE)) == ("key_hash_diff", 1, 99)


@pytest.mark.parametrize("wanted", [StrategyOption.AUTO, StrategyOption.FULL], ids=["initial", "full"])
def test_a_first_load_and_a_full_batch_read_rows_and_hashes_in_one_pass(of_file, monkeypatch, wanted):
    """Whatever happens to the file after the one pass is seen by the next batch."""
    of_file.write(ROWS)
    if wanted is StrategyOption.FULL:
        of_file.merge(LIVE)
        of_file.write({**ROWS, 5: "five"})
    passes = []
    copy = RecordHashes._copy

    def then_replaced(self, *arguments, **parts):
        copied = copy(self, *arguments, **parts)
        passes.append(arguments[0])
        of_file.write({**ROWS, 7: "seven"})
        return copied

    with monkeypatch.context() as patch:
        patch.setattr(RecordHashes, "_copy", then_replaced)
        of_file.run(LIVE, strategy=wanted)
    assert passes == ["rows_and_hashes"]
    assert reported(of_file.merge(LIVE)) == (
        "key_hash_diff",
        1 if wanted is StrategyOption.AUTO else 2,
        99 if wanted is StrategyOption.AUTO else 98,
    )


@pytest.mark.parametrize("kind", Milestoning)
def test_one_pass_leaves_no_column_of_ours(merging, kind):
    case = merging("CREATE TABLE t (id int, v text); INSERT INTO t SELECT n, 'v' FROM generate_series(1, 10) n")
    case.execute("CREATE VIEW v AS SELECT * FROM t")
    case.datasets = (dataset("v", id="integer", v="text"),)
    for wanted in (StrategyOption.AUTO, StrategyOption.FULL):
        case.run(kind, strategy=wanted)
        found = on_tables(
            case, kind, lambda of: of.run("dataset.describe", {"schema": "public", "table": of.merge_name}).fetchall()
        )
        more = ["ds_batch_in", "ds_batch_out"] if kind is Milestoning.FORENSIC else []
        assert [name for name, *_ in found] == ["id", "v", *more]


# --- a view that gives other rows at each look


def test_a_view_that_cannot_be_read_by_its_hashes_is_read_in_full_in_the_same_snapshot(merging):
    case = merging("CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 100)")
    case.execute("CREATE VIEW v AS SELECT id, CASE WHEN id = 1 THEN random() ELSE 0 END AS v FROM t")
    case.datasets = (dataset("v", id="integer", v="double precision"),)
    case.run(LIVE)
    done = case.run(LIVE).datasets["v"]
    assert (done.strategy, done.reason) == ("full", "1 rows could not be read by their hashes")
    assert (done.counts.updated, done.counts.unchanged) == (1, 99)


# --- audits


@pytest.fixture
def hashed(merging):
    case = merging("CREATE TABLE t (id int, v text); INSERT INTO t SELECT n, 'v' FROM generate_series(1, 400) n")
    case.execute("CREATE VIEW v AS SELECT * FROM t")
    case.datasets = (dataset("v", id="integer", v="text"),)
    case.run(LIVE)
    return case


def tamper(case, statement):
    statement = on_tables(case, LIVE, lambda of: statement.format(merge=f'"{of.merge_name}"', map=f'"{of.map_name}"'))
    case.execute(statement, case.target)


def test_an_audit_of_hashes_that_finds_nothing_says_so(hashed, caplog):
    hashed.execute("UPDATE t SET v = 'new' WHERE id = 7; DELETE FROM t WHERE id = 8; INSERT INTO t VALUES (401, 'n')")
    done = hashed.run(LIVE, audit_interval=ALWAYS).datasets["v"]
    assert done.reason.startswith("an audit, as the last full batch was at ")
    assert (done.counts.inserted, done.counts.updated, done.counts.deleted) == (1, 1, 1)
    assert "the audit found nothing that key-hash diff would have missed" in caplog.text
    assert hashed.run(LIVE, audit_interval=NEVER).datasets["v"].strategy == "key_hash_diff"


def test_an_audit_of_hashes_that_finds_missed_changes_merges_them_and_reads_all_rows_until_trusted(
    hashed, merging, caplog
):
    tamper(hashed, "UPDATE {merge} SET v = 'wrong' WHERE id <= 3; INSERT INTO {merge} VALUES (999, 'x')")
    tamper(hashed, "DELETE FROM {merge} WHERE id = 4")
    hashed.execute("UPDATE t SET v = 'new' WHERE id = 300")  # which the hashes would have found
    done = hashed.run(LIVE, audit_interval=ALWAYS).datasets["v"]
    assert (done.counts.inserted, done.counts.updated, done.counts.deleted) == (1, 4, 1)
    reason = "an audit found 5 changes that it would have missed"
    assert f"key-hash diff is off until an operator clears it: {reason}" in caplog.text
    for _ in range(2):
        done = hashed.merge(LIVE, audit_interval=NEVER).datasets["v"]
        assert (done.strategy, done.reason) == ("full", f"key-hash diff is off: {reason}")
    job = hashed.job(LIVE)
    assert trust_again(job.store, job.stream, job.stream.datasets) == {"v": {MapKind.KEY_HASHES: reason}}
    assert hashed.run(LIVE, audit_interval=NEVER).datasets["v"].strategy == "full"
    assert hashed.run(LIVE, audit_interval=NEVER).datasets["v"].strategy == "key_hash_diff"


def test_one_view_does_not_stop_the_audits_of_its_stream(merging):
    case = merging(
        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, 'v' FROM generate_series(1, 40) n"
    )
    case.execute("CREATE VIEW v AS SELECT * FROM t")
    case.datasets = (*case.datasets, replace(case.datasets[0], name="v"))
    case.run(LIVE)
    case.execute("UPDATE t SET v = 'new' WHERE id = 1")
    done = case.run(LIVE, audit_interval=ALWAYS)
    assert {of.strategy for of in done.datasets.values()} == {"full"}
    assert case.open_rows(LIVE, case.datasets[0]) == case.source_rows(case.datasets[1])


# --- maps by an older job


def test_a_map_whose_hashes_were_made_in_another_way_is_made_anew(hashed):
    hashed.execute("UPDATE yellowlive_row_maps SET guard = guard - 'hashing' - 'rows'", hashed.target)
    done = hashed.run(LIVE).datasets["v"]
    assert (done.strategy, done.reason) == ("full", "rows are hashed in another way since batch 1")
    [(guard,)] = hashed.query("SELECT guard FROM yellowlive_row_maps")
    assert guard["rows"] == 400, json.dumps(guard)
    assert hashed.run(LIVE).datasets["v"].strategy == "key_hash_diff"


# --- materialized views


@pytest.fixture
def materialized(merging):
    case = merging(
        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, 'v' FROM generate_series(1, 9) n"
    )
    case.execute("CREATE MATERIALIZED VIEW m AS SELECT * FROM t; CREATE VIEW v AS SELECT * FROM m")
    case.datasets = (*case.datasets, replace(case.datasets[0], name="m"), replace(case.datasets[0], name="v"))
    case.run(LIVE)
    return case


def refresh_before_each_of(monkeypatch, case, times):
    run, left = PostgresSource._run, list(range(times))

    def after_a_refresh(self, name, *arguments, **parts):
        if left and name == "hold_table" and "m" in str(parts):
            case.execute(f"UPDATE t SET v = 'v{left.pop()}'; REFRESH MATERIALIZED VIEW m")
        return run(self, name, *arguments, **parts)

    monkeypatch.setattr(PostgresSource, "_run", after_a_refresh)


def test_a_materialized_view_that_is_refreshed_behind_the_snapshot_is_noticed(materialized, monkeypatch):
    refresh_before_each_of(monkeypatch, materialized, 1)
    assert materialized.run(LIVE).total.updated == 27
    table, *views = (materialized.open_rows(LIVE, of) for of in materialized.datasets)
    assert views == [table, table]


def test_one_read_through_a_view_is_noticed_too(materialized, monkeypatch):
    materialized.datasets = (materialized.datasets[0], replace(materialized.datasets[2], name="w", table="v"))
    refresh_before_each_of(monkeypatch, materialized, 1)
    materialized.run(LIVE)
    table, view = (materialized.open_rows(LIVE, of) for of in materialized.datasets)
    assert view == table
