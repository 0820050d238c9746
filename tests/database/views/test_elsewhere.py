"""Views in another database than the merge store: through postgres_fdw, which consumers have no right to use."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import psycopg2
import pytest
from psycopg2 import sql

from config_schema.model import Milestoning, ViewNames

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
TABLE = "CREATE TABLE t (id int PRIMARY KEY, \"firstName\" varchar(9)); INSERT INTO t VALUES (1, 'one'), (2, 'two')"


@pytest.fixture
def apart(consuming, new_database, postgres):
    """A case whose consumers have a database of their own, with an owner who is no superuser."""

    def make(ddl: str = TABLE, *, extension: bool = True, **options):
        case = consuming(ddl, elsewhere=new_database("consumer"), **options)
        with closing(psycopg2.connect(case.home.superuser_dsn)) as session, session, session.cursor() as cursor:
            cursor.execute(f'ALTER ROLE "{case.home.user}" CREATEROLE')
            if extension:
                cursor.execute("CREATE EXTENSION postgres_fdw")
                cursor.execute(f'GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO "{case.home.user}"')
        return case

    return make


def test_the_views_are_the_merge_stores_rows_and_follow_it(apart):
    case = apart()
    case.bring()
    case.changed("UPDATE t SET \"firstName\" = 'new' WHERE id = 1; DELETE FROM t WHERE id = 2")
    reader = case.reader()
    for kind in Milestoning:
        assert reader.query(f"SELECT * FROM {case.name(kind, 'live')}") == [(1, "new")]
    full = f'SELECT id, "firstName", ds_batch_in, ds_valid_to IS NULL FROM {case.name(FORENSIC, "full")} ORDER BY 1, 3'
    assert reader.query(full) == [(1, "one", 1, False), (1, "new", 2, True), (2, "two", 1, False)]
    assert reader.query(f"SELECT id FROM {case.name(FORENSIC, 'asof')}(now())") == [(1,)]
    (first,) = reader.query('SELECT min(snapshot_time) FROM "ws_Desk".yellowforensic_batches')
    then = f"SELECT * FROM {case.name(FORENSIC, 'asof')}(timestamptz '{first[0].isoformat()}') ORDER BY id"
    assert reader.query(then) == [(1, "one"), (2, "two")]
    assert reader.query('SELECT last_batch FROM "ws_Desk".freshness') == [(2,), (2,)]


def test_views_that_get_short_names_are_renamed_there_too(apart):
    case = apart(served_on={"G": FORENSIC})
    case.bring()
    case.view_names = ViewNames.SHORT
    assert [what.split()[0] for what in case.bring()].count("rename") == 3
    reader = case.reader()
    assert reader.query('SELECT id FROM "ws_Desk".t_as_of(now()) ORDER BY 1') == [(1,), (2,)]
    assert reader.query('SELECT view_name FROM "ws_Desk".freshness') == [("t",)]


def test_times_that_the_source_says_are_there_too(apart):
    case = apart("CREATE TABLE t (id int PRIMARY KEY, at date NOT NULL); INSERT INTO t VALUES (1, '2026-01-01')")
    case.bring()
    of = case.merging
    of.datasets = tuple(replace(one, valid_from="at") for one in of.datasets)
    of.execute("UPDATE t SET at = '2026-01-03'")
    of.run(FORENSIC)
    case.bring()
    reader = case.reader()
    first, second = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 3))
    times = f"SELECT ds_valid_from, ds_valid_to FROM {case.name(FORENSIC, 'full')} ORDER BY ds_batch_in"
    assert reader.query(times) == [(first, second), (second, None)]
    then = f"SELECT at FROM {case.name(FORENSIC, 'asof')}(timestamptz '2026-01-02 00:00+00')"
    assert reader.query(then) == [(first.date(),)]


def test_a_filter_goes_to_the_merge_store(apart):
    case = apart()
    case.bring()
    for what in (case.name(FORENSIC, "full"), f"{case.name(FORENSIC, 'asof')}(now())", case.name(LIVE, "live")):
        plan = "\n".join(row for (row,) in case.query(f'EXPLAIN (VERBOSE) SELECT "firstName" FROM {what} WHERE id = 7'))
        remote = [line for line in plan.splitlines() if "Remote SQL" in line and "_merge" in line]
        assert remote
        assert [line for line in remote if "id = 7)" not in line] == []


def test_consumers_have_no_right_on_the_server_its_tables_or_its_login(apart):
    case = apart()
    case.bring()
    reader = case.reader()
    assert reader.is_refused('SELECT * FROM yellowlive_merge_store."yellowlive_Store1_t_merge"')
    assert reader.is_refused("CREATE USER MAPPING FOR CURRENT_USER SERVER yellowlive_merge_store")
    assert reader.query("SELECT has_server_privilege('yellowlive_merge_store', 'USAGE')") == [(False,)]
    assert reader.query("SELECT umoptions FROM pg_user_mappings") == [(None,), (None,)]
    mappings = "SELECT DISTINCT usename FROM pg_user_mappings"
    assert reader.query(mappings) == [(case.home.user,)]
    assert reader.is_refused(f"UPDATE {case.name(LIVE, 'live')} SET id = 9")


def test_columns_that_come_and_widen_reach_the_views(apart):
    case = apart()
    case.bring()
    case.changed('ALTER TABLE t ADD age int DEFAULT 3, ALTER "firstName" TYPE varchar(40)')
    changes = case.bring()
    assert "change the columns age, firstName of foreign table yellowlive_Store1_t_merge" in changes
    assert case.reader().query(f"SELECT * FROM {case.name(LIVE, 'live')} WHERE id = 1") == [(1, "one", 3)]


def test_another_password_reaches_the_login_and_is_never_shown(apart):
    case = apart()
    case.bring()
    case.merging.target.server.create_role(case.merging.target.user, "an0ther")
    case.merging.target = type(case.merging.target)(
        case.merging.target.server, case.merging.target.name, case.merging.target.user, "an0ther"
    )
    planned = case.reconcile(dry_run=True)
    assert [change.what for change in planned[0].plan.changes] == [
        "alter our login on server yellowlive_merge_store",
        "alter our login on server yellowforensic_merge_store",
    ]
    assert "an0ther" not in repr(planned[0].statements)
    case.bring()
    assert case.reader().query(f"SELECT count(*) FROM {case.name(LIVE, 'live')}") == [(2,)]


def test_a_database_without_the_extension_says_what_a_superuser_has_to_do(apart):
    case = apart(extension=False)
    (problem,) = case.problems()
    assert "no extension postgres_fdw, which only a superuser can make" in problem
    assert case.query("SELECT count(*) FROM pg_foreign_server") == [(0,)]


def test_a_plan_leaves_nothing_behind(apart):
    case = apart()
    (planned,) = case.reconcile(dry_run=True)
    assert any(change.what == "create server yellowlive_merge_store" for change in planned.plan.changes)
    assert case.query("SELECT count(*) FROM pg_foreign_server") == [(0,)]
    assert case.query("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'ws%'") == [(0,)]


def test_one_platform_alone_has_nothing_against_the_foreign_tables_of_the_other(apart):
    case = apart()
    case.bring()
    assert case.bring("YellowLive") == []
    case.changed("ALTER TABLE t ADD age int DEFAULT 3")
    case.bring("YellowLive")
    assert case.reader().query(f"SELECT * FROM {case.name(LIVE, 'live')} WHERE id = 1") == [(1, "one", 3)]
    assert case.reader().query(f"SELECT * FROM {case.name(FORENSIC, 'live')} WHERE id = 1") == [(1, "one")]


def test_a_server_that_a_stranger_has_made_gets_no_login_of_ours(apart):
    """Its owner could let it be another host, which would then be sent the password."""
    case = apart()
    case.bring()
    ((mark, options),) = case.query(
        "SELECT obj_description(oid, 'pg_foreign_server'), srvoptions FROM pg_foreign_server"
        " WHERE srvname = 'yellowlive_merge_store'"
    )
    same = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(key), sql.Literal(value))
        for key, value in (option.split("=", 1) for option in options)
    )
    stranger = sql.Identifier(f"{case.home.user}_stranger")
    mine = "SELECT count(*) FROM pg_user_mappings WHERE usename = current_user AND srvname = 'yellowlive_merge_store'"
    with closing(psycopg2.connect(case.home.superuser_dsn)) as session, session, session.cursor() as cursor:
        cursor.execute("DROP SERVER yellowlive_merge_store CASCADE")
        cursor.execute(
            sql.SQL(
                "CREATE ROLE {0}; GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO {0}; SET ROLE {0};"
                "CREATE SERVER yellowlive_merge_store FOREIGN DATA WRAPPER postgres_fdw OPTIONS ({1});"
                "GRANT USAGE ON FOREIGN SERVER yellowlive_merge_store TO PUBLIC;"
                "COMMENT ON SERVER yellowlive_merge_store IS {2}; RESET ROLE"
            ).format(stranger, same, sql.Literal(mark))
        )
    assert "server yellowlive_merge_store" in "\n".join(case.problems())
    assert case.query(mine) == [(0,)]
    with closing(psycopg2.connect(case.home.superuser_dsn)) as session, session, session.cursor() as cursor:
        cursor.execute(sql.SQL("DROP OWNED BY {0} CASCADE; DROP ROLE {0}").format(stranger))


def test_a_type_that_a_stranger_has_made_is_not_given_to_a_foreign_table(apart):
    """The merge store's type of the name is another; a domain's check here would be called by who reads our view."""
    case = apart()
    case.bring()
    table, stranger = "yellowlive_Store1_t_merge", sql.Identifier(f"{case.home.user}_stranger")
    case.merging.execute(
        f'CREATE DOMAIN mytype AS varchar(9); ALTER TABLE "{table}" ALTER "firstName" TYPE mytype',
        on=case.merging.target,
    )
    with closing(psycopg2.connect(case.home.superuser_dsn)) as session, session, session.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "GRANT CREATE ON SCHEMA public TO PUBLIC; CREATE ROLE {0}; SET ROLE {0};"
                "CREATE DOMAIN public.mytype AS varchar(9) CHECK (VALUE <> current_user); RESET ROLE"
            ).format(stranger)
        )
    type_here = (
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attname = 'firstName'"
        f""" AND attrelid = 'yellowlive_merge_store."{table}"'::regclass"""
    )
    try:
        assert "type 'public.mytype'" in "\n".join(case.problems())
        assert case.query(type_here) == [("character varying(9)",)]
        with closing(psycopg2.connect(case.home.superuser_dsn)) as session, session, session.cursor() as cursor:
            cursor.execute(f'ALTER DOMAIN public.mytype OWNER TO "{case.home.user}"')
        case.reconcile()
        assert case.query(type_here) == [("mytype",)]
    finally:
        with closing(psycopg2.connect(case.home.superuser_dsn)) as session, session, session.cursor() as cursor:
            cursor.execute(sql.SQL("DROP OWNED BY {0} CASCADE; DROP ROLE {0}").format(stranger))
