"""What a dataset group may contain: nothing deprecated, unfit for production, or hidden from its workspace."""

from __future__ import annotations

from collections.abc import Iterator

from config_schema.model import (
    Dataset,
    Ecosystem,
    ProductionStatus,
    Workspace,
)
from config_schema.model.mapping import DsgMapping
from config_schema.problem import Finding
from config_schema.rules.parts import Assigned, assigned, dataset_groups, datasets_by_sink

MOST_SHOWN = 3


def classifications_are_seen(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield datasets with columns that a workspace may not see, unless the workspace masks them."""
    found = datasets_by_sink(ecosystem)
    for path, space, group in dataset_groups(ecosystem):
        for k, sink in enumerate(() if space.masks else group.sinks):
            unseen = _unseen(space, found[sink][1]) if sink in found else []
            if unseen:
                shown = ", ".join(unseen[:MOST_SHOWN]) + (", ..." if len(unseen) > MOST_SHOWN else "")
                what = f"{space.name} may not see all of {sink.dataset}: {shown}"
                todo = (
                    "Add the classification to its may_see, or say masks: true, and these columns are NULL in its views"
                )
                yield f"{path}.sinks[{k}].dataset", what, todo


def _unseen(space: Workspace, dataset: Dataset) -> list[str]:
    unseen = (one for one in dataset.columns if one.classification not in space.may_see)
    return [f"{one.name} ({one.classification.value})" for one in unseen]


def deprecated_data_is_not_used(ecosystem: Ecosystem, mappings: tuple[DsgMapping, ...]) -> Iterator[Finding]:
    """Yield deprecated data that production uses, and deprecated groups that a platform begins to serve."""
    deprecated = {
        sink: dataset.deprecated or store.deprecated for sink, (store, dataset) in datasets_by_sink(ecosystem).items()
    }
    for one in assigned(ecosystem, mappings):
        if one.assignment.deprecations_allowed:
            continue
        todo = "Move away from it, or set deprecationsAllowed to ALLOWED"
        reason = one.group.deprecated or one.space.deprecated
        if reason and one.assignment.status.begins:
            yield f"{one.path}.status", f"{one.group.name} is deprecated ({reason})", todo
        for sink in one.group.sinks if _in_production(one) else ():
            reason = deprecated.get(sink)
            if reason:
                deprecation = f"{sink.dataset} of {sink.datastore} is deprecated ({reason})"
                what = f"{one.group.name} is in production, and {deprecation}"
                yield f"{one.path}.deprecationsAllowed", what, todo


def production_uses_what_is_fit_for_it(ecosystem: Ecosystem, mappings: tuple[DsgMapping, ...]) -> Iterator[Finding]:
    """Yield data not fit for production in groups that are in production."""
    unfit = {
        sink
        for sink, (store, dataset) in datasets_by_sink(ecosystem).items()
        if (dataset.production_status or store.production_status) is ProductionStatus.NOT_PRODUCTION
    }
    for one in assigned(ecosystem, mappings):
        for sink in one.group.sinks if _in_production(one) else ():
            if sink in unfit:
                what = f"{one.group.name} is in production, and {sink.dataset} of {sink.datastore} is not"
                todo = "Leave the dataset out of the group, or make one as the other is"
                yield f"{one.path}.productionStatus", what, todo


def _in_production(one: Assigned) -> bool:
    of_group = one.group.production_status or one.space.production_status
    return ProductionStatus.PRODUCTION in (of_group, one.assignment.production_status)
