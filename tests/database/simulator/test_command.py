"""`merge-job simulate` on a producer's database: options, signals, what it prints."""

from __future__ import annotations

import json
import signal
import subprocess
from contextlib import closing
from time import sleep

import pytest

from merge_jobs.simulator.change import ChangeKind
from tests.database.simulator.conftest import COMMAND, child, contents, query, surroundings

PATIENCE = 60  # seconds; only a hanging test comes near


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


def wait_for_lock(database) -> str:
    """The transaction, by its start, in which a simulator waits for a lock."""
    waiting = """
        SELECT xact_start::text FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'merge-job simulate' AND wait_event_type = 'Lock'
    """
    while not (found := query(database, waiting)):
        sleep(0.05)
    return found[0][0]
