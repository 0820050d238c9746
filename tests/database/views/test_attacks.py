"""What a consumer tries with operators, statistics, catalogues and rights of its own."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
from psycopg2 import sql

from config_schema.model import Milestoning
from tests.hostile_names import PATH, add_doubles

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
TABLE = "CREATE TABLE t (id int PRIMARY KEY, word text, email text); INSERT INTO t VALUES (1, 'first-word', 'a@b.test')"
# The planner calls an operator that says so with the values of a column's statistics.
OPERATORS = """
    CREATE FUNCTION pg_temp.look(text, text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001
        AS $$ BEGIN RAISE NOTICE 'seen % %', $1, $2; RETURN true; END $$;
    CREATE OPERATOR pg_temp.=== (
        LEFTARG = text, RIGHTARG = text, FUNCTION = pg_temp.look, RESTRICT = eqsel, JOIN = eqjoinsel);
    CREATE OPERATOR pg_temp.<<< (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_temp.look, RESTRICT = scalarltsel);
    CREATE OPERATOR pg_temp.~~~ (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_temp.look, RESTRICT = matchingsel)
"""


@pytest.fixture
def case(consuming):
    made = consuming(TABLE, pii={"email"})
    made.execute(f'GRANT TEMP ON DATABASE "{made.home.name}" TO PUBLIC')
    made.changed("UPDATE t SET word = 'second-word'")
    for platform in ("yellowlive", "yellowforensic"):
        made.execute(
            f"""INSERT INTO {platform}_batch_metrics
                SELECT 'HiddenStream', n, batch_start_time, batch_end_time, 'committed', 0, 0, 0, 0, '{{}}', 'run',
                       NULL, timestamptz '1999-01-01 00:00:00+00', NULL, 'full', NULL, NULL
                FROM {platform}_batch_metrics CROSS JOIN generate_series(70, 99) n WHERE batch_id = 1"""
        )
    made.bring()
    made.execute("ANALYZE")
    return made


def heard(reader, *statements):
    """All that the server says to the reader: rows, notices and errors' texts."""
    said = []
    with closing(psycopg2.connect(reader.dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(OPERATORS)
        for statement in statements:
            try:
                cursor.execute(statement)
                said += map(str, cursor.fetchall())
            except psycopg2.Error as error:
                said.append(str(error))
        return "\n".join([*said, *connection.notices])


def test_operators_of_the_reader_see_no_statistics_of_hidden_rows_and_columns(case):
    views = [case.name(kind, what) for kind, what in ((LIVE, "live"), (FORENSIC, "live"), (FORENSIC, "full"))]
    batches = [f'"ws_Desk".{platform}_batches' for platform in ("yellowlive", "yellowforensic")]
    asked = []
    for operator in ("===", "<<<", "~~~"):
        op = f"OPERATOR(pg_temp.{operator})"
        for view in views[:2]:
            asked += [f"EXPLAIN (ANALYZE) SELECT * FROM {view} WHERE {column} {op} 'x'" for column in ("word", "email")]
        asked.append(f"EXPLAIN (ANALYZE) SELECT * FROM {views[2]} WHERE email {op} 'x'")
        asked += [f"EXPLAIN (ANALYZE) SELECT * FROM {view} WHERE stream {op} 'x'" for view in batches]
    asked += [f"SELECT word::int FROM {view} WHERE word::int > 0" for view in views[:2]]
    asked += [f"SELECT email::int FROM {view}" for view in views]
    asked += [f"SELECT 1 / (batch_id - 70) FROM {view}" for view in batches]
    asked.append(
        f"EXPLAIN SELECT a.* FROM {batches[0]} a JOIN {batches[1]} b ON a.stream OPERATOR(pg_temp.===) b.stream"
    )
    said = heard(case.reader(), *asked)
    assert "seen second-word x" in said  # it does see what it may
    for secret in ("first-word", "a@b.test", "HiddenStream", "division by zero"):
        assert secret not in said


def test_no_statistics_sessions_or_settings_show_a_reader_values_of_tables(case):
    case.execute('CREATE STATISTICS theirs (mcv) ON word, email FROM "yellowforensic_Store1_t_merge"; ANALYZE')
    said = heard(
        case.reader(),
        *(f"SELECT {view}::text FROM {view}" for view in ("pg_stats", "pg_stats_ext", "pg_stats_ext_exprs")),
        "SELECT * FROM pg_statistic",
        "SELECT * FROM pg_statistic_ext_data",
        "SELECT query FROM pg_stat_activity",
        "SELECT * FROM pg_user_mappings",
        "SELECT * FROM pg_largeobject",
    )
    for secret in ("-word", "a@b.test", case.merging.target.password):
        assert secret not in said


def test_a_reader_gives_its_rights_to_nobody(case):
    reader, stranger = case.reader(), case.reader()
    case.execute(f'REVOKE "{case.role()}" FROM "{stranger.login}"')
    live = case.name(LIVE, "live")
    with closing(psycopg2.connect(reader.dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for statement in (
            f'GRANT "{case.role()}" TO "{stranger.login}"',
            f'GRANT SELECT ON {live} TO "{stranger.login}"',
            f'SET ROLE "{case.role()}"; GRANT SELECT ON {live} TO "{stranger.login}"',
            f'ALTER DEFAULT PRIVILEGES FOR ROLE "{case.merging.target.user}" GRANT SELECT ON TABLES TO PUBLIC',
            f'ALTER ROLE "{case.merging.target.user}" SET search_path = pg_temp',
            f"ALTER ROLE \"{case.role()}\" LOGIN PASSWORD 'x'",
            f"ALTER VIEW {live} SET (security_barrier = false)",
            f"COMMENT ON VIEW {live} IS 'mine'",
            f"CREATE RULE r AS ON INSERT TO {live} DO INSTEAD NOTHING",
        ):
            try:
                cursor.execute(statement)
            except psycopg2.Error:
                continue
            assert "no privileges were granted" in connection.notices[-1], statement
    assert stranger.is_refused(f"SELECT * FROM {live}")


def test_an_as_of_function_calls_nothing_that_another_has_made_in_the_reader_s_search_path(case):
    add_doubles(case.home.superuser_dsn)
    function = case.name(FORENSIC, "asof")
    with closing(psycopg2.connect(case.reader().dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET search_path = {PATH}")
        cursor.execute(f"SELECT word FROM {function}(pg_catalog.now())")
        assert cursor.fetchall() == [("second-word",)]


def test_no_view_reads_what_a_stranger_has_made_under_the_name_of_a_merge_table(case):
    """Functions of a policy, or of a view in the table's place, would be called as the reader of our view."""
    table, view, stranger = '"yellowlive_Store1_t_merge"', case.name(LIVE, "live"), f"{case.home.user}_stranger"
    with closing(psycopg2.connect(case.home.superuser_dsn)) as session, session, session.cursor() as cursor:
        cursor.execute(f"GRANT CREATE ON SCHEMA public TO PUBLIC; DROP VIEW {view} CASCADE")
        cursor.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(stranger)))
        cursor.execute(f'ALTER TABLE {table} OWNER TO "{stranger}"; GRANT ALL ON {table} TO PUBLIC')
    try:
        case.reconcile()
        assert case.query(f"SELECT to_regclass('{view}')") == [(None,)]
    finally:
        with closing(psycopg2.connect(case.home.superuser_dsn)) as session, session, session.cursor() as cursor:
            cursor.execute(f'DROP OWNED BY "{stranger}" CASCADE; DROP ROLE "{stranger}"')
