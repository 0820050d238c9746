"""The data change simulator on a real producer's database: its tables, its changes, and lost sessions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

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
from tests.database.simulator.conftest import child, contents, query, read_until
from tests.server_folder import server_folder

EXAMPLE = Path(__file__).parents[3] / "config_schema" / "examples"
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
