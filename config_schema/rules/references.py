"""What a part of a model names must exist."""

from __future__ import annotations

from collections.abc import Iterator

from config_schema.errors import choose_from
from config_schema.model import Ecosystem
from config_schema.problem import Finding
from config_schema.rules.parts import dataset_groups


def owners_are_teams(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield owners that are not teams of the model, and an ecosystem with teams but no owner."""
    teams = [team.name for team in ecosystem.teams]
    if teams and ecosystem.owner is None:
        what = "nobody owns the ecosystem, so that everybody may change the list of teams, and so own what they like"
        yield "owner", what, choose_from("", teams)
    owners = [("owner", ecosystem.owner)]
    owners += [(f"platforms[{i}].owner", one.owner) for i, one in enumerate(ecosystem.platforms)]
    owners += [(f"datastores[{i}].owner", one.owner) for i, one in enumerate(ecosystem.datastores)]
    owners += [(f"workspaces[{i}].owner", one.owner) for i, one in enumerate(ecosystem.workspaces)]
    for i, platform in enumerate(ecosystem.platforms):
        owners += [(f"platforms[{i}].shared_with", team) for team in platform.shared_with]
    for i, store in enumerate(ecosystem.datastores):
        owners += [(f"datastores[{i}].shared_with", team) for team in store.shared_with]
    for path, owner in owners:
        if owner is not None and owner not in teams:
            yield path, f"{owner!r} is no team", choose_from(owner, teams)


def sinks_exist(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield sinks whose datastore or dataset does not exist."""
    stores = {store.name: store for store in ecosystem.datastores}
    for path, _, group in dataset_groups(ecosystem):
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
