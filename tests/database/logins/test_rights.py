"""What each login can do, by all privileges and by attack; and that the product works with just these."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg2
import pytest
from psycopg2.errors import InsufficientPrivilege
from psycopg2.extensions import make_dsn

from airflow_plugin.control.batch_table import BatchTables
from airflow_plugin.control.connection import MergeStoreError
from airflow_plugin.control.model_state import ModelState
from airflow_plugin.control.session import ControlSession, control_session
from airflow_plugin.control.stream_table import RowChange, StreamTable
from airflow_plugin.doctor.merge_store import merge_store_findings
from airflow_plugin.health.streams import platform_health
from airflow_plugin.rows.reading import read_rows, read_table
from airflow_plugin.settings import PlatformSettings
from airflow_plugin.streams.opening import PlatformStreams, locked
from airflow_plugin.sync.apply import apply
from airflow_plugin.sync.graph import stream_graph
from airflow_plugin.sync.stores import merge_stores
from airflow_plugin.web import queries
from config_schema import names
from config_schema.load import load_model
from config_schema.model import Milestoning
from config_schema.model.compiled import CompiledModel
from config_schema.schemas import json_schema
from config_schema.sql.component_logins import ComponentRights, Duty
from config_schema.sql.versions import TablesTooOld
from tests.database.conftest import Merging

from .conftest import PLATFORMS, Store

CUSTOMERS = "CREATE TABLE customers (id int PRIMARY KEY, word text); INSERT INTO customers SELECT generate_series(1, 9)"
MERGED = "yellowforensic_Store1_customers_merge"
PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
READ = {"airflow_dsg": "SELECT", "airflow_dsg_history": "SELECT", "model_state": "SELECT"} | dict.fromkeys(
    ("batch_counter", "batch_metrics", "run_results", "progress", "source_checks", "schema_version"), "SELECT"
)
ROWS = {"airflow_dsg": "SELECT INSERT UPDATE", "airflow_dsg_history": "SELECT INSERT"}
MAY = {
    Duty.READER: READ | {"airflow_dsg_revision": "SELECT", "job_model": "SELECT"},
    Duty.WORKER: READ | {"stream_alerts": "SELECT INSERT UPDATE DELETE", "run_results": "SELECT INSERT"},
    Duty.PAGES: READ | ROWS | {"job_model": "SELECT"},
    Duty.SYNC: ROWS
    | {"model_state": "SELECT INSERT UPDATE", "compiled_model": "SELECT INSERT UPDATE DELETE"}
    | {"job_model": "SELECT INSERT UPDATE DELETE"}
    | {"schema_version": "SELECT"},
}


@dataclass
class World:
    """A store with logins, a producer, and the jobs of the stream Store1 by the owner."""

    store: Store
    merging: Merging

    def dsn(self, duty: Duty, platform: str = "yellowforensic") -> str:
        return self.store.dsn(duty, platform)

    def tables(self) -> list[str]:
        query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
        return [name for (name,) in self.store.run(self.store.owner, query)]

    def can(self, duty: Duty, platform: str) -> dict[str, str]:
        """What the login can do with each table of the database with which it can do anything."""
        user = names.component_login(self.store.name, platform, duty.value)
        asked = ", ".join(f"has_table_privilege('{user}', oid, '{one}')" for one in PRIVILEGES)
        query = f"SELECT relname, {asked} FROM pg_class WHERE relkind IN ('r', 'v', 'S')"
        query += " AND relnamespace = 'public'::regnamespace"
        found = {
            table: " ".join(itertools.compress(PRIVILEGES, may))
            for table, *may in self.store.run(self.store.server.dsn(self.store.name), query)
        }
        return {table: may for table, may in found.items() if may}


def merged_world(make_store: Callable[[str], Any]) -> World:
    """Logins first, then a sync, then jobs: tables of all kinds are made after the roles."""
    store, source = make_store("store"), make_store("source")
    assert store.bootstrap().exit_code == 0
    made = World(store, Merging(source.database, store.database))
    made.merging.execute(CUSTOMERS)
    made.merging.describe()
    sync(made)
    made.merging.merge_both()
    return made


@pytest.fixture(scope="module")
def world(make_store) -> World:
    made = merged_world(make_store)
    assert MERGED in made.tables()
    return made


def sync(world: World, commit: str = "c1", platforms: tuple[str, ...] = PLATFORMS, **options: Any) -> Any:
    """A sync of the example model by the logins for it."""
    model = load_model(world.store.folder / "model")
    wanted = [one for one in model.ecosystem.platforms if names.platform_name(one.name) in platforms]
    graph = stream_graph(model.ecosystem, model.mappings)
    graph = {one.name: graph[one.name] for one in wanted}
    logins = {names.dsn_variable(one): world.dsn(Duty.SYNC, one) for one in platforms}
    with merge_stores(wanted, logins) as stores:
        return apply(stores, graph, commit, **options)


def settings() -> PlatformSettings:
    return PlatformSettings(original_platform_name="YellowForensic")


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("duty", Duty)
def test_a_login_can_do_this_with_its_platform_s_tables_and_nothing_with_any_other(world, duty, platform):
    assert world.can(duty, platform) == {
        f"{platform}_{table}": may for table, may in MAY[duty].items() if f"{platform}_{table}" in world.tables()
    }


def test_the_pages_read_only_columns_of_row_maps_that_have_no_value_of_a_row(world):
    maps, pages = "yellowforensic_row_maps", world.dsn(Duty.PAGES)
    assert world.store.run(pages, f"SELECT key, dataset, distrusted FROM {maps}") == [("Store1", "customers", None)]
    for columns in ("guard", "*", "kind"):
        with pytest.raises(InsufficientPrivilege):
            world.store.run(pages, f"SELECT {columns} FROM {maps}")


def test_rights_on_single_columns_are_revoked_too_and_those_of_a_duty_stay(world):
    pages = names.component_login(world.store.name, "yellowforensic", "pages")
    world.store.run(
        world.store.owner,
        f"""GRANT SELECT ON yellowforensic_row_maps TO "{pages}";
            GRANT SELECT (guard), UPDATE (key) ON yellowforensic_row_maps TO "{pages}";
            GRANT UPDATE (state) ON yellowforensic_batch_metrics TO "{pages}";
            REVOKE SELECT ON yellowforensic_progress FROM "{pages}" """,
    )
    done = world.store.bootstrap()
    assert done.exit_code == 0
    assert "revoked SELECT, SELECT (guard), UPDATE (key) on yellowforensic_row_maps" in done.output
    test_a_login_can_do_this_with_its_platform_s_tables_and_nothing_with_any_other(world, Duty.PAGES, "yellowforensic")
    test_the_pages_read_only_columns_of_row_maps_that_have_no_value_of_a_row(world)
    for change in ("yellowforensic_batch_metrics SET state = state", "yellowforensic_row_maps SET key = key"):
        with pytest.raises(InsufficientPrivilege):
            world.store.run(world.dsn(Duty.PAGES), f"UPDATE {change}")


STREAMS, HISTORY, STATE = (f"yellowforensic_{name}" for name in ("airflow_dsg", "airflow_dsg_history", "model_state"))
COUNTER, METRICS = "yellowforensic_batch_counter", "yellowforensic_batch_metrics"
CHANGES_OF_ROWS = (
    f"INSERT INTO {STREAMS} (stream_key, config_json) VALUES ('x', 'x')",
    f"UPDATE {STREAMS} SET status = 'retired'",
    f"INSERT INTO {HISTORY} OVERRIDING SYSTEM VALUE SELECT * FROM {HISTORY}",
    f"LOCK TABLE {STREAMS} IN ACCESS EXCLUSIVE MODE",
    f"SELECT * FROM {STREAMS} FOR UPDATE",
)
CHANGES_OF_THE_MODEL = (f"UPDATE {STATE} SET model_commit = 'x'", f"INSERT INTO {STATE} VALUES (1, 'x', now(), 'x')")
NOBODY_S = (
    f"DELETE FROM {STREAMS}",
    f"TRUNCATE {STREAMS}",
    f"UPDATE {HISTORY} SET changed_by = 'somebody else'",
    f"DELETE FROM {HISTORY}",
    f"UPDATE {COUNTER} SET current_batch = 0",
    f"DELETE FROM {METRICS}",
    f"INSERT INTO {METRICS} SELECT * FROM {METRICS}",
    "SELECT * FROM yellowforensic_rejected_keys",
    "SELECT salt FROM yellowforensic_erasure_salt",
    "DELETE FROM yellowforensic_erased_keys",
    "UPDATE yellowforensic_row_maps SET distrusted = 'x'",
    f'SELECT * FROM "{MERGED}"',
    f'UPDATE "{MERGED}" SET word = NULL',
    f'DROP TABLE "{MERGED}"',
    f'SELECT * FROM "{names.as_of_function(MERGED)}"(1)',
    "SELECT * FROM yellowlive_airflow_dsg",
    "UPDATE yellowlive_airflow_dsg SET status = 'retired'",
    f"ALTER TABLE {STREAMS} ADD COLUMN x int",
    f"CREATE INDEX ON {STREAMS} (status)",
    f"CREATE TRIGGER x BEFORE UPDATE ON {STREAMS} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    f"CREATE RULE x AS ON SELECT TO {STREAMS} DO INSTEAD NOTHING",
    f"ALTER TABLE {STREAMS} OWNER TO CURRENT_USER",
    "CREATE TABLE public.mine (x int)",
    "CREATE TEMPORARY TABLE mine (x int)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE ROLE mine",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "SELECT pg_read_file('/etc/passwd')",
)


def attacks() -> list[tuple[Duty, str]]:
    more = {
        Duty.READER: (*CHANGES_OF_ROWS, *CHANGES_OF_THE_MODEL),
        Duty.WORKER: (*CHANGES_OF_ROWS, *CHANGES_OF_THE_MODEL),
        Duty.PAGES: CHANGES_OF_THE_MODEL,
        Duty.SYNC: (f"SELECT * FROM {METRICS}", f"SELECT * FROM {COUNTER}"),
    }
    return [(duty, statement) for duty in Duty for statement in (*NOBODY_S, *more[duty])]


def test_what_a_login_must_not_do_is_refused(world):
    """Each statement in a session that is rolled back; those that went through are listed."""
    done = []
    sessions = {duty: psycopg2.connect(world.dsn(duty)) for duty in Duty}
    roles = [world.store.name, *(names.component_login(world.store.name, "yellowforensic", d.value) for d in Duty)]
    becoming = [(duty, f'SET ROLE "{role}"') for duty in Duty for role in roles if not role.endswith(f"_{duty.value}")]
    for duty, statement in (*attacks(), *becoming):
        with closing(sessions[duty].cursor()) as cursor:
            try:
                cursor.execute(statement)
                done.append((duty, statement))
            except InsufficientPrivilege:
                pass
            finally:
                sessions[duty].rollback()
    for session in sessions.values():
        session.close()
    assert done == []


def test_nothing_that_an_attack_tries_is_refused_for_another_reason_than_the_rights(world):
    """The owner, or a superuser, can do each of them: none is refused by a misspelled name."""
    failed = []
    with closing(psycopg2.connect(world.store.server.dsn(world.store.name))) as connection:
        for _, statement in attacks():
            try:
                connection.cursor().execute(statement)
            except psycopg2.Error as error:
                if error.pgcode in ("42P01", "42883", "42703", "42601"):
                    failed.append((statement, str(error)))
            finally:
                connection.rollback()
    assert failed == []


def test_a_login_cannot_give_itself_more_nor_look_at_passwords(world):
    for duty in Duty:
        user = names.component_login(world.store.name, "yellowforensic", duty.value)
        for statement in (f'ALTER ROLE "{user}" CREATEROLE', f'GRANT "{world.store.name}" TO "{user}"'):
            with pytest.raises(InsufficientPrivilege):
                world.store.run(world.dsn(duty), statement)
        with pytest.raises(InsufficientPrivilege):
            world.store.run(world.dsn(duty), "SELECT rolpassword FROM pg_authid")
        before = world.store.rights()
        world.store.run(world.dsn(duty), f"GRANT SELECT ON {STREAMS} TO PUBLIC")  # PostgreSQL only warns
        assert world.store.rights() == before


# --- what the product does, each with its login


@pytest.mark.parametrize("duty", [Duty.READER, Duty.WORKER])
def test_parse_health_and_the_worker_s_tasks_read_all_they_need(world, duty, monkeypatch, tmp_path):
    dsn = world.dsn(duty)
    monkeypatch.setenv("DAGFACTORY_YELLOWFORENSIC_DSN", dsn)
    monkeypatch.setenv("DAGFACTORY_SNAPSHOT_DIR", str(tmp_path))
    assert [row.stream_key for row in read_table(settings()).rows] == ["Store1"]
    assert [row.stream_key for row in read_rows(settings(), ["Store1"])] == ["Store1"]
    assert len(platform_health(settings()).verdicts) == 1
    run_id = world.merging.batch_rows(Milestoning.FORENSIC)[-1][2]
    with control_session(dsn, "there", "yellowforensic") as session:
        batches = BatchTables(session)
        assert batches.result_of_run("Store1", run_id) is not None
        assert batches.last_looks(["Store1"])["Store1"].at is not None
        assert batches.origin("Store1")
        assert [size.stream for size in batches.merge_table_sizes()] == ["Store1"]
    errors = [one for one in merge_store_findings(settings(), None) if one.level.value == "error"]
    assert [one for one in errors if "permission" in one.what or "may not" in one.what] == []


def test_sync_writes_rows_commit_and_what_code_gave_and_a_second_one_nothing(world):
    compiled = CompiledModel("c2", "digest", {"name": "Demo"})
    world.store.bootstrap(model=None)
    sync(world, "c2", compiled=compiled)
    plan = sync(world, "c2", compiled=compiled)
    assert not plan.changes_anything
    for platform in PLATFORMS:
        with closing(psycopg2.connect(world.dsn(Duty.SYNC, platform))) as connection:
            state = ModelState(ControlSession(connection, platform))
            assert state.commit() == "c2"
            assert state.compiled("c2") == [compiled]


@pytest.fixture
def everybody_creates(world) -> Iterator[None]:
    """Everybody may create tables in the schema, as up to PostgreSQL 14."""
    admin = world.store.server.dsn(world.store.name)
    world.store.run(admin, "GRANT CREATE ON SCHEMA public TO PUBLIC")
    yield
    world.store.run(admin, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")


@pytest.mark.parametrize("duty", [Duty.SYNC, Duty.PAGES])
def test_a_login_takes_the_owner_s_tables_for_the_platform_s_where_everybody_creates(world, everybody_creates, duty):
    with closing(psycopg2.connect(world.dsn(duty))) as connection:
        assert StreamTable(ControlSession(connection, "yellowforensic")).create_tables() == []
    if duty is Duty.SYNC:
        assert not sync(world, "c2").changes_anything


def test_the_pages_read_and_change_a_stream_and_write_down_who_did(world):
    dsn = world.dsn(Duty.PAGES)
    with closing(psycopg2.connect(dsn)) as connection:
        table = PlatformStreams.of(connection, settings())
        _, [row] = queries.stored_rows(table.session, "")
        assert queries.last_batches(table.session)["Store1"].look.at is not None
        assert queries.batches(table.session, "Store1", limit=5)
        with locked(table):
            table.write([RowChange("Store1", row.config_json or "", "paused", "pause")], changed_by="alice")
        with locked(table):
            table.write([RowChange("Store1", row.config_json or "", "active", "resume")], changed_by="alice")
            queries.note_action(table.session, "Store1", "trigger", "bob")
        assert [one.changed_by for one in table.history("Store1")][:3] == ["bob", "alice", "alice"]


def test_a_reader_s_write_is_refused_with_the_role_and_what_to_do(world):
    change = RowChange("Store1", json.dumps(json_schema("stream")["examples"][0]), "active", "edit")
    user = names.component_login(world.store.name, "yellowforensic", "reader")
    with (
        closing(psycopg2.connect(world.dsn(Duty.READER))) as connection,
        pytest.raises(MergeStoreError) as raised,
        locked(PlatformStreams.of(connection, settings())) as _,
    ):
        StreamTable(ControlSession(connection, "yellowforensic")).write([change], changed_by="alice")
    assert raised.value.pgcode == "42501"
    assert user in raised.value.in_full()
    assert user not in str(raised.value)
    assert "dagfactory bootstrap --roles" in raised.value.todo


# --- later


def test_a_platform_that_is_added_later_gets_logins_of_its_own_and_the_first_keeps_its(make_store):
    store = make_store("later")
    store.bootstrap("--platform", "YellowLive")
    before = store.rights()
    assert {row[1] for row in before if len(row) == 3 and isinstance(row[2], str)} == {
        names.component_login(store.name, "yellowlive", duty.value) for duty in Duty
    }
    store.bootstrap()
    assert set(before) < set(store.rights())
    world = World(store, Merging(make_store("source").database, store.database))
    assert sync(world).changes_anything


def test_tables_that_stood_before_their_logins_and_those_that_an_upgrade_makes_get_rights(make_store):
    store = make_store("old")
    world = World(store, Merging(make_store("source").database, store.database))
    world.merging.execute(CUSTOMERS)
    world.merging.describe()
    world.merging.run(Milestoning.FORENSIC)  # an installation that stands: batches by the owner, no logins
    with closing(psycopg2.connect(store.owner)) as connection, connection:
        StreamTable(ControlSession(connection, "yellowforensic")).create_tables()
        connection.cursor().execute("ALTER TABLE yellowforensic_airflow_dsg ALTER config_json TYPE varchar(2048)")
    assert store.bootstrap("--platform", "YellowForensic").exit_code == 0
    expected = {f"yellowforensic_{table}": may for table, may in MAY[Duty.READER].items()}
    assert world.can(Duty.READER, "yellowforensic") == expected
    with closing(psycopg2.connect(store.owner)) as connection, connection:
        assert StreamTable(ControlSession(connection, "yellowforensic")).widen_config() == 2048
        connection.cursor().execute("DROP TABLE yellowforensic_batch_counter, yellowforensic_model_state")
    world.merging.run(Milestoning.FORENSIC)  # a job makes its table again
    sync_tables = [table for table in expected if not table.endswith("model_state")]
    assert sorted(world.can(Duty.READER, "yellowforensic")) == sorted(sync_tables)
    with closing(psycopg2.connect(store.owner)) as connection, connection:
        made = StreamTable(ControlSession(connection, "yellowforensic")).create_tables()
    assert made == ["yellowforensic_model_state"]
    assert world.can(Duty.READER, "yellowforensic") == expected


def test_a_sync_login_is_shown_who_creates_tables_that_are_missing(make_store):
    store = make_store("empty")
    store.bootstrap("--platform", "YellowForensic")
    store.run(store.owner, "DROP TABLE yellowforensic_model_state")
    world = World(store, Merging(make_store("source").database, store.database))
    with pytest.raises(TablesTooOld, match="permission denied for schema public") as raised:
        sync(world, platforms=("yellowforensic",))
    assert "dagfactory db upgrade with the login that owns the tables" in raised.value.todo
    assert "dagfactory bootstrap --roles" in raised.value.todo


def test_two_sessions_that_grant_at_once_both_succeed(make_store):
    from concurrent.futures import ThreadPoolExecutor

    store = make_store("race")
    store.bootstrap()
    role = names.component_login(store.name, "yellowlive", "reader")
    for _ in range(3):
        store.run(store.owner, f'REVOKE ALL ON yellowlive_airflow_dsg, yellowlive_airflow_dsg_history FROM "{role}"')
        with ThreadPoolExecutor(3) as threads:
            list(threads.map(lambda _: grant(store), range(3)))
        assert store.run(store.dsn(Duty.READER), "SELECT count(*) FROM yellowlive_airflow_dsg_history") == [(0,)]


def grant(store: Store) -> None:
    with closing(psycopg2.connect(store.owner)) as connection, connection:
        ComponentRights(ControlSession(connection).execute, "yellowlive", "public").grant_lacking()


def test_a_role_that_only_has_the_name_gets_nothing_from_a_job(make_store):
    store = make_store("named")
    role = names.component_login(store.name, "yellowforensic", "sync")
    store.run(store.server.dsn(), f"CREATE ROLE \"{role}\" LOGIN PASSWORD 'x'")
    world = World(store, Merging(make_store("source").database, store.database))
    world.merging.execute(CUSTOMERS)
    world.merging.describe()
    with closing(psycopg2.connect(store.owner)) as connection, connection:
        StreamTable(ControlSession(connection, "yellowforensic")).create_tables()
    world.merging.run(Milestoning.FORENSIC)
    assert world.can(Duty.SYNC, "yellowforensic") == {}
    with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
        store.run(make_dsn(store.owner, user=role, password="x"), "SELECT 1")
