"""Values for the chart, made as `dagfactory bootstrap` makes them: from the example model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

import config_schema
from airflow_plugin.bootstrap.platform_files import platform_files
from config_schema import names
from config_schema.load import Model, load_model
from config_schema.model import Platform
from tests.helm.chart import FOLDER

Values = dict[str, Any]
EXAMPLE = Path(config_schema.__file__).parent / "examples"
OWN_POSTGRES = "stream-factory-postgres.airflow"


@cache
def example() -> Model:
    return load_model(EXAMPLE)


def chart_platform(platform: Platform, model: Model) -> Values:
    """A platform as the chart takes it."""
    files = platform_files(platform, model)
    [settings] = [text for path, text in files.items() if path.parts[0] == "settings"]
    return {
        "settings": settings,
        "factoryFiles": {path.name: text for path, text in files.items() if path.parts[0] == "dags"},
    }


def chart_platforms(change: Callable[[Platform], Platform] = lambda platform: platform) -> dict[str, Values]:
    model = example()
    platforms = model.ecosystem.platforms
    return {names.platform_name(one.name): chart_platform(change(one), model) for one in platforms}


def in_own_postgres(platform: Platform) -> Platform:
    return replace(platform, merge_store=replace(platform.merge_store, host=OWN_POSTGRES))


def minimal() -> Values:
    """Two platforms for an Airflow that is there, everything secret made by hand."""
    return {
        "platforms": chart_platforms(),
        "dsnSecret": "dsn",
        "airflow": {"serviceAccounts": [{"name": "airflow-scheduler"}]},
    }


def mvp() -> Values:
    """The two-platform MVP from one `helm install`."""
    platforms = chart_platforms(in_own_postgres)
    for platform in platforms.values():
        platform["settings"] = platform["settings"].replace("pg-data", OWN_POSTGRES)
    values: Values = yaml.safe_load((FOLDER / "mvp-values.yaml").read_text("utf-8"))
    values["secrets"] |= {"git": {"token": "a-token-of-git"}, "slack": {"token": "a-token-of-slack"}}
    return values | {"platforms": platforms}


def everything() -> Values:
    """The MVP with every value that it leaves at its default set to another."""
    values = mvp()
    live = values["platforms"]["yellowlive"]
    live["settings"] = live["settings"].replace(
        '"notifiers": {}', '"notifiers": {"slack": {"connection": "slack_default"}}'
    )
    values["secrets"] |= {"consumer": {"username": "keeper"}, "reader": {"username": "reader"}}
    with_consumers_apart(live)
    code = json.loads(live["settings"]) | {"model_is_code": True}
    live["settings"] = json.dumps(code)
    values["secrets"]["postgres"]["password"] = "with space, +, 'quotes' and \\ ümläut"
    return values | {
        "imagePullPolicy": "Always",
        "imagePullSecrets": ["registry"],
        "storageClass": "fast",
        "airflow": {
            "enabled": True,
            "image": "registry.example/airflow:1",
            "serviceAccounts": [{"name": "another-worker", "namespace": "another-airflow"}],
            "environment": {"AIRFLOW__CORE__PARALLELISM": "16"},
        },
        "snapshot": {"size": "2Gi", "accessMode": "ReadWriteMany"},
        "sync": {"schedule": "0 * * * *"},
        "simulator": {"enabled": True, "replicas": 0, "database": "o'neil"},
        "postgres": {"enabled": True, "image": "postgres:16", "size": "20Gi"},
        "networkPolicies": {
            "databaseCidrs": ["10.0.0.0/8"],
            "gitCidrs": ["192.0.2.0/24"],
            "kubernetesCidrs": ["198.51.100.1/32"],
            "uiNamespaces": ["ingress"],
        },
    }


def with_consumers_apart(platform: Values) -> None:
    """Consumers' views in a database of their own, in the chart's PostgreSQL, which reads by a login of its own."""
    consumers = {"hostname": OWN_POSTGRES, "port": 5432, "database": "consumers", "credential_secret_name": "consumer"}
    settings = json.loads(platform["settings"]) | {f"consumer_db_{key}": value for key, value in consumers.items()}
    platform["settings"] = json.dumps(settings | {"consumer_reader_secret_name": "reader"})


def official_airflow() -> Values:
    """What goes beside helm/official-airflow-values.yaml: the official chart's release `airflow`."""
    return {
        "platforms": chart_platforms(),
        "secrets": {
            "postgres": {"username": "merge", "password": "a-password"},
            "customer-db": {"username": "ingest", "password": "another-password"},
        },
        "airflow": {"serviceAccounts": [{"name": f"airflow-{who}"} for who in ("scheduler", "worker", "triggerer")]},
    }


def own_namespace() -> Values:
    """One platform, installed into its own namespace, with an Airflow elsewhere and a producer that is simulated."""
    values = official_airflow()
    del values["platforms"]["yellowforensic"]
    values["airflow"]["namespace"] = "data-airflow"
    values["secrets"]["producer"] = {"username": "producer", "password": "a third password"}
    values["simulator"] = {"enabled": True, "host": "pg-data", "port": 5433}
    values["snapshot"] = {"existingClaim": "snapshots"}
    values["networkPolicies"] = {"enabled": False}
    values["sync"] = {"enabled": False}
    return values


SETS: dict[str, Callable[[], Values]] = {
    "nothing": dict,
    "minimal": minimal,
    "mvp": mvp,
    "everything": everything,
    "official_airflow": official_airflow,
    "own_namespace": own_namespace,
}
NAMESPACES = {"own_namespace": "ns-yellow-live"}  # where the release goes, if not into that of an Airflow

# What the pods of a set refer to and the chart does not make: documented to be made by hand.
LOGINS = {"postgres": ("username", "password"), "customer-db": ("username", "password")}
PLATFORM_NAMESPACES = ("ns-yellow-live", "ns-yellow-forensic")
EXTERNAL = {
    "minimal": {("Secret", ns, "postgres", key) for ns in PLATFORM_NAMESPACES for key in LOGINS["postgres"]}
    | {("Secret", ns, "git", "token") for ns in PLATFORM_NAMESPACES},
    "everything": {("Secret", ns, "registry", None) for ns in (*PLATFORM_NAMESPACES, "airflow")},
    "official_airflow": {("Secret", ns, "git", "token") for ns in PLATFORM_NAMESPACES},
}
