"""An installation of commit 243f474: its model, its databases as it left them, and commands of jobs on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
PLATFORMS = ("YellowLive", "YellowForensic")
STORE, SOURCE = "store", "source"

COLUMNS = {
    "customers": [("id", "integer", False), ("name", "varchar(40)", False), ("email", "text", True)],
    "orders": [("id", "integer", False), ("customer_id", "integer", False), ("amount", "numeric(10,2)", True)],
    "products": [("code", "text", False), ("title", "text", True)],
    "events": [("id", "integer", False), ("word", "text", True)],
    "sensors": [("id", "integer", False), ("seen", "timestamptz", True)],
}
DATASETS = {"Store1": ("customers", "orders"), "Store2": ("products",), "Store3": ("events", "sensors")}


def model(host: str = "pg-data", port: int = 5432, stores: tuple[str, ...] = ("Store1", "Store3"), **names: str) -> Any:
    """Return the model with these datastores; `names` are those of the databases, where they are others."""
    database = {"host": host, "port": port}
    merge_store = database | {"database": names.get("store", STORE), "credential": "postgres"}
    source = database | {"database": names.get("source", SOURCE), "credential": "producer"}
    platforms = [
        {
            "name": name,
            "milestoning": name.removeprefix("Yellow").lower(),
            "schedule": "* * * * *",
            "namespace": "ns",
            "image": "registry.example/merge-job:0.1.0",
            "merge_store": merge_store,
            "model": {"url": "https://git.example/team/model.git"},
        }
        for name in PLATFORMS
    ]
    return {"name": "Demo", "platforms": platforms, "datastores": [_datastore(one, source) for one in stores]}


def _datastore(name: str, source: Any) -> Any:
    single = "single_dataset" if name == "Store3" else "multi_dataset"
    datasets = [
        {
            "name": dataset,
            "primary_key": [COLUMNS[dataset][0][0]],
            "columns": [{"name": c, "type": kind, "nullable": nullable} for c, kind, nullable in COLUMNS[dataset]],
        }
        for dataset in DATASETS[name]
    ]
    return {"name": name, "consistency": single, "source": source, "datasets": datasets}


def write_model(folder: Path, wanted: Any) -> None:
    """Write it as a folder with a mapping that gives every datastore to both platforms."""
    folder.mkdir(exist_ok=True)
    sinks = [
        {"datastore": store["name"], "dataset": dataset["name"]}
        for store in wanted["datastores"]
        for dataset in store["datasets"]
    ]
    groups = [
        {"name": f"{kind}DSG", "retention": kind.lower(), "sinks": sinks, "latency_seconds": 600}
        for kind in ("Live", "Forensic")
    ]
    workspaces = [{"name": "Consumer1", "dataset_groups": groups}]
    (folder / "ecosystem.yaml").write_text(yaml.safe_dump({**wanted, "workspaces": workspaces}), "utf-8")
    mapping = [
        {
            "dsgName": f"{kind}DSG",
            "workspace": "Consumer1",
            "assignments": [
                {
                    "dataPlatform": f"Yellow{kind}",
                    "documentation": "All of it",
                    "productionStatus": "PRODUCTION",
                    "deprecationsAllowed": "NEVER",
                    "status": "PROVISIONED",
                }
            ],
        }
        for kind in ("Live", "Forensic")
    ]
    (folder / "dsg_platform_mapping.json").write_text(json.dumps(mapping), "utf-8")


def job_command(platform: str, stream: str, folder: Path, run_id: str) -> list[str]:
    """Return the arguments of `merge-job` for a run of a stream."""
    store, _, dataset = stream.partition("#")
    command = ["merge", f"--platform={platform}", f"--store={store}", f"--model={folder}", f"--run-id={run_id}"]
    return [*command, f"--dataset={dataset}"] if dataset else command
