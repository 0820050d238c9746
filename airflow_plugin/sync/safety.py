"""What a sync refuses by default: going back in the model's history, and changes that data cannot follow."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from airflow_plugin.health.dag_owners import Owner, clashes
from airflow_plugin.sync.diff import SyncAction
from airflow_plugin.sync.plan import Plan, commits_before
from config_schema import names
from config_schema.errors import ProblemsFound, StreamFactoryError
from config_schema.load import Model
from config_schema.model import Dataset, Ecosystem
from config_schema.model.sql_types import long_name, widens
from config_schema.problem import Rule

CHANGE_IS_COMPATIBLE = Rule("DF3011", "A change of the model keeps the data that merge tables have already.")

SHORT_COMMIT = 12


class RollbackRefused(StreamFactoryError):
    """The commit does not come after the one that was applied last.

    Take a commit that does, or go back with --force-rollback.
    """

    code = "DF3004"

    def __init__(self, platform: str, commit: str, applied: str) -> None:
        self.platform, self.commit, self.applied = platform, commit, applied
        short = commit[:SHORT_COMMIT], applied[:SHORT_COMMIT]
        what = "the model at {} does not descend from {}, which was applied last".format(*short)
        super().__init__(platform, what, "Take a commit that does, or go back with --force-rollback")


class LastModelMissing(StreamFactoryError):
    """The model that was applied last cannot be read, so nobody knows which changes data cannot follow.

    Nothing: each job refuses such changes of its own tables.
    """

    code = "DF3005"

    def __init__(self, commit: str, cause: StreamFactoryError) -> None:
        self.commit, self.cause = commit, cause
        what = f"the model that was applied last cannot be had ({cause.what})"
        todo = "Changes that data cannot follow were not looked for: each job refuses those of its own tables"
        super().__init__(commit[:SHORT_COMMIT], what, todo)


@dataclass(frozen=True)
class Incompatible:
    """A dataset (`Store1.customers`), and a change that its merge tables cannot follow."""

    dataset: str
    what: str


def refuse_rollback(plan: Plan, descends_from: Callable[[str], bool]) -> None:
    """Raise RollbackRefused if the plan's commit does not descend from a platform's commit."""
    for commit, platform in commits_before(plan).items():
        if not descends_from(commit):
            raise RollbackRefused(platform, plan.commit, commit)


def refuse_incompatible(
    plan: Plan,
    after: Model,
    model_at: Callable[[str], Model],
    allowed: Collection[str],
    warned: Callable[[StreamFactoryError], None] | None = None,
    loaded: Collection[str] | None = None,
) -> None:
    """Raise ProblemsFound for incompatible changes of datasets not `allowed` by name (`Store1.customers`).

    Keys and types of a dataset that is not `loaded` anywhere may change, because its first load creates the table.
    None: it is not known which are. If the model of the commit applied last is lost, for example because its branch
    was rewritten, `warned` is called; if it is None, or if a retry can help, StreamFactoryError is raised.
    """
    problems = []
    for commit in commits_before(plan):
        try:
            before = model_at(commit)
        except StreamFactoryError as error:
            if warned is None or error.retryable:
                raise
            warned(LastModelMissing(commit, error))
            continue
        for found in incompatible_changes(before.ecosystem, after.ecosystem, loaded):
            if found.dataset not in allowed:
                todo = f"Take it back, or let it through with --allow-incompatible {found.dataset}"
                problems.append(
                    CHANGE_IS_COMPATIBLE.problem(plan.commit[:SHORT_COMMIT], found.dataset, found.what, todo)
                )
    if problems:
        raise ProblemsFound("model", dict.fromkeys(problems))


def refuse_clashes(plan: Plan, owner: Owner | None) -> None:
    """Raise ProblemsFound for new streams with the DAG id of a static file; without `owner` nothing is checked."""
    problems = [
        problem
        for platform in plan.platforms
        for _, problem in clashes(
            names.platform_name(platform.platform),
            [one.stream_key for one in platform.writes if one.kind in (SyncAction.CREATE, SyncAction.REVIVE)],
            owner or (lambda dag_id: None),
        )
    ]
    if problems:
        raise ProblemsFound("model", problems)


def incompatible_changes(
    before: Ecosystem, after: Ecosystem, loaded: Collection[str] | None = None
) -> Iterator[Incompatible]:
    """Yield changed keys, columns that cannot contain every value any more, and missing datasets in use.

    Of datasets that are not `loaded`, if that is known, only the last.
    """
    old, new = _datasets(before), _datasets(after)
    used = {
        f"{sink.datastore}.{sink.dataset}": workspace.name
        for workspace in before.workspaces
        for group in workspace.dataset_groups
        for sink in group.sinks
    }
    for name, dataset in old.items():
        if name not in new and name in used:
            yield Incompatible(name, f"it is gone, and workspace {used[name]} used it")
        elif name in new and (loaded is None or name in loaded):
            yield from _changes(name, dataset, new[name])


def _changes(name: str, before: Dataset, after: Dataset) -> Iterator[Incompatible]:
    if before.primary_key != after.primary_key:
        was, now = (", ".join(key) for key in (before.primary_key, after.primary_key))
        yield Incompatible(name, f"its primary key was ({was}) and is ({now})")
    types = {column.name: column.type for column in after.columns}
    for column in before.columns:
        was, now = long_name(column.type), long_name(types.get(column.name, column.type))
        if not widens(was, now):
            yield Incompatible(name, f"column {column.name} was {was} and is {now}, which does not hold all it held")


def _datasets(ecosystem: Ecosystem) -> dict[str, Dataset]:
    return {f"{store.name}.{dataset.name}": dataset for store in ecosystem.datastores for dataset in store.datasets}
