"""What stands behind the pods: a producer, a merge store, the model in git, and the row that the task is built from."""

from __future__ import annotations

import asyncio
import importlib
import itertools
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import psycopg2

from airflow_plugin.control.model_state import ModelState
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import StreamTable
from airflow_plugin.demo.postgres import EmbeddedPostgres
from airflow_plugin.settings import Allowed
from config_schema import names, stream
from config_schema.schemas import json_schema
from tests.kubernetes.git_server import GitServer
from tests.row_settings import settings_of_row

PLATFORM = "YellowLive"
STORE = "Store1"
DAG_ID = names.dag_id("yellowlive", STORE)
CONNECTION = "cluster"

MODEL = """
name: Test
platforms:
  - name: YellowLive
    milestoning: live
    namespace: {namespace}
    image: {image}
    merge_store: &store {{host: {host}, port: {port}, database: merge_store, credential: postgres}}
    model: &model {{url: "{url}"}}
  - name: YellowForensic
    milestoning: forensic
    namespace: {namespace}
    image: {image}
    merge_store: *store
    model: *model
datastores:
  - name: Store1
    source: {{host: {host}, port: {port}, database: producer, credential: customer-db}}
    datasets:
      - name: customers
        primary_key: [id]
        columns: [{{name: id, type: integer, nullable: false}}, {{name: name, type: text}}]
  - name: Wide
    source: {{host: {host}, port: {port}, database: producer, credential: customer-db}}
    datasets: {wide}
workspaces:
  - name: Consumer1
    dataset_groups:
      - {{name: LiveDSG, retention: live, sinks: &sinks {sinks}}}
      - {{name: ForensicDSG, retention: forensic, sinks: *sinks}}
"""
# What rows can ask for and no pod gets along with.
NO_IMAGE = "127.0.0.1:9/merge-job:0.1.0"  # where nobody listens
NO_NODE = {"stream-factory/tests": "no-node-has-this"}
LITTLE_MEMORY = {"limits": {"memory": "12Mi"}}
MUCH_MEMORY = {"requests": {"memory": "900Gi"}}
LITTLE_STORAGE = {"limits": {"ephemeral-storage": "1Ki"}}
ALLOWED = Allowed(
    resources={"memory": "1Ti", "ephemeral-storage": "1Ti"},
    node_selector={name: (value,) for name, value in NO_NODE.items()},
)
WIDE = tuple(f"wide_{number}" for number in range(25))  # more than a termination message holds

_runs = itertools.count(1)


