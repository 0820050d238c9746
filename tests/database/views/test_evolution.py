"""Views follow the model: columns come, go and change, datasets leave; what is not ours is never dropped."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from config_schema.model import Milestoning
from config_schema.model.mapping import AssignmentStatus

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
TABLE = "CREATE TABLE t (id int PRIMARY KEY, word varchar(9)); INSERT INTO t VALUES (1, 'one'), (2, 'two')"


def columns(case, view):
    rows = case.query(f"""SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
                          WHERE attrelid = '{view}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum""")
    return dict(rows)


def build_on(case, kind=LIVE, what="live", columns="*"):
    """What somebody else has built on a view of ours."""
    case.execute(f"CREATE VIEW theirs AS SELECT {columns} FROM {case.name(kind, what)}")


def test_a_column_that_comes_is_appended_where_the_view_stands(consuming):
    case = consuming(TABLE)
    case.bring()
    build_on(case)
    case.changed("ALTER TABLE t ADD age int DEFAULT 40")
    assert [what.split(" (")[0].split()[:2] for what in case.bring()] == [
        ["replace", "view"],
        ["replace", "view"],
        ["replace", "view"],
        ["make", "function"],
        ["grant", "EXECUTE"],
    ]
    assert list(columns(case, case.name(FORENSIC, "full")))[-2:] == ["ds_valid_to", "age"]
    assert case.reader().query(f"SELECT id, age FROM {case.name(LIVE, 'live')} ORDER BY id") == [(1, 40), (2, 40)]
    assert case.reader().query(f"SELECT age FROM {case.name(FORENSIC, 'asof')}(now())") == [(40,), (40,)]
    assert case.query("SELECT count(*) FROM theirs") == [(2,)]


def test_a_column_of_the_model_that_no_batch_has_brought_yet_is_awaited(consuming):
    case = consuming(TABLE)
    case.bring()
    case.merging.execute("ALTER TABLE t ADD age int")
    case.merging.describe()
    assert case.bring() == []
    assert "age will be there after the next batch" in case.reconcile()[0].plan.notes[0]


def test_a_column_that_leaves_leaves_the_views(consuming):
    case = consuming("CREATE TABLE t (id int PRIMARY KEY, word text, age int); INSERT INTO t VALUES (1, 'one', 9)")
    case.bring()
    case.changed("ALTER TABLE t DROP COLUMN word")
    case.bring()
    assert columns(case, case.name(LIVE, "live")) == {"id": "integer", "age": "integer"}
    assert case.reader().query(f"SELECT * FROM {case.name(FORENSIC, 'live')}") == [(1, 9)]


def test_a_column_that_leaves_while_others_read_the_view_stays_as_null_and_they_are_named(consuming):
    case = consuming(TABLE)
    case.bring()
    build_on(case)
    case.changed("ALTER TABLE t DROP COLUMN word")
    case.bring()
    assert case.query("SELECT * FROM theirs ORDER BY id") == [(1, None), (2, None)]
    assert case.reader().query(f"SELECT word FROM {case.name(LIVE, 'live')}") == [(None,), (None,)]
    (note,) = case.reconcile()[0].plan.notes
    assert "keeps word, as NULL: view public.theirs is built on it" in note
    case.execute("DROP VIEW theirs")
    case.bring()
    assert columns(case, case.name(LIVE, "live")) == {"id": "integer"}


def test_a_renamed_column_is_one_that_leaves_and_one_that_comes(consuming):
    case = consuming(TABLE)
    case.bring()
    case.changed('ALTER TABLE t RENAME COLUMN word TO "theWord"; UPDATE t SET id = id')
    case.bring()
    assert case.reader().query(f'SELECT id, "theWord" FROM {case.name(LIVE, "live")} ORDER BY id') == [
        (1, "one"),
        (2, "two"),
    ]


