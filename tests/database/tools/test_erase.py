"""`merge-job erase`: a key is gone from everywhere, stays away, and its values are nowhere afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from config_schema import names
from config_schema.model import Cursor, DatasetStrategy, Milestoning
from config_schema.model.quality import Completeness, Expression, Severity
from config_schema.sql import versions
from config_schema.sql.versions import TablesOfAnother, TablesTooNew, TablesTooOld
from merge_jobs.admin.erase import KeyTypeUnfit, KeyUnfit, erase, lift
from merge_jobs.errors import DatabaseFailed, StreamBusy
from merge_jobs.run.job import run
from merge_jobs.stores.postgres.erased_keys import ErasedKeysUnreadable
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.strategies.selection import StrategyOption
from merge_jobs.stream import Tables, with_tables
from tests.database.tools.conftest import PLATFORM

LIVE, FORENSIC = Milestoning
TABLE = """
    CREATE TABLE t (id int PRIMARY KEY, word text);
    INSERT INTO t SELECT n, 'word ' || n FROM generate_series(1, 200) n;
"""
# A value that nothing else has, and that every form of quoting would change somehow.
NUMBER = 7160948371654
MARK = 'O\'Neil "x"\t\\N,\n%s {}'
HARD = """
    CREATE TABLE t (name text, code uuid, amount numeric, word text, PRIMARY KEY (name, code, amount));
