"""The open merge stores of a sync, and its plan: of the model's platforms, and of platforms that have left it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache

from airflow_plugin.sync.apply import compiled_by_platform
from airflow_plugin.sync.effects_found import Effects, read_effects
from airflow_plugin.sync.graph import Streams, stream_graph
from airflow_plugin.sync.plan import Plan, commits_before, read_plan
from airflow_plugin.sync.source import CommittedModel
from airflow_plugin.sync.stores import ConnectedStore, merge_stores, refuse_other_environment
from config_schema.errors import StreamFactoryError
from config_schema.load import Model
from config_schema.model import Platform


@dataclass(frozen=True)
class Planned:
    """What `apply` takes; `left` are the platforms that have left the model since the commit applied last.

    `lacks_compiled` says that a platform has no compiled model of the commit yet, which its jobs need.
    """

    stores: list[ConnectedStore]
    graph: Mapping[str, Streams]
    plan: Plan
    left: tuple[str, ...]
    lacks_compiled: bool
    model_at: Callable[[str], Model]
    effects: Effects


@contextmanager
def planned(
    source: CommittedModel, chosen: Iterable[str], environment: Mapping[str, str], *, overwrite_drift: bool = False
) -> Iterator[Planned]:
    """Yield the plan for the `chosen` platforms, or for all and those that left the model, whose streams are retired.

    If platforms are chosen, those that left are ignored. Raises StreamFactoryError.
    """
    names = tuple(chosen)
    platforms = source.platforms(names)
    graph = stream_graph(source.model.ecosystem, source.model.mappings)
    with merge_stores(platforms, environment) as stores:
        refuse_other_environment(source.model.environment, stores)
        plan = read_plan(stores, graph, source.commit, overwrite_drift=overwrite_drift)
        model_at = _model_at(plan, source, stores)
        left = () if names else tuple(_left(plan, source, model_at))
        if not left:
            effects = read_effects(plan, source.model, model_at, stores)
            yield Planned(stores, graph, plan, (), _lacks_compiled(source, stores), model_at, effects)
            return
    # Opened again: all of a sync's stores are locked in one order.
    graph |= {platform.name: {} for platform in left}
    with merge_stores((*platforms, *left), environment) as stores:
        plan = read_plan(stores, graph, source.commit, overwrite_drift=overwrite_drift)
        gone = tuple(platform.name for platform in left)
        model_at = _model_at(plan, source, stores)
        effects = read_effects(plan, source.model, model_at, stores)
        yield Planned(stores, graph, plan, gone, _lacks_compiled(source, stores), model_at, effects)


def _model_at(plan: Plan, source: CommittedModel, stores: Iterable[ConnectedStore]) -> Callable[[str], Model]:
    """Return a reader of the models that platforms run now: from what was compiled if they are code."""
    commits = commits_before(plan)
    known = {
        commit: [one for found in compiled_by_platform(stores, commit).values() for one in found] for commit in commits
    }
    return cache(lambda commit: source.model_at(commit, known.get(commit, ())))


def _lacks_compiled(source: CommittedModel, stores: Iterable[ConnectedStore]) -> bool:
    if source.compiled is None:
        return False
    found = compiled_by_platform(stores, source.commit)
    return any(source.compiled.digest not in {one.digest for one in models} for models in found.values())


def _left(plan: Plan, source: CommittedModel, model_at: Callable[[str], Model]) -> Iterator[Platform]:
    """Yield each platform that has left once, as in the model of a commit that platforms still run."""
    seen = {platform.name for platform in source.model.ecosystem.platforms}
    for commit in commits_before(plan):
        # A commit whose model cannot be had is refused by name before anything is applied (safety.py).
        with suppress(StreamFactoryError):
            for platform in model_at(commit).ecosystem.platforms:
                if platform.name not in seen:
                    seen.add(platform.name)
                    yield platform
