"""An api-server of a real Airflow with our plugin, two platforms, and a merge store with rows, batches and runs.

Rows are written as sync writes them and parsed by a real dag-processor; batches and runs are put into the tables.
"""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg2
from psycopg2 import sql
from psycopg2.extras import Json, execute_values

from airflow_plugin.bootstrap.logins.roles import existing_roles, make_role
from airflow_plugin.control import migrations
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import RowChange, StreamTable
from airflow_plugin.demo.postgres import EmbeddedPostgres, free_port
from airflow_plugin.web.streams import FRESH_SECONDS
from config_schema import names
from config_schema.result import Counts, DatasetResult, MergeResult, ResultCode
from config_schema.sql.component_logins import ComponentRights, Duty
from config_schema.sql.versions import Part
from tests.airflow.conftest import DAGS, config
from tests.airflow.real_airflow import RealAirflow, airflow_environment
from tests.row_settings import settings_of_row

ROOT = Path(__file__).parents[2]
PLATFORMS = ("YellowLive", "YellowForensic")
# user -> role; `nobody` can log in and has no right at all
USERS = {
    "viewer": "viewer",
    "user": "user",
    "admin": "admin",
    "narrow": "user",
    "maker": "admin",
    "editor": "user",
    "nobody": "",
}
PASSWORD = "a pass word's"
DATA_ROLE = "user"  # of those who may edit a DAG, the one that may see what a producer's server said
STARTING_SECONDS = 120
ENDING_SECONDS = 90
DAY = 24 * 3600  # a latency that is met however long the tests take


