"""The data change simulator on a real producer's database, in process and through its command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import sleep

import psycopg2
import psycopg2.extensions
import pytest

from airflow_plugin.demo.postgres import EmbeddedPostgres
from config_schema.load import load_model
from merge_jobs.errors import ConnectFailed, DatabaseFailed
from merge_jobs.simulator import create_tables, run_changes
from merge_jobs.simulator.change import ChangeKind, CustomerChange
from merge_jobs.simulator.connect import connector
from merge_jobs.simulator.producer import apply
from merge_jobs.simulator.run import Pause, Simulator, Summary, TooManyCollisions
from tests.conftest import binaries
from tests.server_folder import server_folder

EXAMPLE = Path(__file__).parents[2] / "config_schema" / "examples"
COMMAND = [sys.executable, "-m", "merge_jobs", "simulate"]
PATIENCE = 60  # seconds; only a hanging test comes near

END_OTHER_SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
# Writes down, by the database itself, each row change with its transaction.
JOURNAL = """
CREATE TABLE journal (txid bigint, tbl text, op text, same boolean);
CREATE FUNCTION write_down() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO journal
    VALUES (txid_current(), TG_TABLE_NAME, TG_OP, TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW);
    RETURN NULL;
END $$;
CREATE TRIGGER journal AFTER INSERT OR UPDATE OR DELETE ON customers FOR EACH ROW EXECUTE FUNCTION write_down();
CREATE TRIGGER journal AFTER INSERT OR UPDATE OR DELETE ON addresses FOR EACH ROW EXECUTE FUNCTION write_down();
"""


@pytest.fixture
def producer(new_database):
    database = new_database("producer")
    with closing(database.connect()) as connection:
        create_tables(connection)
    return database


def query(database, text: str) -> list[tuple]:
    with closing(database.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchall() if cursor.description else []


def contents(database) -> tuple[list, list]:
    return query(database, "SELECT * FROM customers ORDER BY id"), query(
        database, "SELECT * FROM addresses ORDER BY id"
    )


def simulated(database, seed: int, changes: int, **options) -> Summary:
    return run_changes(database.connect, seed, changes, **options)


def check_integrity(database) -> None:
    assert query(database, 'SELECT id FROM customers WHERE "primaryAddressId" IS NULL') == []
    assert (
        query(
            database,
            """
            SELECT c.id FROM customers c LEFT JOIN addresses p ON p.id = c."primaryAddressId"
            LEFT JOIN addresses b ON b.id = c."billingAddressId"
            WHERE p."customerId" IS DISTINCT FROM c.id
               OR c."billingAddressId" IS NOT NULL AND b."customerId" IS DISTINCT FROM c.id
            """,
        )
        == []
    )
    orphans = 'SELECT id FROM addresses a WHERE NOT EXISTS (SELECT FROM customers c WHERE c.id = a."customerId")'
    assert query(database, orphans) == []


# --- The tables


def test_the_tables_are_those_of_the_example_model(producer):
    datasets = load_model(EXAMPLE).ecosystem.datastore("Store1").datasets
    assert len(datasets) == 2
    for dataset in datasets:
        columns = query(
            producer,
            f"""
            SELECT attname::text, format_type(atttypid, atttypmod), NOT attnotnull
            FROM pg_attribute WHERE attrelid = '{dataset.name}'::regclass AND attnum > 0 ORDER BY attnum
            """,
        )
        of_model = [
            (column.name, column.type.replace("varchar", "character varying"), column.nullable)
            for column in dataset.columns
        ]
        assert columns == of_model


def test_the_first_data_are_five_customers_and_eight_addresses(producer):
    customers, addresses = contents(producer)
    assert [row[0] for row in customers] == [f"CUST{number:03d}" for number in range(1, 6)]
    assert [row[0] for row in addresses] == [f"ADDR{number:03d}" for number in range(1, 9)]
    check_integrity(producer)


def test_tables_made_twice_keep_what_has_changed_since(producer):
    simulated(producer, 1, 20)
    before = contents(producer)
    with closing(producer.connect()) as connection:
        assert create_tables(connection) is False
    assert contents(producer) == before


def test_one_missing_table_is_made_without_seeding_beside_rows_of_others(producer):
    query(
        producer,
        'UPDATE customers SET "primaryAddressId" = NULL, "billingAddressId" = NULL; DROP TABLE addresses CASCADE',
    )
    with closing(producer.connect()) as connection:
        assert create_tables(connection) is True
    customers, addresses = contents(producer)
    assert (len(customers), addresses) == (5, [])
    simulated(producer, 3, 100)
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        query(producer, """UPDATE customers SET "primaryAddressId" = 'ADDR999'""")


def test_tables_made_by_two_at_once_are_seeded_once(new_database):
    database = new_database("producer")
    failures: list[Exception] = []

    def make() -> None:
        try:
            with closing(database.connect()) as connection:
                create_tables(connection)
        except Exception as error:
            failures.append(error)

    run_together(make, make, make)
    assert failures == []
    assert [len(rows) for rows in contents(database)] == [5, 8]


def test_a_role_that_may_not_create_tables_gets_that_error(new_database, postgres):
    database = new_database("producer")
    postgres.create_role("looker", "looker")
    query(database, f'GRANT CONNECT ON DATABASE "{database.name}" TO looker')
    with (
        closing(psycopg2.connect(postgres.dsn(database.name, "looker", "looker"))) as connection,
        pytest.raises(DatabaseFailed, match="permission denied for schema public"),
    ):
        create_tables(connection)


# --- The changes


def test_the_same_seed_on_the_same_data_makes_the_same_changes(new_database):
    ended = []
    for seed, pause in ((11, Pause()), (11, Pause(0.0, 0.002)), (12, Pause())):
        database = new_database("producer")
        with closing(database.connect()) as connection:
            create_tables(connection)
        reported: list[CustomerChange] = []
        simulated(database, seed, 60, pause=pause, on_change=reported.append)
        ended.append((reported, contents(database)))
    assert ended[0] == ended[1]
    assert ended[0] != ended[2]


def test_three_hundred_changes_are_as_many_transactions_and_keep_integrity(producer):
    query(producer, JOURNAL)
    summary = simulated(producer, 5, 300)
    counts = summary.counts
    assert summary.changes == 300
    assert min(counts[kind] for kind in ChangeKind) > 0
    check_integrity(producer)
    assert query(producer, "SELECT count(DISTINCT txid) FROM journal") == [(300,)]
    assert query(producer, "SELECT count(*) FROM journal WHERE same") == [(0,)]
    changes = query(producer, "SELECT tbl, op, count(*) FROM journal GROUP BY tbl, op")
    rows = {(table, op): number for table, op, number in changes}
    assert rows["customers", "INSERT"] == counts[ChangeKind.NEW_CUSTOMER]
    assert rows["addresses", "INSERT"] == counts[ChangeKind.NEW_CUSTOMER] + counts[ChangeKind.NEW_ADDRESS]
    assert rows["addresses", "UPDATE"] == counts[ChangeKind.UPDATE_ADDRESS]
    assert rows["addresses", "DELETE"] == counts[ChangeKind.DELETE_ADDRESS]
    assert ("customers", "DELETE") not in rows


def test_what_is_reported_of_each_change_replays_to_the_same_tables(producer, new_database):
    copy = new_database("copy")
    with closing(copy.connect()) as connection:
        create_tables(connection)
    reported: list[CustomerChange] = []
    simulated(producer, 6, 80, on_change=reported.append)
    with closing(copy.connect()) as connection:
        for change in reported:
            with connection, connection.cursor() as cursor:
                apply(cursor, change)
    assert contents(copy) == contents(producer)


def test_the_id_of_a_deleted_address_is_not_given_out_again_in_a_run(producer):
    new: list[str] = []

    def delete_at_once(change: CustomerChange) -> None:
        if change.kind is ChangeKind.NEW_ADDRESS:
            new.append(change.id)
            pointing = """UPDATE customers SET "billingAddressId" = NULL WHERE "billingAddressId" = """
            query(producer, f"{pointing} '{change.id}'; DELETE FROM addresses WHERE id = '{change.id}'")

    simulated(producer, 8, 100, on_change=delete_at_once)
    assert len(set(new)) == len(new) > 5


def test_an_empty_producer_gets_its_first_customer(producer):
    query(producer, "TRUNCATE customers, addresses")
    reported: list[CustomerChange] = []
    simulated(producer, 1, 1, on_change=reported.append)
    assert [(change.kind, change.id) for change in reported] == [(ChangeKind.NEW_CUSTOMER, "CUST001")]
    check_integrity(producer)


def test_two_simulators_at_once_both_make_all_their_changes(producer):
    query(producer, JOURNAL)
    summaries: list[Summary] = []
    run_together(*(lambda seed=seed: summaries.append(simulated(producer, seed, 80)) for seed in (1, 2)))
    assert [summary.changes for summary in summaries] == [80, 80]
    assert query(producer, "SELECT count(DISTINCT txid) FROM journal") == [(160,)]
    check_integrity(producer)


def test_other_tables_of_these_names_are_refused_with_the_way_out(new_database):
    database = new_database("other")
    query(database, "CREATE TABLE customers (id int PRIMARY KEY)")
    with pytest.raises(DatabaseFailed) as caught:
        simulated(database, 1, 1)
    assert caught.value.sqlstate == "42703"
    assert "--create-tables" in caught.value.todo


def test_a_constraint_that_every_change_breaks_ends_the_run(producer):
    query(
        producer,
        """
        ALTER TABLE customers ADD CHECK (false) NOT VALID;
        ALTER TABLE addresses ADD CHECK (false) NOT VALID;
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'kept' USING ERRCODE = 'foreign_key_violation';
        END $$;
        CREATE TRIGGER kept BEFORE DELETE ON addresses FOR EACH ROW EXECUTE FUNCTION refuse();
        """,
    )
    with pytest.raises(TooManyCollisions) as raised:
        simulated(producer, 1, 1)
    assert raised.value.changes == 20


# --- Lost connections


def test_a_run_whose_sessions_are_ended_makes_the_changes_of_an_undisturbed_one(producer, new_database):
    undisturbed = new_database("undisturbed")
    with closing(undisturbed.connect()) as connection:
        create_tables(connection)
    simulated(undisturbed, 21, 30)
    reported: list[CustomerChange] = []
    said: list[str] = []

    def end_session(change: CustomerChange) -> None:
        reported.append(change)
        if len(reported) in (7, 19):
            query(producer, END_OTHER_SESSIONS)

    summary = simulated(producer, 21, 30, on_change=end_session, say=said.append)
    assert (summary.changes, summary.reconnects) == (30, 2)
    assert contents(producer) == contents(undisturbed)
    assert len(said) == 4


class AnswerLost(psycopg2.extensions.connection):
    """A session that dies at its third COMMIT: after it, so that only the answer is lost, or before it."""

    after = True
    commits = 0

    def commit(self) -> None:
        type(self).commits += 1
        if type(self).commits == 3:
            if self.after:
                super().commit()
            self.close()
            raise psycopg2.OperationalError("server closed the connection unexpectedly")
        super().commit()


@pytest.mark.parametrize("after", [True, False])
def test_a_connection_lost_at_commit_neither_loses_nor_repeats_the_change(producer, new_database, after):
    class Lost(AnswerLost):
        pass

    Lost.after = after
    undisturbed = new_database("undisturbed")
    with closing(undisturbed.connect()) as connection:
        create_tables(connection)
    reported: list[CustomerChange] = []
    expected: list[CustomerChange] = []
    query(producer, JOURNAL)

    def connect() -> psycopg2.extensions.connection:
        return psycopg2.connect(producer.dsn, connection_factory=Lost)

    summary = run_changes(connect, 31, 10, on_change=reported.append)
    simulated(undisturbed, 31, 10, on_change=expected.append)
    assert (summary.changes, summary.reconnects) == (10, 1)
    assert reported == expected
    assert contents(producer) == contents(undisturbed)
    assert query(producer, "SELECT count(DISTINCT txid) FROM journal") == [(10,)]


def test_a_server_that_goes_away_and_comes_back_is_waited_for_and_said_once():
    with (
        server_folder() as directory,
        EmbeddedPostgres(directory / "server", options={"fsync": "off"}, binaries=binaries()) as server,
    ):
        options = ("--create-tables", "--verbose", "--min-interval", "0", "--max-interval", "0.05")
        with child(server.dsn(), *options, "--max-changes", "60") as process:
            read_until(process, lambda line: line.startswith("Made the tables"))
            for _ in range(5):
                process.stdout.readline()
            server.stop("immediate")
            assert "lost; trying again" in process.stderr.readline()
            server.start()
            out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert err == "Connected to the producer again\n"
    assert out.splitlines()[-1].startswith("60 changes:")


def test_a_first_connection_that_fails_is_an_error(producer):
    with pytest.raises(ConnectFailed, match="the database does not exist") as raised:
        run_changes(connector(producer.dsn, {"database": "no_such"}), 1, 1)
    assert "no_such" in raised.value.in_full()


# --- The command line


def test_the_number_of_changes_is_exact_and_the_summary_is_the_last_line(producer):
    done = run(producer.dsn, *AT_ONCE, "--max-changes", "25", "--seed", "4", "--verbose")
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert len(lines) == 26
    assert lines[-1].startswith("25 changes: new_customer ")
    assert lines[-1].endswith("(seed 4)")
    assert all(line.split()[0] in {kind.value for kind in ChangeKind} for line in lines[:-1])


def test_no_personal_value_is_printed(producer):
    done = run(producer.dsn, *AT_ONCE, "--max-changes", "40", "--verbose")
    values = query(
        producer,
        'SELECT unnest(ARRAY["firstName", "lastName", email, phone]) FROM customers'
        ' UNION SELECT "streetName" FROM addresses',
    )
    assert not [value for (value,) in values if value and value in done.stdout + done.stderr]


def test_json_is_all_there_is_on_stdout(producer):
    done = run(producer.dsn, *AT_ONCE, "--max-changes", "9", "--seed", "2", "--json", "--verbose", "--create-tables")
    summary = json.loads(done.stdout)
    assert summary["changes"] == sum(summary[kind.value] for kind in ChangeKind) == 9
    assert (summary["seed"], summary["reconnects"]) == (2, 0)
    assert len(done.stderr.splitlines()) == 10


def test_no_changes_asked_for_makes_the_tables_and_nothing_else(new_database):
    database = new_database("producer")
    done = run(database.dsn, "--create-tables", "--max-changes", "0")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "Made the tables customers and addresses"
    assert [len(rows) for rows in contents(database)] == [5, 8]


def test_the_run_tells_the_seed_that_repeats_it(producer, new_database):
    again = new_database("producer")
    first = run(producer.dsn, *AT_ONCE, "--max-changes", "12", "--create-tables", "--json")
    seed = str(json.loads(first.stdout)["seed"])
    run(again.dsn, *AT_ONCE, "--max-changes", "12", "--create-tables", "--seed", seed)
    assert contents(again) == contents(producer)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_pause_ends_the_run_with_its_summary(producer, number):
    with child(producer.dsn, "--min-interval", "600", "--verbose") as process:
        process.stdout.readline()
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
    assert out.startswith("1 change: ")


def test_a_signal_while_a_lock_is_waited_for_rolls_back_and_ends(producer):
    before = contents(producer)
    with closing(producer.connect()) as holder, holder.cursor() as cursor:
        cursor.execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE")
        with child(producer.dsn) as process:
            wait_for_lock(producer)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
    assert out.startswith("0 changes: ")
    assert contents(producer) == before


def test_a_lock_held_longer_than_a_change_waits_is_waited_out(producer):
    with closing(producer.connect()) as holder, holder.cursor() as cursor:
        cursor.execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE")
        with child(producer.dsn, "--max-changes", "1") as process:
            first = wait_for_lock(producer)
            while wait_for_lock(producer) == first:
                pass
            holder.rollback()
            out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert out.startswith("1 change: ")


def test_options_win_over_the_environment_and_libpq_fills_up(producer):
    environment = {
        "SIMULATOR_HOST": "192.0.2.1",
        "SIMULATOR_DATABASE": producer.name,
        "SIMULATOR_MAX_CHANGES": "1",
        "PGPORT": str(producer.server.port),
        "PGUSER": producer.user,
        "PGPASSWORD": producer.password,
    }
    done = run(None, "--host", producer.server.host, **environment)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_dsn_on_the_command_line_wins_over_the_environment_and_takes_its_password(producer):
    dsn = f"postgresql://{producer.user}@{producer.server.host}:{producer.server.port}/{producer.name}"
    environment = {"SIMULATOR_HOST": "192.0.2.1", "SIMULATOR_PASSWORD": producer.password}
    done = run(None, "--dsn", dsn, "--max-changes", "1", **environment)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_wrong_password_is_one_line_without_it(producer):
    dsn = producer.server.dsn(producer.name, producer.user, "Not-The-Word")
    done = run(dsn, "--max-changes", "1")
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "password authentication failed" in done.stderr
    assert "Not-The-Word" not in done.stderr


def test_a_missing_database_is_one_line(producer):
    done = run(producer.dsn, "--database", "nowhere", "--max-changes", "1")
    assert done.returncode == 1
    assert done.stderr.startswith('the producer: the database does not exist (database "nowhere" does not exist)')
    assert len(done.stderr.splitlines()) == 1


def test_missing_tables_are_one_line_with_the_way_out(new_database):
    done = run(new_database("empty").dsn, "--max-changes", "1")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert 'relation "customers" does not exist' in done.stderr
    assert "--create-tables" in done.stderr


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://somebody:Sec@ret-Word@db.example/customer_db",
        "postgresql://somebody:Sec%zzret-Word@db.example/customer_db",
        "host=db.example password=Sec ret-Word",
    ],
)
def test_a_dsn_that_cannot_be_read_is_refused_without_its_password(dsn):
    done = run(dsn)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("--dsn: this is no well-formed DSN")
    assert "ret-Word" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("option", ["--password", "--dsn"])
def test_a_password_on_the_command_line_is_warned_of(producer, option):
    value = producer.password if option == "--password" else producer.dsn
    done = run(producer.dsn, option, value, "--max-changes", "0")
    better = option.replace("--", "SIMULATOR_").upper()
    assert done.returncode == 0
    assert done.stderr == f"{option} can be read by others on this machine: better {better}\n"


@pytest.mark.parametrize("options", [("--min-interval", "5", "--max-interval", "2"), ("--min-interval", "nan")])
def test_wrong_intervals_are_a_wrong_command_line(options):
    done = run(None, *options)
    assert done.returncode == 2
    assert "interval" in done.stderr


AT_ONCE = ("--min-interval", "0", "--max-interval", "0")


def run(dsn: str | None, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command, full = [*COMMAND, *options], surroundings(dsn, environment)
    return subprocess.run(command, env=full, capture_output=True, text=True, timeout=PATIENCE, check=False)


@contextmanager
def child(dsn: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*COMMAND, *options], env=surroundings(dsn, {}), text=True, bufsize=1, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def surroundings(dsn: str | None, environment: dict[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "SIMULATOR_"))}
    return {**inherited, **({"SIMULATOR_DSN": dsn} if dsn else {}), **environment, "COLUMNS": "200"}


def read_until(process: subprocess.Popen[str], wanted: Callable[[str], bool]) -> None:
    for line in process.stdout:
        if wanted(line):
            return
    raise AssertionError("the output ended before")


def wait_for_lock(database) -> str:
    """The transaction, by its start, in which a simulator waits for a lock."""
    waiting = """
        SELECT xact_start::text FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'merge-job simulate' AND wait_event_type = 'Lock'
    """
    while not (found := query(database, waiting)):
        sleep(0.05)
    return found[0][0]


def run_together(*functions: Callable[[], object]) -> None:
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_change_that_a_crashed_server_never_wrote_down_is_made_again(producer):
    """After a crash the server may know nothing of the transaction that was being committed: its number is to come."""
    simulator = Simulator(connector(producer.dsn), 1, threading.Event())
    change = simulator.change()
    simulator._committing = (2**40, change)
    assert simulator._committed_after_all() is None
    assert simulator.change() is not None
    simulator.close()