"""
UUID = "9f3c2a54-1f0e-4d1a-9d2b-6c1b6a6f2d11"


@pytest.fixture
def case(merging):
    return merging(TABLE)


@pytest.fixture
def erased(tmp_path, merge_job):
    """Run the command with these keys: `erased(case, FORENSIC, {"id": 5}, "--lift")`."""

    def run(case, kind, keys, *flags):
        given = []
        if keys is not None:
            file = tmp_path / "keys.json"
            file.write_text(keys if isinstance(keys, str) else json.dumps(keys), "utf-8")
            given = [f"--keys={file}"]
        where = (f"--platform={PLATFORM[kind]}", "--store=Store1", "--dataset=t")
        return merge_job(case, "erase", *where, *given, *flags)

    return run


def ids(case, kind) -> set[str]:
    return {key[0] for key, *_ in case.versions(kind, case.datasets[0])}


def everything_in(case) -> str:
    """Each row of each table of the merge store, as text."""
    tables = case.query(
        "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables "
        "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    return json.dumps([case.query(f"SELECT to_jsonb(t) FROM {table} t") for (table,) in tables])


def test_a_key_with_hard_values_leaves_no_trace_and_stays_away(merging, erased):
    case = merging(HARD)
    insert(case, (MARK, UUID, "1.50", "first"), ("other", UUID, "1.5", "stays"))
    case.merge(FORENSIC)
    case.execute("UPDATE t SET word = 'second'")
    case.merge(FORENSIC)
    done = erased(case, FORENSIC, {"name": MARK, "code": UUID.upper(), "amount": 1.5})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "YellowForensic Store1 t: 1 key erased, with 2 rows of merge tables\n"
    case.execute("UPDATE t SET word = 'third', amount = 1.500")
    # The key is the same by the equality of its types, whatever the source writes now.
    for wanted in (StrategyOption.VERSION_DIFF, StrategyOption.KEY_HASH_DIFF, StrategyOption.FULL):
        result = case.run(FORENSIC, strategy=wanted)
        assert result.datasets["t"].counts.total == 1
        assert "Neil" not in everything_in(case)
    assert {key[0] for key, *_ in case.versions(FORENSIC, case.datasets[0])} == {"other"}


def test_its_values_are_in_no_output_and_no_log(merging, erased, caplog):
    case = merging(HARD)
    insert(case, (MARK, UUID, "1.50", "first"))
    case.merge(LIVE)
    for flags in ((), ("--dry-run",), ("--lift",)):
        done = erased(case, LIVE, {"name": MARK, "code": UUID, "amount": "1.5"}, *flags)
        assert done.returncode == 0
        assert "Neil" not in done.stdout + done.stderr
        assert UUID not in done.stdout + done.stderr
    for wrong in ({"name": MARK, "code": "no uuid", "amount": 1}, {"name": MARK}, [{"name": [MARK]}], f'{{"{MARK}'):
        done = erased(case, LIVE, wrong)
        assert done.returncode in (1, 2)
        assert "Neil" not in done.stdout + done.stderr
        assert "no uuid" not in done.stdout + done.stderr
    assert "Neil" not in caplog.text


def insert(case, *rows) -> None:
    with closing(case.source.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.executemany("INSERT INTO t VALUES (%s, %s, %s, %s)", rows)


def test_it_is_erased_once_and_lifted_once(case, erased):
    case.merge(FORENSIC)
    assert "2 keys erased, with 2 rows" in erased(case, FORENSIC, [{"id": 5}, {"id": "7"}, {"id": 5}]).stdout
    again = erased(case, FORENSIC, [{"id": 5}, {"id": 8}])
    assert "1 key erased, with 1 row of merge tables; 1 key was erased already\n" in again.stdout
    assert erased(case, FORENSIC, {"id": 5}, "--lift").stdout.startswith("YellowForensic Store1 t: 1 key lifted")
    assert erased(case, FORENSIC, {"id": 5}, "--lift").stdout.startswith("YellowForensic Store1 t: 0 keys lifted")
    result = case.run(FORENSIC)
    assert (result.datasets["t"].strategy, result.datasets["t"].counts.inserted) == ("version_diff", 1)
    assert ids(case, FORENSIC) == {str(n) for n in range(1, 201)} - {"7", "8"}
    erased(case, FORENSIC, None, "--lift", "--all")
    assert case.run(FORENSIC).datasets["t"].counts.total == 200
    case.merge(FORENSIC)


def test_nothing_is_read_because_of_an_erasure_but_what_changed(case, erased, caplog):
    case.merge(LIVE)
    erased(case, LIVE, {"id": 5})
    caplog.clear()
    assert case.run(LIVE).batches == 0
    assert "0 of 2 blocks have changed" in caplog.text
    assert "rows of the source kept away, as their keys are erased: 1" in caplog.text
    case.execute("UPDATE t SET word = 'new' WHERE id = 200")
    result = case.run(LIVE).datasets["t"]
    assert (result.strategy, result.counts.updated, result.counts.total) == ("version_diff", 1, 199)
    # An audit finds nothing that version diff would have missed.
    audited = case.run(LIVE, audit_interval=1e-6).datasets["t"]
    assert (audited.strategy, audited.counts.changed, audited.counts.total) == ("full", 0, 199)
    assert "the audit found nothing" in caplog.text


def test_few_changes_found_by_hashes_do_not_bring_it_back(merging, erased):
    case = merging(TABLE)
    case.run(LIVE, strategy=StrategyOption.KEY_HASH_DIFF)
    erased(case, LIVE, {"id": 5})
    case.execute("UPDATE t SET word = 'new' WHERE id IN (5, 6)")
    result = case.run(LIVE, strategy=StrategyOption.KEY_HASH_DIFF).datasets["t"]
    assert (result.strategy, result.counts.updated, result.counts.total) == ("key_hash_diff", 1, 199)
    assert "5" not in ids(case, LIVE)
    erased(case, LIVE, {"id": 5}, "--lift")
    result = case.run(LIVE, strategy=StrategyOption.KEY_HASH_DIFF).datasets["t"]
    assert (result.strategy, result.counts.inserted, result.counts.total) == ("key_hash_diff", 1, 200)


def test_a_key_may_be_erased_before_the_first_load(case, erased):
    assert "1 key erased, with 0 rows" in erased(case, LIVE, {"id": 5}).stdout
    assert case.run(LIVE).datasets["t"].counts.inserted == 199
    assert "5" not in ids(case, LIVE)


def test_it_is_gone_from_a_batch_that_was_left_ingested(case, erased, left_ingested):
    case.merge(FORENSIC)
    case.execute("UPDATE t SET word = 'secret' WHERE id IN (5, 6)")
    left_ingested(case, FORENSIC)
    staging = '"yellowforensic_Store1_t_staging"'
    assert {row for (row,) in case.query(f"SELECT id FROM {staging}")} == {5, 6}
    erased(case, FORENSIC, {"id": 5})
    assert {row for (row,) in case.query(f"SELECT id FROM {staging}")} == {6}
    result = case.run(FORENSIC, "killed").datasets["t"]
    assert (result.counts.updated, result.counts.total) == (1, 199)
    assert "5" not in ids(case, FORENSIC)


def test_it_is_gone_from_archived_tables_and_from_a_trial(case, erased):
    case.merge(FORENSIC)
    case.run_trial = replace(case.job(FORENSIC), run_id="trial")
    trial = with_tables(case.run_trial.stream, Tables.SHADOW, case.ecosystem)
    run(replace(case.run_trial, stream=trial))
    case.execute("CREATE SCHEMA yellowforensic_archive", on=case.target)
    for name in ("merge", "map"):
        case.execute(f'ALTER TABLE "yellowforensic_Store1_t_{name}" SET SCHEMA yellowforensic_archive', on=case.target)
    done = erased(case, FORENSIC, {"id": 5})
    assert "1 key erased, with 2 rows of merge tables" in done.stdout
    for table in ('yellowforensic_archive."yellowforensic_Store1_t_merge"', '"yellowforensic_Store1__shadow_t_merge"'):
        assert not case.query(f"SELECT FROM {table} WHERE id = 5")
        assert case.query(f"SELECT count(*) FROM {table}") == [(199,)]
    again = run(replace(case.run_trial, stream=trial, run_id="again")).datasets["t"]
    assert (again.strategy, again.counts.total) == ("version_diff", 199)


def test_rejected_keys_and_texts_of_the_producer_are_forgotten(case, erased):
    case.merge(LIVE)
    case.execute(
        """INSERT INTO yellowlive_rejected_keys (key, batch_id, dataset, reason, rejected_key, row_count)
           SELECT 'Store1', 2, 't', 'duplicate', jsonb_build_object('id', n), 2 FROM generate_series(5, 6) n;
           UPDATE yellowlive_batch_metrics SET state = state || '{"said": "Key (id)=(5)"}'""",
        on=case.target,
    )
    erased(case, LIVE, {"id": 5})
    assert case.query("SELECT rejected_key FROM yellowlive_rejected_keys") == [({"id": 6},)]
    assert case.query("SELECT 1 FROM yellowlive_batch_metrics WHERE state ? 'said'") == []


@pytest.mark.parametrize("kind", Milestoning)
def test_what_quality_checks_have_seen_of_it_is_forgotten_and_measured_again(case, erased, kind):
    checks = (Expression("short", Severity.WARN, "id <> 5", sample=9), Completeness("set", Severity.WARN, ("word",), 0))
    case.execute("UPDATE t SET word = NULL WHERE id = 5")
    case.datasets = tuple(replace(one, checks=checks) for one in case.datasets)
    case.run(kind)
    metrics = f"{names.platform_name(PLATFORM[kind])}_batch_metrics"
    assert case.query(f"SELECT 1 FROM {metrics} WHERE state::text LIKE '%\"5\"%'")
    erased(case, kind, {"id": 5})
    assert case.query(f"SELECT state -> 'quality_data' FROM {metrics}") == [({},)]
    short, complete = case.run(kind).datasets["t"].quality
    assert (short.violations, complete.value) == (0, 1.0)


def test_the_list_says_nothing_without_the_salt(case, erased):
    case.merge(LIVE)
    erased(case, LIVE, {"id": 5})
    hashes = "int8send(hash_record_extended(ROW(5::numeric), 0)) || int8send(hash_record_extended(ROW(5::numeric), 1))"
    tables = "yellowlive_erased_keys, yellowlive_erasure_salt"
    assert case.query(f"SELECT sha256(salt || {hashes}) = digest, length(salt) FROM {tables}") == [(True, 32)]
    assert case.query(f"SELECT sha256({hashes}) = digest FROM {tables}") == [(False,)]


def test_diff_leaves_it_out_and_says_so(case, erased, merge_job):
    case.merge(FORENSIC)
    erased(case, FORENSIC, {"id": 5})
    found = merge_job(case, "diff", "--platform=YellowForensic", "--store=Store1")
    assert found.returncode == 0
    assert "t: equal, 199 rows\n    left out, as their keys are erased: 1 of the source's rows\n" in found.stdout
    shown = json.loads(merge_job(case, "diff", "--platform=YellowForensic", "--store=Store1", "--json").stdout)
    assert shown["datasets"]["t"]["kept_away"] == 1


def test_a_dry_run_changes_nothing(case, erased):
    case.merge(LIVE)
    done = erased(case, LIVE, {"id": 5}, "--dry-run")
    assert done.stdout == "YellowLive Store1 t: 1 key would be erased, with 1 row of merge tables\n"
    assert case.query("SELECT FROM yellowlive_erased_keys") == []
    assert "5" in ids(case, LIVE)


def test_programs_that_do_not_know_erased_keys_are_kept_out_while_there_are_some(case, erased, monkeypatch):
    case.merge(LIVE)
    case.merge(FORENSIC)
    erased(case, LIVE, {"id": 5})
    older = tuple(one for one in versions.migrations() if one.name != "erased_keys")
    with monkeypatch.context() as patch:
        patch.setattr(versions, "migrations", lambda: older)
        with pytest.raises(TablesTooNew):
            case.run(LIVE)
        case.run(FORENSIC)
    erased(case, LIVE, {"id": 5}, "--lift")
    with monkeypatch.context() as patch:
        patch.setattr(versions, "migrations", lambda: older)
        assert case.run(LIVE).datasets["t"].counts.total == 200


def test_a_key_of_other_columns_or_types_is_refused_until_it_is_lifted(case, erased):
    case.merge(LIVE)
    erased(case, LIVE, {"id": 5})
    # A wider integer, or a number of any size, is the same key.
    case.execute("ALTER TABLE t ALTER id TYPE numeric")
    case.describe()
    assert case.run(LIVE).datasets["t"].counts.total == 199
    case.execute('UPDATE yellowlive_erased_keys SET key_form = \'[["id", "text"]]\'', on=case.target)
    with pytest.raises(ErasedKeysUnreadable, match="1 erased keys cannot be recognized"):
        case.run(LIVE)
    erased(case, LIVE, None, "--lift", "--all")
    assert case.run(LIVE).datasets["t"].counts.total == 200


def test_a_lost_salt_is_refused(case, erased):
    erased(case, LIVE, {"id": 5})
    case.execute("DELETE FROM yellowlive_erasure_salt", on=case.target)
    with pytest.raises(ErasedKeysUnreadable, match="the salt of their digests is lost"):
        case.run(LIVE)
    assert erased(case, LIVE, {"id": 6}).returncode == 1, "a new salt would hide that"


def test_a_login_that_is_not_the_owner_erases_nothing(case, postgres):
    case.merge(LIVE)
    job = case.job(LIVE)
    guest = f"guest_of_{case.target.name}"
    of_server = make_dsn(postgres.dsn(), dbname=case.target.name)
    with closing(psycopg2.connect(of_server)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(
            f"""CREATE ROLE {guest} LOGIN PASSWORD 'guest'; GRANT USAGE ON SCHEMA public TO {guest};
                GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {guest}"""
        )
        try:
            with pytest.raises((TablesTooOld, TablesOfAnother, DatabaseFailed)):
                erase(replace(job.store, user=guest, password="guest"), job.stream, case.datasets[0], [["5"]])
        finally:
            cursor.execute(f"DROP OWNED BY {guest}; DROP ROLE {guest}")
    assert "5" in ids(case, LIVE)


def test_nothing_is_erased_while_a_job_works_on_the_stream(case):
    case.merge(LIVE)
    job = case.job(LIVE, "running")
    with MergeStore(job.store, job.stream, "running") as store:
        store.lock_stream(0)
        with pytest.raises(StreamBusy):
            erase(job.store, job.stream, case.datasets[0], [["5"]])
    assert "5" in ids(case, LIVE)


@pytest.mark.parametrize("kind", ["money", "citext", "bit varying", "char(5)", "timestamptz", "date[]", "numeric(9,2)"])
def test_a_key_of_any_type_is_erased_or_refused(merging, kind):
    value = {
        "money": "5.00",
        "citext": "Abc",
        "bit varying": "0101",
        "char(5)": "ab",
        "timestamptz": "2026-11-30 12:00+01",
        "date[]": "{2026-11-30}",
        "numeric(9,2)": "1.50",
    }[kind]
    case = merging(f"CREATE EXTENSION IF NOT EXISTS citext; CREATE TABLE t (id {kind} PRIMARY KEY)")
    case.execute("CREATE EXTENSION IF NOT EXISTS citext", on=case.target)
    case.execute(f"INSERT INTO t VALUES ('{value}')")
    case.run(LIVE)
    job = case.job(LIVE)
    if kind == "money":
        with pytest.raises(KeyTypeUnfit):
            erase(job.store, job.stream, case.datasets[0], [[value]])
        return
    written = {"citext": "ABC", "char(5)": "ab   ", "timestamptz": "2026-11-30 11:00Z", "numeric(9,2)": "1.5"}
    assert erase(job.store, job.stream, case.datasets[0], [[written.get(kind, value)]]).rows == 1
    for wanted in (StrategyOption.AUTO, StrategyOption.FULL):
        assert case.run(LIVE, strategy=wanted).datasets["t"].counts.total == 0
    assert lift(job.store, job.stream, case.datasets[0], [[value]]) == 1
    assert case.run(LIVE).datasets["t"].counts.total == 1


def test_a_value_is_not_rounded_to_another_key(merging):
    case = merging("CREATE TABLE t (id numeric(9,2) PRIMARY KEY); INSERT INTO t VALUES (1.01)")
    case.run(LIVE)
    job = case.job(LIVE)
    assert erase(job.store, job.stream, case.datasets[0], [["1.005"]]).rows == 0
    with pytest.raises(KeyUnfit):
        erase(job.store, job.stream, case.datasets[0], [["one"]])
    assert case.run(LIVE).datasets["t"].counts.total == 1


@pytest.mark.parametrize(
    ("keys", "flags", "what"),
    [
        ("{", (), "--keys: it is not JSON"),
        ("[]", (), "--keys: it has no key"),
        ([{"id": 1}, {"ID": 1}], (), "--keys: key 2: it is not an object with the columns id and no others"),
        ([{"id": None}], (), "--keys: key 1: the value of id is neither a text nor a number nor a boolean"),
        ({"id": 1}, ("--lift", "--all"), "--keys: it is given together with --all"),
        ({"id": 1}, ("--lift", "--dry-run"), "--lift: it is given together with --dry-run"),
        (None, (), "--keys"),
        (None, ("--all",), "--lift"),
    ],
)
def test_what_cannot_be_meant_is_refused(case, erased, keys, flags, what):
    done = erased(case, LIVE, keys, *flags)
    assert (done.returncode, done.stdout) == (1, "")
    assert what in done.stderr


def test_keys_come_from_standard_input_and_dagfactory_hands_them_on(case, erased, tmp_path):
    case.merge(LIVE)
    case.command(LIVE, tmp_path, "none")
    flags = ("--platform=YellowLive", "--store=Store1", "--dataset=t", "--keys=-", f"--model={tmp_path}")
    command = [sys.executable, "-m", "airflow_plugin", "runs", "erase", *flags]
    done = subprocess.run(
        command, input='{"id": 5}', env={**os.environ, **case.environment}, capture_output=True, text=True, check=False
    )
    assert done.stdout == "YellowLive Store1 t: 1 key erased, with 1 row of merge tables\n", done.stderr


def test_who_asked_for_it_is_in_the_history_without_the_key(case, erased):
    case.merge(LIVE)
    erased(case, LIVE, {"id": 5}, "--by=alice", "--reason=ticket 7")
    assert case.query("SELECT erased_by FROM yellowlive_erased_keys") == [("alice",)]


@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize(
    "cursor", [Cursor("id"), Cursor("at", tie_breaker="id")], ids=["of the key", "with a tie breaker"]
)
def test_a_cursor_that_has_come_to_it_forgets_it(merging, erased, kind, cursor):
    case = merging(f"CREATE TABLE t (id bigint PRIMARY KEY, at int); INSERT INTO t VALUES (1, 1), ({NUMBER}, 2)")
    case.datasets = (replace(case.datasets[0], strategy=DatasetStrategy.CURSOR, cursor=cursor),)
    for _ in range(2):
        case.merge(kind)
    assert str(NUMBER) in everything_in(case)
    assert erased(case, kind, {"id": NUMBER}).returncode == 0
    assert str(NUMBER) not in everything_in(case)
    for number in range(2, 5):
        case.execute(f"INSERT INTO t VALUES ({number}, {number})")
        assert case.run(kind).datasets["t"].counts.total == number
        assert str(NUMBER) not in everything_in(case)
