"""A model of so many streams in a git repository, a merge store, and the commands of the product on them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg2

from airflow_plugin.demo.postgres import EmbeddedPostgres
from config_schema import names
from tests.benchmarks import plain
from tests.benchmarks.customers import COLUMNS

PLATFORM, SHORT = "Many", "many"
SOURCE, STORE, PASSWORD = "source", "store", "bench"
OF_A_GROUP = 100  # datastores
MEASURE = Path(__file__).parents[1] / "measure.py"
GIT = ("git", "-c", "user.name=Bench", "-c", "user.email=bench@example.org", "-c", "init.defaultBranch=main")


@dataclass(frozen=True)
class Used:
    """What a command took, by the system's own account of it and of its children."""

    seconds: float
    rss_mb: float
    cpu_seconds: float
    exit_code: int
    said: str = ""


class World:
    """A model of so many datastores with one table each, and what it is synced into."""

    def __init__(self, server: EmbeddedPostgres, folder: Path, streams: int) -> None:
        self.server, self.folder, self.streams = server, folder, streams
        self.model = folder / "model"
        self.merge_store, self.source = (f"{name}_{streams}" for name in (STORE, SOURCE))
        for database in (self.merge_store, self.source):
            server.create_role(database, PASSWORD)
            server.create_database(database, database)
        plain.run_statement(server.dsn(), f"ALTER ROLE {self.merge_store} CREATEROLE")  # for its consumers' roles
        table = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        plain.run_statement(self._dsn(self.source), f"CREATE TABLE customers ({table}, PRIMARY KEY (id))")
        self.write()
        self._git("init", "--quiet")
        self.commit()
        bootstrap = ["bootstrap", "--model", str(self.model), "--out", str(folder)]
        assert (done := self.run("airflow_plugin", *bootstrap)).exit_code == 0, done.said

    def write(self, width: int = 50) -> None:
        """Write the model; `width` is of a column of the first datastore."""
        self.model.mkdir(parents=True, exist_ok=True)
        (self.model / "ecosystem.yaml").write_text("\n".join(self._lines(width)) + "\n")
        assignment = {"dataPlatform": PLATFORM, "status": "PROVISIONED"}
        mapping = [{"dsgName": f"Group{k}", "workspace": "All", "assignments": [assignment]} for k in self._groups()]
        (self.model / "dsg_platform_mapping.json").write_text(json.dumps(mapping))

    def commit(self) -> None:
        self._git("add", ".")
        self._git("commit", "--quiet", "--message=The model")

    def run(self, module: str, *arguments: str) -> Used:
        """Run `python -m module` to its end; its output is kept, not shown."""
        report = self.folder / "measured.json"
        command = [sys.executable, "-I", str(MEASURE), str(report), sys.executable, "-m", module, *arguments]
        done = subprocess.run(
            command, env=self._environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
        )
        return replace(Used(**json.loads(report.read_text())), said=done.stdout)

    def job(self, run_id: str) -> Used:
        """Run the merge job of the last stream, as its DAG would."""
        store = f"Store{self.streams - 1}"
        place = [f"--postgres-host={self.server.host}", f"--postgres-port={self.server.port}"]
        place += [f"--postgres-database={self.merge_store}", "--postgres-schema=public", "--postgres-credential=store"]
        git = [f"--git-repo-url=file://{self.model}", "--git-repo-branch=main", "--git-credential=git"]
        asked = [f"--platform={PLATFORM}", f"--store={store}", "--datasets=customers", f"--run-id={run_id}"]
        return self.run("merge_jobs", "merge", *asked, *git, *place, "--source-credential=source")

    def forget_job_model(self) -> None:
        """Let jobs go by git, as in an installation that lacks it."""
        self.execute(f"UPDATE {names.model_state_table(SHORT)} SET job_model_commit = NULL")

    def give_batches(self) -> None:
        """Give each stream a last batch, as the job of the last stream has left it one."""
        counter, metrics = names.batch_counter_table(SHORT), names.batch_metrics_table(SHORT)
        keys = f"SELECT stream_key FROM {names.stream_table(SHORT)}"
        for table in (counter, metrics):
            self.execute(
                f"INSERT INTO {table} SELECT (jsonb_populate_record(one, jsonb_build_object('key', stream_key))).* "
                f"FROM (SELECT one FROM {table} one LIMIT 1) of_one, ({keys}) streams ON CONFLICT DO NOTHING"
            )
        plain.run_statement(self._dsn(self.merge_store), "VACUUM (ANALYZE)")

    def give_merge_tables(self) -> None:
        """Give each stream a merge table, as the job of the last stream has made one."""
        last = names.merge_table(SHORT, f"Store{self.streams - 1}", "customers")
        [(comment,)] = self.execute(f"SELECT obj_description('\"{last}\"'::regclass, 'pg_class')")
        for number in range(self.streams - 1):
            table = names.merge_table(SHORT, f"Store{number}", "customers")
            of_table = comment.replace(f"Store{self.streams - 1}", f"Store{number}").replace("'", "''")
            self.execute(f'CREATE TABLE "{table}" (LIKE "{last}"); COMMENT ON TABLE "{table}" IS \'{of_table}\'')

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg2.connect(self._dsn(self.merge_store)) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def drop(self) -> None:
        for database in (self.merge_store, self.source):
            plain.run_statement(self.server.dsn(), f"DROP DATABASE {database} WITH (FORCE)")

    def _lines(self, width: int) -> Iterator[str]:
        place = f"host: {self.server.host}, port: {self.server.port}"
        store = f"{{{place}, database: {self.merge_store}, credential: store}}"
        yield from ("name: Bench", "platforms:")
        yield f"  - {{name: {PLATFORM}, milestoning: live, schedule: '@hourly', runner: process, namespace: ns,"
        yield f"     image: none, merge_store: {store}, model: {{url: 'file://{self.model}'}}}}"
        yield "datastores:"
        for number in range(self.streams):
            yield f"  - name: Store{number}"
            yield f"    source: {{{place}, database: {self.source}, credential: source}}"
            yield from ("    datasets:", "      - name: customers", "        primary_key: [id]", "        columns:")
            for name, kind in COLUMNS.items():
                of = f"varchar({width})" if (number, name) == (0, "first_name") else kind
                yield f"          - {{name: {name}, type: '{of}', nullable: {'false' if name == 'id' else 'true'}}}"
        yield from ("workspaces:", "  - name: All", "    dataset_groups:")
        for group in self._groups():
            yield from (f"      - name: Group{group}", "        sinks:")
            for number in range(group * OF_A_GROUP, min(self.streams, (group + 1) * OF_A_GROUP)):
                yield f"          - {{datastore: Store{number}, dataset: customers}}"

    def _groups(self) -> range:
        return range(-(-self.streams // OF_A_GROUP))

    def _git(self, *arguments: str) -> None:
        subprocess.run([*GIT, *arguments], cwd=self.model, check=True)

    def _dsn(self, database: str) -> str:
        return self.server.dsn(database, database, PASSWORD)

    def _environment(self) -> dict[str, str]:
        own = ("DATASURFACE_", "DAGFACTORY_")
        ours = {name: value for name, value in os.environ.items() if not name.startswith(own)}
        secrets = {"STORE": self.merge_store, "SOURCE": self.source}
        logins = {f"{name}_USERNAME": user for name, user in secrets.items()} | {
            f"{name}_PASSWORD": PASSWORD for name in secrets
        }
        folders = {"DAGFACTORY_SETTINGS_DIR": str(self.folder / "settings"), "AIRFLOW_HOME": str(self.folder)}
        return ours | logins | folders | {names.dsn_variable(SHORT): self._dsn(self.merge_store)}
