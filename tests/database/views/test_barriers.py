"""What a consumer with functions of its own sees through the views: their rows, and no others."""

from __future__ import annotations

import json
from contextlib import closing

import psycopg2
import pytest

from config_schema.model import Milestoning

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
PLATFORM = {LIVE: "yellowlive", FORENSIC: "yellowforensic"}
TABLE = "CREATE TABLE t (id int PRIMARY KEY, word varchar(20)); INSERT INTO t VALUES (1, 'first')"
# Cheap, so that the planner would call it first; what it is called with is sent as a notice.
LOOK = """CREATE FUNCTION pg_temp.look(anyelement) RETURNS boolean LANGUAGE plpgsql COST 0.0000001
          AS $$ BEGIN RAISE NOTICE 'seen %', $1; RETURN true; END $$"""


def seen(reader, view, column):
    """The values of a column that the reader's function is called with."""
    with closing(psycopg2.connect(reader.dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(LOOK)
        cursor.execute(f"SELECT {column}::text FROM {view} WHERE pg_temp.look({column})")
        shown = {str(value) for (value,) in cursor.fetchall()}
        reported = {notice.partition("seen ")[2].strip() for notice in connection.notices if "seen " in notice}
    assert shown <= reported
    return reported, shown


@pytest.fixture
def case(consuming):
    """A row with two versions, and another stream of the platform, of which the workspace gets nothing."""
    made = consuming(TABLE)
    made.execute(f'GRANT TEMP ON DATABASE "{made.home.name}" TO PUBLIC')
    made.changed("UPDATE t SET word = 'second'")
    for platform in ("yellowlive", "yellowforensic"):
        made.execute(
            f"""INSERT INTO {platform}_batch_metrics
                SELECT 'Hidden', 77, batch_start_time, batch_end_time, 'committed', 0, 0, 0, 0, '{{}}', 'run', NULL,
                       timestamptz '1999-01-01 00:00:00+00', NULL, 'full', NULL, NULL
                FROM {platform}_batch_metrics WHERE batch_id = 1;
                INSERT INTO {platform}_batch_counter VALUES ('Hidden', 77, timestamptz '1999-01-01 00:00:00+00')"""
        )
    made.bring()
    return made


@pytest.mark.parametrize("kind", Milestoning)
def test_a_function_of_the_reader_sees_no_stream_of_another_workspace(case, kind):
    batches = f'"ws_Desk"."{PLATFORM[kind]}_batches"'
    assert seen(case.reader(), batches, "stream") == ({"Store1"}, {"Store1"})
    assert seen(case.reader(), batches, "batch_id")[0] == {"1", "2"}
    assert "77" not in seen(case.reader(), '"ws_Desk".freshness', "last_batch")[0]


def test_a_function_of_the_reader_sees_no_closed_version_through_the_live_view(case):
    assert seen(case.reader(), case.name(FORENSIC, "live"), "word") == ({"second"}, {"second"})
    assert seen(case.reader(), case.name(LIVE, "live"), "word") == ({"second"}, {"second"})


def test_a_function_of_the_reader_sees_no_time_of_another_stream_through_the_full_view(case):
    reported, shown = seen(case.reader(), case.name(FORENSIC, "full"), "ds_valid_from")
    assert reported == shown
    assert not any("1999" in time for time in reported)


def test_views_of_an_older_version_become_barriers_and_keep_that_over_a_changed_type(case):
    view, batches = case.name(FORENSIC, "live"), '"ws_Desk".yellowforensic_batches'
    for name in (view, batches):
        mark = case.query(f"SELECT obj_description('{name}'::regclass)")[0][0]
        case.execute(f"ALTER VIEW {name} RESET (security_barrier); COMMENT ON VIEW {name} IS '{older(mark)}'")
    assert len(case.bring()) == 2
    assert seen(case.reader(), batches, "stream")[0] == {"Store1"}
    case.changed("ALTER TABLE t ALTER word TYPE text")
    assert seen(case.reader(), view, "word")[0] == {"second"}


def older(mark):
    """The mark that a view has whose definition was another one."""
    return json.dumps({**json.loads(mark), "definition": "0" * 16}).replace("'", "''")
