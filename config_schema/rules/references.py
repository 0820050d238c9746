"""What a part of a model names is there."""

from __future__ import annotations

from collections.abc import Iterator

from config_schema.errors import Finding, choose_from
from config_schema.model import Ecosystem
from config_schema.rules.parts import dataset_groups


def sinks_exist(ecosystem: Ecosystem) -> Iterator[Finding]:
    stores = {store.name: store for store in ecosystem.datastores}
    for path, group in dataset_groups(ecosystem):
        for k, sink in enumerate(group.sinks):
            at = f"{path}.sinks[{k}]"
            if sink.datastore not in stores:
                yield (
                    f"{at}.datastore",
                    f"{sink.datastore!r} is no datastore",
                    choose_from(sink.datastore, stores),
                )
                continue
            datasets = [dataset.name for dataset in stores[sink.datastore].datasets]
            if sink.dataset not in datasets:
                what = f"{sink.dataset!r} is no dataset of {sink.datastore}"
                yield f"{at}.dataset", what, choose_from(sink.dataset, datasets)
