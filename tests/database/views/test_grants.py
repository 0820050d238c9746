"""What consumers may do: read their dataset group's views. They log in, and try the rest."""

from __future__ import annotations

import psycopg2
import pytest

from config_schema.model import Classification, Milestoning

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
TABLE = "CREATE TABLE t (id int PRIMARY KEY, email text, city text); INSERT INTO t VALUES (1, 'a@b.test', 'Bern')"
GROUPS = {"Desk": {"G": ("t",), "Other": ("t",)}, "Shop": {"G": ("t",)}}


@pytest.fixture
def shared(consuming):
    case = consuming(TABLE, groups=GROUPS)
    case.bring()
    return case


def test_a_reader_reads_the_views_of_the_group_and_freshness_and_nothing_else(shared):
    reader = shared.reader()
    readable = reader.query(
        """SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')
             AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S')
           ORDER BY 2"""
    )
    names = [shared.name(LIVE, "live"), shared.name(FORENSIC, "live"), shared.name(FORENSIC, "full")]
    views = [name.split(".")[1].strip('"') for name in names] + [
        "freshness",
        "yellowforensic_batches",
        "yellowlive_batches",
    ]
    assert readable == [("ws_Desk", view) for view in sorted(views)]
    for view in names:
        assert len(reader.query(f"SELECT * FROM {view}")) == 1


REFUSED = (
    'SELECT * FROM "yellowlive_Store1_t_merge"',
    'SELECT * FROM "yellowforensic_Store1_t_merge"',
    'SELECT * FROM "yellowforensic_Store1_t_merge_as_of"(1)',
    "SELECT * FROM yellowlive_batch_metrics",
    "SELECT * FROM yellowlive_batch_counter",
    'SELECT * FROM "ws_Shop".freshness',
    "INSERT INTO {live} VALUES (2, '', '')",
    "UPDATE {live} SET city = 'Basel'",
    "DELETE FROM {live}",
    "SELECT * FROM {live} FOR UPDATE",
    'CREATE VIEW "ws_Desk".mine AS SELECT 1',
    "CREATE TABLE public.mine (id int)",
    "SELECT * FROM {other}",
    "SELECT * FROM {other_asof}(now())",
    "SELECT * FROM {elsewhere}",
    'SET ROLE "{owner}"',
    'CREATE OR REPLACE VIEW {live} AS SELECT * FROM "yellowlive_Store1_t_merge"',
)


def test_whatever_else_a_reader_tries_is_refused(shared):
    filled = [
        statement.format(
            live=shared.name(LIVE, "live"),
            other=shared.name(LIVE, "live", group="Other"),
            other_asof=shared.name(FORENSIC, "asof", group="Other"),
            elsewhere=shared.name(LIVE, "live", "Shop"),
            owner=shared.merging.target.user,
        )
        for statement in REFUSED
    ]
    reader = shared.reader()
    assert [statement for statement in filled if not reader.is_refused(statement)] == []


def test_the_groups_role_cannot_log_in(shared):
    assert shared.query(
        f"SELECT rolcanlogin, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = '{shared.role()}'"
    ) == [(False, False, False)]


def test_somebody_without_the_role_sees_nothing(shared):
    reader = shared.reader()
    shared.open_to_all()
    shared.execute(f'REVOKE "{shared.role()}" FROM "{reader.login}"')
    for kind in Milestoning:
        assert reader.is_refused(f"SELECT * FROM {shared.name(kind, 'live')}")


def test_a_group_that_leaves_the_model_takes_its_readers_rights_with_it(shared):
    leaving, staying = shared.reader(), shared.reader("Desk", "Other")
    shared.groups = {"Desk": {"Other": ("t",)}, "Shop": {"G": ("t",)}}
    shared.bring()
    assert leaving.is_refused('SELECT * FROM "ws_Desk".freshness')
    assert not staying.is_refused(f"SELECT * FROM {shared.name(LIVE, 'live', group='Other')}")
    rights = "SELECT count(*) FROM pg_class, aclexplode(relacl) a WHERE a.grantee = '\"{}\"'::regrole"
    assert shared.query(rights.format(shared.role())) == [(0,)]
    shared.groups = GROUPS
    shared.bring()
    assert not leaving.is_refused(f"SELECT * FROM {shared.name(LIVE, 'live')}")


