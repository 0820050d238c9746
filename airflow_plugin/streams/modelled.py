"""What a stream can be made of: the datastores, datasets and secrets of the model, as sync has recorded it for jobs.

A job refuses a row that names others, so a config with others is refused before it is saved.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_plugin.control.job_model import JobModelTable
from airflow_plugin.control.session import ControlSession
from airflow_plugin.rows.evaluation import row_place
from config_schema.errors import did_you_mean
from config_schema.model import Database
from config_schema.model.plain_data import structured
from config_schema.problem import Problem, Rule

STORE_IS_MODELLED = Rule("DF4105", "A stream's datastore is in the model that was synced, and its platform ingests it.")
DATASETS_ARE_MODELLED = Rule("DF4106", "A stream's datasets are in the model that was synced, and ingested.")
CREDENTIAL_IS_MODELLED = Rule("DF4107", "A stream reads its source with the secret that the synced model names.")

KEYS = ("store_name", "single_dataset", "datasets", "source_credential_secret_name")
CHOOSE = "Choose one of the model, or add it to the model and run dagfactory sync"


@dataclass(frozen=True)
class ModelledStore:
    """A datastore as far as the platform ingests it; `credential` is None for one that needs none."""

    name: str
    single_dataset: bool
    datasets: tuple[str, ...]
    credential: str | None


Stores = Mapping[str, ModelledStore]


def modelled_stores(session: ControlSession, name: str | None = None) -> Stores | None:
    """Return the datastores that the platform ingests, by name, or only the named one.

    None where nobody knows them: sync has not recorded them, or this login may not read that, which ends the session's
    transaction. Raises StreamFactoryError.
    """
    rows = JobModelTable(session).catalogue(name)
    if not rows:
        return None
    found: dict[str, ModelledStore] = {}
    for _, document in rows:
        for store in _stores(document):
            before = found.get(store.name)
            datasets = store.datasets if before is None else (*before.datasets, *store.datasets)
            found[store.name] = ModelledStore(store.name, store.single_dataset, datasets, store.credential)
    return found


def catalogue_problems(
    platform_name: str,
    config: Mapping[str, Any],
    before: Mapping[str, Any],
    stores_named: Callable[[str], Stores | None],
) -> Iterator[Problem]:
    """Yield what the synced model lacks of what a config names; nothing of what the stream had `before`.

    `stores_named` returns what `modelled_stores` finds of a datastore; it is called if the config names another. Names
    of the model are left out: who writes a config need not see the other streams.
    """
    name = config.get("store_name")
    if not isinstance(name, str) or not name.isprintable() or all(config.get(key) == before.get(key) for key in KEYS):
        return
    stores = stores_named(name)
    if stores is None:
        return
    where = row_place(platform_name, str(config.get("stream_key", "")))
    store = stores.get(name)
    if store is None:
        what = f"the platform ingests no datastore {name!r} of the model that was synced"
        yield STORE_IS_MODELLED.problem(where, "store_name", what, CHOOSE)
        return
    yield from _of_datasets(where, config, store)
    credential = config.get("source_credential_secret_name")
    if store.credential is not None and isinstance(credential, str) and credential != store.credential:
        what = f"{credential!r} is not the secret that the model names for {name}"
        yield CREDENTIAL_IS_MODELLED.problem(where, "source_credential_secret_name", what, CHOOSE)


def _of_datasets(where: str, config: Mapping[str, Any], store: ModelledStore) -> Iterator[Problem]:
    if config.get("single_dataset") is not None and config["single_dataset"] is not store.single_dataset:
        kind = "single_dataset" if store.single_dataset else "multi_dataset"
        what, todo = f"{store.name} is a {kind} store in the model", f"Set it to {json.dumps(store.single_dataset)}"
        yield DATASETS_ARE_MODELLED.problem(where, "single_dataset", what, todo)
    datasets = config.get("datasets")
    wanted = datasets if isinstance(datasets, list) else []
    for name in dict.fromkeys(one for one in wanted if isinstance(one, str)):
        if name not in store.datasets:
            what, todo = f"the platform ingests no dataset {name!r} of {store.name}", did_you_mean(name, store.datasets)
            yield DATASETS_ARE_MODELLED.problem(where, "datasets", what, f"{todo}{CHOOSE}")


def _stores(document: str | None) -> Iterator[ModelledStore]:
    """Yield the datastore of a stream's row, unless the platform ingests nothing of it, or a hand has broken the row.

    A job refuses such a row, and says so.
    """
    try:
        data = json.loads(document or "{}")
        if not data.get("served"):
            return
        store, source = data["datastore"], data["datastore"]["source"]
        credential = str(source["credential"]) if structured(source, Database).needs_login else None
        single = store.get("consistency") == "single_dataset"
        yield ModelledStore(str(store["name"]), single, tuple(map(str, data["served"])), credential)
    except (ValueError, KeyError, TypeError, AttributeError):
        return