class TaskState(dict[str, Any]):
    """What Airflow keeps of a task from one try to the next, of which the operator uses two calls."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


@dataclass
class World:
    """`host` is where pods reach the PostgreSQL server and the git server."""

    server: EmbeddedPostgres
    git: GitServer
    host: str
    namespace: str
    image: str
    password: str = "pass word's"
    synced: str = ""
    states: dict[str, TaskState] = field(default_factory=dict)  # by run id
    wanted: str | None = "running"  # the state that Airflow wants the task to be in

    def set_up(self) -> None:
        for database, user in (("producer", "producer"), ("merge_store", "merger")):
            self.server.create_role(user, self.password)
            self.server.create_database(database, user)
        self.produce("CREATE TABLE customers (id integer PRIMARY KEY, name text)")
        self.produce(";".join(f"CREATE TABLE {name} (id integer PRIMARY KEY)" for name in WIDE))
        self.produce("INSERT INTO customers SELECT i, 'name ' || i FROM generate_series(1, 10) i")
        with closing(psycopg2.connect(self.store_dsn)) as connection:
            for platform in ("yellowlive", "yellowforensic"):
                StreamTable(ControlSession(connection, platform)).create_tables()
            connection.commit()
        self.sync(self.model())

    @property
    def secrets(self) -> dict[str, dict[str, str]]:
        return {
            "postgres": {"username": "merger", "password": self.password},
            "customer-db": {"username": "producer", "password": self.password},
            "git": {"token": self.git.token},
        }

    @property
    def store_dsn(self) -> str:
        return self.server.dsn("merge_store", "merger", self.password)

    def model(self) -> str:
        """Commit the model; the commit."""
        column = {"name": "id", "type": "integer", "nullable": False}
        wide = json.dumps([{"name": name, "primary_key": ["id"], "columns": [column]} for name in WIDE])
        place = {"host": self.host, "port": self.server.port, "namespace": self.namespace, "image": self.image}
        sinks = [{"datastore": STORE, "dataset": "customers"}, *({"datastore": "Wide", "dataset": one} for one in WIDE)]
        text = MODEL.format(**place, url=self.git.url, wide=wide, sinks=json.dumps(sinks))
        return self.git.commit({"ecosystem.yaml": text, "dsg_platform_mapping.json": json.dumps(_mappings())})

    def sync(self, commit: str) -> None:
        """Record the commit, as `dagfactory sync` does."""
        self.synced = commit
        with closing(psycopg2.connect(self.store_dsn)) as connection:
            for platform in ("yellowlive", "yellowforensic"):
                ModelState(ControlSession(connection, platform)).record_commit(commit, applied_by="test")
            connection.commit()

    def produce(self, statement: str) -> None:
        self.execute(statement, self.server.dsn("producer", "producer", self.password))

    def execute(self, statement: str, dsn: str | None = None) -> None:
        """As the superuser, or with another DSN."""
        with closing(psycopg2.connect(dsn or self.server.dsn())) as connection:
            with connection.cursor() as cursor:
                cursor.execute(statement)
            connection.commit()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Within it a job that has started its batch waits for the producer's table."""
        with closing(psycopg2.connect(self.server.dsn("producer", "producer", self.password))) as connection:
            with connection.cursor() as cursor:
                cursor.execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE")
            yield

    def merged(self) -> int:
        """How many rows the live merge table has."""
        with closing(psycopg2.connect(self.store_dsn)) as connection, connection.cursor() as cursor:
            cursor.execute('SELECT count(*) FROM "yellowlive_Store1_customers_merge"')
            return int(cursor.fetchone()[0])

    # --- the task

    def task(self, *more: str, **changes: Any) -> Any:
        """The merge task of a row with these changes; `more` are arguments at the end of the job's.

        `paused` and `settings` are the state of the row, and further settings of its platform.
        """
        dag_plan = importlib.import_module("airflow_plugin.rows.plan").dag_plan
        build = importlib.import_module("airflow_plugin.factory.build")
        paused, more_settings = changes.pop("paused", False), changes.pop("settings", {})
        row = self.row(changes)
        hosts = (f"{self.host}:{self.server.port}",)
        settings = settings_of_row(
            row, kubernetes_conn_id=CONNECTION, source_hosts=hosts, allowed=ALLOWED, **more_settings
        )
        plan = dag_plan(stream.from_dict(row), settings, paused=paused)
        plan = replace(plan, job=replace(plan.job, arguments=(*plan.job.arguments, *more)))
        return build.dag(plan).get_task("snapshot_merge_job")

    def run(self, task: Any, run_id: str | None = None, try_number: int = 1) -> dict[str, Any]:
        """Run the task as a worker does, and where it defers its trigger as the triggerer does; its value."""
        from airflow_plugin.airflow_versions import TaskDeferred

        context = self.context(run_id, try_number)
        try:
            return task.execute(context)
        except TaskDeferred as deferred:
            wanted: Any = deferred
        while True:
            event = trigger_event(wanted.trigger)
            task._worker = None  # a process of its own knows nothing of the one before
            try:
                return getattr(task, wanted.method_name)(context, event)
            except TaskDeferred as deferred:
                wanted = deferred

    def context(self, run_id: str | None = None, try_number: int = 1) -> dict[str, Any]:
        pushed: dict[str, Any] = {}
        run_id = run_id or f"run {next(_runs)}"
        ti = SimpleNamespace(
            dag_id=DAG_ID,
            run_id=run_id,
            task_id="snapshot_merge_job",
            map_index=-1,
            try_number=try_number,
            start_date=datetime.now(UTC),
            xcom_push=lambda key, value: pushed.update({key: value}),
            pushed=pushed,
            get_task_states=lambda dag_id, task_ids, run_ids: {run: {task_ids[0]: self.wanted} for run in run_ids},
        )
        events = importlib.import_module("airflow.sdk.execution_time.context").OutletEventAccessors()
        dag = SimpleNamespace(dag_id=DAG_ID)
        state = self.states.setdefault(run_id, TaskState())
        return {"ti": ti, "run_id": run_id, "dag": dag, "outlet_events": events, "task_state_store": state}

    def row(self, changes: dict[str, Any]) -> dict[str, Any]:
        own = {
            "datasets": ["customers"],
            "namespace_name": self.namespace,
            "postgres_hostname": self.host,
            "postgres_port": self.server.port,
            "postgres_database": "merge_store",
            "datasurface_docker_image": self.image,
            "git_repo_url": self.git.url,
        }
        return {**json_schema("stream")["examples"][0], **own, **changes}


def _mappings() -> list[dict[str, Any]]:
    def served(group: str, platform: str) -> dict[str, Any]:
        assignment = {"dataPlatform": platform, "status": "PROVISIONED"}
        return {"dsgName": group, "workspace": "Consumer1", "assignments": [assignment]}

    return [served("LiveDSG", "YellowLive"), served("ForensicDSG", "YellowForensic")]


def trigger_event(trigger: Any) -> dict[str, Any]:
    """Run a trigger to its event in an event loop, made again from what is stored of it."""
    path, arguments = trigger.serialize()
    module, _, name = path.rpartition(".")
    again = getattr(importlib.import_module(module), name)(**arguments)

    async def first() -> dict[str, Any]:
        events = again.run()
        try:
            return (await anext(events)).payload
        finally:
            await events.aclose()

    return asyncio.run(first())
