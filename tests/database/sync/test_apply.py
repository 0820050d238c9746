"""A plan written to real merge stores: whole or not at all, once, and with its history."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import psycopg2
import pytest

from airflow_plugin.cli.plan_view import _platform_lines
from airflow_plugin.control import stream_table
from airflow_plugin.control.connection import MergeStoreError
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import ConfigDoesNotFit, RowChange, StreamTable
from airflow_plugin.sync.apply import PartlyApplied, StalePlan, apply, note_drift, widen_configs
from airflow_plugin.sync.diff import SyncAction
from airflow_plugin.sync.stores import merge_stores
from config_schema.errors import VariableMissing

HISTORY = "SELECT stream_key, change, changed_by, model_commit, before_status, after_status FROM {} ORDER BY id"
OLDER_TABLE = (
    "CREATE TABLE yellowlive_airflow_dsg (stream_key varchar(255) PRIMARY KEY, config_json varchar({}), "
    "status varchar(50), created_at timestamp, updated_at timestamp)"
)


def history(synced, platform: str = "yellowlive"):
    return synced.execute(HISTORY.format(f"{platform}_airflow_dsg_history"), platform=platform)


def test_the_first_sync_creates_tables_rows_history_and_the_commit(synced):
    synced.sync("c1", changed_by="ann@host")
    assert synced.tables() == sorted(
        f"{platform}_{table}"
        for platform in ("yellowlive", "yellowforensic")
        for table in (
            "airflow_dsg",
            "airflow_dsg_history",
            "airflow_dsg_revision",
            "compiled_model",
            "job_model",
            "model_state",
            "schema_version",
            "stream_alerts",
        )
    )
    for platform, original in (("yellowlive", "YellowLive"), ("yellowforensic", "YellowForensic")):
        (row,) = synced.rows(platform)
        assert (row.stream_key, row.status) == ("Store1", "active")
        assert row.config_json == synced.graph[original]["Store1"].to_json()
        assert row.created_at == row.updated_at
        assert history(synced, platform) == [("Store1", "create", "ann@host", "c1", None, "active")]
        assert synced.commit_recorded(platform) == "c1"


def test_a_second_sync_of_the_same_commit_changes_nothing(synced):
    synced.sync()
    rows, state = synced.rows(), synced.execute("SELECT * FROM yellowlive_model_state")
    versions = synced.execute("SELECT xmin FROM yellowlive_airflow_dsg")
    assert not synced.plan().changes_anything
    assert not synced.sync().changes_anything
    assert synced.rows() == rows
    assert synced.execute("SELECT xmin FROM yellowlive_airflow_dsg") == versions
    assert synced.execute("SELECT * FROM yellowlive_model_state") == state
    assert len(history(synced)) == 1


def test_a_new_commit_with_the_same_streams_moves_the_commit_and_touches_no_row(synced):
    synced.sync("c1")
    rows = synced.rows()
    assert synced.sync("c2").changes_anything
    assert synced.rows() == rows
    assert synced.commit_recorded() == "c2"


def test_an_update_keeps_created_at_moves_updated_at_and_writes_before_and_after(synced):
    synced.sync("c1")
    (before,) = synced.rows()
    untouched = synced.rows("yellowforensic")
    synced.wants(schedule="@hourly")
    synced.sync("c2", changed_by="bob@host")
    (after,) = synced.rows()
    assert json.loads(after.config_json)["schedule"] == "@hourly"
    assert after.created_at == before.created_at
    assert after.updated_at > before.updated_at
    assert synced.rows("yellowforensic") == untouched
    written = synced.execute(
        "SELECT changed_by, model_commit, before_config_json, after_config_json, changed_at "
        "FROM yellowlive_airflow_dsg_history WHERE change = 'update'"
    )
    assert written == [("bob@host", "c2", before.config_json, after.config_json, after.updated_at)]


def test_a_stream_that_leaves_the_model_is_retired_and_comes_back_as_the_same_row(synced):
    synced.sync("c1")
    (first,) = synced.rows()
    config = synced.graph["YellowLive"].pop("Store1")
    synced.sync("c2")
    (retired,) = synced.rows()
    assert (retired.status, retired.config_json) == ("retired", first.config_json)
    synced.sync("c2")
    synced.graph["YellowLive"]["Store1"] = config
    synced.sync("c3")
    (revived,) = synced.rows()
    assert (revived.status, revived.created_at) == ("active", first.created_at)
    assert [(change, before, after) for _, change, _, _, before, after in history(synced)] == [
        ("create", None, "active"),
        ("retire", "active", "retired"),
        ("revive", "retired", "active"),
    ]


def test_what_an_operator_paused_stays_paused_and_still_gets_its_new_config(synced):
    synced.sync()
    synced.execute("UPDATE yellowlive_airflow_dsg SET status = 'paused'")
    synced.wants(retries=7)
    synced.sync("c2")
    (row,) = synced.rows()
    assert row.status == "paused"
    assert json.loads(row.config_json)["retries"] == 7


def test_an_older_table_with_a_short_config_column_works_as_it_is(synced):
    synced.execute(OLDER_TABLE.format(2048))
    synced.sync()
    (row,) = synced.rows()
    assert row.config_json == synced.graph["YellowLive"]["Store1"].to_json()
    assert not synced.sync().changes_anything


def test_a_config_that_does_not_fit_an_older_table_is_refused_with_its_length_and_the_limit(synced):
    synced.execute(OLDER_TABLE.format(100))
    tables, length = synced.tables(), len(synced.graph["YellowLive"]["Store1"].to_json())
    for attempt in (synced.plan, synced.sync):
        with pytest.raises(ConfigDoesNotFit) as caught:
            attempt()
        assert (caught.value.stream_key, caught.value.length, caught.value.limit) == ("Store1", length, 100)
        assert f"{length} characters, and config_json takes 100" in str(caught.value)
    assert synced.rows() == []
    assert synced.tables() == tables


def test_an_upgraded_table_takes_what_did_not_fit(synced):
    synced.execute(OLDER_TABLE.format(100))
    with synced.stores() as stores:
        assert widen_configs(stores) == {"YellowLive": 100, "YellowForensic": None}
        assert widen_configs(stores) == {"YellowLive": None, "YellowForensic": None}
    synced.sync()
    assert synced.rows()[0].config_json == synced.graph["YellowLive"]["Store1"].to_json()


def test_a_config_that_just_fits_is_stored_whole_whatever_its_letters(synced):
    synced.wants(owner="Zoë 日本 🦉")
    text = synced.graph["YellowLive"]["Store1"].to_json()
    assert len(text.encode()) > len(text)
    synced.execute(OLDER_TABLE.format(len(text)))
    synced.sync()
    assert synced.rows()[0].config_json == text


def test_the_row_and_its_history_are_written_in_one_transaction(synced):
    synced.sync()
    (before,) = synced.rows()
    synced.execute("ALTER TABLE yellowlive_airflow_dsg_history ADD CHECK (change <> 'update')")
    synced.wants(schedule="@hourly")
    with pytest.raises(MergeStoreError) as caught:
        synced.sync("c2")
    assert "DETAIL" not in str(caught.value)
    assert before.config_json not in str(caught.value)
    assert synced.rows() == [before]
    assert synced.commit_recorded() == "c1"
    assert len(history(synced)) == 1


@pytest.mark.parametrize("refusing", ["yellowlive", "yellowforensic"])
def test_a_store_that_refuses_leaves_the_other_stores_as_they_were(synced_apart, refusing):
    """Whichever of the two is written first."""
    synced_apart.execute(f"CREATE VIEW {refusing}_airflow_dsg AS SELECT 1 AS other", platform=refusing)
    with pytest.raises(MergeStoreError, match=f"{refusing}_airflow_dsg"):
        synced_apart.sync()
    assert synced_apart.tables("yellowforensic") == []
    assert synced_apart.tables("yellowlive") == []


def test_a_store_that_is_away_leaves_the_other_stores_as_they_were(synced_apart):
    synced_apart.dsns["yellowlive"] = "postgresql://u:p@127.0.0.1:1/db"
    with pytest.raises(MergeStoreError, match="nobody listens there"):
        synced_apart.sync()
    assert synced_apart.tables("yellowforensic") == []


def test_a_store_that_fails_at_its_commit_is_named_and_the_next_sync_completes_it(synced_apart):
    synced_apart.sync("c1")
    refusing = "yellowlive" if _first_to_commit(synced_apart) == "YellowForensic" else "yellowforensic"
    committing = ({"yellowlive", "yellowforensic"} - {refusing}).pop()
    # Checked only at COMMIT.
    synced_apart.execute(
        f"""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room'; END $$;
        CREATE CONSTRAINT TRIGGER at_commit AFTER UPDATE ON {refusing}_model_state
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()
        """,
        platform=refusing,
    )
    with pytest.raises(PartlyApplied, match="no room") as caught:
        synced_apart.sync("c2")
    assert caught.value.retryable
    assert synced_apart.commit_recorded(committing) == "c2"
    assert synced_apart.commit_recorded(refusing) == "c1"

    synced_apart.execute(f"DROP TRIGGER at_commit ON {refusing}_model_state", platform=refusing)
    synced_apart.sync("c2")
    assert synced_apart.commit_recorded(refusing) == "c2"


def _first_to_commit(synced) -> str:
    with synced.stores() as stores:
        return stores[0].platforms[0].name


def test_two_platforms_of_one_store_share_a_connection(synced, synced_apart):
    with synced.stores() as stores:
        assert [[platform.name for platform in store.platforms] for store in stores] == [
            ["YellowForensic", "YellowLive"]
        ]
    with synced_apart.stores() as stores:
        assert sorted(platform.name for store in stores for platform in store.platforms) == [
            "YellowForensic",
            "YellowLive",
        ]
        assert len(stores) == 2


def test_a_second_sync_waits_for_the_first_and_gives_up_retryable(synced):
    with synced.stores() as stores:
        connection = stores[0].connection
        StreamTable(ControlSession(connection, "yellowlive")).take_sync_lock()
        with pytest.raises(MergeStoreError) as caught:
            synced.sync(lock_seconds=0.2)
        assert caught.value.retryable
        assert synced.tables() == []
        connection.rollback()
    synced.sync(lock_seconds=0.2)


def test_a_row_paused_by_hand_while_a_sync_starts_is_waited_for_and_stays_paused(synced):
    synced.sync()
    hand = psycopg2.connect(synced.dsns["yellowlive"])
    hand.cursor().execute("UPDATE yellowlive_airflow_dsg SET status = 'paused'")
    synced.wants(schedule="@hourly")
    with pytest.raises(MergeStoreError) as caught:
        synced.sync("c2", lock_seconds=0.2)
    assert caught.value.retryable

    waiting = threading.Thread(target=synced.sync, args=("c2",))
    waiting.start()
    blocked = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while waiting.is_alive() and not synced.execute(blocked):
        pass
    hand.commit()
    hand.close()
    waiting.join(60)
    (row,) = synced.rows()
    assert (row.status, json.loads(row.config_json)["schedule"]) == ("paused", "@hourly")


def test_two_syncs_at_once_do_not_mix(synced):
    """Each wants other configs on both platforms; whoever is last, all rows and the commit are of one of them."""
    graphs = {}
    for commit, schedule in (("c1", "@hourly"), ("c2", "@daily")):
        for platform in ("YellowLive", "YellowForensic"):
            synced.wants(platform, schedule=schedule)
        graphs[commit] = {name: dict(streams) for name, streams in synced.graph.items()}
    start, failures = threading.Barrier(2), []

    def run(commit: str) -> None:
        try:
            start.wait(10)
            for _ in range(5):
                with synced.stores() as stores:
                    apply(stores, graphs[commit], commit)
        except Exception as error:  # reported by the test below, not by the thread
            failures.append(error)

    threads = [threading.Thread(target=run, args=(commit,)) for commit in graphs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    last = synced.commit_recorded()
    for platform, original in (("yellowlive", "YellowLive"), ("yellowforensic", "YellowForensic")):
        assert synced.commit_recorded(platform) == last
        assert [row.config_json for row in synced.rows(platform)] == [graphs[last][original]["Store1"].to_json()]


def test_a_plan_that_no_longer_holds_is_not_applied(synced):
    synced.sync("c1")
    synced.wants(schedule="@hourly")
    shown = synced.plan("c2")
    synced.execute("UPDATE yellowlive_airflow_dsg SET status = 'paused'")
    rows = synced.rows()
    with pytest.raises(StalePlan) as caught:
        synced.sync("c2", shown=shown)
    assert caught.value.retryable
    assert synced.rows() == rows
    assert synced.commit_recorded() == "c1"
    assert synced.sync("c2", shown=synced.plan("c2")).changes_anything


def test_a_plan_that_another_sync_has_applied_meanwhile_has_nothing_left_to_do(synced):
    shown = synced.plan("c1")
    synced.sync("c1", changed_by="ann@host")
    before = (synced.rows(), history(synced))
    assert not synced.sync("c1", shown=shown).changes_anything
    assert (synced.rows(), history(synced)) == before
    assert synced.commit_recorded() == "c1"


def test_a_plan_reads_and_leaves_nothing(synced):
    plan = synced.plan()
    assert plan.counts() == {"create": 2, "update": 0, "revive": 0, "retire": 0, "drift": 0, "unchanged": 0}
    assert synced.tables() == []
    assert plan == synced.sync(shown=plan)


def test_the_model_with_its_secret_gives_the_dsn_where_no_variable_does(synced, new_database):
    database = new_database("merge")
    server = database.server
    platforms = synced.platforms
    place = {"host": server.host, "port": server.port, "database": database.name, "tls": None}
    store = replace(platforms[0].merge_store, **place)
    platform = replace(platforms[0], merge_store=store)
    login = {"POSTGRES_USERNAME": database.user, "POSTGRES_PASSWORD": database.password}
    with merge_stores([platform], login) as stores:
        assert stores[0].connection.info.dbname == database.name
    with (
        pytest.raises(VariableMissing) as missing,
        merge_stores([platform], {"POSTGRES_USERNAME": database.user}),
    ):
        pass
    assert missing.value.variables == ("POSTGRES_PASSWORD",)


def test_a_row_changed_by_hand_is_drift_until_it_is_overwritten_or_the_model_says_the_same(synced):
    synced.sync("c1")
    by_hand = json.dumps(json.loads(synced.rows()[0].config_json) | {"retries": 9}, sort_keys=True)
    synced.execute("UPDATE yellowlive_airflow_dsg SET config_json = %s", by_hand)
    for _ in range(2):
        live = synced.sync("c2").platforms[0]
        assert [(change.kind, change.by_hand.changed_by) for change in live.drift] == [(SyncAction.DRIFT, None)]
        assert [(field.key, field.before) for field in live.drift[0].fields] == [("retries", 9)]
        assert synced.rows()[0].config_json == by_hand

    model = synced.graph["YellowLive"]["Store1"]
    synced.wants(retries=9)
    (before,) = synced.rows()
    adopting = synced.sync("c3").platforms[0]
    assert (adopting.adopted, adopting.writes, adopting.drift) == (("Store1",), (), ())
    assert synced.rows() == [before]  # untouched, updated_at too
    assert not synced.plan("c3").changes_anything
    synced.graph["YellowLive"]["Store1"] = model
    assert [change.kind for change in synced.sync("c4").platforms[0].writes] == [SyncAction.UPDATE]

    synced.execute("UPDATE yellowlive_airflow_dsg SET status = 'retired'")
    assert synced.sync("c5").drifted
    assert synced.sync("c5", overwrite_drift=True).platforms[0].writes[0].kind is SyncAction.REVIVE
    assert [row.status for row in synced.rows()] == ["active"]
    assert not synced.plan("c5").drifted


def test_a_change_past_the_tools_was_found_when_the_first_sync_met_it_and_no_later_look_says_another_time(synced):
    synced.sync("c1")
    old, new = synced.rows()[0].config_json, json.loads(synced.rows()[0].config_json)
    synced.execute("UPDATE yellowlive_airflow_dsg SET config_json = %s", json.dumps(new | {"retries": 9}))
    looked = [synced.plan("c1").platforms[0].drift[0].by_hand for _ in range(2)]
    assert looked[0].found_at < looked[1].found_at  # a plan writes nothing down
    assert not any(one.is_known for one in looked)
    synced.sync("c1")
    ((change, before, at),) = synced.execute(
        "SELECT change, before_config_json, changed_at FROM yellowlive_airflow_dsg_history WHERE model_commit IS NULL"
    )
    assert (change, before) == ("found", old)
    for _ in range(2):
        (found,) = synced.sync("c1").platforms[0].drift
        assert (found.by_hand.found_at, found.by_hand.changed_by, found.by_hand.is_known) == (at, None, True)
        assert str(found.by_hand) == f"changed by hand in the database, found at {at:%Y-%m-%d %H:%M:%S%z}"
    synced.execute("UPDATE yellowlive_airflow_dsg SET config_json = %s", json.dumps(new | {"retries": 8}))
    synced.sync("c1")
    (again,) = synced.plan("c1").platforms[0].drift
    assert again.by_hand.found_at > at
    assert len(synced.execute("SELECT 1 FROM yellowlive_airflow_dsg_history WHERE change = 'found'")) == 2


def test_a_sync_that_has_nothing_else_to_do_notes_a_change_past_the_tools(synced):
    synced.sync("c1")
    synced.execute("UPDATE yellowlive_airflow_dsg SET status = 'retired'")
    plan = synced.plan("c1")
    assert (plan.changes_anything, plan.platforms[0].newly_found) == (False, ["Store1"])
    for _ in range(2):
        with synced.stores() as stores:
            note_drift(stores, plan, "runner")
    assert synced.plan("c1").platforms[0].newly_found == []
    found = "SELECT changed_by, before_status, after_status FROM yellowlive_airflow_dsg_history WHERE change = 'found'"
    assert synced.execute(found) == [("runner", "active", "retired")]


def test_a_row_made_by_hand_is_not_retired_by_the_next_sync(synced):
    synced.sync("c1")
    with synced.stores() as stores:
        change = RowChange("Own", synced.rows()[0].config_json, "active", "create")
        StreamTable(ControlSession(stores[0].connection, "yellowlive")).write([change], changed_by="ann@host")
        stores[0].connection.commit()
    live = synced.sync("c2").platforms[0]
    assert [(change.stream_key, change.by_hand.changed_by) for change in live.drift] == [("Own", "ann@host")]
    assert {row.stream_key: row.status for row in synced.rows()} == {"Own": "active", "Store1": "active"}
    reported = "\n".join(map(str, _platform_lines(live)))
    assert "! drift Own" in reported
    assert "the model does not have it; it stays until the model does, or --overwrite-drift retires it" in reported
    synced.sync("c3", overwrite_drift=True)
    assert {row.stream_key: row.status for row in synced.rows()} == {"Own": "retired", "Store1": "active"}


def test_a_sync_prunes_a_history_that_has_grown_large_and_keeps_what_drift_is_found_by(synced, monkeypatch):
    monkeypatch.setattr(stream_table, "KEPT_CHANGES", 5)
    synced.sync("c1")
    by_hand = json.dumps(json.loads(synced.rows()[0].config_json) | {"retries": 9}, sort_keys=True)
    with synced.stores() as stores:
        for number in range(20):
            text = by_hand if number % 2 else synced.rows()[0].config_json
            change = RowChange("Store1", text, "active", "edit")
            StreamTable(ControlSession(stores[0].connection, "yellowlive")).write([change], changed_by="ann@host")
        stores[0].connection.commit()
    assert synced.sync("c2").platforms[0].drift
    found = synced.execute(
        "SELECT id, model_commit FROM yellowlive_airflow_dsg_history WHERE stream_key = 'Store1' ORDER BY id"
    )
    assert [commit for _, commit in found] == ["c1", None, None, None, None, None]
    assert synced.plan("c2").drifted
    monkeypatch.setattr(stream_table, "KEPT_BYTES", 1)
    synced.sync("c3")
    assert len(synced.execute("SELECT id FROM yellowlive_airflow_dsg_history WHERE stream_key = 'Store1'")) == 2
