"""A table that somebody else has made under a name of ours: its triggers are not called by who owns the platform's."""

from __future__ import annotations

import contextlib
import os
from contextlib import closing, contextmanager
from dataclasses import replace

import psycopg2
import pytest
from psycopg2 import sql

from airflow_plugin.control.connection import connect
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import StreamTable
from config_schema import names
from config_schema.model import Milestoning
from config_schema.sql.versions import TablesOfAnother
from merge_jobs.database.connections import ConnectionInfo, place_of
from merge_jobs.errors import NotOurs, TypeOfAnother
from merge_jobs.run.model_source import recorded_commit

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
TABLE = "CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t VALUES (1, 'a')"
# What the stranger's trigger notes down is who called it.
TRAP = """
    CREATE TABLE heard (who text);
    GRANT INSERT ON heard TO PUBLIC;
    CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO public.heard VALUES (current_user); RETURN NEW; END $$;
"""
SET = (
    "CREATE TRIGGER trap BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION trap(); GRANT ALL ON {table} TO PUBLIC"
)


@pytest.fixture
def case(merging):
    """A merge store in whose schema everybody may create tables, as up to PostgreSQL 14."""
    made = merging(TABLE)
    with superuser(made) as cursor:
        cursor.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    return made


@contextmanager
def superuser(case):
    with closing(psycopg2.connect(case.target.superuser_dsn)) as connection, connection, connection.cursor() as cursor:
        yield cursor


@pytest.fixture
def stranger(case):
    """A role of nobody's, that has made what its traps need."""
    role = f"stranger_{os.urandom(3).hex()}"
    with superuser(case) as cursor:
        cursor.execute(sql.SQL("CREATE ROLE {0}; SET ROLE {0}").format(sql.Identifier(role)))
        cursor.execute(TRAP)
    yield role
    with superuser(case) as cursor:
        cursor.execute(sql.SQL("DROP OWNED BY {0} CASCADE; DROP ROLE {0}").format(sql.Identifier(role)))


def give(case, stranger: str, table: str) -> None:
    """Let a table be as if the stranger had made it, with a trap in it."""
    with superuser(case) as cursor:
        of = sql.Identifier(table)
        cursor.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(of, sql.Identifier(stranger)))
        cursor.execute(sql.SQL("SET ROLE {};").format(sql.Identifier(stranger)) + sql.SQL(SET).format(table=of))


def heard(case) -> list[tuple[str]]:
    with superuser(case) as cursor:
        cursor.execute("SELECT who FROM public.heard")
        return cursor.fetchall()


@pytest.mark.parametrize("kind", [LIVE, FORENSIC])
@pytest.mark.parametrize(
    "table",
    [
        "{platform}_Store1_t_merge",
        "{platform}_batch_metrics",
        "{platform}_batch_counter",
        "{platform}_row_maps",
        "{platform}_schema_version",
    ],
)
def test_a_job_does_not_write_to_a_table_of_a_stranger_s(case, stranger, kind, table):
    case.run(kind)
    name = table.format(platform=f"yellow{kind.value}")
    give(case, stranger, name)
    case.execute("UPDATE t SET word = 'b'")
    with pytest.raises(TablesOfAnother) as caught:
        case.run(kind)
    assert caught.value.tables == (name,)
    assert heard(case) == []


def test_a_first_job_does_not_take_tables_that_a_stranger_has_made_before_it(case, stranger):
    case.run(LIVE)
    made = [names.batch_counter_table("yellowlive"), names.batch_metrics_table("yellowlive")]
    for table in made:
        give(case, stranger, table)
    case.execute("DROP TABLE yellowlive_schema_version, yellowlive_rejected_keys, yellowlive_row_maps", on=case.target)
    with pytest.raises(TablesOfAnother) as caught:
        case.run(LIVE)
    assert caught.value.tables == tuple(sorted(made))
    assert heard(case) == []


def test_sync_does_not_take_a_history_that_a_stranger_has_made_before_it(case, stranger):
    with closing(connect(case.target.dsn, "here")) as connection:
        table = StreamTable(ControlSession(connection, "yellowlive"))
        table.create_tables()
        connection.commit()
        give(case, stranger, names.stream_history_table("yellowlive"))
        case.execute(f"DROP TABLE {names.schema_version_table('yellowlive')}", on=case.target)
        with pytest.raises(TablesOfAnother) as refused:
            table.create_tables()
        assert refused.value.tables == (names.stream_history_table("yellowlive"),)
    assert heard(case) == []


