"""Which streams a model wants on which platform."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_plugin.sync.graph import stream_graph
from config_schema.errors import ProblemsFound
from config_schema.model import (
    Column,
    Consistency,
    Database,
    Dataset,
    DatasetGroup,
    DatasetSink,
    Datastore,
    Ecosystem,
    GitRepository,
    Milestoning,
    Platform,
    Runner,
    StreamDefaults,
    Workspace,
)
from config_schema.model.mapping import Assignment, AssignmentStatus, DsgMapping

LIVE = Platform(
    name="YellowLive",
    milestoning=Milestoning.LIVE,
    merge_store=Database("pg-data", "datasurface_merge", "postgres", port=5433),
    model=GitRepository("https://git.example/team/model.git", "release", "git-token"),
    namespace="ns-yellow-live",
    image="registry.example/merge-job:1",
    schedule="* * * * *",
    timezone="Europe/Zurich",
    runner=Runner.PROCESS,
    slack_credential="alerts",
)
FORENSIC = replace(LIVE, name="YellowForensic", milestoning=Milestoning.FORENSIC, schedule=None)


def datastore(name: str, *datasets: str, consistency: Consistency = Consistency.MULTI_DATASET) -> Datastore:
    columns = (Column("id", "integer", nullable=False),)
    source = Database("pg-data", "customer_db", f"{name.lower()}-db")
    return Datastore(name, source, tuple(Dataset(d, columns, ("id",)) for d in datasets), consistency)


STORES = (
    datastore("Store1", "customers", "addresses", "orders"),
    datastore("Split", "a", "b", consistency=Consistency.SINGLE_DATASET),
)


def graph(groups, assignments, platforms=(LIVE, FORENSIC), stores=STORES):
    """`groups`: name -> (sinks as 'Store1.customers ...', latency); `assignments`: (group, platform, status)."""
    dataset_groups = tuple(
        DatasetGroup(name, tuple(DatasetSink(*sink.split(".")) for sink in sinks.split()), latency_seconds=latency)
        for name, (sinks, latency) in groups.items()
    )
    ecosystem = Ecosystem("Demo", platforms, stores, (Workspace("Consumer1", dataset_groups),))
    mappings = [
        DsgMapping(group, "Consumer1", (Assignment(platform, AssignmentStatus[status]),))
        for group, platform, status in assignments
    ]
    return stream_graph(ecosystem, mappings)


def test_a_multi_dataset_store_gives_one_stream_with_its_wanted_datasets_in_the_stores_order():
    groups = {"G": ("Store1.orders Store1.customers", None)}
    streams = graph(groups, [("G", "YellowLive", "PROVISIONED")])["YellowLive"]
    assert {key: stream.datasets for key, stream in streams.items()} == {"Store1": ("customers", "orders")}
    assert not streams["Store1"].single_dataset


def test_a_single_dataset_store_gives_a_stream_for_each_wanted_dataset():
    streams = graph({"G": ("Split.b Split.a", None)}, [("G", "YellowLive", "PROVISIONED")])["YellowLive"]
    assert {key: stream.datasets for key, stream in streams.items()} == {"Split#a": ("a",), "Split#b": ("b",)}
    assert all(stream.single_dataset for stream in streams.values())


def test_groups_on_one_platform_are_joined_and_the_shortest_latency_counts():
    groups = {"G": ("Store1.customers", 600), "H": ("Store1.addresses Store1.customers", 60), "I": ("Split.a", None)}
    streams = graph(groups, [(group, "YellowLive", "PROVISIONED") for group in groups])["YellowLive"]
    assert streams["Store1"].datasets == ("customers", "addresses")
    assert streams["Store1"].latency_seconds == 60
    assert streams["Split#a"].latency_seconds is None


def test_a_latency_counts_only_for_the_datasets_it_is_asked_for():
    groups = {"G": ("Split.a", 60), "H": ("Split.a Split.b", 600)}
    streams = graph(groups, [(group, "YellowLive", "PROVISIONED") for group in groups])["YellowLive"]
    assert {key: stream.latency_seconds for key, stream in streams.items()} == {"Split#a": 60, "Split#b": 600}


@pytest.mark.parametrize(
    ("status", "ingests"),
    [("PROVISIONING", True), ("PROVISIONED", True), ("DECOMMISSIONING", True), ("DECOMMISSIONED", False)],
)
def test_a_group_is_ingested_until_decommissioned(status, ingests):
    streams = graph({"G": ("Store1.customers", None)}, [("G", "YellowLive", status)])["YellowLive"]
    assert bool(streams) == ingests


def test_each_platform_gets_only_what_it_is_assigned_and_one_that_serves_nobody_gets_nothing():
    both = graph({"G": ("Store1.customers", None)}, [("G", "YellowForensic", "PROVISIONED")])
    assert list(both) == ["YellowLive", "YellowForensic"]
    assert not both["YellowLive"]
    assert both["YellowForensic"]["Store1"].milestoning == "forensic"


def test_a_config_has_what_the_platform_and_the_datastore_say():
    config = graph({"G": ("Store1.customers", 60)}, [("G", "YellowLive", "PROVISIONED")])["YellowLive"]["Store1"]
    assert config.to_dict() == {
        "stream_key": "Store1",
        "single_dataset": False,
        "datasets": ["customers"],
        "store_name": "Store1",
        "ingestion_type": "sql_snapshot",
        "namespace_name": "ns-yellow-live",
        "platform_name": "yellowlive",
        "original_platform_name": "YellowLive",
        "postgres_hostname": "pg-data",
        "postgres_database": "datasurface_merge",
        "postgres_port": 5433,
        "postgres_credential_secret_name": "postgres",
        "git_credential_secret_name": "git-token",
        "slack_credential_secret_name": "alerts",
        "datasurface_docker_image": "registry.example/merge-job:1",
        "git_repo_url": "https://git.example/team/model.git",
        "git_repo_branch": "release",
        "source_credential_secret_name": "store1-db",
        "schedule": "* * * * *",
        "timezone": "Europe/Zurich",
        "runner": "process",
        "latency_seconds": 60,
    }


def test_the_platforms_stream_defaults_are_in_each_config_where_they_are_given():
    platform = replace(LIVE, streams=StreamDefaults(retries=0, time_slice_seconds=50, tags=("crm",), owner="yellow"))
    groups, assignments = {"G": ("Store1.customers", None)}, [("G", "YellowLive", "PROVISIONED")]
    given = graph(groups, assignments, (platform,))["YellowLive"]["Store1"].to_dict()
    plain = graph(groups, assignments, (LIVE,))["YellowLive"]["Store1"].to_dict()
    added = {"retries": 0, "time_slice_seconds": 50, "tags": ["crm"], "owner": "yellow"}
    assert given == plain | added


def test_the_platforms_owner_is_the_streams_where_its_defaults_name_nobody():
    groups, assignments = {"G": ("Store1.customers", None)}, [("G", "YellowLive", "PROVISIONED")]
    owned = replace(LIVE, owner="platform")
    named = replace(owned, streams=StreamDefaults(owner="yellow"))
    owners = [graph(groups, assignments, (one,))["YellowLive"]["Store1"].owner for one in (LIVE, owned, named)]
    assert owners == [None, "platform", "yellow"]


def test_a_config_that_breaks_the_stream_schema_is_refused_by_platform_and_stream():
    platform = replace(LIVE, namespace="Not A Namespace")
    with pytest.raises(ProblemsFound) as caught:
        graph({"G": ("Store1.customers", None)}, [("G", "YellowLive", "PROVISIONED")], (platform,))
    assert [(p.file, p.path) for p in caught.value.problems] == [("YellowLive: Store1", "namespace_name")]


def test_a_store_that_says_which_assets_start_its_streams_takes_no_schedule_of_the_platform():
    assets = ("s3://landing/split", "YellowLive/Store1/customers")
    stores = (STORES[0], replace(STORES[1], schedule_assets=assets))
    groups = {"G": ("Store1.customers Split.a", None)}
    streams = graph(groups, [("G", "YellowLive", "PROVISIONED")], stores=stores)["YellowLive"]
    assert (streams["Split#a"].schedule, streams["Split#a"].schedule_assets) == (None, assets)
    assert (streams["Store1"].schedule, streams["Store1"].schedule_assets) == ("* * * * *", ())


def test_a_store_whose_own_dataset_would_start_it_is_a_problem_of_the_model():
    stores = (replace(STORES[0], schedule_assets=("YellowLive/Store1/customers",)), STORES[1])
    with pytest.raises(ProblemsFound, match="own dataset"):
        graph({"G": ("Store1.customers", None)}, [("G", "YellowLive", "PROVISIONED")], stores=stores)