@dataclass
class World:
    """Where everything is; `close` ends the api-server."""

    real: RealAirflow
    postgres_dsn: str  # of a superuser
    merge_dsn: str
    web_role: str
    port: int
    server: subprocess.Popen[bytes] | None = None
    tokens: dict[str, str] = field(default_factory=dict)
    filled_runs: list[int] = field(default_factory=list)
    sees_from: float = 0.0  # on the monotonic clock: before, the api-server goes by what it had read before a change

    @property
    def address(self) -> str:
        self.wait_until_it_sees()
        return f"http://127.0.0.1:{self.port}"

    def client(self, user: str | None = "admin") -> httpx.Client:
        """A client with the user's token, or with none."""
        headers = {"Content-Type": "application/json"}
        if user is not None:
            headers["Authorization"] = f"Bearer {self.token(user)}"
        base = f"{self.address}/stream_factory"
        hooks = {"request": [lambda _: self.wait_until_it_sees()]}
        return httpx.Client(
            base_url=base, headers=headers, timeout=30, trust_env=False, verify=False, event_hooks=hooks
        )

    def token(self, user: str) -> str:
        if user not in self.tokens:
            login = {"username": user, "password": PASSWORD}
            answer = httpx.post(f"{self.address}/auth/token", json=login, timeout=30, trust_env=False, verify=False)
            self.tokens[user] = answer.json()["access_token"]
        return self.tokens[user]

    def merge_store(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run SQL in the merge store, and commit."""
        with closing(psycopg2.connect(self.merge_dsn)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def write(self, platform: str, *configs: dict[str, Any], status: str = "active", by: str = "sync") -> None:
        """Rows, by a sync of the model."""
        rows = [(one["stream_key"], json.dumps(one, sort_keys=True)) for one in configs]
        self.write_text(platform, *rows, status=status, by=by)

    def write_text(self, platform: str, *rows: tuple[str, str], status: str = "active", by: str = "sync") -> None:
        changes = [RowChange(key, text, status, "create") for key, text in rows]
        with closing(psycopg2.connect(self.merge_dsn)) as connection, connection:
            name = names.platform_name(platform)
            table = StreamTable(ControlSession(connection, name))
            table.create_tables()
            table.write(changes, changed_by=by, model_commit="c" * 40)
        self.let_it_see()

    def keep(self) -> None:
        """Remember streams, their histories and the runs as they are now."""
        self.filled_runs = [run for (run,) in self.real.query("SELECT id FROM dag_run")]
        self.merge_store("CREATE SCHEMA filled")
        for table in self.tables_of_streams():
            self.merge_store(f"CREATE TABLE filled.{table} AS TABLE {table}")

    def put_back(self) -> None:
        """As `keep` has seen them, whatever tests have changed since."""
        self.real.query("DELETE FROM dag_run WHERE NOT id = ANY (%s)", self.filled_runs)
        for table in self.tables_of_streams():
            self.merge_store(f"DELETE FROM {table}; INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE filled.{table}")
        self.let_it_see()

    def tables_of_streams(self) -> list[str]:
        platforms = map(names.platform_name, PLATFORMS)
        return [table(one) for one in platforms for table in (names.stream_table, names.stream_history_table)]

    def let_it_see(self, seconds: float = FRESH_SECONDS) -> None:
        """After a change past the api-server: the next request waits as long as it goes by what it has read."""
        if self.server is not None:
            self.sees_from = max(self.sees_from, time.monotonic() + seconds)

    def wait_until_it_sees(self) -> None:
        time.sleep(max(0.0, self.sees_from - time.monotonic()))

    def settle(self, platform: str, **settings: Any) -> None:
        """The platform's settings file and factory file."""
        name = names.platform_name(platform)
        folder = self.real.home / "settings"
        folder.mkdir(exist_ok=True)
        (folder / names.settings_file(name)).write_text(settings_of_row(config(platform), **settings).to_json())
        shutil.copy(DAGS / names.factory_file(name), self.real.dags_folder)

    def grant(self) -> None:
        """What `dagfactory bootstrap --roles` gives to the pages' login, for the api-server's own role as a member."""
        member = sql.SQL("GRANT {} TO {}")
        database = psycopg2.extensions.parse_dsn(self.merge_dsn)["dbname"]
        admin = psycopg2.connect(self.postgres_dsn, dbname=database)
        with closing(admin) as connection, connection, connection.cursor() as cursor:
            for platform in map(names.platform_name, PLATFORMS):
                session = ControlSession(connection, platform)
                for role in existing_roles(session):
                    list(make_role(session, role, dry_run=False))
                    if role.duty is Duty.PAGES:
                        cursor.execute(member.format(sql.Identifier(role.name), sql.Identifier(self.web_role)))
                ComponentRights(session.execute, platform, "public").grant_lacking()

    def create_batch_tables(self, platform: str) -> None:
        """As the merge job makes them."""
        with closing(psycopg2.connect(self.merge_dsn)) as connection, connection:
            migrations.run_missing_migrations(ControlSession(connection, names.platform_name(platform)), Part.BATCHES)

    def batch(self, platform: str, stream_key: str, batch_id: int, end: datetime, **more: Any) -> None:
        """A committed batch with its counts, or as `more` has it."""
        name, run_id = names.platform_name(platform), more.get("run_id", f"run_{stream_key}_{batch_id}")
        counts = {"customers": Counts(batch_id, 1, 0, 5, 5 + batch_id), "addresses": Counts(0, 0, 0, 8, 8)}
        datasets = {key: DatasetResult(of, "full", "it is the first", 0.4) for key, of in counts.items()}
        result = MergeResult(ResultCode.DONE, run_id, platform, stream_key, batch_id, 1, datasets=datasets)
        total = result.total or Counts()
        row = {
            "key": stream_key,
            "batch_id": batch_id,
            "batch_start_time": end - timedelta(seconds=2),
            "batch_end_time": end,
            "batch_status": "committed",
            "records_inserted": total.inserted,
            "records_updated": total.updated,
            "records_deleted": total.deleted,
            "total_records": total.total,
            "state": Json({"attempt": "a", "datasets": {}}),
            "run_id": run_id,
            "result_json": Json(result.to_dict()),
            "strategy": "full",
            **more,
        }
        table = sql.Identifier(names.batch_metrics_table(name))
        columns = sql.SQL(", ").join(map(sql.Identifier, row))
        with closing(psycopg2.connect(self.merge_dsn)) as connection, connection, connection.cursor() as cursor:
            insert = sql.SQL("INSERT INTO {} ({}) VALUES %s").format(table, columns)
            execute_values(cursor, insert.as_string(cursor), [tuple(row.values())])
            if row["batch_status"] == "committed":
                counter = sql.Identifier(names.batch_counter_table(name))
                upsert = sql.SQL(
                    "INSERT INTO {} VALUES (%s, %s, %s, %s, %s) ON CONFLICT (key) DO UPDATE SET"
                    " current_batch = excluded.current_batch, last_checked_at = excluded.last_checked_at,"
                    " last_run_id = excluded.last_run_id, last_result_json = excluded.last_result_json"
                )
                counted = (stream_key, batch_id, end, run_id, row["result_json"])
                cursor.execute(upsert.format(counter), counted)

    def run(self, dag_id: str, run_id: str, state: str, start: datetime, seconds: float | None = 3) -> None:
        """A run in Airflow's metadata."""
        end = None if seconds is None else start + timedelta(seconds=seconds)
        self.real.query(
            "INSERT INTO dag_run (dag_id, run_id, run_type, run_after, state, start_date, end_date, queued_at)"
            " VALUES (%s, %s, 'manual', %s, %s, %s, %s, %s)",
            *(dag_id, run_id, start, state, start, end, start),
        )

    def keep_failure(self, dag_id: str, run_id: str, text: str) -> None:
        """As the merge task of the run keeps why it failed."""
        of = (dag_id, run_id)
        self.real.query(
            "INSERT INTO task_instance (id, task_id, dag_id, run_id, map_index, pool,"
            " pool_slots, queue, priority_weight, state, try_number, max_tries)"
            " VALUES (gen_random_uuid(), 'snapshot_merge_job', %s, %s, -1, 'default_pool',"
            " 1, 'default', 1, 'failed', 1, 0)",
            *of,
        )
        self.real.query(
            "INSERT INTO xcom (dag_run_id, task_id, map_index, key, dag_id, run_id, value, timestamp)"
            " SELECT id, 'snapshot_merge_job', -1, 'failure', dag_id, run_id, to_jsonb(%s::text), now()"
            " FROM dag_run WHERE dag_id = %s AND run_id = %s",
            *(text, *of),
        )

    def start(self) -> None:
        """Start the api-server, and wait until it answers."""
        command = [str(Path(sys.executable).with_name("airflow")), "api-server", "--port", str(self.port)]
        with (self.real.home / "api-server.log").open("ab") as log:
            self.server = subprocess.Popen(
                [*command, "--host", "127.0.0.1", "--workers", "1"],
                env=self.real.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        give_up = time.monotonic() + STARTING_SECONDS
        while True:
            try:
                if httpx.get(f"{self.address}/api/v2/version", timeout=5, trust_env=False).is_success:
                    return
            except httpx.HTTPError:
                pass
            assert self.server.poll() is None, self.log()
            assert time.monotonic() < give_up, self.log()
            time.sleep(0.2)

    def log(self) -> str:
        return self.whole_log()[-5000:]

    def whole_log(self) -> str:
        return (self.real.home / "api-server.log").read_text(errors="replace")

    def close(self) -> None:
        if self.server is not None:
            self.server.terminate()
            try:
                self.server.wait(timeout=ENDING_SECONDS)
            except subprocess.TimeoutExpired:
                self.server.kill()
                self.server.wait()
                raise


@contextmanager
def airflow_with_plugin(postgres: EmbeddedPostgres, home: Path, port: int = 0, **environment: str) -> Iterator[World]:
    """Migrated, with users and empty platforms; the server is not started yet."""
    password = "airflow's word"
    label = f"web_{secrets.token_hex(3)}"
    for database in (label, f"{label}_merge"):
        postgres.create_role(database, password)
        postgres.create_database(database, database)
    metadata, merge = (postgres.dsn(one, one, password) for one in (label, f"{label}_merge"))
    web_role = f"{label}_web"
    postgres.create_role(web_role, password)
    web = postgres.dsn(f"{label}_merge", web_role, password)
    (home / "passwords.json").write_text(json.dumps(dict.fromkeys(USERS, PASSWORD)))
    (home / "dags").mkdir()
    real = RealAirflow(home, metadata, airflow_environment(home, metadata))
    real.environment |= {
        "PYTHONPATH": str(ROOT),
        "AIRFLOW__CORE__AUTH_MANAGER": "tests.web.per_dag_rights.PerDagAuthManager",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in USERS.items()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        **{names.dsn_variable(names.platform_name(one)): merge for one in PLATFORMS},
        **{names.web_dsn_variable(names.platform_name(one)): web for one in PLATFORMS},
        "DAGFACTORY_DATA_ROLES": DATA_ROLE,
        **environment,
    }
    world = World(real, postgres.dsn(), merge, web_role, port or free_port())
    real.airflow("db", "migrate")
    for platform in PLATFORMS:
        world.settle(platform)
    try:
        yield world
    finally:
        world.close()


def fill(world: World) -> None:
    """Streams in each of the states, with a history, batches and runs; their DAGs parsed."""
    now = datetime.now(UTC)
    kinds: dict[str, dict[str, Any]] = {
        "Store1": {"latency_seconds": DAY},
        "Store2": {"latency_seconds": 600, "schedule": "*/5 * * * *"},
        "Failing": {"schedule": "0 4 * * *"},
        "Broken": {"schedule": "often"},
        "Resting": {},
        "Gone": {},
        "New": {"tags": ["young"]},
    }
    for platform in PLATFORMS:
        if platform == "YellowForensic":
            kinds["Store2"]["latency_seconds"] = DAY
        kept = [config(platform, store, **more) for store, more in kinds.items()]
        world.write(platform, *kept)
        world.write(platform, config(platform, "Resting"), status="paused")
        world.write(platform, config(platform, "Gone"), status="retired")
        world.create_batch_tables(platform)
    world.grant()
    single = {"single_dataset": True, "datasets": ["customers"], "stream_key": "Store1#customers"}
    world.write("YellowLive", config("YellowLive", "Store1", **single))
    changed = config("YellowLive", "Store1", latency_seconds=2 * DAY, retries=4)
    world.write("YellowLive", changed, by="ann")
    table = names.stream_table("yellowlive")
    world.merge_store(f"UPDATE {table} SET updated_at = now() - interval '1 day' WHERE stream_key = 'Store2'")
    world.real.parse()
    assert world.real.import_errors() == []
    for platform in PLATFORMS:
        name = names.platform_name(platform)
        for batch_id in range(1, 6):
            end = now - timedelta(minutes=30 * (6 - batch_id))
            world.batch(platform, "Store1", batch_id, end)
            world.batch(platform, "Store2", batch_id, end - timedelta(hours=5))
            world.run(names.dag_id(name, "Store1"), f"run_Store1_{batch_id}", "success", end - timedelta(seconds=3))
            world.run(names.dag_id(name, "Store2"), f"run_Store2_{batch_id}", "success", end - timedelta(hours=5))
        failed = {"batch_status": "failed", "error": "the source is down", "result_json": None, "batch_end_time": None}
        failed["retryable"] = False
        world.batch(platform, "Failing", 1, now - timedelta(hours=1), **failed)
        world.run(names.dag_id(name, "Failing"), "run_Failing_1", "failed", now - timedelta(hours=1))
    world.keep()