def test_the_trigger_function_of_the_stream_table_works_for_no_other_table(case, stranger):
    """It has its owner's rights, and would call a cast of who owns the values' type. TEMP is all that one needs."""
    with closing(connect(case.target.dsn, "here")) as connection, connection:
        StreamTable(ControlSession(connection, "yellowlive")).create_tables()
    function = sql.Identifier("public", names.stream_revision_trigger("yellowlive"))
    with superuser(case) as cursor:
        cursor.execute(sql.SQL("GRANT TEMP ON DATABASE {} TO PUBLIC").format(sql.Identifier(case.target.name)))
        cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(stranger)))
        cursor.execute(
            """CREATE TYPE pg_temp.own AS (word text);
               CREATE FUNCTION pg_temp.seize(pg_temp.own) RETURNS varchar LANGUAGE plpgsql AS
                   $$ BEGIN INSERT INTO public.heard VALUES (current_user); RETURN 'x'; END $$;
               CREATE CAST (pg_temp.own AS varchar) WITH FUNCTION pg_temp.seize(pg_temp.own) AS ASSIGNMENT;
               CREATE TEMP TABLE mine (stream_key pg_temp.own)"""
        )
        cursor.execute(sql.SQL("RESET ROLE; GRANT EXECUTE ON FUNCTION {}() TO PUBLIC").format(function))  # as it was
        cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(stranger)))
        cursor.execute(
            sql.SQL("CREATE TRIGGER note AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION {}()").format(function)
        )
        cursor.execute("SAVEPOINT before")
        with contextlib.suppress(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("INSERT INTO mine VALUES (ROW('x'))")
            cursor.execute("RELEASE SAVEPOINT before; SAVEPOINT before")
        cursor.execute("ROLLBACK TO SAVEPOINT before")
    assert heard(case) == []


def test_the_trigger_function_works_for_no_tables_of_a_stranger_s_that_have_the_names_of_those_that_are_gone(
    case, stranger
):
    """Whoever drops the tables of a platform by hand leaves the function, which has its owner's rights."""
    with closing(connect(case.target.dsn, "here")) as connection, connection:
        StreamTable(ControlSession(connection, "yellowlive")).create_tables()
    tables = {
        "streams": sql.Identifier("public", names.stream_table("yellowlive")),
        "revisions": sql.Identifier("public", names.stream_revision_table("yellowlive")),
        "function": sql.Identifier("public", names.stream_revision_trigger("yellowlive")),
    }
    with superuser(case) as cursor:
        cursor.execute(
            sql.SQL("DROP TABLE {streams}, {revisions}; SET ROLE {who}").format(**tables, who=sql.Identifier(stranger))
        )
        cursor.execute(
            sql.SQL(
                """CREATE TABLE {streams} (stream_key varchar);
                   CREATE TABLE {revisions} (stream_key varchar PRIMARY KEY, changed_in xid8);
                   CREATE TRIGGER trap BEFORE INSERT ON {revisions} FOR EACH ROW EXECUTE FUNCTION trap();
                   GRANT ALL ON {streams}, {revisions} TO PUBLIC;
                   RESET ROLE; GRANT EXECUTE ON FUNCTION {function}() TO PUBLIC; SET ROLE {who};
                   CREATE TRIGGER note AFTER INSERT ON {streams} FOR EACH ROW EXECUTE FUNCTION {function}()"""
            ).format(**tables, who=sql.Identifier(stranger))
        )
        cursor.execute("SAVEPOINT before")
        with contextlib.suppress(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(sql.SQL("INSERT INTO {streams} VALUES ('x')").format(**tables))
            cursor.execute("RELEASE SAVEPOINT before; SAVEPOINT before")
        cursor.execute("ROLLBACK TO SAVEPOINT before")
    assert heard(case) == []


def test_nobody_else_makes_a_trigger_that_calls_the_function_of_the_stream_table(case, stranger):
    with closing(connect(case.target.dsn, "here")) as connection, connection:
        StreamTable(ControlSession(connection, "yellowlive")).create_tables()
    function = sql.Identifier("public", names.stream_revision_trigger("yellowlive"))
    with superuser(case) as cursor:
        cursor.execute(sql.SQL("SET ROLE {}; CREATE TABLE mine (stream_key varchar)").format(sql.Identifier(stranger)))
        cursor.execute("SAVEPOINT before")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="permission denied for function"):
            cursor.execute(
                sql.SQL("CREATE TRIGGER note AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION {}()").format(function)
            )
        cursor.execute("ROLLBACK TO SAVEPOINT before")


# What a stranger's relation calls when it is read, with the rights of whoever reads it. A sequence is not rolled back.
SPY = """
    CREATE SEQUENCE calls;
    GRANT UPDATE ON calls TO PUBLIC;
    CREATE FUNCTION spy() RETURNS bigint LANGUAGE sql VOLATILE AS $$ SELECT nextval('public.calls') $$;
    CREATE TABLE {rows} AS {query};
    GRANT SELECT ON {rows} TO PUBLIC;
"""
READ = {
    "view": SPY + "ALTER TABLE {rows} RENAME TO made; CREATE VIEW {rows} AS SELECT m.* FROM made m WHERE spy() > 0;"
    "GRANT SELECT ON {rows} TO PUBLIC",
    "policy": SPY + "ALTER TABLE {rows} ENABLE ROW LEVEL SECURITY;CREATE POLICY spying ON {rows} USING (spy() > 0)",
}


def spied(case, stranger: str, how: str, table: str, query: str) -> None:
    """Let the stranger make something that is read like the table, gives what the query gives, and calls a function."""
    with superuser(case) as cursor:
        parts = {"rows": sql.Identifier("public", table), "query": sql.SQL(query)}
        cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(stranger)))
        cursor.execute(sql.SQL(READ[how]).format(**parts))


