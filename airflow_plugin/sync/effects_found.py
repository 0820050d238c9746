"""The effects of a sync beside rows, by platform: from the models before and after, and the existing tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from airflow_plugin.control.platform_tables import tables_there
from airflow_plugin.sync.consumption import merge_table
from airflow_plugin.sync.effects import Effect, model_effects
from airflow_plugin.sync.plan import Plan
from airflow_plugin.sync.stores import ConnectedStore
from config_schema.errors import StreamFactoryError
from config_schema.model.mapping import Model


@dataclass(frozen=True)
class Effects:
    """The effects of a sync beside rows, by platform, and the datasets (`Store1.customers`) that any has loaded."""

    by_platform: Mapping[str, tuple[Effect, ...]] = field(default_factory=dict)
    loaded: frozenset[str] = frozenset()


def read_effects(
    plan: Plan, after: Model, model_at: Callable[[str], Model], stores: Iterable[ConnectedStore]
) -> Effects:
    """Return the effects of a plan; none where the model before cannot be had, which is refused or warned of by name.

    Raises MergeStoreError.
    """
    plans = {one.platform: one for one in plan.platforms}
    found: dict[str, tuple[Effect, ...]] = {}
    loaded: set[str] = set()
    for store in stores:
        for platform in store.platforms:
            of_platform = plans[platform.name]
            if of_platform.commit_before == plan.commit:
                continue
            try:
                before = None if of_platform.commit_before is None else model_at(of_platform.commit_before)
            except StreamFactoryError:
                continue
            tables = _tables(platform.name, *filter(None, (before, after)))
            there = tables_there(store.session(platform), list(tables))
            loaded.update(tables[name] for name in there)
            found[platform.name] = model_effects(before, after, platform.name, there)
        store.connection.rollback()  # nothing was written; a person may now take time to read
    return Effects(found, frozenset(loaded))


def _tables(platform: str, *models: Model) -> dict[str, str]:
    """Return, by the name of its merge table, each dataset that the platform has loaded or could have."""
    return {
        merge_table(platform, store, dataset): f"{store.name}.{dataset.name}"
        for model in models
        for store in model.ecosystem.datastores
        for dataset in store.datasets
    }
