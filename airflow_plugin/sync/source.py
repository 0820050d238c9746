"""Where sync gets a model from: a folder in git as it was committed, or a branch of a repository."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from config_schema.errors import StreamFactoryError, choose_from
from config_schema.load import Model, load_model
from config_schema.load.folder import read_model
from config_schema.load.git import checkout, commit_of, descends_here, descends_there, place_of
from config_schema.model import Platform


@dataclass(frozen=True)
class CommittedModel:
    """A checked model and the commit it was read from: what the jobs will check out."""

    model: Model
    commit: str
    # Whether the commit is, or comes after, another one; and the model at another commit, of which only the shape is
    # checked, because rules may have come since. Raise StreamFactoryError.
    descends_from: Callable[[str], bool]
    model_at: Callable[[str], Model]

    def platforms(self, chosen: Iterable[str] = ()) -> tuple[Platform, ...]:
        """The platforms of these names, or all. Raises StreamFactoryError for a name that is none."""
        return chosen_platforms(self.model, chosen)


def chosen_platforms(model: Model, chosen: Iterable[str] = ()) -> tuple[Platform, ...]:
    """The platforms of these names, in the model's order, or all. Raises StreamFactoryError for a name that is none."""
    wanted, known = set(chosen), [platform.name for platform in model.ecosystem.platforms]
    for name in sorted(wanted.difference(known)):
        raise StreamFactoryError("--platform", f"{name!r} is no platform of the model", choose_from(name, known))
    return tuple(p for p in model.ecosystem.platforms if not wanted or p.name in wanted)


def model_of_folder(folder: Path) -> CommittedModel:
    """The model in `folder`. Raises StreamFactoryError if it is not just what was committed."""
    model, commit = load_model(folder), commit_of(folder)
    repository, inside = place_of(folder)

    def model_at(other: str) -> Model:
        return _model_at(str(repository), other, other, None, inside)

    return CommittedModel(model, commit, partial(descends_here, folder, commit), model_at)


def model_of_repository(url: str, branch: str, token: str | None) -> CommittedModel:
    """The model at the head of a branch, fetched into a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="model-") as folder:
        commit = checkout(url, branch, None, Path(folder), token)
        model = load_model(Path(folder))

    def model_at(other: str) -> Model:
        return _model_at(url, branch, other, token)

    return CommittedModel(model, commit, partial(descends_there, url, branch, commit, token=token), model_at)


def _model_at(url: str, branch: str, commit: str, token: str | None, inside: str = "") -> Model:
    with tempfile.TemporaryDirectory(prefix="model-") as folder:
        checkout(url, branch, commit, Path(folder), token)
        return read_model(Path(folder, inside))