def test_a_right_that_was_taken_by_hand_comes_back_and_one_that_was_given_stays(shared):
    live = shared.name(LIVE, "live")
    reader, other = shared.reader(), shared.reader("Shop")
    shared.execute(f'REVOKE SELECT ON {live} FROM "{shared.role()}"')
    shared.execute(f'GRANT USAGE ON SCHEMA "ws_Desk" TO "{other.login}"; GRANT SELECT ON {live} TO "{other.login}"')
    assert reader.is_refused(f"SELECT * FROM {live}")
    (change,) = shared.bring()
    assert change.startswith("grant SELECT")
    assert not reader.is_refused(f"SELECT * FROM {live}")
    assert not other.is_refused(f"SELECT * FROM {live}")


def test_a_right_of_a_role_of_ours_that_the_model_does_not_give_is_taken(shared):
    shared.execute(f'GRANT USAGE ON SCHEMA "ws_Desk" TO "{shared.role("Shop")}"')
    shared.execute(f'GRANT SELECT, INSERT ON {shared.name(LIVE, "live")} TO "{shared.role("Shop")}"')
    assert [change.split()[0] for change in shared.bring()] == ["revoke", "revoke"]
    assert shared.reader("Shop").is_refused(f"SELECT * FROM {shared.name(LIVE, 'live')}")


def test_columns_that_a_workspace_may_not_see_are_null_in_every_view_of_it(consuming):
    everything = tuple(Classification)
    case = consuming(TABLE, groups=GROUPS, may_see={"Shop": everything}, pii={"email"})
    case.bring()
    case.changed("UPDATE t SET email = 'new@b.test'")
    for workspace, seen in (("Desk", {(None, "Bern")}), ("Shop", {("a@b.test", "Bern"), ("new@b.test", "Bern")})):
        reader = case.reader(workspace)
        for kind, what in ((LIVE, "live"), (FORENSIC, "live"), (FORENSIC, "full"), (FORENSIC, "asof")):
            source = case.name(kind, what, workspace) + ("(now())" if what == "asof" else "")
            found = set(reader.query(f"SELECT email, city FROM {source}"))
            assert found == (seen if what == "full" else seen - {("a@b.test", "Bern")})


def test_a_column_that_becomes_pii_is_hidden_though_others_have_built_on_the_view(consuming):
    case = consuming(TABLE)
    case.bring()
    case.execute(f"CREATE VIEW theirs AS SELECT * FROM {case.name(LIVE, 'live')}")
    case.pii = {"email"}
    case.bring()
    assert case.query("SELECT email FROM theirs") == [(None,)]


def test_a_reconciler_that_may_not_create_roles_says_what_to_do_and_makes_the_views(consuming, postgres):
    case = consuming(TABLE)
    with psycopg2.connect(postgres.dsn()) as session, session.cursor() as cursor:
        cursor.execute(f'ALTER ROLE "{case.merging.target.user}" NOCREATEROLE')
    session.close()
    (problem,) = case.problems()
    assert problem.startswith(f"role {case.role()}: it is missing, and {case.merging.target.user} may not create roles")
    assert case.query(f"SELECT count(*) FROM {case.name(LIVE, 'live')}") == [(1,)]


def test_a_role_that_is_somebody_elses_gets_nothing(consuming):
    case = consuming(TABLE)
    case.execute(f'CREATE ROLE "{case.role()}"')
    (problem,) = case.problems()
    assert "its comment does not say that it is ours" in problem
    case.open_to_all()
    assert case.reader().is_refused(f"SELECT * FROM {case.name(LIVE, 'live')}")


def test_a_database_that_is_closed_to_all_is_opened_to_readers(consuming):
    case = consuming(TABLE)
    case.open_to_all()
    assert not any(change.startswith("grant CONNECT") for change in case.bring())
    case.execute(f'REVOKE ALL ON DATABASE "{case.merging.target.name}" FROM PUBLIC')
    assert any(change.startswith("grant CONNECT") for change in case.bring())
    assert case.reader().query(f"SELECT id FROM {case.name(LIVE, 'live')}") == [(1,)]


def test_who_left_the_model_may_not_even_connect_where_the_database_is_closed(consuming):
    case = consuming(TABLE, groups={"Desk": {"G": ("t",), "Other": ("t",)}, "Shop": {"G": ("t",)}})
    case.bring()
    leaving, staying, neighbour = case.reader(group="Other"), case.reader(), case.reader("Shop")
    assert not leaving.may_not_connect()
    case.groups = {"Desk": {"G": ("t",)}, "Shop": {"G": ("t",)}}
    case.bring()
    assert leaving.may_not_connect()
    case.groups = {"Desk": {"G": ("t",)}}
    case.bring()
    assert neighbour.may_not_connect()
    assert staying.query(f"SELECT id FROM {case.name(LIVE, 'live')}") == [(1,)]