def test_a_type_is_widened_though_views_of_ours_read_the_column_and_nobody_loses_a_right(consuming):
    case = consuming(TABLE)
    case.bring()
    reader = case.reader()
    by_hand = f"by_hand_{case.role()}"
    case.execute(f'CREATE ROLE "{by_hand}"; GRANT SELECT ON {case.name(LIVE, "live")} TO "{by_hand}"')
    case.changed("ALTER TABLE t ALTER word TYPE varchar(30); INSERT INTO t VALUES (3, 'a word that is longer')")
    longer = [("a word that is longer",)]
    assert reader.query(f"SELECT word FROM {case.name(LIVE, 'live')} WHERE id = 3") == longer  # before the reconciler
    case.bring()
    assert reader.query(f"SELECT word FROM {case.name(FORENSIC, 'full')} WHERE id = 3") == longer
    assert columns(case, case.name(FORENSIC, "live"))["word"] == "character varying(30)"
    granted = f"SELECT has_table_privilege('{by_hand}', '{case.name(LIVE, 'live')}', 'SELECT')"
    assert case.query(granted) == [(True,)]


def test_a_type_that_changes_under_what_others_have_built_is_said_by_name(consuming):
    case = consuming(TABLE, pii={"word"})
    case.bring()
    build_on(case)
    case.changed("ALTER TABLE t ALTER word TYPE varchar(30)")
    (problem,) = case.problems()
    assert "yellowlive_Desk_G_Store1_t_view_live" in problem
    assert "the type of word is to change, and view public.theirs is built on it" in problem
    case.execute("DROP VIEW theirs")
    case.bring()


def test_what_leaves_the_model_is_dropped_and_what_is_not_ours_stays(consuming):
    case = consuming(TABLE + "; CREATE TABLE u (id int PRIMARY KEY)")
    case.bring()
    case.execute('CREATE VIEW "ws_Desk".by_hand AS SELECT 1 AS one')
    case.groups = {"Desk": {"G": ("t",)}}
    dropped = [what for what in case.bring() if what.startswith("drop")]
    assert len(dropped) == 4
    assert all("Store1_u_view_" in what for what in dropped)
    case.groups = {}
    assert case.bring()[-1].startswith("drop view")
    assert case.query("SELECT relname FROM pg_class WHERE relnamespace = '\"ws_Desk\"'::regnamespace") == [("by_hand",)]
    case.execute('DROP VIEW "ws_Desk".by_hand')
    assert case.bring() == ["drop schema ws_Desk"]


def test_a_view_that_is_to_go_is_closed_where_somebody_has_built_on_it(consuming):
    case = consuming(TABLE + "; CREATE TABLE u (id int PRIMARY KEY)")
    case.bring()
    reader = case.reader()
    case.execute(f"CREATE VIEW theirs AS SELECT * FROM {case.name(LIVE, 'live', dataset='u')}")
    case.groups = {"Desk": {"G": ("t",)}}
    (problem,) = case.problems()
    assert "it is to go, and view public.theirs is built on it" in problem
    assert reader.is_refused(f"SELECT * FROM {case.name(LIVE, 'live', dataset='u')}")
    assert not reader.is_refused(f"SELECT * FROM {case.name(LIVE, 'live')}")


@pytest.mark.parametrize(
    ("status", "stays"), [(AssignmentStatus.DECOMMISSIONING, True), (AssignmentStatus.DECOMMISSIONED, False)]
)
def test_consumers_who_leave_have_their_views_until_they_have_left(consuming, status, stays):
    case = consuming(TABLE)
    case.bring()
    case.status = status
    assert (case.bring() == []) is stays


def test_consumers_have_no_views_of_a_platform_that_is_still_being_provisioned(consuming):
    case = consuming(TABLE)
    case.status = AssignmentStatus.PROVISIONING
    assert case.bring() == []
    case.status = AssignmentStatus.PROVISIONED
    assert case.bring() != []


