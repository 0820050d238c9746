"""The product on databases of its own, as it stands before an Airflow is started: model, rows, settings, first load."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import yaml
from psycopg2 import sql

from airflow_plugin.demo.airflow import run_to_end
from airflow_plugin.demo.consumer import views_of
from airflow_plugin.demo.databases import create_databases
from airflow_plugin.demo.model import EXAMPLES, FILES, DemoModel
from airflow_plugin.demo.postgres import EmbeddedPostgres
from airflow_plugin.demo.processes import inherited_environment, python_module
from airflow_plugin.demo.rounds import PLATFORMS, STORE, DemoPlatform
from airflow_plugin.jobs.merge_job import MergeJob
from airflow_plugin.rows.plan import dag_plan
from airflow_plugin.settings import settings_in
from config_schema import names
from config_schema.stream import stream_config
from merge_jobs.simulator.connect import connector
from merge_jobs.simulator.producer import create_tables
from merge_jobs.simulator.run import Connect

MERGE_STORE, SOURCE = "datasurface_merge", "customer_db"


class Installation:
    """Both platforms of the example model, the producer's tables made. `source` and `store` may be one server."""

    def __init__(self, folder: Path, source: EmbeddedPostgres, store: EmbeddedPostgres) -> None:
        passwords = folder / "passwords.json"
        self.databases = create_databases(store.dsn(), "the merge store's server", passwords)
        self.sources = create_databases(source.dsn(), "the source's server", passwords)
        self.template, self.files = folder / "template", folder / "files"
        self.model = DemoModel(folder / "model", self.databases, self.template, sources=self.sources)
        dsns = {names.dsn_variable(platform.name): self.databases.dsn(MERGE_STORE) for platform in PLATFORMS}
        self.secrets = self.model.secrets() | dsns
        self.environment = inherited_environment() | self.secrets
        with closing(self.producer()) as connection:
            create_tables(connection)

    @property
    def producer(self) -> Connect:
        """Connects to the source as the one who may change it."""
        return connector(self.sources.dsn(SOURCE))

    def configure(self, schedule: str, time_slice_seconds: int) -> None:
        """Bring model, rows and settings to this schedule and time slice, on both platforms."""
        self.template.mkdir(exist_ok=True)
        for name in FILES:
            shutil.copy(EXAMPLES / name, self.template)
        path = self.template / FILES[0]
        model = yaml.safe_load(path.read_text("utf-8"))
        for platform in model["platforms"]:
            platform["schedule"] = schedule
            if time_slice_seconds:
                platform["streams"] = {"time_slice_seconds": time_slice_seconds}
        path.write_text(yaml.safe_dump(model, sort_keys=False), "utf-8")
        self.model.commit(scheduled=True)
        self.run("sync", str(self.model.folder), "--yes")
        self.run("bootstrap", "--model", str(self.model.folder), "--out", str(self.files))

    def reconcile_views(self) -> None:
        """The consumer's views of what has been merged, and the consumer's right to read them."""
        self.run("views", "reconcile", "--model", str(self.model.folder))
        for dataset in ("customers", "addresses"):
            views_of(self.databases, dataset)

    def view(self, platform: DemoPlatform, dataset: str) -> sql.Identifier:
        """The view of the dataset's current rows on a platform."""
        of_platform = [
            view
            for kind, view in views_of(self.databases, dataset)
            if kind == "live" and view.strings[1].startswith(f"{platform.name}_")
        ]
        (view,) = of_platform
        return view

    def job(self, platform: DemoPlatform) -> MergeJob:
        """The merge job of the platform's stream, as the factory makes it of row and settings."""
        settings = settings_in(self.files / "settings" / names.settings_file(platform.name), platform.original)
        assert settings is not None
        query = sql.SQL("SELECT config_json FROM {} WHERE stream_key = %s")
        with closing(self.databases.connect(MERGE_STORE)) as connection, connection.cursor() as cursor:
            cursor.execute(query.format(sql.Identifier("public", names.stream_table(platform.name))), (STORE,))
            ((config,),) = cursor.fetchall()
        return dag_plan(stream_config(config), settings).job

    def run(self, *command: str) -> str:
        """One of dagfactory's commands. Raises StreamFactoryError with what it said."""
        return run_to_end(python_module("airflow_plugin", *command), self.environment, f"dagfactory {command[0]}")
