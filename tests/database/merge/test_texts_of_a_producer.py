"""What a producer's server says is data: it is in no log, result or batch error, and forges no line of a log."""

from __future__ import annotations

import json
import re
import struct
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from config_schema.model import Column, Dataset, Milestoning
from config_schema.result import RESULT_PREFIX, ResultCode
from merge_jobs.database.connections import place_of
from merge_jobs.database_errors import MOST_SAID
from merge_jobs.errors import ConnectFailed, DatabaseFailed, SettingRefused, SourceMismatch
from merge_jobs.sources.postgres.source import PostgresSource
from tests.altering_relay import Alter, AlteringRelay
from tests.database.conftest import result_of

LIVE = Milestoning.LIVE
SECRET = "the row of Mrs. Miller"
FORGED = f"\n{RESULT_PREFIX}" + "[" * 100_000
# A state of each kind: one that PostgreSQL raises itself, one for functions, one that looks like a lost server.
VIEW = """CREATE FUNCTION fail() RETURNS int LANGUAGE plpgsql AS $f$
BEGIN RAISE EXCEPTION USING ERRCODE = '{state}', MESSAGE = $m${text}$m$, DETAIL = 'detail', HINT = 'hint'; END $f$;
CREATE VIEW v AS SELECT fail() AS id"""


def failing(merging, state):
    case = merging(VIEW.format(state=state, text=SECRET + FORGED))
    case.datasets = (Dataset("v", (Column("id", "integer", nullable=False),), ("id",)),)
    return case


@pytest.mark.parametrize("state", ["42501", "P0001", "55000", "53200", "22012"])
def test_the_text_of_an_error_in_a_view_is_nowhere_but_with_the_failed_batch(merging, tmp_path, state):
    case = failing(merging, state)
    child = case.start_child(LIVE, tmp_path, "run-1")
    out, err = child.communicate(timeout=60)
    result = result_of(out)
    assert result.code is ResultCode.ERROR
    assert f"SQLSTATE {state}" in result.error
    assert SECRET not in out + err
    assert "[[[[" not in out + err
    error, said = case.query("SELECT error, state ->> 'said' FROM yellowlive_batch_metrics")[0]
    assert SECRET not in error
    assert said.startswith(f"{SECRET}\\n{RESULT_PREFIX}[[[")
    assert len(said) < MOST_SAID + 100


def test_a_row_s_value_in_a_setting_is_not_in_the_error(merging):
    """A time zone may be named as one likes; on a standby, where a copy has no savepoint, it stays after the copy."""
    case = merging("CREATE TABLE t (id int PRIMARY KEY)")
    place = place_of(case.ecosystem.datastore("Store1").source, None, case.secrets)
    with PostgresSource(place, "t") as source:
        source.begin([])
        with source._session.cursor() as cursor:
            cursor.execute("SELECT set_config('TimeZone', '<MrsMiller>5', false)")
        with pytest.raises(SettingRefused) as caught:
            source.check_snapshot()
    assert caught.value.settings == ("TimeZone",)
    assert "Miller" not in caught.value.in_full()


def test_the_text_goes_when_the_next_batch_begins(merging):
    case = failing(merging, "P0001")
    with pytest.raises(DatabaseFailed, match=r"raise_exception \(SQLSTATE P0001\)"):
        case.run(LIVE)
    case.execute("CREATE OR REPLACE VIEW v AS SELECT 1 AS id")
    case.run(LIVE)
    assert case.query("SELECT state ? 'said' FROM yellowlive_batch_metrics") == [(False,)]


def test_what_a_server_says_at_connecting_is_not_in_the_log(merging):
    case = merging("CREATE TABLE t (id int PRIMARY KEY)")
    case.source = replace(case.source, password="wrong")
    with pytest.raises(ConnectFailed, match=r"source .*: wrong user name or password") as caught:
        case.run(LIVE)
    assert "FATAL" not in str(caught.value)
    assert said_of(case).startswith("password authentication failed")


def test_what_the_driver_says_at_connecting_names_a_server_and_is_nowhere(merging):
    case = merging("CREATE TABLE t (id int PRIMARY KEY)")
    case.source = replace(case.source, server=Elsewhere(case.source.server, 1))
    with pytest.raises(ConnectFailed, match="nobody listens there") as caught:
        case.run(LIVE)
    assert "127.0.0.1" not in str(caught.value)
    assert said_of(case) is None


NOTICE = """CREATE FUNCTION says() RETURNS event_trigger LANGUAGE plpgsql AS $f$
BEGIN RAISE WARNING '%', $m${text}$m$; END $f$;
CREATE EVENT TRIGGER says ON login EXECUTE FUNCTION says()"""


