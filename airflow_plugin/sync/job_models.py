"""The part of the model that jobs read, written by sync: only for a commit that jobs could check out themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from airflow_plugin.control.job_model import JobModelChange, JobModelTable
from airflow_plugin.control.session import ControlSession
from airflow_plugin.sync.source import CommittedModel
from airflow_plugin.sync.stores import ConnectedStore
from config_schema.errors import StreamFactoryError
from config_schema.job_model import FORMAT, JobModels, state_of
from config_schema.model import GitRepository, Platform

SHOWN_COMMIT = 12


@dataclass
class JobModelSync:
    """The job models that a sync must write; `notes` are about those it cannot, `changes` what it has written."""

    commit: str
    models: JobModels
    platforms: tuple[Platform, ...]
    notes: tuple[str, ...]
    changes: dict[str, JobModelChange] = field(default_factory=dict)

    def write(self, session: ControlSession, name: str) -> None:
        """Write the job model of the named platform, if it is one of these, in the caller's transaction."""
        for platform in self.platforms:
            if platform.name == name:
                rows = self.models.of(name)
                state = state_of(rows, self.commit, platform.model)
                self.changes[name] = JobModelTable(session).write(rows, state)


def job_models(source: CommittedModel, stores: Iterable[ConnectedStore]) -> JobModelSync:
    """Return the job models that differ from the commit, and that jobs may use.

    A job does not run a commit that its branch does not have; with git it checks that itself. What is written here
    is not checked again, so the branch is checked before: a commit that it does not have, or that cannot be seen,
    is left to git.
    """
    stores = list(stores)
    lacking = [one for store in stores for one in store.platforms if _lacks(store, one, source.commit)]
    for store in stores:
        store.connection.rollback()  # nothing was written; a person may now take time to read
    refused: dict[GitRepository, str | None] = {one.model: None for one in lacking}
    for repository in refused:
        refused[repository] = _refusal(source, repository)
    notes = [why for why in refused.values() if why is not None]
    may = tuple(one for one in lacking if refused[one.model] is None)
    return JobModelSync(source.commit, JobModels(source.model), may, tuple(notes))


def _lacks(store: ConnectedStore, platform: Platform, commit: str) -> bool:
    table = JobModelTable(store.session(platform))
    state = table.state()
    wanted = (commit, FORMAT, platform.model.url, platform.model.branch)
    if state is None or (state.commit, state.format, state.repository, state.branch) != wanted:
        return True
    return state.digest != table.digest()


def _refusal(source: CommittedModel, repository: GitRepository) -> str | None:
    """Return why jobs must read the commit from git; None if they need not."""
    place = f"branch {repository.branch} of {repository.url}"
    try:
        if source.is_on(repository):
            return None
        why = f"{place} does not have commit {source.commit[:SHOWN_COMMIT]} at its top; push it, and sync again"
    except StreamFactoryError as error:
        why = f"{place} cannot be seen from here ({error.what})"
    return f"Each job will clone the repository and read the whole model, as {why}"
