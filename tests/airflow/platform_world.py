"""A platform with all that its own DAGs work on: a producer, a merge store, the model on a git server, and its DAGs."""

from __future__ import annotations

import importlib
import itertools
import json
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow_plugin.bootstrap.platform_files import platform_settings
from airflow_plugin.settings import platform_settings as settings_here
from config_schema import names
from config_schema.load import load_model
from tests.kubernetes.git_server import GitServer

PLATFORM, PLATFORMS = "YellowLive", ("YellowLive", "YellowForensic")
TOKEN = "the word for the model"
MODEL = """
name: Shop
platforms:
  - {{name: YellowLive, milestoning: live, runner: process, namespace: ns, image: merge-job:1,
      merge_store: &store {{host: {host}, port: {port}, database: {store}, credential: postgres}},
      model: &model {{url: "{url}"}}{consumers}}}
  - {{name: YellowForensic, milestoning: forensic, runner: process, namespace: ns, image: merge-job:1,
      merge_store: *store, model: *model{consumers}}}
datastores:
{datastores}
workspaces:
  - name: Consumer1
    dataset_groups:
      - {{name: LiveDSG, retention: live, sinks: &sinks {sinks}}}
      - {{name: ForensicDSG, retention: forensic, sinks: *sinks}}
"""
DATASTORE = """
  - name: {name}
    source: {{host: {host}, port: {port}, database: {source}, credential: customer-db}}
    datasets: [{{name: {table}, primary_key: [id], columns: {columns}}}]
"""
COLUMNS = {"id": "integer", "name": "text"}
_runs = itertools.count(1)


@dataclass
class PlatformWorld:
    """`stores` are the datastores of the model, each with its one table, and `columns` that table's columns."""

    source: Any
    store: Any
    git: GitServer
    folder: Path
    consumers: Any = None  # a database of their own
    stores: dict[str, str] = field(default_factory=lambda: {"Store1": "customers"})
    columns: dict[str, str] = field(default_factory=lambda: dict(COLUMNS))
    unused: set[str] = field(default_factory=set)  # stores that no consumer wants
    task_states: dict[str, str] = field(default_factory=dict)  # of other tasks of a run; success where none is said

    # --- the model

    def text(self) -> str:
        place = {"host": self.source.server.host, "port": self.source.server.port}
        columns = [
            {"name": name, "type": kind, **({"nullable": False} if name == "id" else {})}
            for name, kind in self.columns.items()
        ]
        datastores = "".join(
            DATASTORE.format(**place, name=name, source=self.source.name, table=table, columns=json.dumps(columns))
            for name, table in self.stores.items()
        )
        sinks = json.dumps(
            [{"datastore": name, "dataset": table} for name, table in self.stores.items() if name not in self.unused]
        )
        consumers = ""
        if self.consumers is not None:
            of = {**place, "database": self.consumers.name, "credential": "consumer"}
            consumers = f", consumer_db: {json.dumps(of)}, consumer_reader: reader"
        reported = {"store": self.store.name, "url": self.git.url, "consumers": consumers}
        return MODEL.format(**place, **reported, datastores=datastores, sinks=sinks)

    def push(self, text: str | None = None) -> str:
        """Commit the model to the branch; the commit."""
        return self.git.commit(self._files(text or self.text()))

    def _files(self, text: str) -> dict[str, str]:
        groups = {"LiveDSG": "YellowLive", "ForensicDSG": "YellowForensic"}
        mapping = [
            {
                "dsgName": group,
                "workspace": "Consumer1",
                "assignments": [{"dataPlatform": one, "status": "PROVISIONED"}],
            }
            for group, one in groups.items()
        ]
        return {"ecosystem.yaml": text, "dsg_platform_mapping.json": json.dumps(mapping)}

    def bootstrap(self, **settings: Any) -> None:
        """The settings file, from the model as it is now."""
        model = self.folder / "model"
        model.mkdir(exist_ok=True)
        for name, content in self._files(self.text()).items():
            (model / name).write_text(content)
        loaded = load_model(model)
        for platform in loaded.ecosystem.platforms:
            made = replace(platform_settings(platform, loaded), **settings)
            (self.folder / names.settings_file(made.platform_name)).write_text(made.to_json())

    # --- the databases

    def produce(self, statement: str) -> None:
        with closing(self.source.connect()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def query(self, statement: str, *values: Any, database: Any = None) -> list[tuple[Any, ...]]:
        with closing((database or self.store).connect()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def rows(self, platform: str = PLATFORM) -> dict[str, str]:
        """The streams of a platform and their status."""
        table = names.stream_table(names.platform_name(platform))
        return dict(self.query(f"SELECT stream_key, status FROM {table} ORDER BY 1"))

    # --- the DAGs

    def dags(self, platform: str = PLATFORM) -> dict[str, Any]:
        """Those that the dag-processor would see now."""
        publishing = importlib.import_module("airflow_plugin.factory.publishing")
        namespace: dict[str, Any] = {}
        publishing.publish_dags(namespace, platform)
        return namespace

    def task(self, dag: str, task: str) -> Any:
        """As a worker has it, which asks no database for it."""
        made = importlib.import_module("airflow_plugin.platform_dags.dags").platform_dags
        return made(settings_here(PLATFORM))[f"yellowlive_{dag}"].get_task(task)

    def run(self, task: Any, conf: Any = None, run_type: str = "manual") -> Any:
        """Run the task as a worker does; its value."""
        return task.execute(self.context(task, conf, run_type))

    def context(self, task: Any, conf: Any = None, run_type: str = "manual") -> dict[str, Any]:
        """What a task gets; `task_states` says how the others of its run have ended."""
        events = importlib.import_module("airflow.sdk.execution_time.context").OutletEventAccessors()
        ti = SimpleNamespace(dag_id=task.dag_id, task_id=task.task_id, map_index=-1, try_number=1, run_id="run")
        run = SimpleNamespace(conf=conf, run_type=run_type)
        run_id = f"{run_type} {next(_runs)}"
        ti.get_task_states = lambda dag_id, task_ids, run_ids: {
            run_id: {one: self.task_states.get(one, "success") for one in task_ids}
        }
        return {"ti": ti, "run_id": run_id, "dag_run": run, "dag": task.dag, "outlet_events": events}

    def merge(self, stream: str = "Store1", conf: Any = None) -> Any:
        """A run of the stream's merge task; its value, with the assets that it had an event for."""
        task = self.dags()[names.dag_id("yellowlive", stream)].get_task("snapshot_merge_job")
        context = self.context(task, conf)
        value = task.execute(context)
        ((events),) = (context["outlet_events"][outlet].asset_alias_events for outlet in task.outlets)
        return value | {"assets": [event.dest_asset_key.uri for event in events]}