def test_a_merge_table_that_was_moved_away_is_no_longer_read(consuming):
    case = consuming(TABLE)
    case.bring()
    case.execute(
        """ALTER TABLE "yellowlive_Store1_t_merge" RENAME TO aside;
           ALTER INDEX "yellowlive_Store1_t_merge_key" RENAME TO aside_key; DROP TABLE "yellowlive_Store1_t_map" """
    )
    case.changed("UPDATE t SET word = 'new'")
    case.bring()
    assert case.reader().query(f"SELECT DISTINCT word FROM {case.name(LIVE, 'live')}") == [("new",)]


def test_a_name_that_is_somebody_elses_is_said_and_the_rest_is_made(consuming):
    case = consuming(TABLE)
    case.bring()
    case.execute(f"DROP VIEW {case.name(LIVE, 'live')}; CREATE VIEW {case.name(LIVE, 'live')} AS SELECT 'mine' AS word")
    case.execute('DROP VIEW "ws_Desk".freshness')
    (problem,) = case.problems()
    assert "its comment does not say that it is ours" in problem
    assert case.query(f"SELECT * FROM {case.name(LIVE, 'live')}") == [("mine",)]
    assert len(case.reader().query('SELECT * FROM "ws_Desk".freshness')) == 2


def test_a_schema_that_is_somebody_elses_is_left_alone(consuming):
    case = consuming(TABLE)
    case.execute('CREATE SCHEMA "ws_Desk"')
    (problem,) = case.problems()
    assert problem.startswith("schema ws_Desk: it is there, and it is another role's, or its comment")


def test_one_platform_only_leaves_the_other_platforms_views_and_readers_alone(consuming):
    case = consuming(TABLE)
    case.bring()
    reader = case.reader()
    case.groups = {"Desk": {"Other": ("t",)}}
    case.bring("YellowLive")
    assert reader.query(f"SELECT count(*) FROM {case.name(FORENSIC, 'live')}") == [(2,)]
    with pytest.raises(psycopg2.errors.UndefinedTable):
        reader.query(f"SELECT count(*) FROM {case.name(LIVE, 'live')}")
    case.bring()
    assert reader.is_refused(f"SELECT count(*) FROM {case.name(FORENSIC, 'live', group='Other')}")


def test_a_failure_in_the_middle_leaves_all_of_the_workspace_as_it_was(consuming):
    case = consuming(TABLE, groups={"Desk": {"G": ("t",)}, "Shop": {"G": ("t",)}})
    case.bring()
    before = case.query("SELECT relname FROM pg_class WHERE relnamespace = '\"ws_Desk\"'::regnamespace ORDER BY 1")
    case.changed("ALTER TABLE t ADD age int")
    with psycopg2.connect(case.merging.target.dsn) as other, other.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {case.name(LIVE, 'live')} IN ACCESS SHARE MODE")
        results = {one.plan.workspace: one for one in case.reconcile()}
    other.close()
    assert results["Desk"].failed is not None
    assert results["Desk"].failed.retryable
    assert results["Shop"].failed is None
    assert before == case.query(
        "SELECT relname FROM pg_class WHERE relnamespace = '\"ws_Desk\"'::regnamespace ORDER BY 1"
    )
    assert "age" not in columns(case, case.name(FORENSIC, "live"))
    assert "age" in columns(case, case.name(FORENSIC, "live", "Shop"))
    case.bring()
    assert "age" in columns(case, case.name(FORENSIC, "live"))


def test_a_schema_of_another_owner_is_left_alone_whatever_its_comment_says(consuming):
    """Who owns a schema can put a view of their own in the place of each of ours."""
    case = consuming(TABLE)
    case.bring()
    with closing(psycopg2.connect(case.home.superuser_dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute('ALTER SCHEMA "ws_Desk" OWNER TO CURRENT_USER')
    (problem,) = case.problems()
    assert problem.startswith("schema ws_Desk: it is there, and it is another role's")