def is_called(case) -> bool:
    with superuser(case) as cursor:
        cursor.execute("SELECT is_called FROM public.calls")
        return bool(cursor.fetchone()[0])


@pytest.mark.parametrize("how", READ)
def test_a_table_of_versions_that_a_stranger_has_made_is_not_read(case, stranger, how):
    rows = (
        "SELECT n AS number, part, 'a' AS name, 'b' AS checksum, true AS older_may_run"
        " FROM (VALUES (2, 'batches'), (1, 'streams')) AS v (n, part)"
    )
    spied(case, stranger, how, names.schema_version_table("yellowlive"), rows)
    with pytest.raises(TablesOfAnother) as refused:
        case.run(LIVE)
    assert refused.value.tables == ("yellowlive_schema_version",)
    with closing(connect(case.target.dsn, "here")) as connection, pytest.raises(TablesOfAnother):
        StreamTable(ControlSession(connection, "yellowlive")).create_tables()
    assert not is_called(case)


@pytest.mark.parametrize("how", READ)
def test_a_job_reads_no_model_that_a_stranger_has_recorded(case, stranger, how):
    rows = f"SELECT 1::smallint AS id, '{'a' * 40}' AS model_commit"
    spied(case, stranger, how, names.model_state_table("yellowlive"), rows)
    with pytest.raises(TablesOfAnother) as refused:
        recorded_commit(place(case), "YellowLive")
    assert refused.value.tables == ("yellowlive_model_state",)
    assert not is_called(case)


def place(case) -> ConnectionInfo:
    return place_of(case.ecosystem.platforms[0].merge_store, None, case.secrets)


def test_sync_writes_to_no_table_of_a_stranger_s_whatever_versions_are_recorded(case, stranger):
    with closing(connect(case.target.dsn, "here")) as connection:
        table = StreamTable(ControlSession(connection, "yellowlive"))
        table.create_tables()
        connection.commit()
        give(case, stranger, names.stream_history_table("yellowlive"))
        with pytest.raises(TablesOfAnother) as refused:
            table.create_tables()
        assert refused.value.tables == (names.stream_history_table("yellowlive"),)


def test_tables_of_a_role_that_the_login_is_a_member_of_are_its_own(case, stranger):
    case.run(LIVE)
    with superuser(case) as cursor:
        role = sql.Identifier(stranger)
        cursor.execute(sql.SQL("GRANT {} TO {}").format(role, sql.Identifier(case.target.user)))
        for table in ("yellowlive_Store1_t_merge", "yellowlive_batch_metrics"):
            cursor.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(sql.Identifier(table), role))
    case.execute("UPDATE t SET word = 'b'")
    assert case.run(LIVE).total.updated == 1


@pytest.mark.parametrize("extension", [False, True])
@pytest.mark.parametrize("kind", ["id", "id[]"])
def test_a_type_that_a_stranger_has_made_is_not_taken_for_that_of_the_model(case, stranger, kind, extension):
    """A domain's check is a function of whoever made it, called by who writes a value.

    Whoever may create in the database may make an extension, and put a domain of theirs into it.
    """
    with superuser(case) as cursor:
        cursor.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO PUBLIC").format(sql.Identifier(case.target.name)))
        cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(stranger)))
        cursor.execute(
            "CREATE FUNCTION checked(text) RETURNS boolean LANGUAGE plpgsql AS"
            " $$ BEGIN INSERT INTO public.heard VALUES (current_user); RETURN true; END $$;"
            "CREATE DOMAIN mytype AS text CHECK (checked(value))"
        )
        if extension:
            cursor.execute("CREATE EXTENSION citext; ALTER EXTENSION citext ADD DOMAIN mytype")
    (table,) = case.datasets
    columns = (table.columns[0], replace(table.columns[1], type=kind.replace("id", "mytype")))
    case.execute("ALTER TABLE t DROP word, ADD word text" + kind[2:])
    case.datasets = (replace(table, columns=columns),)
    with pytest.raises(TypeOfAnother) as refused:
        case.run(LIVE)
    assert refused.value.type_text.startswith("mytype")
    assert heard(case) == []
    with superuser(case) as cursor:
        cursor.execute(sql.SQL("ALTER DOMAIN mytype OWNER TO {}").format(sql.Identifier(case.target.user)))
    case.run(LIVE)


def test_a_job_does_not_take_a_function_that_a_stranger_has_made_for_the_as_of_function(case, stranger):
    """It would stay as it is, and be called by who reads the past."""
    case.run(FORENSIC)
    function = names.as_of_function("yellowforensic_Store1_t_merge")
    with superuser(case) as cursor:
        for argument in ("integer", "timestamptz"):
            cursor.execute(
                sql.SQL("ALTER FUNCTION {}({}) OWNER TO {}").format(
                    sql.Identifier("public", function), sql.SQL(argument), sql.Identifier(stranger)
                )
            )
    case.execute("UPDATE t SET word = 'b'")
    with pytest.raises(NotOurs, match="Rename that function"):
        case.run(FORENSIC)
