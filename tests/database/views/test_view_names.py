"""Short names of consumers' views, and what becomes of views, rights and readers when the model changes the names."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from config_schema.model import Milestoning, ViewNames

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
LONG, SHORT = ViewNames.LONG, ViewNames.SHORT
TABLE = """CREATE TABLE t (id int PRIMARY KEY, word text);
           INSERT INTO t SELECT n, 'w' || n FROM generate_series(1, 5) n;
           CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1)"""
ON_ONE = {"Desk": {"G": ("t",)}}
OLD = "yellowforensic_Desk_G_Store1_t_view_"


def relations(case) -> set[str]:
    """The views and functions in the workspace's schema."""
    of = "FROM pg_class WHERE relnamespace = '\"ws_Desk\"'::regnamespace"
    functions = "SELECT proname FROM pg_proc WHERE pronamespace = '\"ws_Desk\"'::regnamespace"
    return {name for (name,) in case.query(f"SELECT relname {of} UNION {functions}")}


def is_gone(reader, view: str) -> bool:
    with closing(psycopg2.connect(reader.dsn)) as session, session.cursor() as cursor:
        try:
            cursor.execute(f"SELECT * FROM {view}")
        except psycopg2.errors.UndefinedTable:
            return True
        return False


@pytest.mark.parametrize("kind", Milestoning)
def test_a_workspace_with_short_names_has_views_named_after_its_datasets(consuming, kind):
    case = consuming(TABLE, ON_ONE, view_names=SHORT, served_on={"G": kind})
    case.bring()
    views = {"t", "freshness", f"yellow{kind.value}_batches"}
    assert relations(case) == (views if kind is LIVE else {*views, "t_history", "t_as_of"})
    reader = case.reader()
    assert reader.query('SELECT count(*) FROM "ws_Desk".t') == [(5,)]
    assert reader.query('SELECT view_name FROM "ws_Desk".freshness') == [("t",)]
    if kind is FORENSIC:
        case.changed("UPDATE t SET word = 'new' WHERE id = 1")
        assert reader.query('SELECT count(*) FROM "ws_Desk".t_history') == [(6,)]
        assert reader.query('SELECT count(*) FROM "ws_Desk".t_as_of(now())') == [(5,)]


@pytest.mark.parametrize(("before", "after"), [(LONG, SHORT), (SHORT, LONG)], ids=["shorter", "longer"])
def test_when_the_model_changes_names_views_are_renamed_with_their_rights_and_what_is_built_on_them(
    consuming, before, after
):
    case = consuming(TABLE, ON_ONE, view_names=before, served_on={"G": FORENSIC})
    case.bring()
    reader = case.reader()
    former = {what: case.name(FORENSIC, what) for what in ("live", "full", "asof")}
    by_hand = f"{case.ecosystem}_hand"
    case.execute(f'CREATE ROLE "{by_hand}"; GRANT SELECT ON {former["live"]} TO "{by_hand}"')
    case.execute(f"CREATE VIEW theirs AS SELECT * FROM {former['live']}; GRANT SELECT ON theirs TO PUBLIC")
    case.view_names = after
    changed = case.bring()
    assert [what.split()[:2] for what in changed] == [
        ["rename", "view"],
        ["rename", "view"],
        ["rename", "function"],
        ["replace", "view"],  # freshness, which names the view
        ["replace", "function"],  # which reads the full view by its name
    ]
    assert reader.query(f"SELECT count(*) FROM {case.name(FORENSIC, 'live')}") == [(5,)]
    assert reader.query(f"SELECT count(*) FROM {case.name(FORENSIC, 'asof')}(now())") == [(5,)]
    assert reader.query("SELECT count(*) FROM theirs") == [(5,)]
    assert is_gone(reader, former["live"])
    assert is_gone(reader, former["full"])
    granted = f"SELECT has_table_privilege('{by_hand}', '{case.name(FORENSIC, 'live')}', 'SELECT')"
    assert case.query(granted) == [(True,)]
    ((name,),) = reader.query('SELECT view_name FROM "ws_Desk".freshness')
    assert f'"ws_Desk"."{name}"' == case.name(FORENSIC, "live")
    case.changed("ALTER TABLE t ADD more int; UPDATE t SET more = 1")
    case.bring()
    assert reader.query(f"SELECT DISTINCT more FROM {case.name(FORENSIC, 'live')}") == [(1,)]


def test_a_reader_sees_the_former_name_or_the_new_one_and_never_none(consuming):
    case = consuming(TABLE, ON_ONE, served_on={"G": FORENSIC})
    case.bring()
    reader, former = case.reader(), case.name(FORENSIC, "live")
    with closing(psycopg2.connect(reader.dsn)) as session, session.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {former}")
        cursor.execute("SELECT 1")  # the transaction holds its lock on the view
        case.view_names = SHORT
        (problem,) = case.problems()
        assert "lock timeout" in problem
        assert relations(case) >= {f"{OLD}live", f"{OLD}full", f"{OLD}asof"}, "all of it or nothing"
        cursor.execute(f"SELECT count(*) FROM {former}")
        assert cursor.fetchone() == (5,)
    case.bring()
    assert reader.query('SELECT count(*) FROM "ws_Desk".t') == [(5,)]


def test_a_view_whose_short_name_is_somebody_elses_keeps_the_one_it_has(consuming):
    case = consuming(TABLE, ON_ONE, served_on={"G": FORENSIC})
    case.bring()
    reader = case.reader()
    case.execute('CREATE TABLE "ws_Desk".t (theirs int)')
    case.view_names = SHORT
    (problem,) = case.problems()
    assert "view t in ws_Desk: it is there, and it is another role's" in problem
    assert reader.query(f'SELECT count(*) FROM "ws_Desk"."{OLD}live"') == [(5,)]
    assert reader.query('SELECT count(*) FROM "ws_Desk".t_history') == [(5,)]
    case.execute('DROP TABLE "ws_Desk".t')
    assert [what for what in case.bring() if what.startswith("rename")] == [f"rename view {OLD}live to t"]


def test_each_platform_renames_its_own_views_and_freshness_names_those_that_are_there(consuming):
    groups = {"Desk": {"G": ("t",), "H": ("u",)}}
    case = consuming(TABLE, groups, served_on={"G": LIVE, "H": FORENSIC})
    case.bring()
    reader, (other,) = case.reader(), [name for name in relations(case) if name.endswith("Store1_u_view_live")]
    case.view_names = SHORT
    case.bring("YellowLive")
    freshness = 'SELECT dataset, view_name FROM "ws_Desk".freshness ORDER BY 1'
    assert reader.query(freshness) == [("t", "t"), ("u", other)]
    assert case.reader(group="H").query(f'SELECT count(*) FROM "ws_Desk"."{other}"') == [(1,)]
    case.bring("YellowForensic")
    assert reader.query(freshness) == [("t", "t"), ("u", "u")]
    assert {"t", "u", "u_history", "u_as_of"} < relations(case)


def test_a_dataset_that_another_platform_serves_from_now_on_keeps_its_short_name(consuming):
    case = consuming(TABLE, ON_ONE, view_names=SHORT, served_on={"G": LIVE})
    case.bring()
    case.served_on = {"G": FORENSIC}
    case.bring()
    assert relations(case) == {"t", "t_history", "t_as_of", "freshness", "yellowforensic_batches"}
    assert case.reader().query('SELECT count(*) FROM "ws_Desk".t') == [(5,)]
