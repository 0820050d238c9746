"""Where sync gets a model from: a folder in git as it was committed, or a branch of a repository."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from config_schema import names
from config_schema.errors import FileUnreadable, StreamFactoryError, UnknownName
from config_schema.load import Model, load_model
from config_schema.load.folder import CodeReader, compiled, is_code, read_model, reading
from config_schema.load.git import (
    checkout,
    commit_of,
    descends_here,
    descends_there,
    is_on_branch,
    is_server_of,
    place_of,
    remotes_of,
)
from config_schema.model import GitRepository, Platform
from config_schema.model.compiled import CompiledModel, compiled_from_json
from config_schema.model.environments import in_environment

SHOWN_COMMIT = 12


class ModelAt(Protocol):
    """Returns the model at a commit; `known` is what was compiled of it, if anything."""

    def __call__(self, commit: str, known: Iterable[CompiledModel] = (), /) -> Model:
        """Return the model at a commit."""


@dataclass(frozen=True)
class CommittedModel:
    """A checked model and its commit: what the jobs will use."""

    model: Model
    commit: str
    compiled: CompiledModel | None  # where the model is code
    # Whether the commit is, or comes after, another one; and the model at another commit, of which only the shape is
    # checked, because rules may have come since; code of it is not run if what it gave is known. Raise
    # StreamFactoryError.
    descends_from: Callable[[str], bool]
    model_at: ModelAt
    # Whether jobs would check out the same: the repository's branch has the commit, with the model in its top folder.
    is_on: Callable[[GitRepository], bool]

    def platforms(self, chosen: Iterable[str] = ()) -> tuple[Platform, ...]:
        """Return the platforms of these names, or all. Raises UnknownName for an unknown name."""
        return chosen_platforms(self.model, chosen)


def chosen_platforms(model: Model, chosen: Iterable[str] = ()) -> tuple[Platform, ...]:
    """Return the platforms of these names, either of each, in the model's order, or all. Raises UnknownName."""
    known = [platform.name for platform in model.ecosystem.platforms]
    wanted = {names.meant_platform(name, known) for name in chosen}
    for name in sorted(wanted.difference(known)):
        raise UnknownName("--platform", "platform", name, known, "the model")
    return tuple(p for p in model.ecosystem.platforms if not wanted or p.name in wanted)


def model_of_folder(folder: Path, compiled_file: Path | None = None, token: str | None = None) -> CommittedModel:
    """Return the model in `folder`. Raises StreamFactoryError if it differs from what was committed.

    A model that is code is evaluated as it was committed, without other files of the folder; or no code runs, and
    `compiled_file` has the model. `token` is for the servers of the folder's repository.
    """
    commit = commit_of(folder)
    repository, inside = place_of(folder)
    if is_code(folder):
        with tempfile.TemporaryDirectory(prefix="model-") as made:
            checkout(str(repository), commit, commit, Path(made))
            model, compiled_model = _loaded(Path(made, inside), commit, compiled_file)
    else:
        model, compiled_model = load_model(folder), None

    def model_at(other: str, known: Iterable[CompiledModel] = ()) -> Model:
        return _model_at(
            (str(repository), other, None),
            other,
            inside,
            known,
            runs_code=compiled_file is None,
            environment=model.environment,
        )

    def is_on(wanted: GitRepository) -> bool:
        return not inside and _is_on_branch(wanted, commit, remotes_of(folder), token)

    return CommittedModel(model, commit, compiled_model, partial(descends_here, folder, commit), model_at, is_on)


def model_of_repository(url: str, branch: str, token: str | None, compiled_file: Path | None = None) -> CommittedModel:
    """Return the model at the head of a branch, or at the commit that was compiled.

    It is fetched into a temporary folder. No code runs if there is a `compiled_file`. Raises StreamFactoryError.
    """
    before = None if compiled_file is None else _read_compiled(compiled_file)
    with tempfile.TemporaryDirectory(prefix="model-") as folder:
        commit = checkout(url, branch, None if before is None else before.commit, Path(folder), token)
        model, compiled_model = _loaded(Path(folder), commit, compiled_file)

    def model_at(other: str, known: Iterable[CompiledModel] = ()) -> Model:
        return _model_at(
            (url, branch, token), other, "", known, runs_code=compiled_file is None, environment=model.environment
        )

    def is_on(wanted: GitRepository) -> bool:
        return (wanted.url, wanted.branch) == (url, branch) or _is_on_branch(wanted, commit, [url], token)

    descends = partial(descends_there, url, branch, commit, token=token)
    return CommittedModel(model, commit, compiled_model, descends, model_at, is_on)


def _is_on_branch(repository: GitRepository, commit: str, known: Iterable[str], token: str | None) -> bool:
    """Return whether the branch of the jobs has the commit. Raises GitError if that cannot be seen.

    The model names the repository, and does not decide who gets a token: only a server that the model is from does. Nor
    does it decide which: any variable of the environment could be one that a secret of the model is called like.
    """
    own = token if is_server_of(repository.url, known) else None
    return is_on_branch(repository.url, repository.branch, commit, own)


class ModelNotCompiled(StreamFactoryError):
    """A model is code (eco.py), its output is not recorded, and its code may not run beside the secrets here.

    Compile it where there are no secrets: dagfactory model compile; then run dagfactory sync --compiled.
    """

    code = "DF3006"


def _loaded(folder: Path, commit: str, compiled_file: Path | None) -> tuple[Model, CompiledModel | None]:
    """Return the checked model of a checkout, and the output of its code if it is code."""
    if not is_code(folder):
        return load_model(folder), None
    made = compiled(folder, commit) if compiled_file is None else _read_compiled(compiled_file)
    if made is None:
        what = "the model is code (eco.py), and was not compiled apart from the secrets that are here"
        todo = "Run dagfactory model compile where there are none; for jobs in pods run dagfactory bootstrap again"
        raise ModelNotCompiled(str(compiled_file), what, todo)
    # Compiled of the same files, which `reading` checks, it is this commit's, also if no commit was known there.
    return load_model(folder, reading(made)), replace(made, commit=commit)


def _read_compiled(path: Path) -> CompiledModel | None:
    """Return what dagfactory model compile wrote; None without such a file."""
    try:
        return compiled_from_json(path.read_text("utf-8"), str(path))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise FileUnreadable(path, error, "Write it with dagfactory model compile") from error


def _model_at(
    repository: tuple[str, str, str | None],
    commit: str,
    inside: str,
    known: Iterable[CompiledModel],
    *,
    runs_code: bool,
    environment: str | None,
) -> Model:
    """Return the model at another commit of a repository: its address, a branch with the commit, and a token."""
    url, branch, token = repository
    with tempfile.TemporaryDirectory(prefix="model-") as made:
        checkout(url, branch, commit, Path(made), token)
        folder = Path(made, inside)
        before = next(iter(known), None)
        if before is not None:
            return _read_in(environment, folder, reading(before))
        if is_code(folder) and not runs_code:
            what = "the model is code there (eco.py), what it gave is not recorded, and code is not run beside secrets"
            todo = "Run dagfactory sync once without --compiled where its code may run, or with --force-rollback"
            raise ModelNotCompiled(f"commit {commit[:SHOWN_COMMIT]}", what, todo)
        return _read_in(environment, folder)


def _read_in(environment: str | None, folder: Path, *code: CodeReader) -> Model:
    """Return a model of the past in an environment of now, which it may not have had."""
    model = read_model(folder, *code)
    return model if environment is None else replace(model, ecosystem=in_environment(model.ecosystem, environment))
