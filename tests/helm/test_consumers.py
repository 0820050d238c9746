"""Consumers' databases in the chart: in the merge store's, or apart from it in the chart's PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import psycopg2
import pytest

from airflow_plugin.bootstrap.platform_files import platform_files
from config_schema.model import Database
from tests.helm.chart import Helm, Object, Refused, by_kind, one
from tests.helm.platforms import Values, example, minimal, mvp, with_consumers_apart
from tests.helm.test_network import may_talk, peers
from tests.helm.test_standing_up import Cluster, cluster_of


def apart() -> Values:
    """The MVP, whose live platform has its consumers' views in a database of their own."""
    values = mvp()
    with_consumers_apart(values["platforms"]["yellowlive"])
    values["secrets"] |= {"consumer": {"username": "keeper"}, "reader": {"username": "reader"}}
    return values


@pytest.fixture(scope="module")
def cluster(helm: Helm) -> Iterator[Cluster]:
    with cluster_of(helm, apart()) as made:
        yield made


def secrets(objects: list[Object]) -> set[tuple[str, str]]:
    return {(found["metadata"]["namespace"], found["metadata"]["name"]) for found in by_kind(objects, "Secret")}


def test_the_secrets_are_where_the_platform_s_jobs_are(helm: Helm) -> None:
    found = secrets(helm.objects(apart()))
    assert {("ns-yellow-live", "consumer"), ("ns-yellow-live", "reader")} <= found
    assert ("ns-yellow-forensic", "consumer") not in found


def test_only_with_a_database_apart_does_postgresql_reach_out_and_then_to_the_merge_store(helm: Helm) -> None:
    for values, reached in ((apart(), True), (mvp(), False)):
        objects = helm.objects(values)
        [server] = [peer for peer in peers(objects) if peer.name == "postgres"]
        assert may_talk(by_kind(objects, "NetworkPolicy"), server, server, 5432) is reached


def test_jobs_reach_consumers_that_are_outside(helm: Helm) -> None:
    values = minimal()
    live = values["platforms"]["yellowlive"]
    consumers = {"consumer_db_hostname": "pg", "consumer_db_port": 6543, "consumer_db_database": "c"}
    settings = json.loads(live["settings"]) | consumers | {"consumer_db_credential_secret_name": "consumer"}
    live["settings"] = json.dumps(settings)
    policy = one(helm.objects(values), "NetworkPolicy", "stream-factory-merge-job-yellowlive", "ns-yellow-live")
    assert 6543 in [int(port["port"]) for rule in policy["spec"]["egress"] for port in rule["ports"]]


def test_who_keeps_the_views_may_make_roles_and_use_the_wrapper(cluster: Cluster) -> None:
    rights = "SELECT rolname, rolcreaterole FROM pg_roles WHERE rolname IN ('merge', 'keeper', 'reader', 'ingest')"
    assert dict(cluster.query("postgres", rights)) == {
        "merge": True,  # for the other platform, whose views are in the merge store's database
        "keeper": True,
        "reader": False,
        "ingest": False,
    }
    may = "SELECT has_foreign_data_wrapper_privilege('keeper', 'postgres_fdw', 'USAGE')"
    assert cluster.query("consumers", may) == [(True,)]
    assert cluster.query(
        "consumers", "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'consumers'"
    ) == [("keeper",)]


def test_the_reader_reads_the_merge_store_and_changes_nothing(cluster: Cluster) -> None:
    [(database,)] = cluster.query("postgres", "SELECT datname FROM pg_database WHERE datname LIKE '%merge%'")
    owner, reader = (cluster.secret(name, "ns-yellow-live") for name in ("postgres", "reader"))
    with psycopg2.connect(cluster.server.dsn(database, **login(owner))) as session, session.cursor() as cursor:
        cursor.execute("CREATE TABLE a_merge_table (id int); INSERT INTO a_merge_table VALUES (1)")
    session.close()
    session = psycopg2.connect(cluster.server.dsn(database, **login(reader)))
    with session.cursor() as cursor:
        cursor.execute("SELECT * FROM a_merge_table")
        assert cursor.fetchall() == [(1,)]
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("DELETE FROM a_merge_table")
    session.close()


def test_a_database_cannot_have_two_owners(helm: Helm) -> None:
    values = apart()
    live = values["platforms"]["yellowlive"]
    settings = json.loads(live["settings"])
    live["settings"] = json.dumps(settings | {"consumer_db_database": settings["postgres_database"]})
    with pytest.raises(Refused, match="Give it that one, or another database"):
        helm.template(values)


def login(secret: dict[str, str]) -> dict[str, str]:
    return {"user": secret["username"], "password": secret["password"]}


def test_bootstrap_lists_the_secrets_of_consumers_databases() -> None:
    [platform, *_] = example().ecosystem.platforms
    there = Database("pg-consumers", "consumers", "consumer")
    files = platform_files(replace(platform, consumer_db=there, consumer_reader="reader"), example())
    settings = json.loads(next(text for path, text in files.items() if path.parts[0] == "settings"))
    assert settings["consumer_db_hostname"] == "pg-consumers"
    assert (settings["consumer_db_credential_secret_name"], settings["consumer_reader_secret_name"]) == (
        "consumer",
        "reader",
    )
    listed = next(text for path, text in files.items() if path.name == "yellowlive.secrets.md")
    assert (
        "| `consumer` | `ns-yellow-live` | `username`, `password` | views: consumers' database consumers on" in listed
    )
    assert "| `reader` | `ns-yellow-live` | `username`, `password` | views: by which that database reads" in listed
    without = platform_files(platform, example())
    assert not any("views: " in text for path, text in without.items() if path.name.endswith("secrets.md"))
