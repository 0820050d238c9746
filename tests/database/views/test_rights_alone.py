"""Rights brought to the model without its views: what must be taken away waits for nothing else."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest

from config_schema.errors import VariableMissing
from config_schema.model import Milestoning
from merge_jobs.views.reconcile import reconcile

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
TABLE = "CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t VALUES (1, 'one')"


def two_groups():
    return {"Desk": {"G": ("t",), "Other": ("t",)}}


@pytest.fixture
def case(consuming):
    made = consuming(TABLE, groups=two_groups())
    made.bring()
    return made


def rights(case) -> list[str]:
    """Bring rights alone, and hold that a second time there is nothing to do; what was changed."""
    found = case.reconcile(rights_only=True)
    assert [str(problem) for one in found for problem in one.problems] == []
    assert [change.what for one in case.reconcile(rights_only=True) for change in one.plan.changes] == []
    return [change.what for one in found for change in one.plan.changes]


def test_after_a_whole_reconcile_there_is_nothing_to_do(case):
    assert rights(case) == []


def test_who_left_the_model_reads_nothing_though_the_views_still_stand(case):
    gone, stays = case.reader(group="Other"), case.reader()
    view, function = case.name(LIVE, "live", group="Other"), case.name(FORENSIC, "asof", group="Other")
    assert len(gone.query(f"SELECT * FROM {view}")) == 1
    case.groups["Desk"] = {"G": ("t",)}
    changes = rights(case)
    assert all(change.startswith("revoke all on ") for change in changes)
    assert gone.is_refused(f"SELECT * FROM {view}")
    assert gone.is_refused(f"SELECT * FROM {function}(now())")
    assert gone.is_refused('SELECT * FROM "ws_Desk".freshness')
    assert len(stays.query(f"SELECT * FROM {case.name(LIVE, 'live')}")) == 1
    assert case.query(f"SELECT count(*) FROM {view}") == [(1,)]
    assert any(change.startswith("drop view") for change in case.bring())


def test_rights_that_somebody_took_or_gave_are_as_modelled_again(case):
    view = case.name(LIVE, "live")
    case.execute(f'REVOKE SELECT ON {view} FROM "{case.role()}"')
    case.execute(f'GRANT SELECT, UPDATE ON {view} TO "{case.role(group="Other")}"')
    changes = rights(case)
    assert [change.split(" ", 1)[0] for change in changes] == ["grant", "revoke"]
    assert len(case.reader().query(f"SELECT * FROM {view}")) == 1
    assert case.reader(group="Other").is_refused(f"SELECT * FROM {view}")


def test_they_are_taken_away_while_a_view_cannot_be_changed(case):
    case.execute('CREATE VIEW "ws_Desk".mine AS SELECT word FROM ' + case.name(LIVE, "live"))
    reader = case.reader(group="Other")
    case.groups["Desk"] = {"G": ("t",)}
    assert rights(case) != []
    assert reader.is_refused(f"SELECT * FROM {case.name(LIVE, 'live', group='Other')}")


def test_only_the_platforms_that_are_named_are_touched(case):
    for kind in Milestoning:
        case.execute(f'REVOKE SELECT ON {case.name(kind, "live")} FROM "{case.role()}"')
    found = case.reconcile("YellowLive", rights_only=True)
    changes = [change.what for one in found for change in one.plan.changes]
    assert len(changes) == 1
    assert "yellowlive_" in changes[0]


def test_with_consumers_elsewhere_no_merge_store_is_asked(consuming, new_database):
    case = consuming(TABLE, groups=two_groups(), elsewhere=(there := new_database("consumers")))
    with closing(psycopg2.connect(there.superuser_dsn)) as session, session, session.cursor() as cursor:
        cursor.execute("CREATE EXTENSION postgres_fdw")
        cursor.execute(f'GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO "{there.user}"')
        cursor.execute(f'ALTER ROLE "{there.user}" CREATEROLE')
    case.bring()
    reader = case.reader(group="Other")
    case.groups["Desk"] = {"G": ("t",)}
    case.merging.target = replace(case.merging.target, name="not_there")
    assert rights(case) != []
    assert reader.is_refused(f"SELECT * FROM {case.name(LIVE, 'live', group='Other')}")


def test_of_several_platforms_only_the_merge_store_of_the_one_that_is_named_is_asked(case, monkeypatch):
    """A job of one platform has no login for the merge stores of others, whose consumers share a database with its."""
    for variable, value in case.secrets.items():
        monkeypatch.setenv(variable, value)
    model = case.model
    home = model.ecosystem.platforms[0].merge_store
    elsewhere = replace(home, port=1, credential="of-others")
    platforms = tuple(
        replace(one, consumer_db=home, merge_store=elsewhere) if one.name == "YellowForensic" else one
        for one in model.ecosystem.platforms
    )
    changed = replace(model, ecosystem=replace(model.ecosystem, platforms=platforms))
    found = list(reconcile(changed, lambda one: one.merge_store, ["YellowLive"]))
    assert [str(problem) for one in found for problem in one.problems] == []
    with pytest.raises(VariableMissing) as missing:
        list(reconcile(changed, lambda one: one.merge_store, ["YellowForensic"]))
    assert "OF_OTHERS_USERNAME" in missing.value.variables