def test_what_a_server_says_while_a_session_begins_is_nowhere(merging, tmp_path, major_version):
    if major_version < 17:
        pytest.skip("there are no triggers that run at a login")
    case = merging("CREATE TABLE t (id int PRIMARY KEY)")
    with closing(psycopg2.connect(case.source.superuser_dsn)) as admin, admin, admin.cursor() as cursor:
        cursor.execute(NOTICE.format(text=SECRET + FORGED))
    case.describe()
    out, err = case.start_child(LIVE, tmp_path, "run-1").communicate(timeout=60)
    assert result_of(out).code is ResultCode.DONE
    assert (SECRET in out + err, "[[[[" in out + err) == (False, False)


def said_of(case) -> str | None:
    """What stands with the failed batch for users who may see data."""
    return case.query("SELECT state ->> 'said' FROM yellowlive_batch_metrics")[0][0]


@dataclass
class Elsewhere:
    """A server whose address is another one."""

    server: Any
    port: int

    def __getattr__(self, name: str) -> Any:
        return getattr(self.server, name)


@contextmanager
def altered(case, alter: Alter) -> Iterator[None]:
    """Let the producer's server be a stranger's program, which alters what the real one answers."""
    relay = AlteringRelay(case.source.server.port, alter)
    case.source = replace(case.source, server=Elsewhere(case.source.server, relay.port))
    try:
        yield
    finally:
        relay.close()


def other_sqlstate(kind: bytes, body: bytes) -> bytes:
    return body.replace(b"CP0001\0", b"C28" + (SECRET + FORGED).encode() + b"\0") if kind == b"E" else body


def names_of_settings(kind: bytes, body: bytes) -> bytes:
    """Name settings that are not as they have to be, in the JSON that says of none."""
    none = b'"jsonb_agg":null,"pg_backend_pid"'
    if kind != b"D" or none not in body:
        return body
    settings = json.dumps([[SECRET + FORGED, "x"]]).encode()
    text = body[6:].replace(none, none.replace(b"null", settings))
    return body[:2] + struct.pack("!i", len(text)) + text


@pytest.mark.parametrize(
    ("alter", "what"),
    [(other_sqlstate, r"internal_error \(SQLSTATE XX000\)"), (names_of_settings, "of which the server gives no names")],
)
def test_a_server_s_text_in_the_place_of_a_code_or_of_a_name_is_in_no_log(merging, tmp_path, alter, what):
    case = failing(merging, "P0001")
    with altered(case, alter):
        child = case.start_child(LIVE, tmp_path, "run-1")
        out, err = child.communicate(timeout=60)
    result = result_of(out)
    assert re.search(what, result.error)
    assert SECRET not in out + err + case.query("SELECT error FROM yellowlive_batch_metrics")[0][0]
    assert "[[[[" not in out + err


def test_names_of_tables_and_columns_begin_no_line_of_the_log(merging, tmp_path):
    name = "t\r\n2026-01-01 INFO forged \x1b[31m"
    case = merging(f'CREATE TABLE "{name}" (id int PRIMARY KEY, "c\n{RESULT_PREFIX}x" text)')
    child = case.start_child(LIVE, tmp_path, "run-1")
    out, err = child.communicate(timeout=60)
    assert result_of(out).code is ResultCode.ERROR, "the model's check refuses such names"
    assert "forged" in out
    for text in (out, err, result_of(out).error):
        assert "\x1b" not in text
        assert not [line for line in text.splitlines() if line.startswith(("2026-01-01", f"{RESULT_PREFIX}x"))]
    case.execute(f'DROP TABLE "{name}"')
    with pytest.raises(SourceMismatch) as caught:
        case.run(LIVE)
    assert str(caught.value).isprintable()


def test_a_flood_of_notices_takes_no_memory(merging, tmp_path):
    """libpq keeps the notices of a statement until its end: these would be 200 MB."""
    case = merging(
        """CREATE FUNCTION loud(i int) RETURNS int LANGUAGE plpgsql AS $f$
           BEGIN RAISE NOTICE '%', repeat('n', 100000); RAISE WARNING 'forged'; RETURN i; END $f$;
           CREATE VIEW v AS SELECT loud(n) AS id FROM generate_series(1, 2000) n"""
    )
    case.datasets = (Dataset("v", (Column("id", "integer", nullable=False),), ("id",)),)
    most = 0
    with case.start_child(LIVE, tmp_path, "run-1") as child:
        while child.poll() is None:
            most = max(most, memory_of(child.pid))
            time.sleep(0.02)
        out = child.stdout.read()
    assert child.returncode == 0, out
    assert "forged" not in out
    assert 0 < most < 150 << 10


def memory_of(process: int) -> int:
    """Return the most memory, in KB, that a process has had since its program began; 0 once it has ended.

    What wait4() gives counts the program that it was forked from too.
    """
    try:
        said = Path(f"/proc/{process}/status").read_text("ascii", errors="replace")
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", said)
    return int(found[1]) if found else 0
